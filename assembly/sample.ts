/**
 * The samples of a decoded record: judged by their times and completeness, then stored reading by
 * reading. One sample is one unit of work: what it stages is bounded (memory.ts, STAGE_RESERVE).
 */
import {
  channelAgePolicy, channelClockPolicy, channelLatenessMs, channelMaxAgeMs, channelMaxClockSkewMs,
  channelRetentionMs, channelTimeRequired,
} from './channel';
import { Reading, Sample, TIME_PRESENT, decodedAt, readingAt, sampleAt } from './decoded';
import { deviceOf } from './device';
import { countRejected, countStored } from './ledger';
import { DECODED_AT, NONE, durable } from './memory';
import { closeRecord, note } from './record';
import {
  SAMPLE_ROW_FLAGS_AT, SAMPLE_ROW_ORDINAL_AT, SAMPLE_ROW_PRESENCE_AT, SAMPLE_ROW_VALUES_AT,
  rowsFull, stageSample,
} from './rows';
import { Section, conform, latestAt } from './series';
import {
  FLAG_LATE, FLAG_PARTLY, FLAG_TIME_RECEIVED, FLAG_UNJUDGED_TIME, POLICY_REJECT,
} from './shared/abi';
import * as S from './shared/status';
import { scheduleDevice } from './timer';
import { finishFold, foldSample, moveWatermark, sectionOf } from './window';
import { NO_METRIC, Record, turnOf } from './work';

/** Applies the samples that are left and closes the record; false when an output region is full. */
export function applySamples(record: Record): bool {
  const turn = turnOf();
  const count = decodedAt(DECODED_AT).sampleCount;
  for (;;) {
    if (rowsFull() || !finishFold()) return false;
    if (turn.sample == count) break;
    applySample(record, turn.sample++);
    turn.sampleOrdinal++;
  }
  closeRecord(record);
  return true;
}

function applySample(record: Record, index: u32): void {
  const sample = sampleAt(DECODED_AT, index);
  const present = sample.timeKind == TIME_PRESENT;
  const event = present ? sample.eventTimeMs : record.received;
  const status = judgeSample(record, sample, event);
  if (status != S.OK) {
    const offset = status == S.REQUIRED_MISSING ? sample.offset : sample.timeOffset;
    note(record, status, offset, status == S.REQUIRED_MISSING ? sample.metric : NO_METRIC);
    countRejected(status, sample.readingCount);
    record.rejected += sample.readingCount;
    return;
  }
  const accepted = acceptReadings(record, sample);
  if (accepted == 0) return;
  const partly = accepted < sample.readingCount ? FLAG_PARTLY : 0;
  storeSample(record, index, event, partly | (present ? 0 : FLAG_TIME_RECEIVED));
  countStored(accepted);
  record.stored += accepted;
  deviceOf(record.slot).readings += accepted;
}

/** The lowest status of the sample itself. */
function judgeSample(record: Record, sample: Sample, event: i64): i32 {
  const channel = record.channel;
  if (sample.status == S.TIME_MALFORMED) return S.TIME_MALFORMED;
  if (sample.timeKind != TIME_PRESENT && channelTimeRequired(channel)) return S.TIME_MISSING;
  if (isAhead(record, event) && channelClockPolicy(channel) == POLICY_REJECT) return S.CLOCK_AHEAD;
  if (isOld(record, event) && channelAgePolicy(channel) == POLICY_REJECT) return S.TOO_OLD;
  const retention = channelRetentionMs(channel);
  if (retention > 0 && event + retention <= turnOf().stampMs) return S.TOO_LATE;
  return sample.status;
}

@inline
function isAhead(record: Record, event: i64): bool {
  return event - record.received > channelMaxClockSkewMs(record.channel);
}
@inline
function isOld(record: Record, event: i64): bool {
  return record.received - event > channelMaxAgeMs(record.channel);
}

/** Notes and counts the readings refused; gives how many were accepted. */
function acceptReadings(record: Record, sample: Sample): u32 {
  let accepted: u32 = 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status == S.OK) {
      accepted++;
      continue;
    }
    note(record, reading.status, reading.offset, reading.ordinal);
    countRejected(reading.status, 1);
    record.rejected++;
  }
  return accepted;
}

/** Row, latest values, windows, watermark: in this order. */
function storeSample(record: Record, index: u32, event: i64, flags: u32): void {
  const slot = <u32>record.slot;
  const channel = record.channel;
  const offset = conform(slot, channel);
  const at = sectionOf(slot, offset);
  const section = changetype<Section>(at);
  const watermark = section.watermark;
  if (watermark != NONE && event < watermark - channelLatenessMs(channel)) flags |= FLAG_LATE;
  if (isAhead(record, event) || isOld(record, event)) flags |= FLAG_UNJUDGED_TIME;
  const device = deviceOf(slot);
  const row = stageSample(device, channel, event, record.received);
  store<u32>(row, turnOf().sampleOrdinal, SAMPLE_ROW_ORDINAL_AT);
  store<u32>(row, flags, SAMPLE_ROW_FLAGS_AT);
  store<u64>(row, fillValues(row, at, index, event), SAMPLE_ROW_PRESENCE_AT);
  if (event > device.lastEvent) device.lastEvent = event;
  section.lastLog = durable().logClock;
  foldSample(slot, offset, index, event);
  moveWatermark(slot, offset, channel, event);
  scheduleDevice(slot);
}

/** Values of the accepted readings into row and shadow; gives the presence bits. */
function fillValues(row: usize, section: usize, index: u32, event: i64): u64 {
  const sample = sampleAt(DECODED_AT, index);
  let presence: u64 = 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading: Reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status != S.OK) continue;
    presence |= <u64>1 << reading.ordinal;
    store<u64>(row + SAMPLE_ROW_VALUES_AT + (<usize>reading.ordinal << 3), reading.bits);
    const latest = latestAt(section, reading.ordinal);
    if (latest.eventTime != NONE && event < latest.eventTime) continue;
    if (latest.eventTime == NONE || latest.bits != reading.bits) latest.since = event;
    latest.bits = reading.bits;
    latest.eventTime = event;
  }
  return presence;
}

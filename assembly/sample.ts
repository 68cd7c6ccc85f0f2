/**
 * The samples of a decoded record: judged by their times and completeness, their readings by the
 * device's state (judge/), then stored. One sample is one unit of work: what it stages is bounded
 * (memory.ts, STAGE_RESERVE).
 */
import {
  channelAgePolicy, channelClockPolicy, channelJudgesState, channelLatenessMs, channelMaxAgeMs,
  channelMaxClockSkewMs, channelRetentionMs, channelTimelyMs, channelTimeRequired,
} from './channel';
import {
  Reading, SAMPLE_HISTORICAL, Sample, TIME_PRESENT, decodedAt, readingAt, sampleAt,
} from './decoded';
import { Device, deviceOf } from './device';
import { watchReading } from './judge/alert';
import { doubleOf, judgeReadings } from './judge/check';
import { correctedTime, learnClock } from './judge/clock';
import { textBytes } from './judge/dictionary';
import {
  Quality, countReadings, countStoredSample, countTime, countsQuality, qualityOf,
} from './judge/quality';
import { scoreReading } from './judge/score';
import { COLUMN_LENGTH_BYTES } from './judge/text-column';
import { countRejected, countStored } from './ledger';
import { DECODED_AT, NONE, durable, readingScoreAt } from './memory';
import { closeRecord, note } from './record';
import { rowsFull, sealMore } from './rows';
import {
  DEVICE_TIME_AT, PRESENCE_AT, RECEIVED_AT, TILE_VALUES, addSample, openTile, rowAt, valueBehind,
  wideAt, zeroAbsent,
} from './tile';
import { Latest, Section, latestAt, sectionOf, sinceAt } from './series';
import {
  FLAG_HISTORICAL, FLAG_LATE, FLAG_PARTLY, FLAG_SUSPECT, FLAG_TIME_CORRECTED, FLAG_TIME_RECEIVED,
  FLAG_UNJUDGED_TIME, KIND_TEXT, POLICY_ACCEPT, POLICY_CORRECT, POLICY_REJECT, SCORE_NONE,
} from './shared/abi';
import * as S from './shared/status';
import { scheduleStored } from './timer';
import { storeUsual } from './usual';
import { conform } from './window/conform';
import { finishFold, foldSample, moveWatermark } from './window/fold';
import { NO_METRIC, Record, turnOf } from './work';

/** Applies the samples that are left and closes the record; false when an output region is full. */
export function applySamples(record: Record): bool {
  const turn = turnOf();
  const count = decodedAt(DECODED_AT).sampleCount;
  while (turn.sample < count) {
    const index = turn.sample++;
    if (!storeUsual(record, sampleAt(DECODED_AT, index))) applySample(record, index);
    turn.sampleOrdinal++;
    if (!samplesFit()) return false;
  }
  closeRecord(record);
  return true;
}

/** The last sample is folded, and there is room for another one's rows. */
@inline
export function samplesFit(): bool { return finishFold() && !rowsFull(); }

function applySample(record: Record, index: u32): void {
  const sample = sampleAt(DECODED_AT, index);
  const channel = record.channel;
  const event = eventTimeOf(record, sample);
  const status = judgeSample(record, sample, event);
  const counts = countsQuality();
  const quality = counts ? qualityOf(deviceOf(record.slot)) : changetype<Quality>(0);
  if (counts) countTime(quality, status, turnOf().stampMs - event, channelTimelyMs(channel));
  if (status != S.OK) {
    const offset = status == S.REQUIRED_MISSING ? sample.offset : sample.timeOffset;
    note(record, status, offset, status == S.REQUIRED_MISSING ? sample.metric : NO_METRIC);
    countRejected(status, sample.readingCount);
    record.rejected += sample.readingCount;
    return;
  }
  record.suspects = 0;
  record.ruleSuspects = 0;
  if (channelJudgesState(channel)) judgeReadings(record, sample, event);
  if (counts) countReadings(quality, record, sample);
  const accepted = acceptReadings(record, sample);
  if (accepted == 0) return;
  let flags: u32 = accepted < sample.readingCount ? FLAG_PARTLY : 0;
  if ((record.suspects | record.ruleSuspects) != 0) flags |= FLAG_SUSPECT;
  storeSample(record, index, event, flags);
  countStored(accepted);
  record.stored += accepted;
  deviceOf(record.slot).readings += accepted;
}

/** As the device says it, or received; set back when its clock is ahead and the policy corrects. */
function eventTimeOf(record: Record, sample: Sample): i64 {
  if (sample.timeKind != TIME_PRESENT) return record.received;
  const event = sample.eventTimeMs;
  if (sample.status == S.TIME_MALFORMED) return event;
  const device = deviceOf(record.slot);
  if (!isHistorical(sample)) learnClock(device, record.received - event);
  if (channelClockPolicy(record.channel) != POLICY_CORRECT) return event;
  return correctedTime(device, event, record.received);
}

@inline
function isHistorical(sample: Sample): bool { return (sample.flags & SAMPLE_HISTORICAL) != 0; }

/** The lowest status of the sample itself. */
function judgeSample(record: Record, sample: Sample, event: i64): i32 {
  const channel = record.channel;
  if (sample.status == S.TIME_MALFORMED) return S.TIME_MALFORMED;
  if (sample.timeKind != TIME_PRESENT && channelTimeRequired(channel)) return S.TIME_MISSING;
  if (isAhead(record, event) && channelClockPolicy(channel) != POLICY_ACCEPT) return S.CLOCK_AHEAD;
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
  const device = deviceOf(slot);
  const sample = sampleAt(DECODED_AT, index);
  if (countsQuality()) {
    countStoredSample(qualityOf(device), section, channel, sample, event);
  }
  const tile = openTile(channel);
  const all = flags | timeFlags(record, sample, section, event);
  const row = addSample(tile, device, channel, event, all);
  const own = sample.timeKind == TIME_PRESENT ? sample.eventTimeMs : event;
  const place = rowAt(tile, row);
  store<i64>(place, record.received, RECEIVED_AT);
  store<i64>(place, own, DEVICE_TIME_AT);
  store<u64>(place, fillValues(tile, row, channel, sample), PRESENCE_AT);
  if (section.score != SCORE_NONE || section.alertCount > 0) {
    watchReadings(device, channel, at, sample, event);
  }
  if (!isHistorical(sample)) moveLatest(at, sample, event);
  if (event > device.lastEvent) device.lastEvent = event;
  section.lastLog = durable().logClock;
  foldSample(slot, offset, index, event);
  moveWatermark(slot, offset, channel, event);
  scheduleStored(slot, channel);
}

function timeFlags(record: Record, sample: Sample, section: Section, event: i64): u32 {
  const watermark = section.watermark;
  let flags: u32 = 0;
  if (watermark != NONE && event < watermark - channelLatenessMs(record.channel)) flags = FLAG_LATE;
  if (isAhead(record, event) || isOld(record, event)) flags |= FLAG_UNJUDGED_TIME;
  if (isHistorical(sample)) flags |= FLAG_HISTORICAL;
  if (sample.timeKind != TIME_PRESENT) return flags | FLAG_TIME_RECEIVED;
  return event == sample.eventTimeMs ? flags : flags | FLAG_TIME_CORRECTED;
}

/** Values of the accepted readings into the row; gives the presence bits. */
function fillValues(tile: usize, row: u32, channel: usize, sample: Sample): u64 {
  const values = wideAt(tile, TILE_VALUES, row);
  let presence: u64 = 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading: Reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status != S.OK) continue;
    presence |= <u64>1 << reading.ordinal;
    store<u64>(valueBehind(values, reading.ordinal), reading.bits);
    if (reading.kind == KIND_TEXT) sealMore(textBytes(<u32>reading.bits) + COLUMN_LENGTH_BYTES);
  }
  zeroAbsent(values, channel, presence);
  return presence;
}

/** Scores and alerts of the current readings, before they become the latest. */
export function watchReadings(
  device: Device, channel: usize, section: usize, sample: Sample, event: i64,
): void {
  const scored = changetype<Section>(section).score != SCORE_NONE;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const place = sample.readingFirst + i;
    const reading = readingAt(DECODED_AT, place);
    if (reading.status != S.OK) continue;
    if (scored) store<f32>(readingScoreAt(place), 0);
    if (reading.kind == KIND_TEXT || isHistorical(sample)) continue;
    const ordinal = reading.ordinal;
    const latest = latestAt(section, ordinal);
    if (latest.eventTime != NONE && event < latest.eventTime) continue;
    const value = doubleOf(reading.kind, reading.bits);
    if (scored) store<f32>(readingScoreAt(place), scoreReading(section, ordinal, value, event));
    watchReading(device, channel, section, ordinal, value, event);
  }
}

/** The accepted readings that are current become the latest. */
function moveLatest(section: usize, sample: Sample, event: i64): void {
  const first = changetype<usize>(latestAt(section, 0));
  const stride = changetype<usize>(latestAt(section, 1)) - first;
  const stands = changetype<Section>(section).stands;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status != S.OK) continue;
    const latest = changetype<Latest>(first + <usize>reading.ordinal * stride);
    keepLatest(latest, reading.bits, event, stands);
  }
}

/** A reading that is current becomes the latest. */
@inline
export function keepLatest(latest: Latest, bits: u64, event: i64, stands: u32): void {
  // NONE is less than every time.
  if (event < latest.eventTime) return;
  if (stands != 0 && (latest.eventTime == NONE || latest.bits != bits)) {
    store<i64>(sinceAt(latest), event);
  }
  latest.bits = bits;
  latest.eventTime = event;
}

/**
 * The usual sample, straight through: with a time of its own that is neither late nor ahead, all
 * its readings good, into tumbling windows whose open cells were folded into last, and nothing
 * comes due. It does what sample.ts and window/fold.ts do of such a one, without looking anything
 * up twice: no block can move but by new bins of sketches, which come last.
 *
 * In: a sample past dedup. Out: true when it is stored; false when it is not usual, nothing was
 * changed then. The differential tests hold both ways against the same reference.
 */
import {
  channelClockPolicy, channelId, channelJudgesState, channelMaxAgeMs, channelMaxClockSkewMs,
  channelOutOfOrderMs, channelRetentionMs, channelTimelyMs,
} from './channel';
import {
  READING_BYTES, Reading, SAMPLE_HISTORICAL, Sample, TIME_PRESENT, readingAt,
} from './decoded';
import { Device } from './device';
import { learnClock } from './judge/clock';
import {
  countReadings, countStoredSample, countTime, countsQuality, qualityOf,
} from './judge/quality';
import { countStored } from './ledger';
import { DECODED_AT, NONE, durable, slotAt } from './memory';
import { keepLatest, watchReadings } from './sample';
import {
  Latest, Section, bodyBehind, findSection, latestAt, sectionOf, seriesBytes, windowStateAt,
} from './series';
import { KIND_TEXT, POLICY_CORRECT, SCORE_NONE, WINDOW_TUMBLING } from './shared/abi';
import { OK } from './shared/status';
import {
  DEVICE_TIME_AT, PRESENCE_AT, RECEIVED_AT, TILE_VALUES, addSample, openTile, rowAt, valueBehind,
  wideAt, zeroAbsent,
} from './tile';
import { isScheduled } from './timer';
import { CELL_FIRED, Cell, cellAt, hasSketches, kindOf, scoresAt } from './window/cell';
import { countInSketches, foldReadings, listReadings } from './window/fold';
import { isFullList, isListed, openEntry } from './window/list';
import { Record, turnOf } from './work';

export function storeUsual(record: Record, sample: Sample): bool {
  const channel = record.channel;
  const event = sample.eventTimeMs;
  if (!isPlain(record, sample, event)) return false;
  const slot = <u32>record.slot;
  const entry = slotAt(slot);
  const id = channelId(channel);
  if (id >= 32 || ((entry.conforming >> id) & 1) == 0) return false;
  const device = changetype<Device>(entry.block);
  const at = findSection(device, id);
  const section = changetype<Section>(at);
  if (section.watermark == NONE || event < section.watermark) return false;
  const turn = turnOf();
  const greatest = max(event, section.maxEvent);
  const bound = min(greatest, turn.stampMs) - channelOutOfOrderMs(channel) - 1;
  const watermark = max(section.watermark, bound);
  if (!isScheduled(entry, channel)) return false;
  const series = changetype<usize>(latestAt(at, 0));
  const stride = seriesBytes(section.score, section.stands);
  const body = bodyBehind(section, series, stride);
  if (!fitsWindows(at, body, event, watermark)) return false;
  learnClock(device, record.received - event);
  if (countsQuality()) countUsual(record, sample, device, section);
  const scored = section.score != SCORE_NONE;
  if (scored || section.alertCount > 0) watchReadings(device, channel, at, sample, event);
  keepReadings(record, sample, device, series, stride);
  if (event > device.lastEvent) device.lastEvent = event;
  section.lastLog = durable().logClock;
  section.maxEvent = greatest;
  section.watermark = watermark;
  const count = sample.readingCount;
  countStored(count);
  record.stored += count;
  device.readings += count;
  if (foldWindows(at, body, sample, scored)) sketchReadings(slot, at - entry.block, sample);
  return true;
}

/** What the sample itself and its channel tell. */
@inline
function isPlain(record: Record, sample: Sample, event: i64): bool {
  const channel = record.channel;
  if (sample.status != OK || sample.timeKind != TIME_PRESENT) return false;
  if ((sample.flags & SAMPLE_HISTORICAL) != 0 || channelJudgesState(channel)) return false;
  const ahead = event - record.received;
  if (ahead > channelMaxClockSkewMs(channel) || -ahead > channelMaxAgeMs(channel)) return false;
  if (ahead > 0 && channelClockPolicy(channel) == POLICY_CORRECT) return false;
  const retention = channelRetentionMs(channel);
  if (retention > 0 && event + retention <= turnOf().stampMs) return false;
  let at = changetype<usize>(readingAt(DECODED_AT, sample.readingFirst));
  const end = at + <usize>sample.readingCount * READING_BYTES;
  for (; at < end; at += READING_BYTES) {
    const reading = changetype<Reading>(at);
    if (reading.status != OK || reading.kind == KIND_TEXT) return false;
  }
  return sample.readingCount > 0;
}

@inline
function touchedCell(at: usize, window: u32, part: usize): Cell {
  const touched = <u32>windowStateAt(at, window).touched;
  return changetype<Cell>(touched == 0 ? part : cellAt(at, window, touched));
}

/** Every window has an open cell for the event, folded into last, and none ends by then. */
@inline
function fitsWindows(at: usize, body: usize, event: i64, watermark: i64): bool {
  const windows = <u32>changetype<Section>(at).windowCount;
  let part = body;
  for (let i: u32 = 0; i < windows; i++) {
    const state = windowStateAt(at, i);
    if (kindOf(state) != WINDOW_TUMBLING || state.touched >= state.cellCount) return false;
    const cell = touchedCell(at, i, part);
    if (<u64>(event - cell.start) >= <u64>state.length) return false;
    if ((cell.flags & CELL_FIRED) != 0 || isFullList(changetype<usize>(cell))) return false;
    // Cells ascend: if the first one does not end, none does.
    if (changetype<Cell>(part).start + <i64>state.length - 1 <= watermark) return false;
    part += state.bytes;
  }
  return true;
}

function countUsual(record: Record, sample: Sample, device: Device, section: Section): void {
  const channel = record.channel;
  const event = sample.eventTimeMs;
  const quality = qualityOf(device);
  countTime(quality, OK, turnOf().stampMs - event, channelTimelyMs(channel));
  countReadings(quality, record, sample);
  countStoredSample(quality, section, channel, sample, event);
}

/** The row, and the latest values. */
@inline
function keepReadings(
  record: Record, sample: Sample, device: Device, series: usize, stride: usize,
): void {
  const channel = record.channel;
  const event = sample.eventTimeMs;
  const tile = openTile(channel);
  const row = addSample(tile, device, channel, event, 0);
  const values = wideAt(tile, TILE_VALUES, row);
  let presence: u64 = 0;
  let at = changetype<usize>(readingAt(DECODED_AT, sample.readingFirst));
  const end = at + <usize>sample.readingCount * READING_BYTES;
  for (; at < end; at += READING_BYTES) {
    const reading = changetype<Reading>(at);
    const ordinal = reading.ordinal;
    presence |= <u64>1 << ordinal;
    store<u64>(valueBehind(values, ordinal), reading.bits);
    keepLatest(changetype<Latest>(series + <usize>ordinal * stride), reading.bits, event, 0);
  }
  zeroAbsent(values, channel, presence);
  const place = rowAt(tile, row);
  store<i64>(place, record.received, RECEIVED_AT);
  store<i64>(place, event, DEVICE_TIME_AT);
  store<u64>(place, presence, PRESENCE_AT);
}

/** Into the cells that fitsWindows found; true when some window has sketches too. */
@inline
function foldWindows(at: usize, body: usize, sample: Sample, scored: bool): bool {
  const section = changetype<Section>(at);
  const turn = turnOf();
  const sequence = turn.sequence;
  const event = sample.eventTimeMs;
  const metrics = <u32>section.metricCount;
  const windows = <u32>section.windowCount;
  let sketches = false;
  let part = body;
  for (let window: u32 = 0; window < windows; window++) {
    const cell = touchedCell(at, window, part);
    const offset = <u32>(event - cell.start);
    cell.touch = (sequence << 16) | turn.sampleOrdinal;
    const to = changetype<usize>(cell);
    const state = windowStateAt(at, window);
    const shape = <u32>state.shape;
    if (isListed(to)) {
      listReadings(sample, openEntry(to, shape, metrics, offset, sequence), metrics, scored);
    } else foldReadings(sample, to, offset, scoresAt(to, shape, metrics));
    sketches = sketches || hasSketches(state);
    part += state.bytes;
  }
  return sketches;
}

/** Last, since new bins may move the block. */
function sketchReadings(slot: u32, offset: usize, sample: Sample): void {
  const turn = turnOf();
  turn.foldSlot = slot;
  turn.foldOffset = offset;
  const windows = changetype<Section>(sectionOf(slot, offset)).windowCount;
  for (let window: u32 = 0; window < windows; window++) {
    const at = sectionOf(slot, offset);
    const state = windowStateAt(at, window);
    if (!hasSketches(state)) continue;
    countInSketches(turn, sample, window, cellAt(at, window, state.touched) - at);
  }
}

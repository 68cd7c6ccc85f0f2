/**
 * One record, from its identity to its terminal state (README, "One record"):
 *
 *   identity ─► skips ─► allowed ─► channel ─► decode ─► room ─► device ─► dedup ─► samples
 *      └──────────┴─────────┴─ its device is not reached            └─ status: no samples
 *
 * Everything that may need memory is asked for before anything is changed, so that a record fits
 * completely or the turn stops in front of it. Samples are in sample.ts.
 */
import { BOOT_GROWTH, findBoot, judgeBoot, rememberBoot } from './boot';
import {
  Device, GROWTH_SMALL, REGISTER_BYTES, deviceOf, findDevice, growthFits, reachDevice,
  registerDevice, registerFits,
} from './device';
import { released } from './capture';
import { decodeRecord } from './decode/decode';
import {
  DECODED_FILTERED, Decoded, KEY_BOOT, KEY_EVENT_ID, KEY_NONE, TIME_PRESENT, decodedAt, sampleAt,
} from './decoded';
import {
  channelContentDedup, channelFormat, channelHasTexts, channelMetricCount, channelName,
  channelNameBytes,
} from './channel';
import {
  aliasGrowth, aliasesOf, missedBefore, rememberAliases,
} from './judge/alias';
import {
  contentGrowth, judgeContent, keyByContent, rememberContent,
} from './judge/content';
import { textGrowth } from './judge/dictionary';
import {
  countKey, countMissing, countsQuality, openQuality, qualityGrowth,
} from './judge/quality';
import { countFiltered, countRecord } from './ledger';
import { DECODED_AT, NONE, SKIPS_AT, control, durable } from './memory';
import {
  planDeadLettersPerDeviceMinute, planDeviceAllowed, planDevicesMax, planFindChannel,
} from './plan';
import { isNamed } from './identity';
import { poolIsWide } from './pool';
import { judgeId, rememberId, ringGrowth } from './ring';
import { stageLetter } from './rows';
import { FORMAT_SPARKPLUG, PAYLOAD_BYTES_MAX } from './shared/abi';
import { SKIP_BYTES } from './shared/control';
import * as S from './shared/status';
import {
  KEY_CONTENT, KEY_INVALID, NO_METRIC, Record, identityScratch, recordAt, situationOf, turnOf,
} from './work';
import { equalNames, zeroBlock } from './text';
import { sectionGrowth } from './window/growth';

/** What `openRecord` gives. */
export const RECORD_DONE: i32 = 0;
export const RECORD_SAMPLES: i32 = 1;
export const RECORD_NO_MEMORY: i32 = 2;
/** Nothing was done: an export has to copy the device's block first. */
export const RECORD_AGAIN: i32 = 3;

const MINUTE_MS: i64 = 60000;
const USUAL_SAMPLES: u32 = 2;
/** Boots, quality, a section of 64 metrics with seasons, 2 cells with 128 bins in 6 windows. */
const USUAL_BYTES: usize = 512 * 1024;
/** Cells of 64 bytes, times metrics and one, that grow by GROWTH_SMALL together with the above. */
const CELLS_SMALL: u32 = <u32>(GROWTH_SMALL - USUAL_BYTES) >> 8;

/** Forgets the record before; identity, payload and time are filled in by the caller. */
@inline
export function clearRecord(record: Record): void {
  const at = changetype<usize>(record);
  // Boot and sequence; kind of the key, id, `named`.
  zeroBlock(at + offsetof<Record>('bootId'));
  zeroBlock(at + offsetof<Record>('keyKind'));
  record.slot = -1;
  record.metric = NO_METRIC;
  // What became of it, down to the suspects.
  zeroBlock(at + offsetof<Record>('channel'));
  zeroBlock(at + offsetof<Record>('rejected'));
  record.kindBytes = 0;
}

/** That `clearRecord` clears what it means to; folds to a constant. */
export function recordIsRight(): bool {
  return (
    offsetof<Record>('keyKind') - offsetof<Record>('bootId') == 16 &&
    offsetof<Record>('named') - offsetof<Record>('keyKind') == 12 &&
    offsetof<Record>('stored') - offsetof<Record>('channel') == 12 &&
    offsetof<Record>('ruleSuspects') - offsetof<Record>('rejected') == 12 &&
    KEY_NONE == 0 && S.OK == 0
  );
}

/** Keeps the lowest status and the first place that has it. */
@inline
export function note(record: Record, status: i32, offset: u32, metric: u32): void {
  if (record.status != S.OK && record.status <= status) return;
  record.status = status;
  record.offset = offset;
  record.metric = metric;
}

/** True when a record of the message is on the skip list. */
export function messageHasSkip(sequence: u64): bool {
  const count = control().skipCount;
  for (let i: u32 = 0; i < count; i++) {
    if (load<u64>(SKIPS_AT + <usize>i * SKIP_BYTES) == sequence) return true;
  }
  return false;
}

function isSkipped(): bool {
  const turn = turnOf();
  if (turn.hasSkip == 0) return false;
  const count = control().skipCount;
  for (let i: u32 = 0; i < count; i++) {
    const skip = SKIPS_AT + <usize>i * SKIP_BYTES;
    if (load<u64>(skip) == turn.sequence && load<u32>(skip, 8) == turn.recordIndex) return true;
  }
  return false;
}

/** First reason that keeps the record from its device. */
@inline
function admit(record: Record): i32 {
  const named = record.named != 0;
  if (record.payloadBytes == 0) return S.EMPTY;
  if (!named) return S.IDENTITY_INVALID;
  if (isSkipped()) return S.SKIPPED;
  const allowed = planDeviceAllowed(control().plan, identityScratch(record));
  return allowed ? S.OK : S.DEVICE_UNKNOWN;
}

/** Judges the record up to its samples; without any it is closed. */
export function openRecord(record: Record): i32 {
  const c = control();
  if (record.named != 0) {
    record.slot = findDevice(record);
    if (record.slot >= 0 && !released(record.slot)) return RECORD_AGAIN;
    record.channel = findChannel(record);
    if ((record.slot < 0 || record.channel == 0) && !isNamed(record)) record.named = 0;
  }
  const status = admit(record);
  if (status != S.OK) return refuse(record, status);
  const isNew = record.slot < 0;
  if (isNew && c.deviceCount >= planDevicesMax(c.plan)) {
    return refuse(record, record.channel == 0 ? S.CHANNEL_UNKNOWN : S.LIMIT_EXCEEDED);
  }
  judgePayload(record);
  if (isNew && !registerFits()) return RECORD_NO_MEMORY;
  if (!roomFits(record, isNew)) return RECORD_NO_MEMORY;
  if (isNew) record.slot = <i32>registerDevice(record);
  reach(record);
  if (record.status == S.OK) judgeKey(record);
  if (record.status == S.OK) passDedup(record);
  if (record.status == S.OK && record.filtered == 0) return RECORD_SAMPLES;
  closeRecord(record);
  return RECORD_DONE;
}

@inline
function findChannel(record: Record): usize {
  const turn = turnOf();
  const bytes = record.channelBytes;
  const usual = turn.channel;
  if (
    usual != 0 && channelNameBytes(usual) == bytes &&
    equalNames(channelName(usual), record.channelAt, bytes)
  ) return usual;
  turn.channel = planFindChannel(control().plan, record.channelAt, bytes);
  return turn.channel;
}

function refuse(record: Record, status: i32): i32 {
  record.slot = -1;
  record.channel = 0;
  note(record, status, 0, NO_METRIC);
  closeRecord(record);
  return RECORD_DONE;
}

/** Decodes the payload; the record's status is then that of channel, payload or transport key. */
@inline
function judgePayload(record: Record): void {
  if (record.channel == 0) {
    note(record, S.CHANNEL_UNKNOWN, 0, NO_METRIC);
    return;
  }
  if (record.payloadBytes > <u32>PAYLOAD_BYTES_MAX) {
    note(record, S.LIMIT_EXCEEDED, 0, NO_METRIC);
    return;
  }
  const plan = control().plan;
  const situation = situationOf();
  situation.received = record.received;
  if (channelFormat(record.channel) == FORMAT_SPARKPLUG) {
    const known = record.slot >= 0;
    situation.kindAt = record.kindAt;
    situation.kindBytes = record.kindBytes;
    situation.aliasesAt = known ? aliasesOf(deviceOf(record.slot)) : 0;
    situation.aliasCount = known ? <u32>deviceOf(record.slot).aliasCount : 0;
  }
  decodeRecord(
    plan, record.channel, record.payloadAt, record.payloadBytes, DECODED_AT,
    changetype<usize>(situation),
  );
  const decoded = decodedAt(DECODED_AT);
  const status = decoded.status;
  if (status != S.OK) {
    const placed = status == S.PAYLOAD_MALFORMED || status == S.PAYLOAD_TOO_DEEP;
    note(record, status, placed ? decoded.offset : 0, NO_METRIC);
  }
  if (record.keyKind == KEY_INVALID) note(record, S.EVENT_ID_INVALID, 0, NO_METRIC);
  if (record.keyKind != KEY_NONE) return;
  record.keyKind = decoded.keyKind;
  record.idAt = decoded.idAt;
  record.idBytes = decoded.idBytes;
  record.bootId = decoded.bootId;
  record.sequence = decoded.sequence;
  if (record.keyKind != KEY_NONE || record.status != S.OK) return;
  if (channelContentDedup(record.channel) && hasOwnTimes(decoded)) keyByContent(record);
}

/** Every sample, and there is one, has a well-formed time of its own. */
function hasOwnTimes(decoded: Decoded): bool {
  for (let i: u32 = 0; i < decoded.sampleCount; i++) {
    const sample = sampleAt(DECODED_AT, i);
    if (sample.timeKind != TIME_PRESENT || sample.status == S.TIME_MALFORMED) return false;
  }
  return decoded.sampleCount > 0;
}

/** Few samples, a key that takes little, no texts. */
@inline
function isUsual(record: Record): bool {
  if (record.status != S.OK || decodedAt(DECODED_AT).sampleCount > USUAL_SAMPLES) return false;
  if (record.keyKind != KEY_BOOT && record.keyKind != KEY_NONE) return false;
  const channel = record.channel;
  return !channelHasTexts(channel) && channelFormat(channel) != FORMAT_SPARKPLUG;
}

/**
 * True when what a usual record may add is small: a new section of every size with its cells, and
 * all cells made as wide as the channel's metrics ask for, 256 bytes a metric (a cell now has at
 * least one accumulator). Not even blocks of GROWTH_SMALL pass: a channel has a metric.
 */
@inline
function isSmall(device: Device, channel: usize): bool {
  return (device.bytes >> 6) * (channelMetricCount(channel) + 1) <= CELLS_SMALL;
}

/** True when everything that the record may add to its device's block surely fits. */
function roomFits(record: Record, isNew: bool): bool {
  const device = isNew ? changetype<Device>(0) : deviceOf(record.slot);
  if (!isNew && isUsual(record)) {
    if (isSmall(device, record.channel) && poolIsWide()) return true;
  }
  let growth = qualityGrowth(device);
  if (record.status == S.OK) {
    const samples = decodedAt(DECODED_AT).sampleCount;
    const readings = decodedAt(DECODED_AT).readingCount;
    growth += sectionGrowth(device, record.channel, samples, readings) + aliasGrowth();
    if (record.keyKind == KEY_BOOT) growth += BOOT_GROWTH;
    else if (record.keyKind == KEY_EVENT_ID) growth += ringGrowth(device, record.idBytes);
    else if (record.keyKind == KEY_CONTENT) growth += contentGrowth(device);
    if (channelHasTexts(record.channel)) {
      const texts = textGrowth();
      if (texts < 0) return false;
      growth += texts;
    }
  }
  return growthFits(isNew ? REGISTER_BYTES : device.bytes, growth);
}

/** The record reaches its device, whatever becomes of it. */
@inline
function reach(record: Record): void {
  const device = deviceOf(record.slot);
  device.records++;
  device.lastSeen = durable().logClock;
  reachDevice(device, record.slot);
  if (countsQuality()) openQuality(record.slot, record.status == S.OK);
}

@inline
function judgeKey(record: Record): void {
  record.event = greatestEvent(record, decodedAt(DECODED_AT));
  const device = deviceOf(record.slot);
  let status: i32 = S.OK;
  if (record.keyKind == KEY_BOOT) {
    record.bootOffset = findBoot(device, record.bootId);
    status = judgeBoot(device, record.bootOffset, record.sequence, record.event);
  } else if (record.keyKind == KEY_EVENT_ID) {
    status = judgeId(device, record.idAt, record.idBytes, record.event);
  } else if (record.keyKind == KEY_CONTENT) {
    status = judgeContent(device, record.bootId, record.sequence);
  }
  if (record.keyKind != KEY_NONE && countsQuality()) countKey(device, status != S.DUPLICATE);
  if (status != S.OK) note(record, status, 0, NO_METRIC);
}

/** What a record that is no duplicate changes before its samples are looked at. */
@inline
function passDedup(record: Record): void {
  const decoded = decodedAt(DECODED_AT);
  if ((decoded.flags & DECODED_FILTERED) != 0) record.filtered = 1;
  if (channelFormat(record.channel) != FORMAT_SPARKPLUG) return;
  rememberAliases(record.slot, record.channel);
  if (!countsQuality()) return;
  const device = deviceOf(record.slot);
  countMissing(device, missedBefore(device));
}

@inline
function greatestEvent(record: Record, decoded: Decoded): i64 {
  const only = sampleAt(DECODED_AT, 0);
  const isUsual = only.timeKind == TIME_PRESENT && only.status != S.TIME_MALFORMED;
  if (decoded.sampleCount == 1 && isUsual) return only.eventTimeMs;
  let greatest = NONE;
  for (let i: u32 = 0; i < decoded.sampleCount; i++) {
    const sample = sampleAt(DECODED_AT, i);
    if (sample.status == S.TIME_MALFORMED) continue;
    const event = sample.timeKind == TIME_PRESENT ? sample.eventTimeMs : record.received;
    if (event > greatest) greatest = event;
  }
  return greatest == NONE ? record.received : greatest;
}

/** The record's end: its key, its place in the ledger, its device's counts, its dead letter. */
export function closeRecord(record: Record): void {
  if (record.filtered != 0) {
    countFiltered();
    return;
  }
  if (record.stored > 0) {
    remember(record);
    // A sample that was refused but had no readings takes nothing from the record.
    if (record.rejected == 0) record.status = S.OK;
  }
  const status = record.status;
  countRecord(status, record.stored);
  if (status == S.OK) return;
  if (record.slot >= 0) {
    const device = deviceOf(record.slot);
    if (status == S.DUPLICATE) device.duplicates++;
    else if (record.stored == 0) device.rejected++;
  }
  if (status != S.DUPLICATE && letterAllowed(record)) stageLetter(record);
}

@inline
function remember(record: Record): void {
  if (record.keyKind == KEY_BOOT) {
    rememberBoot(record);
  } else if (record.keyKind == KEY_EVENT_ID) {
    rememberId(record.slot, record.idAt, record.idBytes, record.event);
  } else if (record.keyKind == KEY_CONTENT) {
    rememberContent(record.slot, record.bootId, record.sequence);
  }
}

/** Counts a dead letter of the log minute, per device or for all that reached none. */
function letterAllowed(record: Record): bool {
  const most = <u64>planDeadLettersPerDeviceMinute(control().plan);
  const d = durable();
  const minute = d.logClock / MINUTE_MS;
  if (record.slot < 0) {
    if (d.letterMinute != minute) {
      d.letterMinute = minute;
      d.letterCount = 0;
    }
    return d.letterCount++ < most;
  }
  const device = deviceOf(record.slot);
  if (device.letterMinute != <u32>minute) {
    device.letterMinute = <u32>minute;
    device.letterCount = 0;
  }
  return device.letterCount++ < most;
}

/** A message whose body is no record at all: one malformed record at index 0. */
export function refuseMessage(body: usize, bytes: u32): void {
  const record = recordAt(0);
  turnOf().record = changetype<usize>(record);
  clearRecord(record);
  record.payloadAt = body;
  record.payloadBytes = bytes;
  record.received = turnOf().stampMs;
  note(record, S.BATCH_MALFORMED, 0, NO_METRIC);
  closeRecord(record);
}

/**
 * Quality: six dimensions of a device's minute of log time, each as how many were good out of how
 * many (README, "Quality"). In: what the record and its samples came to. Out: twelve counters in
 * the device block, which become a row when a later minute begins. A plan that counts no quality
 * has devices without the part.
 *
 *   quality ┌ minute i64, NONE: nothing counted ┬ good u64, total u64 × 6 ┐
 */
import { released } from '../capture';
import { channelFormat } from '../channel';
import { SAMPLE_HISTORICAL, Sample, readingAt } from '../decoded';
import { Section } from '../series';
import {
  Device, deviceOf, insertBytes, partsOf, removeBytes, touchDevice,
} from '../device';
import { ALIAS_BYTES } from '../decode/alias-list';
import {
  DECODED_AT, MARK_QUALITY, NONE, clearMark, control, durable, nextMarked, setMark,
} from '../memory';
import { planCountsQuality } from '../plan';
import { rowsFull } from '../rows';
import { FORMAT_SPARKPLUG, MISSING_MAX } from '../shared/abi';
import {
  CLOCK_AHEAD, NOT_FINITE, OK, REQUIRED_MISSING, RULE_BROKEN, TIME_MALFORMED, TIME_MISSING,
  TOO_LATE, TOO_OLD,
} from '../shared/status';
import { Record, turnOf } from '../work';
import { contentBytes } from './content';
import { stageQuality } from './quality-row';

/** In the order of the columns of quality_1m. */
@unmanaged
export class Quality {
  minute: i64;
  accuracyGood: u64;
  accuracyTotal: u64;
  completenessGood: u64;
  completenessTotal: u64;
  consistencyGood: u64;
  consistencyTotal: u64;
  timelinessGood: u64;
  timelinessTotal: u64;
  validityGood: u64;
  validityTotal: u64;
  uniquenessGood: u64;
  uniquenessTotal: u64;
}
const BYTES: usize = offsetof<Quality>();
const MINUTE_MS: i64 = 60000;

@inline
export function countsQuality(): bool { return planCountsQuality(control().plan); }

/** Of a device whose record is being counted. */
@inline
export function qualityOf(device: Device): Quality {
  const aliases = <usize>device.aliasCount * ALIAS_BYTES;
  return changetype<Quality>(partsOf(device) + contentBytes(device) + aliases);
}

/** What counting may add to the device's block. */
export function qualityGrowth(device: Device): usize {
  if (!countsQuality()) return 0;
  return device === null || device.qualityBytes == 0 ? BYTES : 0;
}

/** A record reaches the device: the minute before is written down first. */
export function openQuality(slot: u32, valid: bool): void {
  let device = deviceOf(slot);
  if (device.qualityBytes == 0) {
    insertBytes(slot, changetype<usize>(qualityOf(device)) - changetype<usize>(device), BYTES);
    device = deviceOf(slot);
    device.qualityBytes = <u8>BYTES;
    device.partsBytes += <u32>BYTES;
    qualityOf(device).minute = NONE;
  }
  const quality = qualityOf(device);
  const now = durable().logClock;
  // NONE · 60,000 is 0: the first minute since 1970 is told apart by NONE itself.
  const inside = <u64>(now - quality.minute * MINUTE_MS) < <u64>MINUTE_MS;
  if (!inside || quality.minute == NONE) {
    const minute = now / MINUTE_MS;
    if (quality.minute != NONE) closeQuality(device, quality);
    quality.minute = minute;
    setMark(MARK_QUALITY, slot);
  }
  quality.validityTotal++;
  if (valid) quality.validityGood++;
}

function closeQuality(device: Device, quality: Quality): void {
  stageQuality(device, quality.minute * MINUTE_MS, changetype<usize>(quality) + 8);
  memory.fill(changetype<usize>(quality), 0, BYTES);
  quality.minute = NONE;
}

/** Flush point: rows of earlier minutes, once per log minute; false when a region is full. */
export function flushQuality(): bool {
  const d = durable();
  const minute = d.logClock / MINUTE_MS;
  if (minute <= d.qualityMinute) return true;
  const turn = turnOf();
  const count = control().deviceCount;
  for (;;) {
    const slot = nextMarked(MARK_QUALITY, turn.qualitySlot);
    if (slot >= count) break;
    if (rowsFull() || !released(slot)) return false;
    turn.qualitySlot = slot + 1;
    const device = deviceOf(slot);
    const quality = qualityOf(device);
    if (quality.minute >= minute) continue;
    closeQuality(device, quality);
    clearMark(MARK_QUALITY, slot);
    touchDevice(slot);
    if (!countsQuality()) dropQuality(slot);
  }
  d.qualityMinute = minute;
  return true;
}

function dropQuality(slot: u32): void {
  const device = deviceOf(slot);
  removeBytes(slot, changetype<usize>(qualityOf(device)) - changetype<usize>(device), BYTES);
  device.qualityBytes = 0;
  device.partsBytes -= <u32>BYTES;
}

/** True while some device has counters. */
export function qualityPending(): bool {
  return nextMarked(MARK_QUALITY, 0) < control().deviceCount;
}

/** After an import. */
export function markQuality(slot: u32): void {
  const device = deviceOf(slot);
  if (device.qualityBytes > 0 && qualityOf(device).minute != NONE) setMark(MARK_QUALITY, slot);
}

// --- records, samples and readings ---------------------------------------------------------------
/** A record with a key is a duplicate or not. */
@inline
export function countKey(device: Device, isNew: bool): void {
  const quality = qualityOf(device);
  quality.uniquenessTotal++;
  if (isNew) quality.uniquenessGood++;
}

@inline
export function countMissing(device: Device, missing: u64): void {
  qualityOf(device).completenessTotal += missing;
}

/** A sample past dedup that has an event time, by its own status. */
export function countTime(quality: Quality, status: i32, age: i64, timelyMs: i64): void {
  if (status == TIME_MALFORMED || status == TIME_MISSING) return;
  quality.timelinessTotal++;
  const refused = status == CLOCK_AHEAD || status == TOO_OLD || status == TOO_LATE;
  if (!refused && age <= timelyMs) quality.timelinessGood++;
  if (status == REQUIRED_MISSING) quality.completenessTotal++;
}

/** Readings of a sample that is not refused, after they were judged by state. */
export function countReadings(quality: Quality, record: Record, sample: Sample): void {
  let right: u32 = 0;
  let accuracy: u32 = 0;
  let consistent: u32 = 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const status = readingAt(DECODED_AT, sample.readingFirst + i).status;
    if (status == OK || status == RULE_BROKEN) right++;
    if (status == OK || status >= NOT_FINITE) accuracy++;
    if (status == OK || (status >= NOT_FINITE && status != RULE_BROKEN)) consistent++;
  }
  quality.accuracyTotal += accuracy;
  quality.accuracyGood += right - record.suspects;
  quality.consistencyTotal += sample.readingCount;
  quality.consistencyGood += consistent - record.ruleSuspects;
}

/** A stored sample; `section` knows those before it. */
export function countStoredSample(
  quality: Quality, section: Section, channel: usize, sample: Sample, event: i64,
): void {
  quality.completenessGood++;
  quality.completenessTotal++;
  if ((sample.flags & SAMPLE_HISTORICAL) != 0 || channelFormat(channel) == FORMAT_SPARKPLUG) return;
  if (section.maxEvent == NONE || event <= section.maxEvent) return;
  const gap = event - section.maxEvent;
  const missing = sample.expectMs > 0
    ? missedByPromise(gap, sample.expectMs)
    : missedByCadence(section, gap);
  quality.completenessTotal += missing;
}

// --- completeness -------------------------------------------------------------------------------
/** Samples that should lie between the greatest stored event and a later one, by promise. */
function missedByPromise(gap: i64, expectMs: u32): u64 {
  return <u64>min((gap - 1) / <i64>expectMs, <i64>MISSING_MAX);
}

/** The same by the rhythm of the section so far, which learns the gap. */
function missedByCadence(section: Section, gap: i64): u64 {
  let cadence = section.cadence;
  let missing: i64 = 0;
  if (cadence == 0) cadence = gap;
  else if (2 * gap >= 3 * cadence) missing = (gap + cadence / 2) / cadence - 1;
  const step = gap < 4 * cadence ? (gap - cadence) >> 3 : cadence >> 3;
  section.cadence = max<i64>(cadence + step, 1);
  return <u64>min<i64>(missing, MISSING_MAX);
}

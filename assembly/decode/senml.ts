/**
 * SenML packs (RFC 8428) without their notation: senml-json.ts and senml-cbor.ts read labels and
 * values, this resolves records and makes samples and readings of them. How a decoder goes on:
 *
 * 1. beginPack; then per record beginRecord, and for every member fieldOf (text labels) or the
 *    label's number + FIELD_OF_LABEL, and takeField: false is a label given twice, a second value,
 *    or a label that must be understood.
 * 2. The value goes into the record (name, unit, value …) or through setBaseName, setTime … into
 *    what holds until it is replaced. Base fields may follow what they are added to: nothing is
 *    resolved before endRecord.
 * 3. endRecord: base fields + the record's own; 0 = malformed at d.trouble. Then endPack.
 *
 * Texts must stay where they are until endRecord (units of records, names), or the end of the
 * pack (base units) or of the record of the log (text values): in the payload, or kept in scratch.
 */
import { channelIgnoresUnknown, channelProgram, metricAt, metricSentUnit } from '../channel';
import {
  addUnknown, closeSample, Decoding, markSeen, openSample, ORDINAL_NONE, packScratch, setTime, stop,
} from '../cursor';
import { Reading, Sample } from '../decoded';
import { OK, UNIT_MISMATCH } from '../shared/status';
import { equalBytes } from '../text';
import {
  addBoolean, addDecimal, addInteger, addMismatch, addText, refuseUnit,
} from '../validate';
import { findName } from './name';
import { TIME_NONE } from './time';

// Fields, as CBOR labels them, + FIELD_OF_LABEL.
export const FIELD_OF_LABEL: i32 = 6;
export const FIELD_BASE_SUM: u32 = 0;
export const FIELD_BASE_VALUE: u32 = 1;
export const FIELD_BASE_UNIT: u32 = 2;
export const FIELD_BASE_TIME: u32 = 3;
export const FIELD_BASE_NAME: u32 = 4;
export const FIELD_BASE_VERSION: u32 = 5;
export const FIELD_NAME: u32 = 6;
export const FIELD_UNIT: u32 = 7;
export const FIELD_VALUE: u32 = 8;
export const FIELD_TEXT: u32 = 9;
export const FIELD_BOOLEAN: u32 = 10;
export const FIELD_SUM: u32 = 11;
export const FIELD_TIME: u32 = 12;
export const FIELD_UPDATE: u32 = 13;
export const FIELD_DATA: u32 = 14;
/** Not of RFC 8428: its value is passed over. */
export const FIELD_OTHER: u32 = 15;
/** Not of RFC 8428, and not to be passed over: its label ends in `_`. */
export const FIELD_MUST: u32 = 16;

const VALUES: u32 = 1 << FIELD_VALUE | 1 << FIELD_TEXT | 1 << FIELD_BOOLEAN | 1 << FIELD_DATA;
/** Fields that say nothing without a value or a sum. */
const OWN: u32 = 1 << FIELD_NAME | 1 << FIELD_UNIT | 1 << FIELD_TIME | 1 << FIELD_UPDATE;

/** A resolved name at most: names of metrics are far shorter. */
export const PACK_NAME_BYTES_MAX: u32 = 256;
export const PACK_VERSION_MAX: u32 = 10;
/** Below so many seconds (2^28) a time counts from the received time. */
const RELATIVE_BELOW: i64 = 268435456;
/** bt and t beyond ± this are no time of any table; what is even more may be given as this. */
export const PACK_SECONDS_MAX: i64 = 1000000000000;
export const ATTOS_PER_SECOND: u64 = 1000000000000000000;
const ATTOS_PER_MILLI: u64 = 1000000000000000;
/** Promised for longer: longest that fits. */
const EXPECT_MS_MAX: i64 = 4294967295;

// Pack.valueIs and baseIs
export const PACK_NOTHING: u32 = 0;
export const PACK_INTEGER: u32 = 1;
export const PACK_DOUBLE: u32 = 2;

@unmanaged
export class Pack {
  // --- base fields: hold until replaced ---
  baseNameBytes: u32;
  /** 1: given. */
  hasBaseTime: u32;
  baseSeconds: i64;
  baseAttos: u64;
  baseTimeAt: usize;
  /** PACK_* */
  baseIs: u32;
  baseInteger: i64;
  baseDouble: f64;
  baseUnitAt: usize;
  baseUnitBytes: u32;
  hasBaseUnit: u32;
  // --- the record ---
  recordAt: usize;
  /** A bit per FIELD_*. */
  fields: u32;
  nameAt: usize;
  nameBytes: u32;
  unitAt: usize;
  unitBytes: u32;
  /** floor(t), and what is left in attoseconds below ATTOS_PER_SECOND. */
  seconds: i64;
  attos: u64;
  timeAt: usize;
  /** Milliseconds that `ut` promises, 0 = nothing. */
  updateMs: i64;
  /** Where the value is said: offset of the reading. */
  valueAt: usize;
  /** PACK_INTEGER or PACK_DOUBLE (any double, also none that is finite) of FIELD_VALUE. */
  valueIs: u32;
  integer: i64;
  double: f64;
  /** FIELD_TEXT: valid UTF-8; textIsNone = 1 when it is none (a lone surrogate). */
  textAt: usize;
  textBytes: u32;
  textIsNone: u32;
  truth: u32;
  // --- the sample being filled ---
  sample: usize;
  hasTime: u32;
  timeMs: i64;
}

/** Behind the pack: the base name, and what a record appends to it. */
const NAME_AT: usize = 256;

@inline
export function packOf(d: Decoding): Pack {
  return changetype<Pack>(packScratch(d));
}
@inline
function nameBuffer(pack: Pack): usize {
  return changetype<usize>(pack) + NAME_AT;
}

export function beginPack(d: Decoding): Pack {
  const pack = packOf(d);
  memory.fill(changetype<usize>(pack), 0, offsetof<Pack>());
  return pack;
}

export function beginRecord(pack: Pack, at: usize): void {
  pack.recordAt = at;
  pack.fields = 0;
  pack.nameBytes = 0;
  pack.seconds = 0;
  pack.attos = 0;
  pack.updateMs = 0;
}

/** FIELD_* of a label as text. */
export function fieldOf(at: usize, bytes: u32): u32 {
  if (bytes == 0) return FIELD_OTHER;
  const first = <u32>load<u8>(at);
  if (bytes == 1) {
    switch (first) {
      case 0x6e: return FIELD_NAME;
      case 0x75: return FIELD_UNIT;
      case 0x76: return FIELD_VALUE;
      case 0x73: return FIELD_SUM;
      case 0x74: return FIELD_TIME;
      case 0x5f: return FIELD_MUST;
      default: return FIELD_OTHER;
    }
  }
  if (bytes == 2) {
    switch (first | <u32>load<u8>(at, 1) << 8) {
      case 0x6e62: return FIELD_BASE_NAME;
      case 0x7462: return FIELD_BASE_TIME;
      case 0x7562: return FIELD_BASE_UNIT;
      case 0x7662: return FIELD_BASE_VALUE;
      case 0x7362: return FIELD_BASE_SUM;
      case 0x7376: return FIELD_TEXT;
      case 0x6276: return FIELD_BOOLEAN;
      case 0x6476: return FIELD_DATA;
      case 0x7475: return FIELD_UPDATE;
      default:
    }
  } else if (bytes == 4 && load<u32>(at) == 0x72657662) return FIELD_BASE_VERSION;
  return load<u8>(at + bytes - 1) == 0x5f ? FIELD_MUST : FIELD_OTHER;
}

/** Notes that the record has the field; false when it must not. */
export function takeField(pack: Pack, field: u32): bool {
  if (field >= FIELD_OTHER) return field == FIELD_OTHER;
  const bit = <u32>1 << field;
  const before = pack.fields;
  pack.fields = before | bit;
  return (before & bit) == 0 && !((bit & VALUES) != 0 && (before & VALUES) != 0);
}

/** Of any bytes: whether the name is one shows with the record's own. False: too long. */
export function setBaseName(pack: Pack, at: usize, bytes: u32): bool {
  if (bytes > PACK_NAME_BYTES_MAX) return false;
  memory.copy(nameBuffer(pack), at, bytes);
  pack.baseNameBytes = bytes;
  return true;
}

/** Milliseconds of a period of seconds; nothing is promised by none or less than none. */
export function updateMillis(seconds: i64, attos: u64): i64 {
  if (seconds < 0) return 0;
  const ms = seconds * 1000 + <i64>(attos / ATTOS_PER_MILLI);
  return ms > EXPECT_MS_MAX ? EXPECT_MS_MAX : ms;
}

/** Resolves the record and adds its reading; false: malformed at d.trouble. */
export function endRecord(d: Decoding, pack: Pack): bool {
  const fields = pack.fields;
  if ((fields & VALUES) == 0) {
    // Only base fields; or only a sum, which nothing is made of.
    const isSum = (fields & (1 << FIELD_SUM)) != 0;
    if (!isSum) return (fields & OWN) == 0 || stop(d, pack.recordAt) != 0;
  }
  const name = nameBuffer(pack);
  const base = pack.baseNameBytes;
  const bytes = base + pack.nameBytes;
  if (bytes > PACK_NAME_BYTES_MAX) return stop(d, pack.recordAt) != 0;
  memory.copy(name + base, pack.nameAt, pack.nameBytes);
  if (!isName(name, bytes)) return stop(d, pack.recordAt) != 0;
  if ((fields & VALUES) == 0) return true;
  const ordinal = metricOf(d, name, bytes);
  if (ordinal != ORDINAL_NONE || !channelIgnoresUnknown(d.channel)) emit(d, pack, ordinal);
  return true;
}

export function endPack(d: Decoding, pack: Pack): void {
  if (pack.sample != 0) closeSample(d, changetype<Sample>(pack.sample));
}

/** Letters, digits and -:./_ , of which the first is a letter or a digit. */
function isName(at: usize, bytes: u32): bool {
  if (bytes == 0 || !isAlphanumeric(load<u8>(at))) return false;
  for (let i: u32 = 1; i < bytes; i++) {
    const byte = <u32>load<u8>(at + i);
    // - . / and : lie around the digits
    if (!isAlphanumeric(byte) && byte - 0x2d > 2 && byte != 0x3a && byte != 0x5f) return false;
  }
  return true;
}

@inline
function isAlphanumeric(byte: u32): bool {
  return byte - 0x30 <= 9 || (byte | 0x20) - 0x61 <= 25;
}

/** By the whole name, else by what follows its last `/` or `:`. */
function metricOf(d: Decoding, name: usize, bytes: u32): u32 {
  const program = channelProgram(d.channel);
  const ordinal = findName(program, name, bytes);
  if (ordinal != ORDINAL_NONE) return ordinal;
  for (let at = bytes; at > 0; at--) {
    const byte = <u32>load<u8>(name + at - 1);
    if (byte != 0x2f && byte != 0x3a) continue;
    return findName(program, name + at, bytes - at);
  }
  return ORDINAL_NONE;
}

function emit(d: Decoding, pack: Pack, ordinal: u32): void {
  placeInSample(d, pack, ordinal);
  if (ordinal == ORDINAL_NONE) {
    addUnknown(d, pack.valueAt);
    return;
  }
  const metric = metricAt(d.channel, ordinal);
  const reading = addValue(d, pack, metric);
  if (!unitFits(pack, metricSentUnit(metric))) refuseUnit(reading);
}

/** Its sample is the current one if time and metric allow, else a new one. */
function placeInSample(d: Decoding, pack: Pack, ordinal: u32): void {
  const ownTime = (pack.fields & (1 << FIELD_TIME)) != 0;
  const hasTime: u32 = ownTime || pack.hasBaseTime != 0 ? 1 : 0;
  const timeMs = hasTime != 0 ? resolvedTime(d, pack) : 0;
  let sample = changetype<Sample>(pack.sample);
  const isNext = pack.sample == 0 || hasTime != pack.hasTime || timeMs != pack.timeMs;
  if (isNext || (ordinal != ORDINAL_NONE && (d.seen >> ordinal & 1) != 0)) {
    if (pack.sample != 0) closeSample(d, sample);
    sample = openSample(d, pack.recordAt);
    pack.sample = changetype<usize>(sample);
    pack.hasTime = hasTime;
    pack.timeMs = timeMs;
    if (hasTime != 0) {
      sample.timeOffset = <u32>((ownTime ? pack.timeAt : pack.baseTimeAt) - d.payload);
      setTime(sample, timeMs);
    }
  }
  if (ordinal != ORDINAL_NONE) markSeen(d, ordinal);
  // Of several promises the first that comes due.
  const promised = <u32>pack.updateMs;
  if (promised != 0 && (sample.expectMs == 0 || promised < sample.expectMs)) {
    sample.expectMs = promised;
  }
}

/** bt + t in milliseconds, floored; TIME_NONE beyond all tables. */
function resolvedTime(d: Decoding, pack: Pack): i64 {
  if (isBeyond(pack.baseSeconds) || isBeyond(pack.seconds)) return TIME_NONE;
  let seconds = pack.baseSeconds + pack.seconds;
  let attos = pack.baseAttos + pack.attos;
  if (attos >= ATTOS_PER_SECOND) {
    attos -= ATTOS_PER_SECOND;
    seconds++;
  }
  const ms = seconds * 1000 + <i64>(attos / ATTOS_PER_MILLI);
  return seconds < RELATIVE_BELOW ? ms + d.situation.received : ms;
}

@inline
function isBeyond(seconds: i64): bool {
  return seconds >= PACK_SECONDS_MAX || seconds <= -PACK_SECONDS_MAX;
}

function addValue(d: Decoding, pack: Pack, metric: usize): Reading {
  const fields = pack.fields;
  const at = pack.valueAt;
  if ((fields & (1 << FIELD_BOOLEAN)) != 0) return addBoolean(d, metric, pack.truth != 0, at);
  if ((fields & (1 << FIELD_TEXT)) != 0 && pack.textIsNone == 0) {
    const reading = addText(d, metric, pack.textAt, pack.textBytes);
    reading.offset = <u32>(at - d.payload);
    return reading;
  }
  if ((fields & (1 << FIELD_VALUE)) == 0) return addMismatch(d, metric, at);
  const double = pack.valueIs == PACK_INTEGER ? <f64>pack.integer : pack.double;
  if (pack.baseIs == PACK_NOTHING) {
    if (pack.valueIs == PACK_INTEGER) return addInteger(d, metric, pack.integer, at);
    return addDecimal(d, metric, double, at);
  }
  const base = pack.baseIs == PACK_INTEGER ? <f64>pack.baseInteger : pack.baseDouble;
  if (pack.baseIs == PACK_INTEGER && pack.valueIs == PACK_INTEGER) {
    const sum = pack.baseInteger + pack.integer;
    // Signs that differ from the sum's: it does not fit; as doubles it fits no integer either.
    if (((pack.baseInteger ^ sum) & (pack.integer ^ sum)) >= 0) {
      return addInteger(d, metric, sum, at);
    }
  }
  return addDecimal(d, metric, base + double, at);
}

/** Whether what says a unit, the record or else the base, says this one. */
function unitFits(pack: Pack, unit: usize): bool {
  const bytes = <u32>load<u8>(unit);
  if (bytes == 0) return true;
  if ((pack.fields & (1 << FIELD_UNIT)) != 0) {
    return pack.unitBytes == bytes && equalBytes(pack.unitAt, unit + 1, bytes);
  }
  if (pack.hasBaseUnit == 0) return true;
  return pack.baseUnitBytes == bytes && equalBytes(pack.baseUnitAt, unit + 1, bytes);
}

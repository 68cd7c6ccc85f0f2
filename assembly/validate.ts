/**
 * A raw value against its metric: kind, unit conversion, finiteness, range. In: a reading's place
 * and the metric (address in the plan). Out: the reading with its final status and canonical
 * value; the bits of a refused one are 0.
 */
import {
  metricAllows, metricFlags, metricKind, metricMax, metricMaxInteger, metricMin,
  metricMinInteger, metricOffset, metricOrdinal, metricScale,
} from './channel';
import { Decoding, exactScratch, nextReading } from './cursor';
import { Reading } from './decoded';
import { toDouble } from './number';
import { fitsInt64, isPlainInteger, Numeral, toInt64 } from './numeral';
import {
  KIND_BOOLEAN, KIND_INTEGER, KIND_NUMBER, KIND_TEXT, TEXT_BYTES_MAX,
} from './shared/abi';
import { METRIC_IDENTITY } from './shared/plan-layout';
import {
  NOT_FINITE, NOT_LISTED, OK, OUT_OF_RANGE, TEXT_LIMIT, TYPE_MISMATCH, UNIT_MISMATCH,
} from './shared/status';

/** Greatest double up to which every integer is a double too: 2^53. */
const INTEGER_MAX: f64 = 9007199254740992.0;
/** 2^63: Int64 ends below it. */
const INT64_LIMIT: f64 = 9223372036854775808.0;

@inline
function open(d: Decoding, metric: usize, at: usize): Reading {
  const reading = nextReading(d, at);
  reading.ordinal = metricOrdinal(metric);
  reading.kind = metricKind(metric);
  return reading;
}

@inline
function settle(reading: Reading, status: i32, bits: u64): void {
  reading.status = status;
  reading.bits = status == OK ? bits : 0;
}

export function addMismatch(d: Decoding, metric: usize, at: usize): Reading {
  const reading = open(d, metric, at);
  settle(reading, TYPE_MISMATCH, 0);
  return reading;
}

export function addBoolean(d: Decoding, metric: usize, value: bool, at: usize): Reading {
  const reading = open(d, metric, at);
  settle(reading, metricKind(metric) == KIND_BOOLEAN ? OK : TYPE_MISMATCH, value ? 1 : 0);
  return reading;
}

/** A double: for number metrics only. */
export function addDouble(d: Decoding, metric: usize, raw: f64, at: usize): void {
  const reading = open(d, metric, at);
  if (metricKind(metric) == KIND_NUMBER) settleNumber(reading, metric, raw);
  else settle(reading, TYPE_MISMATCH, 0);
}

/** An integer: for integer metrics, and as the nearest double for number metrics. */
export function addInteger(d: Decoding, metric: usize, raw: i64, at: usize): Reading {
  const reading = open(d, metric, at);
  const kind = metricKind(metric);
  if (kind == KIND_NUMBER) settleNumber(reading, metric, <f64>raw);
  else if (kind == KIND_INTEGER) settleInteger(reading, metric, raw);
  else settle(reading, TYPE_MISMATCH, 0);
  return reading;
}

/** A number of a format that has but one kind of them: an integer when it is integral. */
export function addDecimal(d: Decoding, metric: usize, raw: f64, at: usize): Reading {
  const reading = open(d, metric, at);
  const kind = metricKind(metric);
  if (kind == KIND_NUMBER) settleNumber(reading, metric, raw);
  else if (kind == KIND_INTEGER) settleIntegral(reading, metric, raw);
  else settle(reading, TYPE_MISMATCH, 0);
  return reading;
}

/** Its unit is not the metric's: counts unless what is wrong with the value goes before. */
export function refuseUnit(reading: Reading): void {
  if (reading.status == OK || reading.status > UNIT_MISMATCH) settle(reading, UNIT_MISMATCH, 0);
}

/** An integer of 64 bits without sign; beyond Int64 for number metrics only. */
export function addUnsigned(d: Decoding, metric: usize, raw: u64, at: usize): void {
  if (raw >> 63 == 0) addInteger(d, metric, <i64>raw, at);
  else addDouble(d, metric, <f64>raw, at);
}

/** Valid UTF-8 at `text`, which stays there until the record is done. */
export function addText(d: Decoding, metric: usize, text: usize, bytes: u32): Reading {
  const reading = open(d, metric, text);
  let status: i32 = OK;
  if (metricKind(metric) != KIND_TEXT) status = TYPE_MISMATCH;
  else if (bytes > <u32>TEXT_BYTES_MAX) status = TEXT_LIMIT;
  else if (!metricAllows(metric, text, bytes)) status = NOT_LISTED;
  settle(reading, status, (<u64>bytes << 32) | <u64>text);
  return reading;
}

/** A decimal as JSON writes it. */
export function addNumeral(d: Decoding, metric: usize, numeral: Numeral, at: usize): void {
  const reading = open(d, metric, at);
  const kind = metricKind(metric);
  if (kind == KIND_NUMBER) {
    settleNumber(reading, metric, toDouble(numeral, exactScratch(d)));
  } else if (kind != KIND_INTEGER) {
    settle(reading, TYPE_MISMATCH, 0);
  } else if (isPlainInteger(numeral)) {
    if (fitsInt64(numeral)) settleInteger(reading, metric, toInt64(numeral));
    else settle(reading, TYPE_MISMATCH, 0);
  } else {
    settleIntegral(reading, metric, toDouble(numeral, exactScratch(d)));
  }
}

function settleIntegral(reading: Reading, metric: usize, raw: f64): void {
  if (Math.abs(raw) <= INTEGER_MAX && Math.trunc(raw) == raw) {
    settleInteger(reading, metric, <i64>raw);
  } else settle(reading, TYPE_MISMATCH, 0);
}

@inline
function isFiniteDouble(value: f64): bool {
  return value - value == 0;
}

/** A double of a number metric, into a reading that has nothing but its place yet. */
@inline
export function settleNumber(reading: Reading, metric: usize, raw: f64): void {
  let value = raw;
  if ((metricFlags(metric) & METRIC_IDENTITY) == 0) {
    value = metricScale(metric) * raw + metricOffset(metric);
  }
  // One multiplication and one addition never make a value finite that was not.
  let status = OK;
  if (!isFiniteDouble(value)) status = NOT_FINITE;
  else if (value < metricMin(metric) || value > metricMax(metric)) status = OUT_OF_RANGE;
  settle(reading, status, reinterpret<u64>(value));
}

function settleInteger(reading: Reading, metric: usize, raw: i64): void {
  let value = raw;
  if ((metricFlags(metric) & METRIC_IDENTITY) == 0) {
    const canonical = metricScale(metric) * <f64>raw + metricOffset(metric);
    // NaN and infinities fail these comparisons too.
    const fits = canonical >= -INT64_LIMIT && canonical < INT64_LIMIT;
    if (!fits || Math.trunc(canonical) != canonical) {
      settle(reading, TYPE_MISMATCH, 0);
      return;
    }
    value = <i64>canonical;
  }
  const inside = value >= metricMinInteger(metric) && value <= metricMaxInteger(metric);
  settle(reading, inside ? OK : OUT_OF_RANGE, <u64>value);
}

/**
 * One metric of a Sparkplug payload, as its bytes say it. In: where they lie. Out: the metric, in
 * scratch, or false with `trouble` at the tag of the field that cannot be read. The last of a field
 * wins, and of the values.
 */
import { Decoding, levelBits, stop } from '../../cursor';
import { isUtf8 } from '../utf8';
import {
  readLength, readTag, readVarint, skipValue, WIRE_BYTES, WIRE_FIXED32, WIRE_FIXED64, WIRE_VARINT,
} from '../wire';

@unmanaged
export class Metric {
  alias: u64;
  timestamp: u64;
  /** Of the value: a varint, a float's or double's bits, or where a text lies with its length. */
  bits: u64;
  /** Where its name lies; of no bytes: none. */
  nameAt: usize;
  nameBytes: u32;
  /** Number of the field that holds the value, 0 = none. */
  value: u32;
  dataType: u32;
  hasAlias: u32;
  hasTimestamp: u32;
  isHistorical: u32;
  isNull: u32;
  hasDataType: u32;
}

const NAME: u32 = 1;
const ALIAS: u32 = 2;
const TIMESTAMP: u32 = 3;
const DATA_TYPE: u32 = 4;
const IS_HISTORICAL: u32 = 5;
const IS_TRANSIENT: u32 = 6;
const IS_NULL: u32 = 7;
export const VALUE_INT: u32 = 10;
export const VALUE_LONG: u32 = 11;
export const VALUE_FLOAT: u32 = 12;
export const VALUE_DOUBLE: u32 = 13;
export const VALUE_BOOLEAN: u32 = 14;
export const VALUE_STRING: u32 = 15;
const LAST_FIELD: u32 = 19;

@inline
export function metricScratch(d: Decoding): Metric {
  return changetype<Metric>(levelBits(d));
}

/** Wire type of a known field. */
@inline
function wireOf(number: u32): u32 {
  if (number == VALUE_FLOAT) return WIRE_FIXED32;
  if (number == VALUE_DOUBLE) return WIRE_FIXED64;
  const isVarint = (number >= ALIAS && number <= IS_NULL) || number == VALUE_INT
    || number == VALUE_LONG || number == VALUE_BOOLEAN;
  return isVarint ? WIRE_VARINT : WIRE_BYTES;
}

export function readMetric(d: Decoding, at: usize, end: usize): bool {
  const metric = metricScratch(d);
  memory.fill(changetype<usize>(metric), 0, offsetof<Metric>());
  while (at < end) {
    const tagAt = at;
    at = readTag(d, at, end);
    if (at == 0) return false;
    const tag = <u32>d.varint;
    const number = tag >> 3;
    if (number > LAST_FIELD) {
      at = skipValue(d, tag, at, end, tagAt);
    } else {
      if ((tag & 7) != wireOf(number)) return stop(d, tagAt) != 0;
      at = readValue(d, metric, number, at, end, tagAt);
    }
    if (at == 0) return false;
  }
  return true;
}

function readValue(
  d: Decoding, metric: Metric, number: u32, at: usize, end: usize, tagAt: usize,
): usize {
  const wire = wireOf(number);
  if (wire == WIRE_VARINT) {
    at = readVarint(d, at, end, tagAt);
    if (at != 0) setVarint(metric, number, d.varint);
    return at;
  }
  if (wire == WIRE_BYTES) {
    at = readLength(d, at, end, tagAt);
    if (at == 0) return 0;
    const next = at + <usize>d.varint;
    if (number == NAME) {
      metric.nameAt = at;
      metric.nameBytes = <u32>d.varint;
    } else if (number >= VALUE_STRING) {
      if (number == VALUE_STRING && !isUtf8(at, next)) return stop(d, tagAt);
      metric.value = number;
      metric.bits = (d.varint << 32) | <u64>at;
    }
    return next;
  }
  const bytes: usize = wire == WIRE_FIXED64 ? 8 : 4;
  if (end - at < bytes) return stop(d, tagAt);
  metric.value = number;
  metric.bits = wire == WIRE_FIXED64
    ? load<u64>(at)
    : reinterpret<u64>(<f64>load<f32>(at));
  return at + bytes;
}

function setVarint(metric: Metric, number: u32, value: u64): void {
  switch (number) {
    case ALIAS:
      metric.alias = value;
      metric.hasAlias = 1;
      break;
    case TIMESTAMP:
      metric.timestamp = value;
      metric.hasTimestamp = 1;
      break;
    case DATA_TYPE:
      metric.dataType = <u32>value;
      metric.hasDataType = 1;
      break;
    case IS_HISTORICAL:
      metric.isHistorical = value != 0 ? 1 : 0;
      break;
    case IS_TRANSIENT:
      break;
    case IS_NULL:
      metric.isNull = value != 0 ? 1 : 0;
      break;
    default:
      metric.value = number;
      metric.bits = value;
      break;
  }
}

/**
 * Sparkplug B payloads (sparkplug_b.proto of Eclipse Tahu).
 *
 * 1. The record's kind says whether it is a birth, data or a death, and of the node or a device.
 * 2. The payload's own fields are read to the end: its time may stand behind its metrics.
 * 3. Metrics in order: each is found by its name, or by an alias that a birth has bound; a birth
 *    binds aliases. Readings in a row with the same time and is_historical are one sample.
 */
import {
  channelActive, channelId, channelIgnoresUnknown, channelProgram, metricAt,
} from '../../channel';
import {
  addUnknown, closeSample, Decoding, markSeen, nextReading, openSample, ORDINAL_NONE, outOf,
  setTime, stop, textBuffer,
} from '../../cursor';
import {
  DECODED_BIRTH, DECODED_FILTERED, decodedAt, Sample, SAMPLE_HISTORICAL,
} from '../../decoded';
import { KEY_BYTES_MAX } from '../../shared/plan-layout';
import { ALIAS_UNKNOWN } from '../../shared/status';
import {
  addBoolean, addDouble, addInteger, addMismatch, addText, addUnsigned,
} from '../../validate';
import {
  Alias, ALIAS_OWN, ALIAS_UNDECLARED, AliasList, aliasListAt, SPACE_NODE, spaceOf,
} from '../alias-list';
import { findName } from '../name';
import { TIME_NONE } from '../time';
import { readLength, readTag, readVarint, skipValue, WIRE_BYTES, WIRE_VARINT } from '../wire';
import { bindAlias, closeAliases, countRemembered, findAlias, firstRemembered } from './alias';
import { KIND_BAD, KIND_BIRTH, KIND_DEATH, kindOf, typeBytes } from './kind';
import {
  Metric, metricScratch, readMetric, VALUE_BOOLEAN, VALUE_DOUBLE, VALUE_FLOAT, VALUE_INT,
  VALUE_LONG, VALUE_STRING,
} from './metric';

const PAYLOAD_TIMESTAMP: u32 = 1;
const PAYLOAD_METRICS: u32 = 2;
const PAYLOAD_SEQUENCE: u32 = 3;
const PAYLOAD_BODY: u32 = 5;
const SEQUENCE_MAX: u64 = 255;

/** What is known of the message while its metrics are read; behind the metric's scratch. */
@unmanaged
class Spark {
  timestamp: u64;
  hasTimestamp: u32;
  kind: u32;
  channel: u32;
  space: u32;
  /** Bytes of `device\0` in front of the key of a name. */
  prefixBytes: u32;
  /** A device whose name is too long to be in any path. */
  isNameless: u32;
  /** What the device remembers of the name space, and of others. */
  first: u32;
  count: u32;
  others: u32;
  // The sample at hand.
  sample: usize;
  sampleTime: u64;
  sampleHasTime: u32;
  sampleHistorical: u32;
}
const SPARK_AT: usize = 128;

export function decodeSparkplug(d: Decoding): bool {
  const type = typeBytes(d.situation);
  const kind = kindOf(d.situation, type);
  if (kind == KIND_BAD) return stop(d, d.payload) != 0;
  const spark = changetype<Spark>(changetype<usize>(metricScratch(d)) + SPARK_AT);
  begin(d, spark, kind, type);
  if (!readPayload(d, spark)) return false;
  const decoded = decodedAt(outOf(d));
  if (kind != KIND_DEATH && !readMetrics(d, spark)) return false;
  if (spark.sample != 0) closeSample(d, changetype<Sample>(spark.sample));
  if (decoded.readingCount == 0) decoded.flags |= DECODED_FILTERED;
  if (kind == KIND_BIRTH || kind == KIND_DEATH) {
    decoded.flags |= DECODED_BIRTH;
    closeAliases(d, spark.channel, spark.space);
  }
  return true;
}

function begin(d: Decoding, spark: Spark, kind: u32, type: u32): void {
  const situation = d.situation;
  memory.fill(changetype<usize>(spark), 0, offsetof<Spark>());
  changetype<AliasList>(aliasListAt(outOf(d))).count = 0;
  spark.kind = kind;
  spark.channel = channelId(d.channel);
  if (type < situation.kindBytes) {
    const device = situation.kindAt + type + 1;
    const bytes = situation.kindBytes - type - 1;
    spark.space = spaceOf(device, bytes);
    if (bytes > <u32>KEY_BYTES_MAX) {
      spark.isNameless = 1;
    } else {
      memory.copy(textBuffer(d), device, bytes);
      store<u8>(textBuffer(d) + bytes, 0);
      spark.prefixBytes = bytes + 1;
    }
  }
  spark.first = firstRemembered(d, spark.channel, spark.space);
  spark.count = countRemembered(d, spark.first, spark.channel, spark.space);
  // The node's birth forgets everything, a device's only its own.
  spark.others = spark.space == SPACE_NODE ? 0 : situation.aliasCount - spark.count;
}

/** The payload's own fields; metrics are only measured. */
function readPayload(d: Decoding, spark: Spark): bool {
  let at = d.start;
  const end = d.end;
  while (at < end) {
    const tagAt = at;
    at = readTag(d, at, end);
    if (at == 0) return false;
    const tag = <u32>d.varint;
    const number = tag >> 3;
    const isVarint = number == PAYLOAD_TIMESTAMP || number == PAYLOAD_SEQUENCE;
    if (number <= PAYLOAD_BODY && (tag & 7) != (isVarint ? WIRE_VARINT : WIRE_BYTES)) {
      return stop(d, tagAt) != 0;
    }
    at = skipValue(d, tag, at, end, tagAt);
    if (at == 0) return false;
    if (number == PAYLOAD_TIMESTAMP) {
      spark.timestamp = d.varint;
      spark.hasTimestamp = 1;
    } else if (number == PAYLOAD_SEQUENCE) {
      if (d.varint > SEQUENCE_MAX) return stop(d, tagAt) != 0;
      decodedAt(outOf(d)).sparkSequence = <u32>d.varint;
    }
  }
  return true;
}

function readMetrics(d: Decoding, spark: Spark): bool {
  let at = d.start;
  const end = d.end;
  while (at < end) {
    const tagAt = at;
    at = readTag(d, at, end);
    const tag = <u32>d.varint;
    if (tag >> 3 != PAYLOAD_METRICS) {
      at = skipValue(d, tag, at, end, tagAt);
      continue;
    }
    at = readLength(d, at, end, tagAt);
    const next = at + <usize>d.varint;
    if (!readMetric(d, at, next)) return false;
    takeMetric(d, spark, metricScratch(d), tagAt);
    at = next;
  }
  return true;
}

/** The metric's place in the channel, ALIAS_UNDECLARED or ALIAS_OWN. */
function ordinalOf(d: Decoding, spark: Spark, metric: Metric): u32 {
  const bytes = metric.nameBytes;
  const prefix = spark.prefixBytes;
  if (spark.isNameless == 0 && bytes <= <u32>KEY_BYTES_MAX) {
    const key = textBuffer(d);
    memory.copy(key + prefix, metric.nameAt, bytes);
    const found = findName(channelProgram(d.channel), key, prefix + bytes);
    if (found != ORDINAL_NONE) return found;
  }
  return isOwn(metric.nameAt, bytes) ? ALIAS_OWN : ALIAS_UNDECLARED;
}

/** `bdSeq`, `Node Control/…`, `Device Control/…`. */
function isOwn(name: usize, bytes: u32): bool {
  if (bytes == 5) return load<u32>(name) == 0x65536462 && load<u8>(name, 4) == 0x71;
  if (bytes < 13) return false;
  const first = load<u64>(name);
  const second = load<u32>(name, 8);
  if (first == 0x6e6f432065646f4e) return second == 0x6c6f7274 && load<u8>(name, 12) == 0x2f;
  if (bytes < 15 || first != 0x4320656369766544 || second != 0x72746e6f) return false;
  return load<u8>(name, 12) == 0x6f && load<u8>(name, 13) == 0x6c && load<u8>(name, 14) == 0x2f;
}

function takeMetric(d: Decoding, spark: Spark, metric: Metric, at: usize): void {
  let ordinal = ALIAS_UNDECLARED;
  let dataType = metric.dataType;
  let isUnknownAlias = false;
  const isBirth = spark.kind == KIND_BIRTH;
  let bound: usize = 0;
  if (metric.hasAlias != 0 && !isBirth) {
    bound = findAlias(d, metric.alias, spark.first, spark.count);
  }
  if (bound != 0 && metric.hasDataType == 0) dataType = changetype<Alias>(bound).dataType;
  if (metric.nameBytes > 0) {
    ordinal = ordinalOf(d, spark, metric);
    if (isBirth && metric.hasAlias != 0) {
      bindAlias(d, metric.alias, ordinal, metric.dataType, spark.others);
    }
  } else if (bound != 0) {
    ordinal = changetype<Alias>(bound).ordinal;
  } else {
    isUnknownAlias = metric.hasAlias != 0;
  }
  if (metric.isNull != 0 || metric.value == 0 || ordinal == ALIAS_OWN) return;
  if (ordinal != ALIAS_UNDECLARED && ((channelActive(d.channel) >> ordinal) & 1) == 0) {
    ordinal = ALIAS_UNDECLARED;
  }
  const isUndeclared = ordinal == ALIAS_UNDECLARED;
  if (isUndeclared && !isUnknownAlias && channelIgnoresUnknown(d.channel)) return;
  joinSample(d, spark, metric, at, ordinal);
  if (isUnknownAlias) addUnknownAlias(d, at);
  else if (isUndeclared) addUnknown(d, at);
  else {
    markSeen(d, ordinal);
    addValue(d, metricAt(d.channel, ordinal), metric, dataType, at);
  }
}

function addUnknownAlias(d: Decoding, at: usize): void {
  const reading = nextReading(d, at);
  reading.ordinal = ORDINAL_NONE;
  reading.status = ALIAS_UNKNOWN;
  reading.kind = 0;
  reading.bits = 0;
}

/** Begins a sample unless the reading belongs to the one at hand. */
function joinSample(d: Decoding, spark: Spark, metric: Metric, at: usize, ordinal: u32): void {
  const hasTime = metric.hasTimestamp != 0 ? <u32>1 : spark.hasTimestamp;
  const time = metric.hasTimestamp != 0 ? metric.timestamp : spark.timestamp;
  if (spark.sample != 0) {
    const isSeen = ordinal != ALIAS_UNDECLARED && ((d.seen >> ordinal) & 1) != 0;
    if (
      !isSeen && spark.sampleHasTime == hasTime && spark.sampleTime == time &&
      spark.sampleHistorical == metric.isHistorical
    ) return;
    closeSample(d, changetype<Sample>(spark.sample));
  }
  const sample = openSample(d, at);
  if (hasTime != 0) setTime(sample, time >> 63 != 0 ? TIME_NONE : <i64>time);
  if (metric.isHistorical != 0) sample.flags = SAMPLE_HISTORICAL;
  spark.sample = changetype<usize>(sample);
  spark.sampleTime = time;
  spark.sampleHasTime = hasTime;
  spark.sampleHistorical = metric.isHistorical;
}

function addValue(d: Decoding, metric: usize, said: Metric, dataType: u32, at: usize): void {
  const bits = said.bits;
  switch (said.value) {
    case VALUE_INT:
      addTyped(d, metric, bits & 0xffffffff, dataType, at);
      break;
    case VALUE_LONG:
      addTyped(d, metric, bits, dataType, at);
      break;
    case VALUE_FLOAT: case VALUE_DOUBLE:
      addDouble(d, metric, reinterpret<f64>(bits), at);
      break;
    case VALUE_BOOLEAN:
      addBoolean(d, metric, bits != 0, at);
      break;
    case VALUE_STRING: {
      const text = <usize>(bits & 0xffffffff);
      addText(d, metric, text, <u32>(bits >> 32)).offset = <u32>(at - d.payload);
      break;
    }
    default:
      addMismatch(d, metric, at);
      break;
  }
}

/** Int8 … Int64 are 1 … 4, UInt8 … UInt64 5 … 8; others are as long as their field. */
function addTyped(d: Decoding, metric: usize, bits: u64, dataType: u32, at: usize): void {
  switch (dataType) {
    case 1: addInteger(d, metric, <i64><i8>bits, at); break;
    case 2: addInteger(d, metric, <i64><i16>bits, at); break;
    case 3: addInteger(d, metric, <i64><i32>bits, at); break;
    case 4: addInteger(d, metric, <i64>bits, at); break;
    case 5: addInteger(d, metric, <i64><u8>bits, at); break;
    case 6: addInteger(d, metric, <i64><u16>bits, at); break;
    case 7: addInteger(d, metric, <i64><u32>bits, at); break;
    default: addUnsigned(d, metric, bits, at); break;
  }
}

/**
 * Canonical telemetry (proto/telemetry.proto). Fields in any order, unknown ones skipped, the last
 * of a repeated scalar wins. Refused as PAYLOAD_MALFORMED, at the tag of the innermost field
 * concerned: what runs past its end, varints beyond 64 bits, tags beyond 32 bits or 5 bytes, field
 * number 0, known fields with another wire type, groups, texts that are not UTF-8, and a metric
 * twice in one sample.
 */
import {
  channelActive, channelIgnoresUnknown, channelMetricCount, channelNumbers, findMetric, metricAt,
  metricOrdinal,
} from '../channel';
import {
  addUnknown, closeSample, Decoding, markSeen, openSample, outOf, refuse, setEventId, setTime,
  stop,
} from '../cursor';
import { decodedAt, KEY_BOOT, readingAt } from '../decoded';
import { KIND_NUMBER, METRICS_PER_CHANNEL_MAX, READINGS_PER_RECORD_MAX } from '../shared/abi';
import { EVENT_ID_INVALID } from '../shared/status';
import {
  addBoolean, addDouble, addInteger, addMismatch, addText, settleNumber,
} from '../validate';
import { isUtf8 } from './utf8';
import {
  isShortTag, readLength, readLongTag, readTag, readVarint, skipPlain, zigzag,
} from './wire';

// Tags: field number << 3 | wire type.
const TELEMETRY_SAMPLES = 0x0a;
const TELEMETRY_EVENT_ID = 0x12;
const TELEMETRY_BOOT_ID = 0x19;
const TELEMETRY_SEQUENCE = 0x20;
const SAMPLE_TIME = 0x09;
const SAMPLE_READINGS = 0x12;
const READING_METRIC = 0x08;
const READING_NUMBER = 0x11;
const READING_INTEGER = 0x18;
const READING_BOOLEAN = 0x20;
const READING_NAME = 0x2a;
const READING_TEXT = 0x32;
// Fields of each message: numbered from 1 to this.
const TELEMETRY_FIELDS = 4;
const SAMPLE_FIELDS = 2;
const READING_FIELDS = 6;

export function decodeProtobuf(d: Decoding): bool {
  let at = d.start;
  const end = d.end;
  let idAt: usize = 0;
  let idBytes: u32 = 0;
  let hasBoot = false;
  const decoded = decodedAt(outOf(d));
  while (at < end) {
    const tagAt = at;
    let tag = <u32>load<u8>(at++);
    if (!isShortTag(tag)) {
      at = readLongTag(d, tagAt, end);
      if (at == 0) return false;
      tag = <u32>d.varint;
    }
    if (tag == TELEMETRY_SAMPLES) {
      let bytes: usize = at < end ? load<u8>(at) : 0x80;
      if (bytes < 0x80 && bytes < end - at) at++;
      else {
        at = readLength(d, at, end, tagAt);
        if (at == 0) return false;
        bytes = <usize>d.varint;
      }
      const sampleEnd = at + bytes;
      if (!decodeSample(d, at, sampleEnd, tagAt)) return false;
      at = sampleEnd;
    } else if (tag == TELEMETRY_EVENT_ID) {
      at = readLength(d, at, end, tagAt);
      if (at == 0) return false;
      idAt = at;
      idBytes = <u32>d.varint;
      at += idBytes;
    } else if (tag == TELEMETRY_BOOT_ID) {
      if (end - at < 8) return stop(d, tagAt) != 0;
      hasBoot = true;
      decoded.bootId = load<u64>(at);
      at += 8;
    } else if (tag == TELEMETRY_SEQUENCE) {
      at = readVarint(d, at, end, tagAt);
      if (at == 0) return false;
      hasBoot = true;
      decoded.sequence = d.varint;
    } else {
      at = skipField(d, tag, TELEMETRY_FIELDS, at, end, tagAt);
      if (at == 0) return false;
    }
  }
  if (idAt != 0) setEventId(d, idAt, idBytes);
  else if (hasBoot && decoded.sequence != 0) decoded.keyKind = KEY_BOOT;
  else if (hasBoot) refuse(d, EVENT_ID_INVALID, d.payload);
  return true;
}

@inline
function decodeSample(d: Decoding, at: usize, end: usize, sampleTag: usize): bool {
  const sample = openSample(d, sampleTag);
  let timeMs: i64 = 0;
  while (at < end) {
    const tagAt = at;
    if (end - at >= USUAL_BYTES && isUsual(load<u64>(at))) {
      at = decodeUsual(d, at, end);
      if (at != tagAt) continue;
    }
    let tag = <u32>load<u8>(at++);
    if (!isShortTag(tag)) {
      at = readLongTag(d, tagAt, end);
      if (at == 0) return false;
      tag = <u32>d.varint;
    }
    if (tag == SAMPLE_READINGS) {
      at = readLength(d, at, end, tagAt);
      if (at == 0) return false;
      const readingEnd = at + <usize>d.varint;
      if (!decodeReading(d, at, readingEnd, tagAt)) return false;
      at = readingEnd;
    } else if (tag == SAMPLE_TIME) {
      if (end - at < 8) return stop(d, tagAt) != 0;
      timeMs = load<i64>(at);
      at += 8;
    } else {
      at = skipField(d, tag, SAMPLE_FIELDS, at, end, tagAt);
      if (at == 0) return false;
    }
  }
  if (timeMs != 0) setTime(sample, timeMs);
  closeSample(d, sample);
  return true;
}

// What nearly every reading is: tag and length, metric below 128, number.
const USUAL_BYTES: usize = 13;
const USUAL_NUMBER_AT: usize = 5;
const USUAL_MASK: u64 = 0xff80ffffff;
const USUAL_TAGS: u64 = 0x1100080b12;

@inline
function isUsual(word: u64): bool {
  return (word & USUAL_MASK) == USUAL_TAGS;
}

/**
 * Usual readings of number metrics, one behind the other; gives where it met something else, which
 * decodeReading judges.
 */
function decodeUsual(d: Decoding, at: usize, end: usize): usize {
  const channel = d.channel;
  const decoded = decodedAt(outOf(d));
  const first = decoded.readingCount;
  const most = <u32>READINGS_PER_RECORD_MAX;
  // Metrics that have no reading in this sample yet.
  let open = channelNumbers(channel) & ~d.seen;
  let index = first;
  while (end - at >= USUAL_BYTES && index < most) {
    const word = load<u64>(at);
    if (!isUsual(word)) break;
    const ordinal = (<u32>(word >> 24) & 0x7f) - 1;
    const bit = <u64>1 << ordinal;
    if (ordinal >= <u32>METRICS_PER_CHANNEL_MAX || (open & bit) == 0) break;
    open ^= bit;
    const reading = readingAt(outOf(d), index++);
    reading.ordinal = ordinal;
    reading.kind = KIND_NUMBER;
    reading.offset = <u32>(at - d.payload);
    settleNumber(reading, metricAt(channel, ordinal), load<f64>(at, USUAL_NUMBER_AT));
    at += USUAL_BYTES;
  }
  d.seen |= channelNumbers(channel) & ~open;
  d.declared += index - first;
  decoded.readingCount = index;
  return at;
}

function decodeReading(d: Decoding, at: usize, end: usize, readingTag: usize): bool {
  let metric: u64 = 0;
  let nameAt: usize = 0;
  let nameBytes: u32 = 0;
  let valueTag: u32 = 0;
  let bits: u64 = 0;
  let textAt: usize = 0;
  while (at < end) {
    const tagAt = at;
    at = readTag(d, at, end);
    if (at == 0) return false;
    const tag = <u32>d.varint;
    if (tag == READING_NUMBER) {
      if (end - at < 8) return stop(d, tagAt) != 0;
      bits = load<u64>(at);
      valueTag = tag;
      at += 8;
    } else if (tag == READING_METRIC) {
      at = readVarint(d, at, end, tagAt);
      metric = d.varint;
    } else if (tag == READING_INTEGER || tag == READING_BOOLEAN) {
      at = readVarint(d, at, end, tagAt);
      bits = d.varint;
      valueTag = tag;
    } else if (tag == READING_NAME) {
      at = readLength(d, at, end, tagAt);
      nameAt = at;
      nameBytes = <u32>d.varint;
      if (at != 0) at += nameBytes;
    } else if (tag == READING_TEXT) {
      at = readLength(d, at, end, tagAt);
      if (at == 0) return false;
      textAt = at;
      bits = d.varint;
      valueTag = tag;
      at += <usize>bits;
      if (!isUtf8(textAt, at)) return stop(d, tagAt) != 0;
    } else {
      at = skipField(d, tag, READING_FIELDS, at, end, tagAt);
    }
    if (at == 0) return false;
  }
  const found = resolve(d.channel, metric, nameAt, nameBytes);
  if (found == 0) {
    if (!channelIgnoresUnknown(d.channel)) addUnknown(d, readingTag);
    return true;
  }
  if (!markSeen(d, metricOrdinal(found))) return stop(d, readingTag) != 0;
  if (valueTag == READING_NUMBER) addDouble(d, found, reinterpret<f64>(bits), readingTag);
  else if (valueTag == READING_INTEGER) addInteger(d, found, zigzag(bits), readingTag);
  else if (valueTag == READING_BOOLEAN) addBoolean(d, found, bits != 0, readingTag);
  else if (valueTag == READING_TEXT) {
    addText(d, found, textAt, <u32>bits).offset = <u32>(readingTag - d.payload);
  } else addMismatch(d, found, readingTag);
  return true;
}

@inline
function resolve(channel: usize, metric: u64, nameAt: usize, nameBytes: u32): usize {
  if (metric == 0) return nameAt == 0 ? 0 : findMetric(channel, nameAt, nameBytes);
  const ordinal = metric - 1;
  if (ordinal >= channelMetricCount(channel)) return 0;
  return ((channelActive(channel) >> ordinal) & 1) == 0 ? 0 : metricAt(channel, <u32>ordinal);
}

/** Passes over a field that is not one of the message's own, which are numbered 1 … known. */
function skipField(
  d: Decoding, tag: u32, known: u32, at: usize, end: usize, tagAt: usize,
): usize {
  return tag >> 3 <= known ? stop(d, tagAt) : skipPlain(d, tag & 7, at, end, tagAt);
}

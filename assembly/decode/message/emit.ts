/**
 * A scope that has ended becomes readings, a time and an event id, in the order of the payload.
 * Texts of enumerations lie in the plan; digits that stand for a name or an id, in scratch.
 */
import { channelTimeFormat, metricAt, metricKind } from '../../channel';
import {
  idBuffer, markSeen, numeralOf, ORDINAL_NONE, outOf, refuse, setEventId, setTime,
} from '../../cursor';
import { decodedAt, Sample, sampleAt } from '../../decoded';
import {
  KIND_TEXT, READINGS_PER_RECORD_MAX, SAMPLES_PER_RECORD_MAX, TIME_ISO8601, TIME_MS,
  TIME_NS, TIME_S, TIME_US,
} from '../../shared/abi';
import { ACTION_EVENT_ID, ACTION_TIME } from '../../shared/plan-layout';
import * as G from '../../shared/protobuf-program';
import { EVENT_ID_INVALID, TIME_MALFORMED } from '../../shared/status';
import {
  addBoolean, addDouble, addInteger, addMismatch, addText, addUnsigned,
} from '../../validate';
import { epochTextToMillis, isoToMillis, TIME_NONE } from '../time';
import { NOBODY, orderedCount, orderedLeaf, Slot, slotOf } from './scope';
import { Message } from './state';

/** Of a reading whose text is digits: −2147483648. */
const DIGITS_MAX: usize = 11;

export function emitSample(m: Message, sample: Sample): void {
  emit(m, changetype<usize>(sample));
}

/** The event id, and the time of all samples. */
export function emitRecord(m: Message): void {
  emit(m, 0);
}

function emit(m: Message, sample: usize): void {
  const program = m.program;
  const leaves = program + load<u32>(program, G.PROGRAM_LEAVES_AT);
  const count = orderedCount(m.scope);
  for (let place: u32 = 0; place < count; place++) {
    const number = orderedLeaf(m.scope, place);
    if (number == NOBODY) continue;
    const leaf = program + load<u32>(leaves + (<usize>number << 2));
    const slot = slotOf(m.scope, number);
    const actions = load<u32>(leaf, G.LEAF_ACTION_COUNT_AT);
    for (let i: u32 = 0; i < actions; i++) {
      const action = load<u32>(leaf + (<usize>i << 2), G.LEAF_ACTIONS_AT);
      if (action < <u32>ACTION_TIME) emitReading(m, leaf, slot, action);
      else if (action == ACTION_EVENT_ID) emitEventId(m, leaf, slot);
      else emitTime(m, leaf, slot, sample);
    }
  }
}

// --- readings ------------------------------------------------------------------------------------
function emitReading(m: Message, leaf: usize, slot: Slot, ordinal: u32): void {
  const d = m.d;
  const at = <usize>slot.tag;
  const bits = slot.bits;
  const metric = metricAt(d.channel, ordinal);
  markSeen(d, ordinal);
  switch (load<u32>(leaf, G.LEAF_TYPE_AT)) {
    case G.TYPE_DOUBLE: case G.TYPE_FLOAT:
      addDouble(d, metric, reinterpret<f64>(bits), at);
      break;
    case G.TYPE_BOOL:
      addBoolean(d, metric, bits != 0, at);
      break;
    case G.TYPE_STRING:
      emitText(m, metric, <usize>(bits & 0xffffffff), <u32>(bits >> 32), at);
      break;
    case G.TYPE_ENUM:
      if (metricKind(metric) == KIND_TEXT) emitEnum(m, leaf, <i32>bits, metric, at);
      else addInteger(d, metric, <i64>bits, at);
      break;
    case G.TYPE_UINT64: case G.TYPE_FIXED64:
      addUnsigned(d, metric, bits, at);
      break;
    case G.TYPE_BYTES: case G.TYPE_TIMESTAMP:
      addMismatch(d, metric, at);
      break;
    default:
      addInteger(d, metric, <i64>bits, at);
      break;
  }
}

@inline
function emitText(m: Message, metric: usize, text: usize, bytes: u32, at: usize): void {
  addText(m.d, metric, text, bytes).offset = <u32>(at - m.d.payload);
}

function emitEnum(m: Message, leaf: usize, number: i32, metric: usize, at: usize): void {
  const value = enumValue(m.program + load<u32>(leaf, G.LEAF_ENUM_AT), number);
  if (value != 0) {
    emitText(m, metric, m.program + load<u32>(value, 4), load<u32>(value, 8), at);
    return;
  }
  const text = m.textAt;
  const bytes = writeDigits(text, number < 0, <u64>(number < 0 ? -<i64>number : <i64>number));
  // Scratch has room for one such text per reading (decoded.ts); what is beyond is refused.
  if (decodedAt(outOf(m.d)).readingCount < <u32>READINGS_PER_RECORD_MAX) m.textAt += DIGITS_MAX;
  emitText(m, metric, text, bytes, at);
}

/** The value with that number, ascending in their list; 0 = it has no name. */
function enumValue(list: usize, number: i32): usize {
  let low: u32 = 0;
  let high = load<u32>(list, G.ENUM_COUNT_AT);
  while (low < high) {
    const middle = (low + high) >> 1;
    const value = list + G.ENUM_VALUES_AT + <usize>middle * G.ENUM_VALUE_BYTES;
    const found = load<i32>(value);
    if (found == number) return value;
    if (found < number) low = middle + 1;
    else high = middle;
  }
  return 0;
}

/** Gives the number of bytes, at most 20. */
function writeDigits(to: usize, negative: bool, value: u64): u32 {
  let digits: u32 = 1;
  for (let rest = value; rest > 9; rest /= 10) digits++;
  const bytes = digits + (negative ? 1 : 0);
  if (negative) store<u8>(to, 0x2d);
  let at = to + bytes;
  for (let i: u32 = 0; i < digits; i++) {
    store<u8>(--at, <u8>(0x30 + value % 10));
    value /= 10;
  }
  return bytes;
}

// --- event id and time ---------------------------------------------------------------------------
function emitEventId(m: Message, leaf: usize, slot: Slot): void {
  const d = m.d;
  const bits = slot.bits;
  switch (load<u32>(leaf, G.LEAF_TYPE_AT)) {
    case G.TYPE_STRING: case G.TYPE_BYTES:
      setEventId(d, <usize>(bits & 0xffffffff), <u32>(bits >> 32));
      break;
    case G.TYPE_UINT64: case G.TYPE_FIXED64:
      setEventId(d, idBuffer(d), writeDigits(idBuffer(d), false, bits));
      break;
    case G.TYPE_DOUBLE: case G.TYPE_FLOAT: case G.TYPE_BOOL: case G.TYPE_ENUM:
    case G.TYPE_TIMESTAMP:
      refuse(d, EVENT_ID_INVALID, d.payload);
      break;
    default: {
      const negative = <i64>bits < 0;
      const bytes = writeDigits(idBuffer(d), negative, negative ? 0 - bits : bits);
      setEventId(d, idBuffer(d), bytes);
    }
  }
}

function emitTime(m: Message, leaf: usize, slot: Slot, sample: usize): void {
  const d = m.d;
  const timeMs = millisOf(m, leaf, slot);
  const offset = slot.tag - <u32>d.payload;
  if (sample != 0) {
    stamp(changetype<Sample>(sample), timeMs, offset);
    return;
  }
  const count = min(decodedAt(outOf(d)).sampleCount, <u32>SAMPLES_PER_RECORD_MAX);
  for (let i: u32 = 0; i < count; i++) stamp(sampleAt(outOf(d), i), timeMs, offset);
}

function stamp(sample: Sample, timeMs: i64, offset: u32): void {
  sample.timeOffset = offset;
  setTime(sample, timeMs);
  if (sample.status == TIME_MALFORMED) sample.metric = ORDINAL_NONE;
}

const NANOS_MAX: i32 = 999999999;
/** Far beyond the times that tables hold, and far from overflowing as milliseconds. */
const SECONDS_MAX: i64 = 1000000000000;

function millisOf(m: Message, leaf: usize, slot: Slot): i64 {
  const format = channelTimeFormat(m.d.channel);
  const bits = slot.bits;
  switch (load<u32>(leaf, G.LEAF_TYPE_AT)) {
    case G.TYPE_STRING: {
      const text = <usize>(bits & 0xffffffff);
      const end = text + <usize>(bits >> 32);
      if (format == TIME_ISO8601) return isoToMillis(text, end);
      return epochTextToMillis(numeralOf(m.d), text, end, format);
    }
    case G.TYPE_TIMESTAMP: {
      const seconds = <i64>bits;
      if (seconds < -SECONDS_MAX || seconds > SECONDS_MAX) return TIME_NONE;
      if (slot.nanos < 0 || slot.nanos > NANOS_MAX) return TIME_NONE;
      return seconds * 1000 + slot.nanos / 1000000;
    }
    case G.TYPE_DOUBLE: case G.TYPE_FLOAT: case G.TYPE_BOOL: case G.TYPE_ENUM: case G.TYPE_BYTES:
      return TIME_NONE;
    case G.TYPE_UINT64: case G.TYPE_FIXED64:
      if (bits >> 63 == 0) return epochMillis(<i64>bits, format);
      // Of what is beyond Int64 only nanoseconds are a time that tables hold.
      return format == TIME_NS ? <i64>(bits / 1000000) : TIME_NONE;
    default:
      return epochMillis(<i64>bits, format);
  }
}

function epochMillis(value: i64, format: u32): i64 {
  if (format == TIME_MS) return value;
  if (format == TIME_S) {
    return value < -SECONDS_MAX || value > SECONDS_MAX ? TIME_NONE : value * 1000;
  }
  if (format == TIME_ISO8601) return TIME_NONE;
  const unit: i64 = format == TIME_US ? 1000 : 1000000;
  const quotient = value / unit;
  return value % unit < 0 ? quotient - 1 : quotient;
}

/**
 * Values of Avro that a path may end in, and what is made of them: readings, times, event ids. In:
 * the node, and where its value begins, which is the offset of what it gives. Out: the address
 * behind the value, or 0 when it cannot be read there.
 */
import { channelTimeFormat, metricAt } from '../../channel';
import { Decoding, idBuffer, markSeen, numeralOf, setEventId, setTime, stop } from '../../cursor';
import { Sample } from '../../decoded';
import { TIME_ISO8601 } from '../../shared/abi';
import * as A from '../../shared/avro-program';
import { ACTION_TIME } from '../../shared/plan-layout';
import { addBoolean, addDouble, addInteger, addText } from '../../validate';
import { writeDigits } from '../digits';
import { epochTextToMillis, epochWholeToMillis, isoToMillis, TIME_NONE } from '../time';
import { isUtf8 } from '../utf8';
import { readInt, readLong } from './varint';

@inline
export function actionCount(node: usize): u32 {
  return load<u32>(node, A.AVRO_ACTION_COUNT_AT);
}
@inline
function actionAt(node: usize, index: u32): u32 {
  return load<u32>(node + (<usize>index << 2), A.AVRO_ACTIONS_AT);
}

/** The metric of an action, its reading begun. A value comes once in a sample. */
@inline
function beginMetric(d: Decoding, action: u32): usize {
  markSeen(d, action);
  return metricAt(d.channel, action);
}

/** Of the sample that is open, else of the record. */
function takeTime(d: Decoding, timeMs: i64, at: usize): void {
  if (d.sample == 0) {
    d.recordTimeMs = timeMs;
    d.recordTimeAt = at;
    return;
  }
  const sample = changetype<Sample>(d.sample);
  sample.timeOffset = <u32>(at - d.payload);
  setTime(sample, timeMs);
}

export function readBoolean(d: Decoding, node: usize, at: usize): usize {
  if (at >= d.end || load<u8>(at) > 1) return stop(d, at);
  for (let i: u32 = 0, count = actionCount(node); i < count; i++) {
    addBoolean(d, beginMetric(d, actionAt(node, i)), load<u8>(at) != 0, at);
  }
  return at + 1;
}

export function readInteger(d: Decoding, node: usize, at: usize, isInt: bool): usize {
  const next = isInt ? readInt(d, at) : readLong(d, at);
  if (next == 0) return 0;
  const value = <i64>d.varint;
  for (let i: u32 = 0, count = actionCount(node); i < count; i++) {
    const action = actionAt(node, i);
    if (action < <u32>ACTION_TIME) addInteger(d, beginMetric(d, action), value, at);
    else if (action == ACTION_TIME) {
      takeTime(d, epochWholeToMillis(value, channelTimeFormat(d.channel)), at);
    } else setEventId(d, idBuffer(d), writeDigits(idBuffer(d), value));
  }
  return next;
}

export function readDouble(d: Decoding, node: usize, at: usize, isFloat: bool): usize {
  const bytes: usize = isFloat ? 4 : 8;
  if (d.end - at < bytes) return stop(d, at);
  for (let i: u32 = 0, count = actionCount(node); i < count; i++) {
    const value = isFloat ? <f64>load<f32>(at) : load<f64>(at);
    addDouble(d, beginMetric(d, actionAt(node, i)), value, at);
  }
  return at + bytes;
}

/** A string or bytes; UTF-8 where a path ends in it, else passed over unread. */
export function readText(d: Decoding, node: usize, at: usize): usize {
  const text = readLong(d, at);
  if (text == 0) return 0;
  if (d.varint > <u64>(d.end - text)) return stop(d, at);
  const bytes = <u32>d.varint;
  const next = text + bytes;
  const count = actionCount(node);
  if (count != 0 && !isUtf8(text, next)) return stop(d, at);
  for (let i: u32 = 0; i < count; i++) {
    const action = actionAt(node, i);
    if (action < <u32>ACTION_TIME) takeText(d, action, text, bytes, at);
    else if (action == ACTION_TIME) takeTime(d, textToMillis(d, text, next), at);
    else setEventId(d, text, bytes);
  }
  return next;
}

@inline
function takeText(d: Decoding, action: u32, text: usize, bytes: u32, at: usize): void {
  addText(d, beginMetric(d, action), text, bytes).offset = <u32>(at - d.payload);
}

function textToMillis(d: Decoding, at: usize, end: usize): i64 {
  const format = channelTimeFormat(d.channel);
  if (format == TIME_ISO8601) return isoToMillis(at, end);
  return at == end ? TIME_NONE : epochTextToMillis(numeralOf(d), at, end, format);
}

export function readEnum(d: Decoding, node: usize, at: usize): usize {
  const next = readInt(d, at);
  if (next == 0) return 0;
  if (d.varint >= <u64>load<u32>(node, A.AVRO_COUNT_AT)) return stop(d, at);
  const count = actionCount(node);
  if (count == 0) return next;
  const symbol = d.program + load<u32>(node, A.AVRO_NAMES_AT) + (<usize>d.varint << 3);
  const text = d.program + load<u32>(symbol);
  for (let i: u32 = 0; i < count; i++) {
    takeText(d, actionAt(node, i), text, load<u32>(symbol, 4), at);
  }
  return next;
}

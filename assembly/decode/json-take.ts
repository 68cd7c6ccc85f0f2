/**
 * What the plan makes of a JSON value: readings, the time of a sample, the event id. In: a member
 * of the trie whose actions say which, and the value at `at`, already found to be JSON. Actions of
 * one member all see the same value; a member comes once per object, so its metrics do too.
 */
import { channelTimeFormat, metricAt } from '../channel';
import {
  Decoding, keepText, markSeen, numeralOf, setEventId, setTime, textBuffer, wrong,
} from '../cursor';
import { Sample } from '../decoded';
import { isPlainInteger } from '../numeral';
import { PAYLOAD_BYTES_MAX, TIME_ISO8601 } from '../shared/abi';
import * as P from '../shared/plan-layout';
import { addBoolean, addMismatch, addNumeral, addText } from '../validate';
import { unescape } from './json-text';
import { epochTextToMillis, epochToMillis, isoToMillis, TIME_NONE } from './time';

@inline
function actionCount(member: usize): u32 {
  return load<u32>(member, P.MEMBER_ACTION_COUNT_AT);
}
@inline
function actionAt(member: usize, index: u32): u32 {
  return load<u32>(member + (<usize>index << 2), P.MEMBER_ACTIONS_AT);
}

/** The metric of an action, its reading begun. */
@inline
function beginMetric(d: Decoding, action: u32): usize {
  markSeen(d, action);
  return metricAt(d.channel, action);
}

@inline
function beginTime(d: Decoding, sample: Sample, at: usize): Sample {
  sample.timeOffset = <u32>(at - d.payload);
  return sample;
}

/** The number [at, next) in the numeral. */
export function takeNumber(
  d: Decoding, sample: Sample, member: usize, at: usize, next: usize,
): void {
  const numeral = numeralOf(d);
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) {
      addNumeral(d, beginMetric(d, action), numeral, at);
    } else if (action == P.ACTION_TIME) {
      const format = channelTimeFormat(d.channel);
      const timeMs = format == TIME_ISO8601 ? TIME_NONE : epochToMillis(numeral, format);
      setTime(beginTime(d, sample, at), timeMs);
    } else if (action == P.ACTION_EVENT_ID) {
      setEventId(d, at, isPlainInteger(numeral) ? <u32>(next - at) : 0);
    } else wrong(d, at);
  }
}

/** The string with its opening quote at `at` and its closing one at `quote`. */
export function takeString(
  d: Decoding, sample: Sample, member: usize, at: usize, quote: usize,
): void {
  let text = at + 1;
  let bytes = <u32>(quote - text);
  d.lone = 0;
  if (d.escaped != 0) {
    text = textBuffer(d);
    bytes = unescape(d, at + 1, quote, text, PAYLOAD_BYTES_MAX);
    // Kept once for all actions: what is kept never takes more than the payload.
    keepText(d, bytes);
  }
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) takeText(d, action, at, text, bytes);
    else if (action == P.ACTION_TIME) takeTimeText(d, sample, at, text, bytes);
    else if (action == P.ACTION_EVENT_ID) setEventId(d, text, d.lone != 0 ? 0 : bytes);
    else wrong(d, at);
  }
}

function takeText(d: Decoding, action: u32, at: usize, text: usize, bytes: u32): void {
  const metric = beginMetric(d, action);
  if (d.lone != 0) {
    addMismatch(d, metric, at);
    return;
  }
  const reading = addText(d, metric, text, bytes);
  reading.offset = <u32>(at - d.payload);
}

function takeTimeText(d: Decoding, sample: Sample, at: usize, text: usize, bytes: u32): void {
  const format = channelTimeFormat(d.channel);
  const timeMs = format == TIME_ISO8601
    ? isoToMillis(text, text + bytes)
    : epochTextToMillis(numeralOf(d), text, text + bytes, format);
  setTime(beginTime(d, sample, at), timeMs);
}

export function takeBoolean(d: Decoding, sample: Sample, member: usize, at: usize): void {
  const value = load<u8>(at) == 0x74;
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) addBoolean(d, beginMetric(d, action), value, at);
    else takeUnfit(d, sample, action, at);
  }
}

/** An object or array where a scalar was declared; true where the array of samples was. */
export function takeOther(d: Decoding, sample: Sample, member: usize, at: usize): bool {
  let isForSamples = false;
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) addMismatch(d, beginMetric(d, action), at);
    else if (action == P.ACTION_SAMPLES) {
      isForSamples = true;
      if (load<u8>(at) == 0x7b) wrong(d, at);
    } else takeUnfit(d, sample, action, at);
  }
  return isForSamples;
}

/** No metric, and no value that the action takes. */
function takeUnfit(d: Decoding, sample: Sample, action: u32, at: usize): void {
  if (action == P.ACTION_TIME) setTime(beginTime(d, sample, at), TIME_NONE);
  else if (action == P.ACTION_EVENT_ID) setEventId(d, at, 0);
  else wrong(d, at);
}

/**
 * A JSON text (RFC 8259, nothing more lenient) as one sample, by the paths of the plan's trie.
 * Members come in any order; those that the plan does not name are checked and passed over; null
 * stands for absent. Refused as PAYLOAD_MALFORMED: at the first byte that no JSON text can have
 * after what precedes it (at the end, when it stops too early), and at the key when a member that
 * the plan names comes twice. Recursion is as deep as the plan's paths, at most JSON_DEPTH_MAX.
 */
import { channelMemberCount, channelTimeFormat, channelTrie, metricAt } from '../channel';
import {
  closeSample, Decoding, idBuffer, markSeen, numeralOf, openSample, seenMembers, setEventId,
  setTime, stop, textBuffer,
} from '../cursor';
import { Sample } from '../decoded';
import { isPlainInteger } from '../numeral';
import { EVENT_ID_BYTES_MAX, PAYLOAD_BYTES_MAX, TIME_ISO8601 } from '../shared/abi';
import * as P from '../shared/plan-layout';
import { equalBytes, nameHash } from '../text';
import { addBoolean, addMismatch, addNumeral } from '../validate';
import { skipColon, skipLiteral, skipNumber, skipValue } from './json-skip';
import { scanString, skipSpace, unescape } from './json-text';
import { epochTextToMillis, epochToMillis, isoToMillis, TIME_NONE } from './time';

const OBJECT: u32 = 0x7b;
const QUOTE: u32 = 0x22;

export function decodeJson(d: Decoding): bool {
  const end = d.end;
  memory.fill(seenMembers(d), 0, ((channelMemberCount(d.channel) + 63) >> 6) << 3);
  let at = skipSpace(d.start, end);
  const sample = openSample(d, d.payload);
  const isObject = at < end && <u32>load<u8>(at) == OBJECT;
  at = isObject ? walkObject(d, sample, channelTrie(d.channel), at, 1) : skipValue(d, at, 0);
  if (at == 0) return false;
  at = skipSpace(at, end);
  if (at != end) return stop(d, at) != 0;
  closeSample(d, sample);
  return true;
}

/** An object whose members the trie's node names, as the `depth`th container; `at` is its brace. */
function walkObject(d: Decoding, sample: Sample, node: usize, at: usize, depth: u32): usize {
  const end = d.end;
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x7d) return at + 1;
  while (true) {
    if (at >= end) return stop(d, end);
    if (<u32>load<u8>(at) != QUOTE) return stop(d, at);
    const keyAt = at + 1;
    const quote = scanString(d, keyAt);
    if (quote == 0) return 0;
    const member = findMember(d, node, keyAt, quote);
    if (member != 0 && !markMember(d, member)) return stop(d, at);
    at = skipColon(d, quote + 1);
    if (at == 0) return 0;
    at = member == 0 ? skipValue(d, at, depth) : takeMember(d, sample, member, at, depth);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    if (at >= end) return stop(d, end);
    const next = <u32>load<u8>(at);
    if (next == 0x7d) return at + 1;
    if (next != 0x2c) return stop(d, at);
    at = skipSpace(at + 1, end);
  }
}

/** The node's member with the key [at, end), escapes resolved; 0 = none. */
function findMember(d: Decoding, node: usize, at: usize, end: usize): usize {
  let bytes = <u32>(end - at);
  if (d.escaped != 0) {
    const text = textBuffer(d);
    bytes = unescape(d, at, end, text, P.KEY_BYTES_MAX);
    at = text;
  }
  if (bytes > <u32>P.KEY_BYTES_MAX) return 0;
  const hash = nameHash(at, bytes);
  const mask = load<u32>(node, P.NODE_MASK_AT);
  let slot = hash & mask;
  while (true) {
    const slotAt = node + (<usize>slot << 3);
    const offset = load<u32>(slotAt, P.NODE_SLOTS_AT + 4);
    if (offset == 0) return 0;
    if (load<u32>(slotAt, P.NODE_SLOTS_AT) == hash) {
      const member = node + offset;
      const key = member + load<u32>(member, P.MEMBER_KEY_AT);
      const keyBytes = load<u32>(member, P.MEMBER_KEY_BYTES_AT);
      if (keyBytes == bytes && equalBytes(key, at, bytes)) return member;
    }
    slot = (slot + 1) & mask;
  }
}

/** False when the member was there before. */
@inline
function markMember(d: Decoding, member: usize): bool {
  const index = load<u32>(member, P.MEMBER_INDEX_AT);
  const at = seenMembers(d) + (index >> 6 << 3);
  const bit = (<u64>1) << (index & 63);
  const old = load<u64>(at);
  store<u64>(at, old | bit);
  return (old & bit) == 0;
}

/** The value of a member that the plan names; gives the address behind it. */
function takeMember(
  d: Decoding, sample: Sample, member: usize, at: usize, depth: u32,
): usize {
  const byte = <u32>load<u8>(at);
  if (byte == QUOTE) {
    const quote = scanString(d, at + 1);
    if (quote == 0) return 0;
    takeString(d, sample, member, at, quote);
    return quote + 1;
  }
  if (byte == 0x2d || byte - 0x30 <= 9) {
    const next = skipNumber(d, at);
    if (next != 0) takeNumber(d, sample, member, at, next);
    return next;
  }
  if (byte == OBJECT || byte == 0x5b) {
    takeOther(d, sample, member, at);
    const child = load<u32>(member, P.MEMBER_CHILD_AT);
    if (child == 0 || byte != OBJECT) return skipValue(d, at, depth);
    return walkObject(d, sample, member + child, at, depth + 1);
  }
  const next = skipLiteral(d, at);
  if (next == 0 || byte == 0x6e) return next;
  takeBoolean(d, sample, member, at);
  return next;
}

@inline
function actionCount(member: usize): u32 {
  return load<u32>(member, P.MEMBER_ACTION_COUNT_AT);
}
@inline
function actionAt(member: usize, index: u32): u32 {
  return load<u32>(member + (<usize>index << 2), P.MEMBER_ACTIONS_AT);
}

/** The metric of an action, its reading begun. A member comes once, so its metrics do too. */
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

function takeNumber(d: Decoding, sample: Sample, member: usize, at: usize, next: usize): void {
  const numeral = numeralOf(d);
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) {
      addNumeral(d, beginMetric(d, action), numeral, at);
    } else if (action == P.ACTION_EVENT_ID) {
      if (isPlainInteger(numeral)) setEventId(d, at, <u32>(next - at));
      else setEventId(d, at, 0);
    } else {
      const format = channelTimeFormat(d.channel);
      const timeMs = format == TIME_ISO8601 ? TIME_NONE : epochToMillis(numeral, format);
      setTime(beginTime(d, sample, at), timeMs);
    }
  }
}

function takeString(d: Decoding, sample: Sample, member: usize, at: usize, quote: usize): void {
  const escaped = d.escaped != 0;
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) addMismatch(d, beginMetric(d, action), at);
    else if (action == P.ACTION_TIME) takeTimeText(d, sample, at, quote, escaped);
    else takeEventId(d, at, quote, escaped);
  }
}

function takeTimeText(
  d: Decoding, sample: Sample, at: usize, quote: usize, escaped: bool,
): void {
  let from = at + 1;
  let to = quote;
  if (escaped) {
    from = textBuffer(d);
    to = from + unescape(d, at + 1, quote, from, PAYLOAD_BYTES_MAX);
  }
  const format = channelTimeFormat(d.channel);
  const timeMs = format == TIME_ISO8601
    ? isoToMillis(from, to)
    : epochTextToMillis(numeralOf(d), from, to, format);
  setTime(beginTime(d, sample, at), timeMs);
}

function takeEventId(d: Decoding, at: usize, quote: usize, escaped: bool): void {
  if (!escaped) {
    setEventId(d, at + 1, <u32>(quote - at - 1));
    return;
  }
  const text = idBuffer(d);
  const bytes = unescape(d, at + 1, quote, text, EVENT_ID_BYTES_MAX);
  setEventId(d, text, d.lone != 0 ? 0 : bytes);
}

function takeBoolean(d: Decoding, sample: Sample, member: usize, at: usize): void {
  const value = load<u8>(at) == 0x74;
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) addBoolean(d, beginMetric(d, action), value, at);
    else if (action == P.ACTION_TIME) setTime(beginTime(d, sample, at), TIME_NONE);
    else setEventId(d, at, 0);
  }
}

/** An object or array where a scalar was declared. */
function takeOther(d: Decoding, sample: Sample, member: usize, at: usize): void {
  for (let i: u32 = 0, count = actionCount(member); i < count; i++) {
    const action = actionAt(member, i);
    if (action < <u32>P.ACTION_TIME) addMismatch(d, beginMetric(d, action), at);
    else if (action == P.ACTION_TIME) setTime(beginTime(d, sample, at), TIME_NONE);
    else setEventId(d, at, 0);
  }
}

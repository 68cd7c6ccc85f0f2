/**
 * A JSON text (RFC 8259, nothing more lenient) as one sample, or as one per element of an array, by
 * the paths of the plan's trie. Members come in any order; those that the plan does not name are
 * checked and passed over; null stands for absent. Refused as PAYLOAD_MALFORMED: at the first byte
 * that no JSON text can have after what precedes it (at the end, when it stops too early), at the
 * key when a member that the plan names comes twice, and else at the first sample that is none.
 * Recursion is as deep as the plan's paths, at most twice JSON_DEPTH_MAX.
 *
 * Devices say the same members in the same order again and again: every member remembers which one
 * came next in the last object (MEMBER_NEXT_AT), and that one is tried first, as it is written with
 * quotes and colon; or that none did. Only when the bytes differ its key is scanned and looked up.
 * What is remembered is always a member of the same node, so that it decides nothing but the time
 * that this takes.
 */
import { channelArrayed, channelMemberCount, channelTrie } from '../channel';
import {
  closeSample, Decoding, openSample, ORDINAL_NONE, outOf, packScratch, seenMembers, stop, wrong,
} from '../cursor';
import { decodedAt, Sample, sampleAt, TIME_ABSENT } from '../decoded';
import { JSON_DEPTH_MAX, SAMPLES_PER_RECORD_MAX } from '../shared/abi';
import * as P from '../shared/plan-layout';
import { OK, TIME_MALFORMED } from '../shared/status';
import { findMember, quotedBytesAt } from './json-key';
import { skipColon, skipLiteral, skipNumber, skipValue } from './json-skip';
import { takeBoolean, takeNumber, takeOther, takeString } from './json-take';
import { scanShortString, scanString, skipSpace } from './json-text';

const OBJECT: u32 = 0x7b;
const ARRAY: u32 = 0x5b;
const QUOTE: u32 = 0x22;
const NULL: u32 = 0x6e;

export function decodeJson(d: Decoding): bool {
  const end = d.end;
  forgetMembers(d, 0);
  const arrayed = channelArrayed(d.channel);
  const sample = arrayed ? recordSample(d) : openSample(d, d.payload);
  let at = skipSpace(d.start, end);
  at = at < end && <u32>load<u8>(at) == OBJECT
    ? walkObject(d, sample, channelTrie(d.channel), at, 1)
    : skipValue(d, at, 0);
  if (at == 0) return false;
  if (at != end) {
    at = skipSpace(at, end);
    if (at != end) return stop(d, at) != 0;
  }
  if (d.wrongAt != 0) return stop(d, d.wrongAt) != 0;
  if (arrayed) shareTime(d, sample);
  else closeSample(d, sample);
  return true;
}

/** Forgets the members seen with an index of `from`, a multiple of 64, and beyond. */
@inline
function forgetMembers(d: Decoding, from: u32): void {
  const seen = seenMembers(d);
  const count = channelMemberCount(d.channel);
  for (let index = from; index < count; index += 64) store<u64>(seen + (index >> 6 << 3), 0);
}

/** An object whose members the trie's node names, as the `depth`th container; `at` is its brace. */
function walkObject(d: Decoding, sample: Sample, node: usize, at: usize, depth: u32): usize {
  const end = d.end;
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x7d) return at + 1;
  // Where it is remembered which member comes here.
  let link = node + P.NODE_FIRST_AT;
  while (true) {
    let member = node + load<u32>(link);
    const quoted = member == node ? 0 : quotedBytesAt(member, at, end);
    if (quoted != 0) {
      if (!markMember(d, member)) return stop(d, at);
      link = member + P.MEMBER_NEXT_AT;
      at = skipSpace(at + quoted, end);
      if (at >= end) return stop(d, end);
    } else {
      if (at >= end) return stop(d, end);
      if (<u32>load<u8>(at) != QUOTE) return stop(d, at);
      const quote = scanShortString(d, at + 1, end);
      if (quote == 0) return 0;
      member = findMember(d, node, at + 1, quote);
      if (member != 0) {
        if (!markMember(d, member)) return stop(d, at);
        store<u32>(link, <u32>(member - node));
        link = member + P.MEMBER_NEXT_AT;
      }
      at = passColon(d, quote + 1, end);
      if (at == 0) return 0;
    }
    at = member == 0 ? passValue(d, at, depth) : takeMember(d, sample, member, at, depth);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    if (at >= end) return stop(d, end);
    const next = <u32>load<u8>(at);
    if (next == 0x7d) {
      // No member of the plan comes here: the next object's are not compared with any.
      if (member == 0) store<u32>(link, 0);
      return at + 1;
    }
    if (next != 0x2c) return stop(d, at);
    at = skipSpace(at + 1, end);
  }
}

/** Behind a key: its colon, which most write without white space. Gives where the value is. */
@inline
function passColon(d: Decoding, at: usize, end: usize): usize {
  if (at + 1 < end && load<u8>(at) == 0x3a && load<u8>(at, 1) > 0x20) return at + 1;
  return skipColon(d, at);
}

/** A value that the plan does not name; strings, the most of them, at once. */
@inline
function passValue(d: Decoding, at: usize, depth: u32): usize {
  if (<u32>load<u8>(at) != QUOTE) return skipValue(d, at, depth);
  const quote = scanShortString(d, at + 1, d.end);
  return quote == 0 ? 0 : quote + 1;
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
  if (byte - 0x30 <= 9 || byte == 0x2d) {
    const next = skipNumber(d, at);
    if (next != 0) takeNumber(d, sample, member, at, next);
    return next;
  }
  if (byte == QUOTE) {
    const quote = scanString(d, at + 1);
    if (quote == 0) return 0;
    takeString(d, sample, member, at, quote);
    return quote + 1;
  }
  if (byte == OBJECT || byte == ARRAY) return takeContainer(d, sample, member, at, depth);
  const next = skipLiteral(d, at);
  if (next == 0 || byte == NULL) return next;
  takeBoolean(d, sample, member, at);
  return next;
}

function takeContainer(
  d: Decoding, sample: Sample, member: usize, at: usize, depth: u32,
): usize {
  const isObject = <u32>load<u8>(at) == OBJECT;
  const isArrayOfSamples = takeOther(d, sample, member, at);
  const child = load<u32>(member, P.MEMBER_CHILD_AT);
  if (isArrayOfSamples) {
    if (!isObject) return walkSamples(d, member, at, depth + 1);
  } else if (child != 0 && isObject) {
    if (depth >= <u32>JSON_DEPTH_MAX && d.deepAt == 0) d.deepAt = at;
    return walkObject(d, sample, member + child, at, depth + 1);
  }
  return skipValue(d, at, depth);
}

/** The array of samples, as the `depth`th container; `at` is its bracket. */
function walkSamples(d: Decoding, member: usize, at: usize, depth: u32): usize {
  const end = d.end;
  if (depth > <u32>JSON_DEPTH_MAX && d.deepAt == 0) d.deepAt = at;
  const node = member + load<u32>(member, P.MEMBER_CHILD_AT);
  const firstIndex = load<u32>(member, P.MEMBER_ELEMENT_INDEX_AT);
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x5d) return at + 1;
  while (true) {
    if (at < end && <u32>load<u8>(at) == OBJECT) {
      if (depth >= <u32>JSON_DEPTH_MAX && d.deepAt == 0) d.deepAt = at;
      const sample = openSample(d, at);
      forgetMembers(d, firstIndex);
      at = walkObject(d, sample, node, at, depth + 1);
      if (at == 0) return 0;
      closeSample(d, sample);
    } else {
      if (at < end && <u32>load<u8>(at) != NULL) wrong(d, at);
      at = skipValue(d, at, depth);
      if (at == 0) return 0;
    }
    at = skipSpace(at, end);
    if (at >= end) return stop(d, end);
    const next = <u32>load<u8>(at);
    if (next == 0x5d) return at + 1;
    if (next != 0x2c) return stop(d, at);
    at = skipSpace(at + 1, end);
  }
}

/** A sample that is none: it holds the time of the record until all samples are there. */
function recordSample(d: Decoding): Sample {
  const record = changetype<Sample>(packScratch(d));
  record.eventTimeMs = 0;
  record.timeKind = TIME_ABSENT;
  record.status = OK;
  return record;
}

/** Gives all samples the time of the record, if it says one. */
function shareTime(d: Decoding, record: Sample): void {
  const isMalformed = record.status == TIME_MALFORMED;
  if (!isMalformed && record.timeKind == TIME_ABSENT) return;
  const count = min<u32>(decodedAt(outOf(d)).sampleCount, SAMPLES_PER_RECORD_MAX);
  for (let i: u32 = 0; i < count; i++) {
    const sample = sampleAt(outOf(d), i);
    sample.timeOffset = record.timeOffset;
    sample.timeKind = record.timeKind;
    sample.eventTimeMs = record.eventTimeMs;
    if (isMalformed) {
      sample.status = TIME_MALFORMED;
      sample.metric = ORDINAL_NONE;
    }
  }
}

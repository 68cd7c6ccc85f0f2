/**
 * The wire of Protobuf for all decoders of it: values, and passing over what is not known. In: an
 * address, and the tag that is to blame. Out: the address behind what was read, with its value in
 * `varint`; or 0 when it cannot be read, `trouble` then holds the tag.
 */
import { Decoding, seenMembers, stop } from '../cursor';
import { GROUPS_MAX } from '../shared/protobuf-program';

export const WIRE_VARINT: u32 = 0;
export const WIRE_FIXED64: u32 = 1;
export const WIRE_BYTES: u32 = 2;
export const WIRE_GROUP: u32 = 3;
export const WIRE_GROUP_END: u32 = 4;
export const WIRE_FIXED32: u32 = 5;

const TAG_BYTES_MAX: usize = 5;

/** A tag of one byte: what is left to do is to take it. */
@inline
export function isShortTag(first: u32): bool { return first - 8 < 0x78; }

/** A tag: below 2^32 in up to 5 bytes, with a field number above 0. */
@inline
export function readTag(d: Decoding, at: usize, end: usize): usize {
  const first = <u32>load<u8>(at);
  if (isShortTag(first)) {
    d.varint = first;
    return at + 1;
  }
  return readLongTag(d, at, end);
}

export function readLongTag(d: Decoding, at: usize, end: usize): usize {
  const next = readLongVarint(d, at, end, at);
  if (next == 0) return 0;
  const isTag = next - at <= TAG_BYTES_MAX && d.varint >> 32 == 0 && d.varint >= 8;
  return isTag ? next : stop(d, at);
}

/** A varint of up to 64 bits in up to 10 bytes. */
@inline
export function readVarint(d: Decoding, at: usize, end: usize, tagAt: usize): usize {
  if (at < end) {
    const first = <u32>load<u8>(at);
    if (first < 0x80) {
      d.varint = first;
      return at + 1;
    }
    if (end - at > 1 && load<u8>(at, 1) < 0x80) {
      d.varint = (first & 0x7f) | (<u32>load<u8>(at, 1) << 7);
      return at + 2;
    }
  }
  return readLongVarint(d, at, end, tagAt);
}

function readLongVarint(d: Decoding, at: usize, end: usize, tagAt: usize): usize {
  let value: u64 = 0;
  let shift: u64 = 0;
  while (at < end) {
    const byte = <u64>load<u8>(at++);
    // The tenth byte has room for one bit.
    if (shift == 63 && byte > 1) return stop(d, tagAt);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      d.varint = value;
      return at;
    }
    shift += 7;
  }
  return stop(d, tagAt);
}

/** A length that fits before `end`. */
@inline
export function readLength(d: Decoding, at: usize, end: usize, tagAt: usize): usize {
  const next = readVarint(d, at, end, tagAt);
  if (next == 0) return 0;
  return d.varint > <u64>(end - next) ? stop(d, tagAt) : next;
}

@inline
export function zigzag(value: u64): i64 {
  return <i64>(value >> 1) ^ -(<i64>(value & 1));
}

/** Passes over the value of a field, whatever it is; a group to its end. */
export function skipValue(d: Decoding, tag: u32, at: usize, end: usize, tagAt: usize): usize {
  const wire = tag & 7;
  if (wire == WIRE_GROUP) return skipGroup(d, tag >> 3, at, end, tagAt);
  return skipPlain(d, wire, at, end, tagAt);
}

/** The same where groups are not read: one is malformed. */
export function skipPlain(d: Decoding, wire: u32, at: usize, end: usize, tagAt: usize): usize {
  if (wire == WIRE_VARINT) return readVarint(d, at, end, tagAt);
  if (wire == WIRE_BYTES) {
    const next = readLength(d, at, end, tagAt);
    return next == 0 ? 0 : next + <usize>d.varint;
  }
  const bytes: usize = wire == WIRE_FIXED64 ? 8 : wire == WIRE_FIXED32 ? 4 : 0;
  return bytes == 0 || end - at < bytes ? stop(d, tagAt) : at + bytes;
}

/** Open groups: number u32 and tag u32 of each, in scratch that only JSON uses otherwise. */
function skipGroup(d: Decoding, number: u32, at: usize, end: usize, tagAt: usize): usize {
  const open = seenMembers(d);
  store<u32>(open, number);
  store<u32>(open, <u32>tagAt, 4);
  let depth: usize = 1;
  while (depth > 0) {
    const innermost = open + ((depth - 1) << 3);
    if (at >= end) return stop(d, load<u32>(innermost, 4));
    const innerAt = at;
    at = readTag(d, at, end);
    if (at == 0) return 0;
    const tag = <u32>d.varint;
    const wire = tag & 7;
    if (wire == WIRE_GROUP) {
      if (depth == <usize>GROUPS_MAX) return stop(d, innerAt);
      store<u32>(innermost, tag >> 3, 8);
      store<u32>(innermost, <u32>innerAt, 12);
      depth++;
    } else if (wire == WIRE_GROUP_END) {
      if (tag >> 3 != load<u32>(innermost)) return stop(d, innerAt);
      depth--;
    } else {
      at = skipPlain(d, wire, at, end, innerAt);
      if (at == 0) return 0;
    }
  }
  return at;
}

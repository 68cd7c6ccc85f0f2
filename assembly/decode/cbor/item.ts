/**
 * Items of CBOR (RFC 8949), read as strictly as it defines well-formed, and text as UTF-8. In:
 * where an item begins. Out: the address behind it, or 0: malformed at d.trouble, the first byte of
 * the item concerned (the end, when one is missing), or too deep at d.deepAt. Every step takes a
 * byte; recursion is as deep as JSON_DEPTH_MAX arrays and maps.
 */
import { Decoding, stop, textBuffer } from '../../cursor';
import { JSON_DEPTH_MAX } from '../../shared/abi';
import { isUtf8 } from '../utf8';

// Decoding.major
export const MAJOR_UNSIGNED: u32 = 0;
export const MAJOR_NEGATIVE: u32 = 1;
export const MAJOR_BYTES: u32 = 2;
export const MAJOR_TEXT: u32 = 3;
export const MAJOR_ARRAY: u32 = 4;
export const MAJOR_MAP: u32 = 5;
export const MAJOR_TAG: u32 = 6;
export const MAJOR_OTHER: u32 = 7;

// Decoding.info of MAJOR_OTHER, and of what has no length.
export const INFO_FALSE: u32 = 20;
export const INFO_TRUE: u32 = 21;
const INFO_BYTE: u32 = 24;
export const INFO_HALF: u32 = 25;
export const INFO_SINGLE: u32 = 26;
export const INFO_DOUBLE: u32 = 27;
export const INFO_OPEN: u32 = 31;

/** Ends what has no length. */
const BREAK: u32 = 0xff;
/** Simple values of two bytes begin here. */
const SIMPLE_MIN: u64 = 32;

/** The head of an item: major type, additional information, and its argument into d.varint. */
export function readHead(d: Decoding, at: usize): usize {
  if (at >= d.end) return stop(d, at);
  const first = <u32>load<u8>(at);
  const info = first & 31;
  d.major = first >> 5;
  d.info = info;
  d.varint = info;
  if (info < INFO_BYTE) return at + 1;
  if (info == INFO_OPEN) {
    const major = d.major;
    d.varint = 0;
    return (major >= MAJOR_BYTES && major <= MAJOR_MAP) || major == MAJOR_OTHER
      ? at + 1
      : stop(d, at);
  }
  if (info > INFO_DOUBLE) return stop(d, at);
  const bytes: usize = 1 << (info - INFO_BYTE);
  if (d.end - at <= bytes) return stop(d, at);
  switch (<u32>bytes) {
    case 1: d.varint = load<u8>(at, 1); break;
    case 2: d.varint = bswap<u16>(load<u16>(at, 1)); break;
    case 4: d.varint = bswap<u32>(load<u32>(at, 1)); break;
    default: d.varint = bswap<u64>(load<u64>(at, 1));
  }
  if (d.major == MAJOR_OTHER && info == INFO_BYTE && d.varint < SIMPLE_MIN) return stop(d, at);
  return at + bytes + 1;
}

/** Whether the open container whose next item would be at `at` ends there. */
@inline
export function isBreak(d: Decoding, at: usize): bool {
  return at < d.end && <u32>load<u8>(at) == BREAK;
}

/** A whole item inside `depth` containers. */
export function skipItem(d: Decoding, at: usize, depth: u32): usize {
  while (true) {
    const next = readHead(d, at);
    if (next == 0) return 0;
    switch (d.major) {
      case MAJOR_UNSIGNED:
      case MAJOR_NEGATIVE: return next;
      case MAJOR_BYTES:
      case MAJOR_TEXT: return readString(d, at, next);
      case MAJOR_TAG: break;
      case MAJOR_OTHER: return d.info == INFO_OPEN ? stop(d, at) : next;
      default: return skipContainer(d, at, next, depth);
    }
    at = next;
  }
}

/** An array or map whose head, just read, is at `at`. */
function skipContainer(d: Decoding, at: usize, next: usize, depth: u32): usize {
  if (depth == JSON_DEPTH_MAX) {
    d.deepAt = at;
    return 0;
  }
  const isMap = d.major == MAJOR_MAP;
  const isOpen = d.info == INFO_OPEN;
  const count = d.varint;
  for (let i: u64 = 0; isOpen || i < count; i++) {
    if (isOpen && isBreak(d, next)) return next + 1;
    next = skipItem(d, next, depth + 1);
    if (next != 0 && isMap) next = skipItem(d, next, depth + 1);
    if (next == 0) return 0;
  }
  return next;
}

/**
 * The string whose head, just read, is at `at`: where its bytes lie goes into d.stringAt, how many
 * into d.stringBytes. Those of one in pieces are joined in textBuffer.
 */
export function readString(d: Decoding, at: usize, next: usize): usize {
  if (d.info != INFO_OPEN) {
    d.stringAt = next;
    return readPiece(d, at, next);
  }
  const major = d.major;
  const text = textBuffer(d);
  let bytes: u32 = 0;
  while (!isBreak(d, next)) {
    const piece = readHead(d, next);
    if (piece == 0) return 0;
    if (d.major != major || d.info == INFO_OPEN) return stop(d, next);
    next = readPiece(d, next, piece);
    if (next == 0) return 0;
    memory.copy(text + bytes, piece, d.stringBytes);
    bytes += d.stringBytes;
  }
  d.stringAt = text;
  d.stringBytes = bytes;
  return next + 1;
}

function readPiece(d: Decoding, at: usize, next: usize): usize {
  if (d.varint > <u64>(d.end - next)) return stop(d, at);
  d.stringBytes = <u32>d.varint;
  const end = next + d.stringBytes;
  return d.major == MAJOR_TEXT && !isUtf8(next, end) ? stop(d, at) : end;
}

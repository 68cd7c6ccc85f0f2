/**
 * One scalar from the wire. In: its type (TYPE_* of protobuf-program.ts), where it lies and the tag
 * to blame. Out: the address behind it, or 0, and its bits in `varint`: of a double for floating
 * types; an i64 for integers, enumerations and booleans (a u64 for 64-bit unsigned ones); for texts
 * and bytes where they lie, their length in the upper half.
 */
import { Decoding, stop } from '../../cursor';
import * as G from '../../shared/protobuf-program';
import { isUtf8 } from '../utf8';
import { readLength, readVarint, zigzag } from '../wire';

export function readScalar(d: Decoding, type: u32, at: usize, end: usize, tagAt: usize): usize {
  switch (type) {
    case G.TYPE_DOUBLE: case G.TYPE_FIXED64: case G.TYPE_SFIXED64:
      if (end - at < 8) return stop(d, tagAt);
      d.varint = load<u64>(at);
      return at + 8;
    case G.TYPE_FLOAT: case G.TYPE_FIXED32: case G.TYPE_SFIXED32:
      return end - at < 4 ? stop(d, tagAt) : readFour(d, type, at);
    case G.TYPE_STRING: case G.TYPE_BYTES:
      return readBytes(d, type, at, end, tagAt);
    default:
      break;
  }
  const next = readVarint(d, at, end, tagAt);
  if (next == 0) return 0;
  const value = d.varint;
  switch (type) {
    case G.TYPE_INT32: case G.TYPE_ENUM:
      d.varint = <u64><i64><i32>value;
      break;
    case G.TYPE_UINT32:
      d.varint = <u64><u32>value;
      break;
    case G.TYPE_SINT32:
      d.varint = <u64>zigzag(<u64><u32>value);
      break;
    case G.TYPE_SINT64:
      d.varint = <u64>zigzag(value);
      break;
    case G.TYPE_BOOL:
      d.varint = value != 0 ? 1 : 0;
      break;
    default:
      break;
  }
  return next;
}

function readFour(d: Decoding, type: u32, at: usize): usize {
  if (type == G.TYPE_FLOAT) d.varint = reinterpret<u64>(<f64>load<f32>(at));
  else if (type == G.TYPE_FIXED32) d.varint = load<u32>(at);
  else d.varint = <u64><i64>load<i32>(at);
  return at + 4;
}

function readBytes(d: Decoding, type: u32, at: usize, end: usize, tagAt: usize): usize {
  const text = readLength(d, at, end, tagAt);
  if (text == 0) return 0;
  const next = text + <usize>d.varint;
  if (type == G.TYPE_STRING && !isUtf8(text, next)) return stop(d, tagAt);
  d.varint = (d.varint << 32) | <u64>text;
  return next;
}

/**
 * Zig-zag varints, as Avro writes its integers and Confluent its message indexes: seven bits a
 * byte, the lowest first. In: where one begins. Out: the value in d.varint and the address behind
 * it, or 0 (trouble: where it begins) when it runs past the end or over its width. Zeros that a
 * writer pads it with are fine as long as the bytes of the width are not exceeded.
 */
import { Decoding, stop } from '../../cursor';

@inline
export function unzigzag(value: u64): i64 {
  return <i64>(value >> 1) ^ -(<i64>(value & 1));
}

/** 64 bits in up to 10 bytes. */
@inline
export function readLong(d: Decoding, at: usize): usize {
  if (at < d.end) {
    const first = <u64>load<u8>(at);
    if (first < 0x80) {
      d.varint = <u64>unzigzag(first);
      return at + 1;
    }
  }
  return readLongVarint(d, at);
}

function readLongVarint(d: Decoding, at: usize): usize {
  const begin = at;
  const end = d.end;
  let value: u64 = 0;
  let shift: u64 = 0;
  while (at < end) {
    const byte = <u64>load<u8>(at++);
    // The tenth byte has room for one bit.
    if (shift == 63 && byte > 1) return stop(d, begin);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      d.varint = <u64>unzigzag(value);
      return at;
    }
    shift += 7;
  }
  return stop(d, begin);
}

const INT_BYTES_MAX: usize = 5;

/** 32 bits in up to 5 bytes. */
@inline
export function readInt(d: Decoding, at: usize): usize {
  const next = readLong(d, at);
  if (next == 0) return 0;
  const value = <i64>d.varint;
  return next - at > INT_BYTES_MAX || value != <i64>(<i32>value) ? stop(d, at) : next;
}

/**
 * Numbers of CBOR: integers of up to 64 bits and a sign, floats of 16, 32 and 64 bits. In: a decode
 * that has just read the head of one (item.ts). Out: its value. Seconds are split exactly, as the
 * binary number that they are.
 */
import { Decoding } from '../../cursor';
import { ATTOS_PER_SECOND, PACK_SECONDS_MAX } from '../senml';
import {
  INFO_DOUBLE, INFO_HALF, INFO_SINGLE, MAJOR_NEGATIVE, MAJOR_OTHER, MAJOR_UNSIGNED,
} from './item';

@inline
export function isNumber(d: Decoding): bool {
  return d.major <= MAJOR_NEGATIVE
    || (d.major == MAJOR_OTHER && d.info >= INFO_HALF && d.info <= INFO_DOUBLE);
}

/** An integer that fits Int64. */
@inline
export function isInt64(d: Decoding): bool {
  return d.major <= MAJOR_NEGATIVE && <i64>d.varint >= 0;
}

@inline
export function toInt64(d: Decoding): i64 {
  return d.major == MAJOR_UNSIGNED ? <i64>d.varint : ~<i64>d.varint;
}

/** The nearest double. */
export function toDouble(d: Decoding): f64 {
  if (d.major == MAJOR_UNSIGNED) return <f64>d.varint;
  // −1 − n: the greatest n has no successor of 64 bits.
  if (d.major == MAJOR_NEGATIVE) {
    return d.varint == u64.MAX_VALUE ? -18446744073709551616.0 : -<f64>(d.varint + 1);
  }
  if (d.info == INFO_DOUBLE) return reinterpret<f64>(d.varint);
  if (d.info == INFO_SINGLE) return <f64>reinterpret<f32>(<u32>d.varint);
  return halfToDouble(<u32>d.varint);
}

function halfToDouble(half: u32): f64 {
  const exponent = half >> 10 & 31;
  const fraction = <f64>(half & 1023);
  // Powers of two: exact.
  let value: f64 = fraction / 16777216.0;
  if (exponent == 31) value = fraction == 0 ? Infinity : NaN;
  else if (exponent != 0) value = (1024.0 + fraction) * <f64>(1 << exponent) / 33554432.0;
  return (half & 0x8000) != 0 ? -value : value;
}

/** floor(value), at most ±PACK_SECONDS_MAX; what is left, in attoseconds, to `attosAt`. */
export function toSeconds(d: Decoding, attosAt: usize): i64 {
  store<u64>(attosAt, 0);
  if (isInt64(d)) {
    const value = toInt64(d);
    return min(max(value, -PACK_SECONDS_MAX), PACK_SECONDS_MAX);
  }
  const value = toDouble(d);
  // Not a number: below all that are, so it is no time, and promises nothing.
  if (value != value) return -PACK_SECONDS_MAX - 1;
  const size = Math.abs(value);
  if (size >= <f64>PACK_SECONDS_MAX) return value < 0 ? -PACK_SECONDS_MAX : PACK_SECONDS_MAX;
  let seconds = <i64>size;
  const isMore = toAttos(size - <f64>seconds, attosAt);
  if (value >= 0) return seconds;
  const attos = load<u64>(attosAt) + (isMore ? 1 : 0);
  seconds = -seconds;
  if (attos == 0) return seconds;
  // Of a fraction just below a second none is left.
  store<u64>(attosAt, ATTOS_PER_SECOND - attos);
  return seconds - 1;
}

/** floor(fraction · 10^18) of 0 ≤ fraction < 1 to `attosAt`; true when there is something left. */
function toAttos(fraction: f64, attosAt: usize): bool {
  if (fraction == 0) return false;
  const bits = reinterpret<u64>(fraction);
  const exponent = <i32>(bits >> 52);
  // A fraction this small is below an attosecond; it has its hidden bit unless it is subnormal.
  if (exponent < 1023 - 64) return true;
  const digits = bits & 0xfffffffffffff | 0x10000000000000;
  // digits · 2^−shift · 10^18, as 128 bits in two halves; shift is 53 … 116.
  const shift = <u64>(1023 + 52 - exponent);
  const low32 = digits & 0xffffffff;
  const high32 = digits >> 32;
  const tenLow = ATTOS_PER_SECOND & 0xffffffff;
  const tenHigh = ATTOS_PER_SECOND >> 32;
  const lowest = low32 * tenLow;
  const middle = high32 * tenLow + (lowest >> 32);
  const middle2 = low32 * tenHigh + (middle & 0xffffffff);
  const low = middle2 << 32 | lowest & 0xffffffff;
  const high = high32 * tenHigh + (middle >> 32) + (middle2 >> 32);
  if (shift >= 64) {
    store<u64>(attosAt, high >> (shift - 64));
    return low != 0 || (high & (((<u64>1) << (shift - 64)) - 1)) != 0;
  }
  store<u64>(attosAt, high << (64 - shift) | low >> shift);
  return (low & (((<u64>1) << shift) - 1)) != 0;
}

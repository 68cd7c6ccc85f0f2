/**
 * Decimal numbers as JSON writes them. In: text that ends somewhere before `end`. Out: a Numeral:
 * the first 19 significant digits as one u64, the exponent, and where the rest lies; from it
 * integers and milliseconds, exactly. Doubles: number.ts.
 */
/** Numeral.flags */
export const NUMERAL_NEGATIVE: u32 = 1;
/** Has a fraction or an exponent: not digits only. */
export const NUMERAL_FRACTIONAL: u32 = 2;
/** A digit other than 0 follows the first 19. */
export const NUMERAL_DROPPED: u32 = 4;

/** Digits of any u64 below 10^19. */
export const DIGITS_KEPT: i32 = 19;
/** Exponents saturate here: beyond any payload's count of digits, so 0.000…1e60000 is exact. */
const EXPONENT_LIMIT: i32 = 1000000;
@unmanaged
export class Numeral {
  /** First 19 significant digits; value = digits · 10^exponent, plus what was dropped. */
  digits: u64;
  exponent: i32;
  flags: u32;
  /** Significant digits in all, leading zeros not counted. */
  digitCount: i32;
  /** value = all digits as one integer · 10^exponentAll. */
  exponentAll: i32;
  /** Where digits (and the point) begin and end in the text. */
  digitsAt: usize;
  digitsEnd: usize;
  /** Where the text stopped being a number, after `scanNumber` gave 0. */
  trouble: usize;
}

/** Reads the number at `at`; gives the address behind it, or 0 with `numeral.trouble` set. */
export function scanNumber(numeral: Numeral, at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    const next = scanShort(numeral, at, end);
    if (next != 0) return next;
  }
  return scanAny(numeral, at, end);
}

/**
 * A number without exponent of at most 15 bytes behind its sign, as nearly all are: found and added
 * up without a step per digit, so that its length is nothing to guess wrong. 0 = it is another one.
 *
 *   -12.345}…   digits 1101110…  →  …0000000000012345 (the point left out, pushed to the right)
 *                                →  8 × 2 digits → 4 × 4 digits → 2 × 8 digits
 */
function scanShort(numeral: Numeral, at: usize, end: usize): usize {
  return at < end ? addShort(numeral, at, textAt(at, end)) : 0;
}

/** Sixteen bytes; those behind the end, where nothing may be read, become zeros: no digits. */
@inline
function textAt(at: usize, end: usize): v128 {
  if (at + 16 <= end) return v128.load(at);
  return i8x16.swizzle(v128.load(end - 16), i8x16.add(
    i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    i8x16.splat(<i8>(at + 16 - end)),
  ));
}

/** Passes over such a number, which begins before the end; 0 = it is another one. */
export function passShort(at: usize, end: usize): usize {
  const text = textAt(at, end);
  const shape = shapeOf(text, i8x16.sub(text, i8x16.splat(0x30)));
  const whole = shape & 0xff;
  const fraction = (shape >> 8) & 0xff;
  const bytes = (shape >> 16) + whole + fraction + (fraction == 0 ? 0 : 1);
  return shape == 0 ? 0 : at + bytes;
}

/** Digits before the point, behind it in the second byte, 1 in the third: a sign. 0 = no such. */
@inline
function shapeOf(text: v128, values: v128): u32 {
  const negative = <i32>(i8x16.extract_lane_u(text, 0) == 0x2d);
  // A bit per byte that is a digit, from behind the sign on; none at the end of the 16 bytes.
  const digits = <u32>i8x16.bitmask(i8x16.lt_u(values, i8x16.splat(10))) >> negative;
  const whole = <i32>ctz(~digits);
  const points = <u32>i8x16.bitmask(i8x16.eq(text, i8x16.splat(0x2e))) >> negative;
  const point = <i32>(points >> whole) & 1;
  const fraction = point != 0 ? <i32>ctz(~(digits >> (whole + 1))) : 0;
  const bytes = negative + whole + point + fraction;
  // Something is missing, is written otherwise, or may go on behind what was seen.
  if (whole == 0 || fraction < point || bytes > 15) return 0;
  if (whole > 1 && laneOf(values, negative) == 0) return 0;
  if ((laneOf(text, bytes) | 0x20) == 0x65) return 0;
  return <u32>(whole | (fraction << 8) | (negative << 16));
}

@inline
function laneOf(bytes: v128, lane: i32): u32 {
  return i8x16.extract_lane_u(i8x16.swizzle(bytes, i8x16.splat(<i8>lane)), 0);
}

@inline
function addShort(numeral: Numeral, at: usize, text: v128): usize {
  const values = i8x16.sub(text, i8x16.splat(0x30));
  const shape = shapeOf(text, values);
  if (shape == 0) return 0;
  const whole = <i32>(shape & 0xff);
  const fraction = <i32>(shape >> 8) & 0xff;
  const negative = <i32>(shape >> 16);
  const point = <i32>(fraction != 0);
  const count = whole + fraction;
  const first = at + negative;
  const next = first + whole + point + fraction;
  numeral.digits = digitsOf(values, negative, whole, count);
  numeral.exponent = -fraction;
  numeral.exponentAll = -fraction;
  numeral.digitCount = count;
  numeral.flags = <u32>negative | (<u32>point << 1);
  numeral.digitsAt = first;
  numeral.digitsEnd = next;
  return next;
}

/** `count` digits from `first` on, the point behind `whole` of them left out, as one integer. */
@inline
function digitsOf(values: v128, first: i32, whole: i32, count: i32): u64 {
  // Place i takes digit i − (16 − count); from the point on one byte further.
  const place = i8x16.sub(
    i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
    i8x16.splat(<i8>(16 - count)),
  );
  const skip = i8x16.ge_s(place, i8x16.splat(<i8>whole));
  // Before the first digit: beyond all bytes, which gives 0.
  const none = i8x16.lt_s(place, i8x16.splat(0));
  const source = v128.or(i8x16.add(i8x16.sub(place, skip), i8x16.splat(<i8>first)), none);
  const right = i8x16.swizzle(values, source);
  const tens = i16x8.mul(v128.and(right, i16x8.splat(0xff)), i16x8.splat(10));
  const twos = i16x8.add(tens, i16x8.shr_u(right, 8));
  const fours = i32x4.dot_i16x8_s(twos, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
  const packed = i16x8.narrow_i32x4_u(fours, fours);
  const eights = i32x4.dot_i16x8_s(packed, i16x8(10000, 1, 10000, 1, 10000, 1, 10000, 1));
  return <u64>(<u32>i32x4.extract_lane(eights, 0)) * 100000000
    + <u64>(<u32>i32x4.extract_lane(eights, 1));
}

function scanAny(numeral: Numeral, at: usize, end: usize): usize {
  let flags: u32 = 0;
  if (at < end && load<u8>(at) == 0x2d) {
    flags = NUMERAL_NEGATIVE;
    at++;
  }
  const first = at;
  let digits: u64 = 0;
  while (at < end) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) break;
    digits = digits * 10 + digit;
    at++;
  }
  if (at == first) return stopAt(numeral, at);
  if (load<u8>(first) == 0x30 && at > first + 1) return stopAt(numeral, first + 1);
  let count = <i32>(at - first);
  let exponent: i32 = 0;
  if (at < end && load<u8>(at) == 0x2e) {
    const fraction = ++at;
    while (at < end) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      digits = digits * 10 + digit;
      at++;
    }
    if (at == fraction) return stopAt(numeral, at);
    exponent = -(<i32>(at - fraction));
    count -= exponent;
    flags |= NUMERAL_FRACTIONAL;
  }
  numeral.digitsAt = first;
  numeral.digitsEnd = at;
  if (at < end && (load<u8>(at) | 0x20) == 0x65) {
    flags |= NUMERAL_FRACTIONAL;
    at = scanExponent(numeral, at + 1, end);
    if (at == 0) return 0;
    exponent += numeral.exponentAll;
  }
  numeral.digits = digits;
  numeral.exponent = exponent;
  numeral.exponentAll = exponent;
  numeral.digitCount = count;
  numeral.flags = flags;
  if (count > DIGITS_KEPT) keepFirstDigits(numeral);
  return at;
}

@inline
function stopAt(numeral: Numeral, at: usize): usize {
  numeral.trouble = at;
  return 0;
}

/** The exponent behind `e`, into exponentAll, saturated. */
function scanExponent(numeral: Numeral, at: usize, end: usize): usize {
  let negative = false;
  if (at < end) {
    const sign = load<u8>(at);
    negative = sign == 0x2d;
    if (negative || sign == 0x2b) at++;
  }
  const first = at;
  let value: i32 = 0;
  while (at < end) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) break;
    if (value < EXPONENT_LIMIT) value = value * 10 + <i32>digit;
    at++;
  }
  if (at == first) return stopAt(numeral, at);
  if (value > EXPONENT_LIMIT) value = EXPONENT_LIMIT;
  numeral.exponentAll = negative ? -value : value;
  return at;
}

/** More than 19 digits: leading zeros do not count, and what follows the first 19 is dropped. */
function keepFirstDigits(numeral: Numeral): void {
  let at = numeral.digitsAt;
  const end = numeral.digitsEnd;
  while (at < end && (load<u8>(at) == 0x30 || load<u8>(at) == 0x2e)) at++;
  let digits: u64 = 0;
  let count: i32 = 0;
  let dropped = false;
  for (; at < end; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) continue;
    if (count < DIGITS_KEPT) digits = digits * 10 + digit;
    else if (digit != 0) dropped = true;
    count++;
  }
  numeral.digits = digits;
  numeral.digitCount = count;
  if (count > DIGITS_KEPT) numeral.exponent = numeral.exponentAll + count - DIGITS_KEPT;
  if (dropped) numeral.flags |= NUMERAL_DROPPED;
}

/** Digits only, that is an integer as written. */
@inline
export function isPlainInteger(numeral: Numeral): bool {
  return (numeral.flags & NUMERAL_FRACTIONAL) == 0;
}

/** Of a plain integer: whether it lies in Int64. */
@inline
export function fitsInt64(numeral: Numeral): bool {
  const limit: u64 = 0x7fffffffffffffff + <u64>(numeral.flags & NUMERAL_NEGATIVE);
  return numeral.digitCount <= DIGITS_KEPT && numeral.digits <= limit;
}

@inline
export function toInt64(numeral: Numeral): i64 {
  const digits = <i64>numeral.digits;
  return (numeral.flags & NUMERAL_NEGATIVE) != 0 ? -digits : digits;
}

/** `toMillis` gives this for what no table can hold. */
export const MILLIS_OUTSIDE: i64 = i64.MIN_VALUE;
/** Above every time a table can hold, below overflow. */
const MILLIS_LIMIT: u64 = 1000000000000000;

/** floor(value · 10^shift), exactly; MILLIS_OUTSIDE beyond ±10^15. */
export function toMillis(numeral: Numeral, shift: i32): i64 {
  let value = numeral.digits;
  let inexact = (numeral.flags & NUMERAL_DROPPED) != 0;
  if (value == 0) return 0;
  let exponent = numeral.exponent + shift;
  if (exponent == 0 && numeral.flags == 0 && value <= MILLIS_LIMIT) return <i64>value;
  if (exponent < -DIGITS_KEPT) {
    value = 0;
    inexact = true;
    exponent = 0;
  }
  let divisor: u64 = 1;
  for (; exponent < 0; exponent++) divisor *= 10;
  if (value % divisor != 0) inexact = true;
  value /= divisor;
  for (; exponent > 0; exponent--) {
    if (value > MILLIS_LIMIT) return MILLIS_OUTSIDE;
    value *= 10;
  }
  if (value > MILLIS_LIMIT) return MILLIS_OUTSIDE;
  if ((numeral.flags & NUMERAL_NEGATIVE) == 0) return <i64>value;
  return -(<i64>value) - (inexact ? 1 : 0);
}

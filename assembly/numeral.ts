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

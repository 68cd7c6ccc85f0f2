/**
 * A Numeral to the nearest double, ties to even: bit for bit what JSON.parse gives.
 *
 * 1. Clinger: up to 2^53 times or by 10^0 … 10^22, both exact doubles: one rounding.
 * 2. Eisel-Lemire: 64 × 128-bit product with a power of five (Lemire, "Number Parsing at a Gigabyte
 *    per Second", 2021). Beyond 19 digits the value lies between w and w + 1: equal results decide.
 * 3. number-exact.ts compares with the midpoint in big integers when that does not decide.
 */
import { roundExactly } from './number-exact';
import { POWER_MAX, POWER_MIN, POWERS_OF_FIVE } from './number-power';
import { Numeral, NUMERAL_DROPPED, NUMERAL_NEGATIVE } from './numeral';

const INFINITY_BITS: u64 = 0x7ff0000000000000;
/** Set in the result of `eiselLemire` when it may be one unit off. */
const UNDECIDED: u64 = 0x8000000000000000;

const TENS: usize = memory.data<f64>([
  1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
]);

/** The nearest double, ties to even; ±Infinity beyond. `scratch`: EXACT_BYTES of room. */
export function toDouble(numeral: Numeral, scratch: usize): f64 {
  const digits = numeral.digits;
  const exponent = numeral.exponent;
  const negative = (numeral.flags & NUMERAL_NEGATIVE) != 0;
  if (digits <= 0x20000000000000 && <u32>(exponent + 22) <= 44) {
    // 19 kept digits exceed 2^53, so nothing was dropped here.
    let value = <f64>digits;
    if (exponent < 0) value /= load<f64>(TENS + (<usize>-exponent << 3));
    else value *= load<f64>(TENS + (<usize>exponent << 3));
    return negative ? -value : value;
  }
  let bits = eiselLemire(digits, exponent);
  if ((numeral.flags & NUMERAL_DROPPED) != 0 && bits != eiselLemire(digits + 1, exponent)) {
    bits |= UNDECIDED;
  }
  if ((bits & UNDECIDED) != 0) bits = roundExactly(numeral, bits & ~UNDECIDED, scratch);
  return reinterpret<f64>(negative ? bits | 0x8000000000000000 : bits);
}

@inline
function highProduct(left: u64, right: u64): u64 {
  const leftLow = left & 0xffffffff;
  const leftHigh = left >> 32;
  const rightLow = right & 0xffffffff;
  const rightHigh = right >> 32;
  const cross = leftLow * rightHigh;
  const middle = ((leftLow * rightLow) >> 32) + (cross & 0xffffffff) + leftHigh * rightLow;
  return leftHigh * rightHigh + (cross >> 32) + (middle >> 32);
}

/** Bits of the double nearest to w · 10^q, perhaps marked UNDECIDED. */
function eiselLemire(w: u64, q: i32): u64 {
  if (w == 0 || q < POWER_MIN) return 0;
  if (q > POWER_MAX) return INFINITY_BITS;
  const zeros = <i32>clz(w);
  w <<= zeros;
  const power = POWERS_OF_FIVE + (<usize>(q - POWER_MIN) << 4);
  let high = highProduct(w, load<u64>(power));
  let low = w * load<u64>(power);
  if ((high & 0x1ff) == 0x1ff) {
    const correction = highProduct(w, load<u64>(power, 8));
    low += correction;
    if (correction > low) high++;
  }
  // A product this close to the next one is exact only where the power of five is.
  const mark = low == 0xffffffffffffffff && (q < -27 || q > 55) ? UNDECIDED : <u64>0;
  const upper = <i32>(high >> 63);
  let mantissa = high >> (upper + 9);
  let exponent = ((217706 * q) >> 16) + 63 + upper - zeros + 1023;
  if (exponent <= 0) {
    if (1 - exponent >= 64) return mark;
    mantissa >>= 1 - exponent;
    return (((mantissa & 1) + mantissa) >> 1) | mark;
  }
  if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << (upper + 9) == high) {
    mantissa &= ~1;
  }
  mantissa = ((mantissa & 1) + mantissa) >> 1;
  if (mantissa >= 0x20000000000000) {
    mantissa = 0x10000000000000;
    exponent++;
  }
  if (exponent >= 0x7ff) return INFINITY_BITS | mark;
  return (mantissa & 0xfffffffffffff) | (<u64>exponent << 52) | mark;
}

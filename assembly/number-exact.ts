/**
 * The last word on a decimal: which double is nearest, decided in big integers. Needed for numbers
 * within about 2^-64 of the midpoint of two doubles, that is hardly ever. In: a Numeral and a
 * candidate a few units off at most. Out: the bits of the nearest double, ties to even.
 *
 * v = D · 10^E against the midpoint M · 2^k of two neighbours: both sides are multiplied by the
 * powers of five and two that make them integers. D has at most 800 digits: a midpoint never has
 * more than 767, so that what follows can only tip a tie, and one further digit stands for it.
 *
 * A big integer in scratch: count of limbs u32, zero u32, limbs u32 from the lowest.
 */
import { DIGITS_KEPT, Numeral } from './numeral';

const DIGITS_MAX: i32 = 800;
/** 4,096 bits: the longest operand has about 2,800. */
const BIG_BYTES: usize = 8 + 128 * 4;
export const EXACT_BYTES: usize = BIG_BYTES * 2;

const INFINITY_BITS: u64 = 0x7ff0000000000000;

export function roundExactly(numeral: Numeral, bits: u64, scratch: usize): u64 {
  while (bits < INFINITY_BITS && roundsUp(numeral, bits, scratch)) bits++;
  while (bits > 0 && !roundsUp(numeral, bits - 1, scratch)) bits--;
  return bits;
}

/** Whether the value is nearer to the double above `bits` than to `bits` itself. */
function roundsUp(numeral: Numeral, bits: u64, scratch: usize): bool {
  const biased = <i32>(bits >> 52);
  const fraction = bits & 0xfffffffffffff;
  const mantissa = biased == 0 ? fraction : fraction | 0x10000000000000;
  const binary = (biased == 0 ? -1074 : biased - 1075) - 1;
  const value = scratch;
  const middle = scratch + BIG_BYTES;
  const decimal = readDigits(numeral, value);
  bigSet(middle, mantissa * 2 + 1);
  if (decimal >= 0) bigTimesFive(value, decimal);
  else bigTimesFive(middle, -decimal);
  const shift = decimal - binary;
  if (shift >= 0) bigShift(value, shift);
  else bigShift(middle, -shift);
  const order = bigCompare(value, middle);
  return order > 0 || (order == 0 && (bits & 1) != 0);
}

/** All digits (at most 800, one more for the rest) into `big`; gives the power of ten left. */
function readDigits(numeral: Numeral, big: usize): i32 {
  bigSet(big, 0);
  let left = numeral.digitCount < DIGITS_MAX ? numeral.digitCount : DIGITS_MAX;
  let exponent = numeral.exponentAll + numeral.digitCount - left;
  let at = numeral.digitsAt;
  // Up to 19 digits are counted with their leading zeros, which do no harm here.
  if (numeral.digitCount > DIGITS_KEPT) {
    while (load<u8>(at) == 0x30 || load<u8>(at) == 0x2e) at++;
  }
  let chunk: u32 = 0;
  let scale: u32 = 1;
  for (; left > 0; at++) {
    const digit = <u32>load<u8>(at) - 0x30;
    if (digit > 9) continue;
    chunk = chunk * 10 + digit;
    scale *= 10;
    left--;
    if (scale == 1000000000 || left == 0) {
      bigMultiplyAdd(big, scale, chunk);
      chunk = 0;
      scale = 1;
    }
  }
  if (numeral.digitCount <= DIGITS_MAX) return exponent;
  for (; at < numeral.digitsEnd; at++) {
    if (load<u8>(at) > 0x30) {
      bigMultiplyAdd(big, 10, 1);
      return exponent - 1;
    }
  }
  return exponent;
}

function bigSet(big: usize, value: u64): void {
  store<u64>(big, 0);
  store<u64>(big, value, 8);
  store<u32>(big, value == 0 ? 0 : value >> 32 == 0 ? 1 : 2);
}

function bigMultiplyAdd(big: usize, factor: u32, carry: u64): void {
  const count = load<u32>(big);
  let at = big + 8;
  const end = at + (<usize>count << 2);
  for (; at < end; at += 4) {
    carry += <u64>load<u32>(at) * factor;
    store<u32>(at, <u32>carry);
    carry >>= 32;
  }
  if (carry != 0) {
    store<u32>(at, <u32>carry);
    store<u32>(big, count + 1);
  }
}

function bigTimesFive(big: usize, power: i32): void {
  // 5^13 is the greatest power of five below 2^32.
  for (; power >= 13; power -= 13) bigMultiplyAdd(big, 1220703125, 0);
  for (; power > 0; power--) bigMultiplyAdd(big, 5, 0);
}

function bigShift(big: usize, shift: i32): void {
  const count = load<u32>(big);
  if (count == 0) return;
  const words = <u32>shift >> 5;
  const rest = <u64>(shift & 31);
  const from = big + 8;
  const to = from + (<usize>words << 2);
  let above: u64 = 0;
  for (let i = <i32>count - 1; i >= 0; i--) {
    const limb = <u64>load<u32>(from + (<usize>i << 2)) << rest;
    store<u32>(to + (<usize>(i + 1) << 2), <u32>(above | (limb >> 32)));
    above = limb & 0xffffffff;
  }
  store<u32>(to, <u32>above);
  memory.fill(from, 0, <usize>words << 2);
  const top = words + count;
  store<u32>(big, load<u32>(from + (<usize>top << 2)) == 0 ? top : top + 1);
}

function bigCompare(left: usize, right: usize): i32 {
  const count = load<u32>(left);
  const other = load<u32>(right);
  if (count != other) return count < other ? -1 : 1;
  for (let i = <i32>count - 1; i >= 0; i--) {
    const a = load<u32>(left + 8 + (<usize>i << 2));
    const b = load<u32>(right + 8 + (<usize>i << 2));
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
}

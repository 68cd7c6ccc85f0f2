/**
 * Exact fractions of bigints, so that a unit's factor is rounded once, at the end. In: decimals as
 * text. Out: the nearest double. Invariant: denominator > 0, in lowest terms.
 */
import { assert } from '../../base/assert.ts';

export interface Rational {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const ZERO: Rational = { numerator: 0n, denominator: 1n };
export const ONE: Rational = { numerator: 1n, denominator: 1n };

export function rational(numerator: bigint, denominator = 1n): Rational {
  assert(denominator !== 0n, 'a fraction has a denominator');
  const sign = denominator < 0n ? -1n : 1n;
  const divisor = greatestCommonDivisor(numerator, denominator) * sign;
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/** '980665e-5', '273.15', '12'. */
export function decimal(text: string): Rational {
  const match = /^([+-]?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  assert(match !== null, `'${text}' is a decimal number`);
  const [, whole, fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole + fraction);
  const tens = Number(exponent) - fraction.length;
  return tens >= 0
    ? rational(digits * 10n ** BigInt(tens))
    : rational(digits, 10n ** BigInt(-tens));
}

export const multiply = (left: Rational, right: Rational): Rational =>
  rational(left.numerator * right.numerator, left.denominator * right.denominator);

export const divide = (left: Rational, right: Rational): Rational =>
  rational(left.numerator * right.denominator, left.denominator * right.numerator);

export const add = (left: Rational, right: Rational): Rational =>
  rational(
    left.numerator * right.denominator + right.numerator * left.denominator,
    left.denominator * right.denominator,
  );

export const subtract = (left: Rational, right: Rational): Rational =>
  add(left, { ...right, numerator: -right.numerator });

export function power(base: Rational, exponent: number): Rational {
  const times = BigInt(Math.abs(exponent));
  const raised = rational(base.numerator ** times, base.denominator ** times);
  return exponent < 0 ? divide(ONE, raised) : raised;
}

/** Bits of the quotient that is rounded: more than a double's 53, plus a sticky one. */
const QUOTIENT_BITS = 64;

/**
 * The nearest double, ties to even; ±Infinity when it is too great. Numbers below 2^-1000 are not
 * needed and may be rounded twice.
 */
export function toNumber({ numerator, denominator }: Rational): number {
  if (numerator === 0n) return 0;
  const size = numerator < 0n ? -numerator : numerator;
  const shift = QUOTIENT_BITS - (bitLength(size) - bitLength(denominator));
  const dividend = shift > 0 ? size << BigInt(shift) : size;
  const divisor = shift > 0 ? denominator : denominator << BigInt(-shift);
  const sticky = dividend % divisor === 0n ? 0n : 1n;
  const rounded = Number((dividend / divisor) | sticky) * 2 ** -shift;
  return numerator < 0n ? -rounded : rounded;
}

const bitLength = (value: bigint): number => value.toString(2).length;

function greatestCommonDivisor(left: bigint, right: bigint): bigint {
  let [great, small] = [left < 0n ? -left : left, right < 0n ? -right : right];
  while (small > 0n) [great, small] = [small, great % small];
  return great;
}

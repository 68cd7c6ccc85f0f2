/**
 * What a window knows of one metric. In: readings in log order, other accumulators of the same
 * metric. Out: exact counts and extremes, compensated sums, squares about the first value, Σ value
 * · ms, a sketch. The order of the float operations is that of assembly/README.md, Accumulators.
 */
import { addToBins, type Bins, binOf, totalOf } from './sketch.ts';

export interface Accumulator {
  count: number;
  sum: number;
  compensation: number;
  /** Σ (value − first)². */
  q: number;
  min: number;
  max: number;
  first: number;
  firstTimeMs: number;
  firstSequence: bigint;
  last: number;
  lastTimeMs: number;
  lastSequence: bigint;
  /** Σ value · ms until the next reading. */
  integral: number;
  /** Greatest, as a float. */
  score: number;
  /** Null: the window has no sketch. */
  bins: Bins | null;
}

export interface Reading {
  readonly value: number;
  readonly timeMs: number;
  readonly sequence: bigint;
  readonly score: number;
}

export function emptyAccumulator(hasSketch: boolean): Accumulator {
  return {
    ...{ count: 0, sum: 0, compensation: 0, q: 0, min: 0, max: 0 },
    ...{ first: 0, firstTimeMs: 0, firstSequence: 0n },
    ...{ last: 0, lastTimeMs: 0, lastSequence: 0n },
    ...{ integral: 0, score: 0, bins: hasSketch ? new Map() : null },
  };
}

export function fold(into: Accumulator, reading: Reading): void {
  const { value, timeMs, sequence, score } = reading;
  const isFirst = into.count === 0;
  const isEarliest = isFirst || timeMs < into.firstTimeMs;
  foldIntegral(into, reading);
  if (isFirst) into.q = 0;
  else if (isEarliest) {
    const shift = into.first - value;
    into.q = atLeastZero(into.q + 2 * shift * deviation(into) + into.count * shift * shift);
  } else {
    const distance = value - into.first;
    into.q += distance * distance;
  }
  addNeumaier(into, value);
  into.count += 1;
  if (isFirst || value < into.min) into.min = value;
  if (isFirst || value > into.max) into.max = value;
  if (isEarliest) {
    Object.assign(into, { first: value, firstTimeMs: timeMs, firstSequence: sequence });
  }
  if (isFirst || timeMs >= into.lastTimeMs) {
    Object.assign(into, { last: value, lastTimeMs: timeMs, lastSequence: sequence });
  }
  into.score = Math.max(into.score, Math.fround(score));
  if (into.bins !== null) addToBins(into.bins, binOf(value), 1);
}

function foldIntegral(into: Accumulator, { value, timeMs }: Reading): void {
  if (into.count === 0) return;
  if (timeMs >= into.lastTimeMs) into.integral += into.last * (timeMs - into.lastTimeMs);
  if (timeMs < into.firstTimeMs) into.integral += value * (into.firstTimeMs - timeMs);
}

function addNeumaier(into: Accumulator, value: number): void {
  const sum = into.sum + value;
  const isSmaller = Math.abs(into.sum) < Math.abs(value);
  into.compensation += isSmaller ? value - sum + into.sum : into.sum - sum + value;
  into.sum = sum;
}

/** NaN stays NaN. */
const atLeastZero = (value: number): number => Math.max(0, value);

const bits = new DataView(new ArrayBuffer(8));
const LOWEST_27_BITS = (1n << 27n) - 1n;

/** D = Σ (value − first): of the sum and count alone, in two exact steps. */
export function deviation({ sum, compensation, count, first }: Accumulator): number {
  bits.setFloat64(0, first);
  bits.setBigUint64(0, bits.getBigUint64(0) & ~LOWEST_27_BITS);
  const k1 = bits.getFloat64(0);
  const k2 = first - k1;
  return sum - count * k1 - count * k2 + compensation;
}

/** b into a; neither is changed. */
export function merge(a: Accumulator, b: Accumulator): Accumulator {
  const isBEarlier =
    b.firstTimeMs < a.firstTimeMs ||
    (b.firstTimeMs === a.firstTimeMs && b.firstSequence < a.firstSequence);
  const merged: Accumulator = {
    ...a,
    q: isBEarlier ? mergeSquares(b, a) : mergeSquares(a, b),
    count: a.count + b.count,
    score: Math.max(a.score, b.score),
    bins: mergeBins(a.bins, b.bins),
  };
  // Not Math.min: of 0 and −0, which are equal, the one met first stands.
  if (b.min < a.min) merged.min = b.min;
  if (b.max > a.max) merged.max = b.max;
  addNeumaier(merged, b.sum);
  merged.compensation += b.compensation;
  if (b.firstTimeMs < a.firstTimeMs) {
    const { first, firstTimeMs, firstSequence } = b;
    Object.assign(merged, { first, firstTimeMs, firstSequence });
  }
  if (b.lastTimeMs >= a.lastTimeMs) {
    const { last, lastTimeMs, lastSequence } = b;
    Object.assign(merged, { last, lastTimeMs, lastSequence });
  }
  merged.integral = mergeIntegrals(a, b, merged);
  return merged;
}

/** Squares about the first value of `a`, which is the earlier. */
function mergeSquares(a: Accumulator, b: Accumulator): number {
  const shift = b.first - a.first;
  return atLeastZero(a.q + (b.q + 2 * shift * deviation(b)) + b.count * shift * shift);
}

function mergeIntegrals(a: Accumulator, b: Accumulator, merged: Accumulator): number {
  if (b.firstTimeMs >= a.lastTimeMs) {
    return a.integral + a.last * (b.firstTimeMs - a.lastTimeMs) + b.integral;
  }
  const covered = (of: Accumulator) => of.lastTimeMs - of.firstTimeMs;
  const known = covered(a) + covered(b);
  return known === 0 ? 0 : ((a.integral + b.integral) / known) * covered(merged);
}

function mergeBins(a: Bins | null, b: Bins | null): Bins | null {
  if (a === null || b === null) return null;
  const merged = new Map(a);
  const ascending = [...b].sort(([left], [right]) => left - right);
  for (const [key, count] of ascending) addToBins(merged, key, count);
  return merged;
}

/** What is emitted of it. */
export function shown(of: Accumulator) {
  const sum = of.sum + of.compensation;
  const squares = deviation(of);
  const isWhole = of.bins !== null && totalOf(of.bins) === of.count;
  const bins = isWhole ? [...of.bins!].sort(([left], [right]) => left - right) : null;
  return {
    ...{ count: of.count, sum, min: of.min, max: of.max },
    ...{ first: of.first, firstTimeMs: of.firstTimeMs, firstSequence: of.firstSequence },
    ...{ last: of.last, lastTimeMs: of.lastTimeMs, lastSequence: of.lastSequence },
    mean: sum / of.count,
    m2: Math.max(0, of.q - (squares * squares) / of.count),
    ...{ score: of.score, integral: of.integral },
    sketch: bins && { keys: bins.map(([key]) => key), counts: bins.map(([, count]) => count) },
  };
}

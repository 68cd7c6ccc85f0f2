/**
 * What a cell knows of one metric: count, sum, extremes, ends, squares, integral (README,
 * "Accumulators", which fixes the order of every operation). Squares are centred at the first
 * value, so that a large offset costs no digits; sums are compensated (Neumaier).
 *
 * Times are offsets from the start of the cell, below 2³² ms. Panes of count windows, whose events
 * may lie further apart, have a `Span` beside each accumulator instead. Sequences have 48 bits, as
 * everywhere (touch of a cell, fragments).
 */
@unmanaged
export class Accumulator {
  count: u32;
  firstOffset: u32;
  lastOffset: u32;
  /** Sequences of the first and the last reading: their low and their high bits. */
  firstLow: u32;
  lastLow: u32;
  firstHigh: u16;
  lastHigh: u16;
  sum: f64;
  compensation: f64;
  min: f64;
  max: f64;
  first: f64;
  last: f64;
  /** Σ (value − first)². */
  squares: f64;
  /** Σ value · ms until the next reading. */
  integral: f64;
}
export const ACCUMULATOR_BYTES: usize = offsetof<Accumulator>();

/** Event times of the first and the last reading. */
@unmanaged
export class Span {
  first: i64;
  last: i64;
}
export const SPAN_BYTES: usize = offsetof<Span>();

@inline
export function firstSequence(a: Accumulator): u64 {
  return ((<u64>a.firstHigh) << 32) | <u64>a.firstLow;
}
@inline
export function lastSequence(a: Accumulator): u64 {
  return ((<u64>a.lastHigh) << 32) | <u64>a.lastLow;
}
@inline
function setFirst(a: Accumulator, sequence: u64): void {
  a.firstLow = <u32>sequence;
  a.firstHigh = <u16>(sequence >> 32);
}
@inline
function setLast(a: Accumulator, sequence: u64): void {
  a.lastLow = <u32>sequence;
  a.lastHigh = <u16>(sequence >> 32);
}

/** The lowest 27 bits of a double: without them it times a count is exact. */
const LOW_BITS: u64 = (1 << 27) - 1;

/** One bit pattern for all that is not a number, so that every build hashes and writes the same. */
@inline
export function canonical(value: f64): f64 {
  return value == value ? value : reinterpret<f64>(0x7ff8000000000000);
}

/** Σ (value − first): what centring the squares anew, and the variance, need. */
export function deviation(a: Accumulator): f64 {
  const count = <f64>a.count;
  const high = reinterpret<f64>(reinterpret<u64>(a.first) & ~LOW_BITS);
  const low = a.first - high;
  return ((a.sum - count * high) - count * low) + a.compensation;
}

// --- fold -------------------------------------------------------------------------------------
/** A reading `at` ms behind the start of the cell. */
@inline
export function fold(a: Accumulator, value: f64, at: u32, sequence: u64): void {
  if (a.count == 0) {
    open(a, value, sequence);
    a.firstOffset = at;
    a.lastOffset = at;
    return;
  }
  if (at >= a.lastOffset) {
    append(a, value, <f64>(at - a.lastOffset), sequence);
    a.lastOffset = at;
  } else if (at < a.firstOffset) {
    prepend(a, value, <f64>(a.firstOffset - at), sequence);
    a.firstOffset = at;
  } else {
    between(a, value);
  }
  add(a, value);
}

/** The same where a span holds the times. */
export function foldSpan(
  a: Accumulator, span: Span, value: f64, event: i64, sequence: u64,
): void {
  if (a.count == 0) {
    open(a, value, sequence);
    span.first = event;
    span.last = event;
    return;
  }
  if (event >= span.last) {
    append(a, value, <f64>(event - span.last), sequence);
    span.last = event;
  } else if (event < span.first) {
    prepend(a, value, <f64>(span.first - event), sequence);
    span.first = event;
  } else {
    between(a, value);
  }
  add(a, value);
}

@inline
function open(a: Accumulator, value: f64, sequence: u64): void {
  a.count = 1;
  setFirst(a, sequence);
  setLast(a, sequence);
  // A sum of nothing but −0 is 0.
  a.sum = 0.0 + value;
  a.compensation = 0;
  a.min = value;
  a.max = value;
  a.first = value;
  a.last = value;
  a.squares = 0;
  a.integral = 0;
}

/** Integral, squares and the last reading: one that is not before the last. */
@inline
function append(a: Accumulator, value: f64, sinceLast: f64, sequence: u64): void {
  a.integral = canonical(a.integral + a.last * sinceLast);
  const away = value - a.first;
  a.squares = canonical(a.squares + away * away);
  a.last = value;
  setLast(a, sequence);
}

/** A reading before the first one, which all squares are centred at. */
function prepend(a: Accumulator, value: f64, untilFirst: f64, sequence: u64): void {
  a.integral = canonical(a.integral + value * untilFirst);
  const shift = a.first - value;
  const moved = (a.squares + 2 * shift * deviation(a)) + <f64>a.count * shift * shift;
  a.squares = moved < 0 ? 0 : canonical(moved);
  a.first = value;
  setFirst(a, sequence);
}

@inline
function between(a: Accumulator, value: f64): void {
  const away = value - a.first;
  a.squares = canonical(a.squares + away * away);
}

@inline
function add(a: Accumulator, value: f64): void {
  addToSum(a, value);
  a.count++;
  if (value < a.min) a.min = value;
  if (value > a.max) a.max = value;
}

@inline
function addToSum(a: Accumulator, value: f64): void {
  const sum = a.sum;
  const total = sum + value;
  const lost = abs<f64>(sum) >= abs<f64>(value) ? (sum - total) + value : (value - total) + sum;
  a.compensation = canonical(a.compensation + lost);
  a.sum = canonical(total);
}

// --- merge ------------------------------------------------------------------------------------
/** Adds b's readings to a's; the spans hold the times of both. */
export function merge(a: Accumulator, aSpan: Span, b: Accumulator, bSpan: Span): void {
  if (a.count == 0) {
    memory.copy(changetype<usize>(a), changetype<usize>(b), ACCUMULATOR_BYTES);
    aSpan.first = bSpan.first;
    aSpan.last = bSpan.last;
    return;
  }
  const squares = bSpan.first < aSpan.first ? mergedSquares(b, a) : mergedSquares(a, b);
  const integral = mergedIntegral(a, aSpan, b, bSpan);
  a.squares = squares;
  a.integral = integral;
  addToSum(a, b.sum);
  a.compensation = canonical(a.compensation + b.compensation);
  a.count += b.count;
  if (b.min < a.min) a.min = b.min;
  if (b.max > a.max) a.max = b.max;
  if (bSpan.first < aSpan.first) {
    a.first = b.first;
    setFirst(a, firstSequence(b));
    aSpan.first = bSpan.first;
  }
  if (bSpan.last >= aSpan.last) {
    a.last = b.last;
    setLast(a, lastSequence(b));
    aSpan.last = bSpan.last;
  }
}

/** Centred at the first value of `a`, which begins earlier. */
function mergedSquares(a: Accumulator, b: Accumulator): f64 {
  const shift = b.first - a.first;
  const squares =
    (a.squares + (b.squares + 2 * shift * deviation(b))) + <f64>b.count * shift * shift;
  return squares < 0 ? 0 : canonical(squares);
}

function mergedIntegral(a: Accumulator, aSpan: Span, b: Accumulator, bSpan: Span): f64 {
  if (bSpan.first >= aSpan.last) {
    const between = a.last * <f64>(bSpan.first - aSpan.last);
    return canonical((a.integral + between) + b.integral);
  }
  const covered = <f64>(aSpan.last - aSpan.first) + <f64>(bSpan.last - bSpan.first);
  if (covered == 0) return 0;
  const whole = <f64>(max(aSpan.last, bSpan.last) - min(aSpan.first, bSpan.first));
  return canonical((a.integral + b.integral) / covered * whole);
}

/**
 * Quantile sketch: how many readings fall into each bin, a bin being 1/64 of a power of two
 * (README, "Sketch"). Behind the accumulators of a cell:
 *
 *   sketches ┌ bins of all u32 ┬ zero u32 ┬ bins u16 × metrics, to a multiple of 8 ┬ Bin … ┐
 *   bins of one metric: ascending by key, metrics one behind the other
 *
 * In: cells in device blocks, where a new bin moves what lies behind. Out: bins, in scratch for
 * what is merged. Invariant: at most SKETCH_BINS_MAX bins a metric.
 */
import { SKETCH_BINS_MAX, SKETCH_SHIFT } from '../shared/abi';

@unmanaged
export class Bin {
  key: i32;
  count: u32;
}
export const BIN_BYTES: usize = offsetof<Bin>();
/** Bins of one metric at most. */
export const BINS_BYTES_MAX: usize = BIN_BYTES * SKETCH_BINS_MAX;
const COUNTS_AT: usize = 8;

/** Of sketches without bins. */
@inline
export function sketchHeadBytes(metrics: u32): usize {
  return COUNTS_AT + (((<usize>metrics << 1) + 7) & ~7);
}
/** Of all that `sketches` holds. */
@inline
export function sketchBytes(sketches: usize, metrics: u32): usize {
  return sketchHeadBytes(metrics) + <usize>load<u32>(sketches) * BIN_BYTES;
}
@inline
export function binCount(sketches: usize, ordinal: u32): u32 {
  return load<u16>(sketches + COUNTS_AT + (<usize>ordinal << 1));
}
@inline
export function binAt(bins: usize, index: u32): Bin {
  return changetype<Bin>(bins + <usize>index * BIN_BYTES);
}
/** Changes how many bins a metric has; the caller makes or closes the gap. */
export function addBins(sketches: usize, ordinal: u32, more: i32): void {
  const at = sketches + COUNTS_AT + (<usize>ordinal << 1);
  store<u16>(at, <u16>(<i32>load<u16>(at) + more));
  store<u32>(sketches, load<u32>(sketches) + more);
}

/** Where the bins of a metric begin. */
export function binsOf(sketches: usize, metrics: u32, ordinal: u32): usize {
  let before: u32 = 0;
  for (let i: u32 = 0; i < ordinal; i++) before += binCount(sketches, i);
  return sketches + sketchHeadBytes(metrics) + <usize>before * BIN_BYTES;
}

@inline
export function keyOf(value: f64): i32 {
  const bits = reinterpret<u64>(value);
  const key = <i32>((bits & 0x7fffffffffffffff) >> SKETCH_SHIFT);
  return bits >> 63 != 0 ? -key : key;
}

/** Number of bins with a key below `key`. */
export function placeOfKey(bins: usize, count: u32, key: i32): u32 {
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (binAt(bins, middle).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Of the bins around the place of a key without a bin the nearest; at a tie the lower. */
@inline
function nearestBin(bins: usize, count: u32, place: u32, key: i32): Bin {
  if (place == 0) return binAt(bins, 0);
  const before = binAt(bins, place - 1);
  if (place == count) return before;
  const behind = binAt(bins, place);
  // Keys reach ± 2¹⁷: their differences are far from the ends of i32.
  return behind.key - key < key - before.key ? behind : before;
}

/** Counts a reading where there is a bin for it; false when it needs a new one at `place`. */
@inline
export function countInBin(bins: usize, count: u32, place: u32, key: i32): bool {
  if (place < count && binAt(bins, place).key == key) {
    binAt(bins, place).count++;
    return true;
  }
  if (count < <u32>SKETCH_BINS_MAX) return false;
  const nearest = nearestBin(bins, count, place, key);
  nearest.count++;
  return true;
}

/** Readings in the bins together. */
export function readingsIn(bins: usize, count: u32): u64 {
  let readings: u64 = 0;
  for (let i: u32 = 0; i < count; i++) readings += binAt(bins, i).count;
  return readings;
}

/**
 * The bins of a and then of b, one after the other, into `out`, which has room for
 * BINS_BYTES_MAX; gives how many there are. The first new keys of b take the room that is left,
 * the others join what is there.
 */
export function mergeBins(
  a: usize, aCount: u32, b: usize, bCount: u32, out: usize,
): u32 {
  let room = <u32>SKETCH_BINS_MAX - aCount;
  let count: u32 = 0;
  let i: u32 = 0;
  let left = bCount;
  for (let j: u32 = 0; j < bCount; j++) {
    const bin = binAt(b, j);
    while (i < aCount && binAt(a, i).key < bin.key) put(out, count++, binAt(a, i++));
    if (i < aCount && binAt(a, i).key == bin.key) {
      put(out, count, binAt(a, i++));
      const both = binAt(out, count++);
      both.count += bin.count;
    } else if (room > 0) {
      put(out, count++, bin);
      room--;
    } else {
      left = j;
      break;
    }
  }
  while (i < aCount) put(out, count++, binAt(a, i++));
  joinBins(out, count, b + <usize>left * BIN_BYTES, bCount - left);
  return count;
}

@inline
function put(out: usize, index: u32, bin: Bin): void {
  store<u64>(out + <usize>index * BIN_BYTES, load<u64>(changetype<usize>(bin)));
}

/** Adds bins, ascending, to those of `out`, which is full: each joins its own or the nearest. */
function joinBins(out: usize, count: u32, bins: usize, more: u32): void {
  let place: u32 = 0;
  for (let i: u32 = 0; i < more; i++) {
    const bin = binAt(bins, i);
    while (place < count && binAt(out, place).key < bin.key) place++;
    const own = place < count && binAt(out, place).key == bin.key;
    const to = own ? binAt(out, place) : nearestBin(out, count, place, bin.key);
    to.count += bin.count;
  }
}

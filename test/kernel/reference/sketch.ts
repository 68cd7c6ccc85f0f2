/**
 * Quantile sketch: how many values lie in each bin; a bin spans 1/64 of a power of two. In: values.
 * Out: bins by key. A key is the sign and the upper bits of the double.
 */
import { SKETCH_BINS_MAX, SKETCH_SHIFT } from '../../../assembly/shared/abi.ts';

/** Count by key. */
export type Bins = Map<number, number>;

const bits = new DataView(new ArrayBuffer(8));

export function binOf(value: number): number {
  bits.setFloat64(0, Math.abs(value));
  const key = Number(bits.getBigUint64(0) >> BigInt(SKETCH_SHIFT));
  return value < 0 && key > 0 ? -key : key;
}

export function addToBins(bins: Bins, key: number, count: number): void {
  const isFull = bins.size >= SKETCH_BINS_MAX;
  const place = bins.has(key) || !isFull ? key : nearest(bins, key);
  bins.set(place, (bins.get(place) ?? 0) + count);
}

/** The lower at a tie. */
function nearest(bins: Bins, key: number): number {
  const ascending = [...bins.keys()].sort((left, right) => left - right);
  return ascending.reduce((best, each) =>
    Math.abs(each - key) < Math.abs(best - key) ? each : best,
  );
}

export function totalOf(bins: Bins): number {
  return [...bins.values()].reduce((sum, count) => sum + count, 0);
}

/** The value of rank ⌊p · (n − 1)⌋: the middle of its bin, inside [min, max]. */
export function quantile(bins: Bins, p: number, range: { min: number; max: number }): number {
  let left = Math.floor(p * (totalOf(bins) - 1));
  const ascending = [...bins].sort(([one], [other]) => one - other);
  const [key] = ascending.find(([, count]) => {
    left -= count;
    return left < 0;
  })!;
  return Math.min(range.max, Math.max(range.min, middle(key)));
}

function middle(key: number): number {
  if (key === 0) return 0;
  const edge = (of: number) => {
    bits.setBigUint64(0, BigInt(of) << BigInt(SKETCH_SHIFT));
    return bits.getFloat64(0);
  };
  const size = Math.abs(key);
  return (Math.sign(key) * (edge(size) + edge(size + 1))) / 2;
}

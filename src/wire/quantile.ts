/**
 * Quantiles from a sketch (assembly/README.md "Sketch"). In: bins ascending by key with their
 * counts, the least and the greatest value. Out: the value of rank ⌊p·(n − 1)⌋: the middle of its
 * bin, within 1/128 of the true one. The same formula stands as SQL in readmodel/view.
 */
import type { MetricAggregate } from '../model/fact.ts';
import { SKETCH_SHIFT } from '../model/limit.ts';

type Sketched = Pick<MetricAggregate, 'sketch' | 'min' | 'max'>;

const bits = new DataView(new ArrayBuffer(8));
const SHIFT = BigInt(SKETCH_SHIFT);

/** Null without a sketch, or when it is empty. */
export function quantileOf({ sketch, min, max }: Sketched, share: number): number | null {
  if (!sketch) return null;
  const total = sketch.counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = Math.floor(share * (total - 1));
  let passed = 0;
  const place = sketch.counts.findIndex((count) => {
    passed += count;
    return passed > rank;
  });
  return Math.min(max, Math.max(min, middleOf(sketch.keys[place]!)));
}

function middleOf(key: number): number {
  if (key === 0) return 0;
  const low = doubleOf(BigInt(Math.abs(key)) << SHIFT);
  const high = doubleOf(BigInt(Math.abs(key) + 1) << SHIFT);
  return Math.sign(key) * (low / 2 + high / 2);
}

function doubleOf(pattern: bigint): number {
  bits.setBigUint64(0, pattern);
  return bits.getFloat64(0);
}

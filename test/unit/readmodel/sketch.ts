/** A quantile sketch filled the obvious way, as assembly/README.md "Sketch" says. */
import { SKETCH_SHIFT } from '../../../src/model/limit.ts';

export interface Bins {
  readonly bin: number[];
  readonly bin_count: number[];
}

const bits = new DataView(new ArrayBuffer(8));

export function binOf(value: number): number {
  if (value === 0) return 0;
  bits.setFloat64(0, Math.abs(value));
  return Math.sign(value) * Number(bits.getBigUint64(0) >> BigInt(SKETCH_SHIFT)) || 0;
}

export function sketchOf(values: readonly number[]): Bins {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(binOf(value), (counts.get(binOf(value)) ?? 0) + 1);
  const bin = [...counts.keys()].sort((left, right) => left - right);
  return { bin, bin_count: bin.map((key) => counts.get(key)!) };
}

/** Of all values, sorted: the value of rank ⌊share · (n − 1)⌋. */
export function exactQuantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(share * (sorted.length - 1))]!;
}

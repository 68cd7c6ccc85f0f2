/**
 * Quality of what a device sends: how many were good out of how many, in six dimensions, per minute
 * of log time. And how much is missing between two samples, or between two Sparkplug numbers.
 */
import { MISSING_MAX } from '../../../assembly/shared/abi.ts';
import { QUALITY_DIMENSIONS } from '../../../src/model/table.ts';
import type { Section } from './section.ts';

export type Dimension = (typeof QUALITY_DIMENSIONS)[number];

export class Quality {
  /** Whether the plan in force counts. */
  counts = false;
  /** Null: nothing was counted. */
  minute: number | null = null;
  #good = new Map<Dimension, bigint>();
  #total = new Map<Dimension, bigint>();
  #lastSequence: number | null = null;

  add(dimension: Dimension, good: number, total = 1): void {
    if (!this.counts) return;
    this.#good.set(dimension, (this.#good.get(dimension) ?? 0n) + BigInt(good));
    this.#total.set(dimension, (this.#total.get(dimension) ?? 0n) + BigInt(total));
  }

  /** The counters as columns; they begin again at 0. */
  take(): Record<string, bigint> {
    const columns = QUALITY_DIMENSIONS.flatMap((dimension) => [
      [`${dimension}_good`, this.#good.get(dimension) ?? 0n],
      [`${dimension}_total`, this.#total.get(dimension) ?? 0n],
    ]);
    this.minute = null;
    this.#good = new Map();
    this.#total = new Map();
    return Object.fromEntries(columns) as Record<string, bigint>;
  }

  /** Sparkplug: messages missing before this one. The node's birth and death begin anew. */
  missingBefore(sequence: number, isNodeBirthOrDeath: boolean): number {
    const last = this.#lastSequence;
    this.#lastSequence = sequence;
    if (last === null || isNodeBirthOrDeath) return 0;
    return (((sequence - (last + 1)) % 256) + 256) % 256;
  }
}

/** Samples missing between the section's greatest event and a later one; it learns the cadence. */
export function missingSamples(section: Section, eventMs: number, expectMs: number): number {
  if (section.greatestEventMs === Number.NEGATIVE_INFINITY) return 0;
  const gap = eventMs - section.greatestEventMs;
  if (gap <= 0) return 0;
  if (expectMs > 0) return Math.min(MISSING_MAX, Math.floor((gap - 1) / expectMs));
  const cadence = section.cadenceMs;
  if (cadence === 0) {
    section.cadenceMs = gap;
    return 0;
  }
  const step = gap < 4 * cadence ? gap - cadence : cadence;
  section.cadenceMs = Math.max(1, cadence + Math.floor(step / 8));
  if (2 * gap < 3 * cadence) return 0;
  return Math.min(MISSING_MAX, Math.floor((gap + Math.floor(cadence / 2)) / cadence) - 1);
}

/**
 * Windows of one (device, channel): what all kinds have in common. In: stored samples, firings,
 * flush points. Out: emissions in order. Each kind is a class of its own beside this file.
 */
import type { PlanWindow } from '../../../src/model/plan.ts';
import { type Accumulator, emptyAccumulator, fold, merge } from './accumulator.ts';

/** By metric ordinal. */
export type Metrics = Map<number, Accumulator>;

/** One stored sample: its accepted numbers, integers and booleans as doubles, in payload order. */
export interface StoredSample {
  readonly eventMs: number;
  readonly sequence: bigint;
  readonly readings: readonly StoredReading[];
}

export interface StoredReading {
  readonly ordinal: number;
  readonly value: number;
  readonly score: number;
}

/** One row: of a window, or that it no longer exists. */
export interface Emission {
  readonly start: number;
  readonly end: number;
  readonly fragment: bigint;
  readonly revision: number;
  readonly deleted: boolean;
  readonly metrics: Metrics;
}

/** What a window may ask of what is around it while something happens to it. */
export interface Surroundings {
  readonly logClock: number;
  readonly latenessMs: number;
  readonly watermarkMs: number;
  /** Log time of the section's last fold into something that had left or fired; null: never. */
  readonly lastLateMs: number | null;
  emit(emission: Emission): void;
  nextFragment(): bigint;
  /** A fold made something dirty, or opened a fragment. */
  late(): void;
  /** A row of this window no longer exists. */
  tombstone(emission: Emission): void;
}

export interface WindowState {
  /** As the section last took it from a plan. */
  readonly plan: PlanWindow;
  readonly unfired: boolean;
  readonly dirty: boolean;
  /** The same window in a new plan: only its sketch and scores may have changed. */
  follow(plan: PlanWindow, isScored: boolean): void;
  fold(sample: StoredSample, around: Surroundings): void;
  /** The watermark was moved. */
  pass(around: Surroundings): void;
  /** Fires all that is unfired. */
  fireIdle(around: Surroundings): void;
  flush(around: Surroundings): void;
}

/** Two windows with equal shapes are one window in two plans. */
export function shapeOf(window: PlanWindow): string {
  const { kind, lengthMs, everyMs, gapMs, count, everyCount } = window;
  return [kind, lengthMs, everyMs, gapMs, count, everyCount].join(' ');
}

export function foldSample(metrics: Metrics, sample: StoredSample, hasSketch: boolean): void {
  for (const { ordinal, value, score } of sample.readings) {
    const into = metrics.get(ordinal) ?? emptyAccumulator(hasSketch);
    metrics.set(ordinal, into);
    fold(into, { value, timeMs: sample.eventMs, sequence: sample.sequence, score });
  }
}

/** b into a; neither is changed. */
export function mergeMetrics(a: Metrics, b: Metrics): Metrics {
  const merged = new Map(a);
  for (const [ordinal, accumulator] of b) {
    const before = merged.get(ordinal);
    merged.set(ordinal, before === undefined ? accumulator : merge(before, accumulator));
  }
  return merged;
}

/** After a plan: what is gained, a sketch or scores, begins empty, what is lost is dropped. */
export function followForm(
  cells: Iterable<{ readonly metrics: Metrics }>,
  isSketched: boolean,
  isScored: boolean,
): void {
  for (const { metrics } of cells) {
    for (const accumulator of metrics.values()) {
      accumulator.bins = isSketched ? (accumulator.bins ?? new Map()) : null;
      if (!isScored) accumulator.score = 0;
    }
  }
}

export interface Placed {
  readonly start: number;
  readonly fragment: bigint;
}

export function inOrder(left: Placed, right: Placed): number {
  if (left.start !== right.start) return left.start - right.start;
  if (left.fragment === right.fragment) return 0;
  return left.fragment < right.fragment ? -1 : 1;
}

/**
 * Of the fired cells, those that stay in memory for what may still come late: the last and the one
 * touched last, while late data comes at all and lateness allows.
 */
export function keptCells<C extends Placed & { readonly touched: number }>(
  fired: readonly C[],
  around: Surroundings,
  endOf: (cell: C) => number,
): Set<C> {
  const { lastLateMs, logClock, latenessMs, watermarkMs } = around;
  if (lastLateMs === null || logClock - lastLateMs > latenessMs) return new Set();
  const last = fired.toSorted(inOrder).at(-1);
  const touched = fired.toSorted((left, right) => left.touched - right.touched).at(-1);
  const candidates = [last, touched].filter((cell) => cell !== undefined);
  return new Set(candidates.filter((cell) => watermarkMs < endOf(cell) + latenessMs - 1));
}

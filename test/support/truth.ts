/**
 * What aggregates must be, computed the obvious way. In: the samples that were stored, in log
 * order, and a window of the plan. Out: its windows per device and metric, from all their readings
 * at once: no watermark, no fragments, no merging.
 */
import type { PlanWindow } from '../../src/model/plan.ts';

export interface StoredReading {
  readonly device: string;
  readonly metric: string;
  readonly value: number;
  readonly timeMs: number;
}

/** One stored sample: readings of one device with one time. */
export type StoredSample = readonly StoredReading[];

export interface Truth {
  readonly startMs: number;
  readonly endMs: number;
  /** In log order. */
  readonly values: readonly number[];
  readonly first: number;
  readonly firstMs: number;
  readonly last: number;
  readonly lastMs: number;
  readonly sum: number;
  readonly m2: number;
}

interface Span {
  readonly startMs: number;
  readonly endMs: number;
  readonly samples: readonly StoredSample[];
}

/** By `device metric startMs`, of count windows also the number of the window. */
export function truthOf(samples: readonly StoredSample[], window: PlanWindow): Map<string, Truth> {
  const truth = new Map<string, Truth>();
  const devices = new Set(samples.map(([reading]) => reading!.device));
  for (const device of devices) {
    const own = samples.filter(([reading]) => reading!.device === device);
    for (const [place, span] of spansOf(own, window).entries()) {
      const readings = span.samples.flat();
      for (const metric of new Set(readings.map((reading) => reading.metric))) {
        const name = [device, metric, span.startMs, ...(window.kind === 'count' ? [place] : [])];
        const of = readings.filter((reading) => reading.metric === metric);
        truth.set(name.join(' '), { ...span, ...aggregate(of) });
      }
    }
  }
  return truth;
}

function spansOf(samples: readonly StoredSample[], window: PlanWindow): Span[] {
  if (window.kind === 'session') return sessionsOf(samples, window.gapMs);
  if (window.kind === 'count') return countsOf(samples, window);
  const hopMs = window.kind === 'hopping' ? window.everyMs : window.lengthMs;
  const ends = new Map<number, StoredSample[]>();
  for (const sample of samples) {
    const firstEnd = Math.floor(timeOf(sample) / hopMs) * hopMs + hopMs;
    for (let end = firstEnd; end < firstEnd + window.lengthMs; end += hopMs) {
      ends.set(end, [...(ends.get(end) ?? []), sample]);
    }
  }
  return [...ends].map(([endMs, within]) => ({
    ...{ startMs: endMs - window.lengthMs, endMs, samples: within },
  }));
}

function sessionsOf(samples: readonly StoredSample[], gapMs: number): Span[] {
  const times = samples.map(timeOf).sort((left, right) => left - right);
  const begins = times.filter((time, place) => place === 0 || time - times[place - 1]! >= gapMs);
  return begins.map((startMs, place) => {
    const before = begins[place + 1] ?? Number.POSITIVE_INFINITY;
    const within = samples.filter((each) => timeOf(each) >= startMs && timeOf(each) < before);
    return { startMs, endMs: greatestOf(within.map(timeOf)) + gapMs, samples: within };
  });
}

function countsOf(samples: readonly StoredSample[], { count, everyCount }: PlanWindow): Span[] {
  const spans: Span[] = [];
  for (let end = count; end <= samples.length; end += everyCount) {
    const within = samples.slice(end - count, end);
    const times = within.map(timeOf);
    spans.push({ startMs: leastOf(times), endMs: greatestOf(times) + 1, samples: within });
  }
  return spans;
}

const timeOf = (sample: StoredSample): number => sample[0]!.timeMs;
const leastOf = (values: readonly number[]): number =>
  values.reduce((least, each) => Math.min(least, each));
const greatestOf = (values: readonly number[]): number =>
  values.reduce((greatest, each) => Math.max(greatest, each));

function aggregate(readings: readonly StoredReading[]) {
  const values = readings.map(({ value }) => value);
  const first = readings.reduce((best, each) => (each.timeMs < best.timeMs ? each : best));
  const last = readings.reduce((best, each) => (each.timeMs >= best.timeMs ? each : best));
  const sum = exactSum(values);
  const mean = sum / values.length;
  const m2 = exactSum(values.map((value) => (value - mean) ** 2));
  const error = exactSum(values.map((value) => value - mean));
  return {
    ...{ values, sum, m2: m2 - (error * error) / values.length },
    ...{ first: first.value, firstMs: first.timeMs, last: last.value, lastMs: last.timeMs },
  };
}

/** Partial sums that do not overlap (Shewchuk): exact up to the last rounding. */
export function exactSum(values: readonly number[]): number {
  let partials: number[] = [];
  for (const value of values) {
    let left = value;
    const kept: number[] = [];
    for (const partial of partials) {
      const [high, low] =
        Math.abs(left) < Math.abs(partial)
          ? [left + partial, left - (left + partial - partial)]
          : [left + partial, partial - (left + partial - left)];
      if (low !== 0) kept.push(low);
      left = high;
    }
    partials = [...kept, left];
  }
  return partials.reduceRight((sum, partial) => sum + partial, 0);
}

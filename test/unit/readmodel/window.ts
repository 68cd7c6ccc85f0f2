/** A window computed the obvious way, and its row of an aggregate table. */
import type { Row } from '../../support/native-writer.ts';
import { START_MS } from './fixture.ts';

export interface Reading {
  readonly metric: string;
  readonly value: number;
  readonly timeMs: number;
  readonly sequence: number;
}

export interface Window {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly firstMs: number;
  readonly firstSequence: number;
  readonly last: number;
  readonly lastMs: number;
  readonly lastSequence: number;
  readonly mean: number;
  readonly m2: number;
}

/** Readings of one metric in log order. */
export function foldWindow(readings: readonly Reading[]): Window {
  let [first] = readings as [Reading];
  let last = first;
  let [sum, compensation, mean, m2, count] = [0, 0, 0, 0, 0];
  for (const reading of readings) {
    const { value } = reading;
    count += 1;
    const total = sum + value;
    compensation += Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
    sum = total;
    const delta = value - mean;
    mean += delta / count;
    m2 += delta * (value - mean);
    if (reading.timeMs < first.timeMs) first = reading;
    if (reading.timeMs >= last.timeMs) last = reading;
  }
  return {
    count,
    sum: sum + compensation,
    min: Math.min(...readings.map(({ value }) => value)),
    max: Math.max(...readings.map(({ value }) => value)),
    first: first.value,
    firstMs: first.timeMs,
    firstSequence: first.sequence,
    last: last.value,
    lastMs: last.timeMs,
    lastSequence: last.sequence,
    mean,
    m2,
  };
}

export function aggregateRow(readings: readonly Reading[], more: Row): Row {
  const metrics = [...new Set(readings.map(({ metric }) => metric))];
  const windows = metrics.map((metric) =>
    foldWindow(readings.filter((reading) => reading.metric === metric)),
  );
  const each = (of: (window: Window) => number): number[] => windows.map(of);
  return {
    channel: 'truck',
    window_start: START_MS,
    log_time: START_MS,
    version: 1,
    metric: metrics,
    count: each(({ count }) => count),
    sum: each(({ sum }) => sum),
    min: each(({ min }) => min),
    max: each(({ max }) => max),
    first: each(({ first }) => first),
    first_time: each(({ firstMs }) => firstMs),
    first_sequence: each(({ firstSequence }) => firstSequence),
    last: each(({ last }) => last),
    last_time: each(({ lastMs }) => lastMs),
    last_sequence: each(({ lastSequence }) => lastSequence),
    mean: each(({ mean }) => mean),
    m2: each(({ m2 }) => m2),
    ...more,
  };
}

/**
 * One metric of one channel of a device: its latest current value and its scores. In: stored
 * current readings. Out: a score for each. assembly/README.md, Checks by state.
 */
import {
  SCORE_MAX,
  SCORE_SPAN,
  SCORE_WARM_UP,
  SEASON_HOURS,
  SEASON_WARM_UP,
} from '../../../assembly/shared/abi.ts';
import type { ScoreKind } from '../../../src/model/plan.ts';
import type { Value } from './validate.ts';

const HOUR_MS = 3_600_000;

export interface Latest {
  readonly value: Value;
  readonly eventMs: number;
  /** Event time of the first current reading that brought this value; its own if none is asked. */
  readonly sinceMs: number;
}

export interface Statistics {
  readonly count: number;
  readonly mean: number;
  readonly variance: number;
}

const NOTHING: Statistics = { count: 0, mean: 0, variance: 0 };

export class Series {
  latest: Latest | null = null;
  #statistics = NOTHING;
  /** By hour of the week. */
  #hours = new Map<number, Statistics>();

  isCurrent(eventMs: number): boolean {
    return this.latest === null || eventMs >= this.latest.eventMs;
  }

  /** The same bits as the latest value: 0 and −0 differ. */
  isSame(value: Value): boolean {
    return this.latest !== null && Object.is(this.latest.value, value);
  }

  report(value: Value, eventMs: number, stands: boolean): void {
    const sinceMs = stands && this.isSame(value) ? this.latest!.sinceMs : eventMs;
    this.latest = { value, eventMs, sinceMs };
  }

  /** What the plan no longer scores, or judges for being stuck, is forgotten. */
  follow(kind: ScoreKind, stands: boolean): void {
    if (!stands && this.latest !== null) {
      this.latest = { ...this.latest, sinceMs: this.latest.eventMs };
    }
    if (kind === 'none') this.#statistics = NOTHING;
    if (kind !== 'seasonal') this.#hours = new Map();
  }

  /** The score of a reading, which counts from then on. */
  score(kind: ScoreKind, value: number, eventMs: number): number {
    if (kind === 'none') return 0;
    const before = this.#statistics;
    this.#statistics = learn(before, value, (exact) => exact);
    const score = before.count < SCORE_WARM_UP ? 0 : distance(before, value);
    if (kind === 'ewma') return score;
    const hour = hourOfWeek(eventMs);
    const season = this.#hours.get(hour) ?? NOTHING;
    this.#hours.set(hour, learn(season, value, Math.fround));
    return season.count < SEASON_WARM_UP ? score : distance(season, value);
  }
}

export function hourOfWeek(eventMs: number): number {
  const hour = Math.floor(eventMs / HOUR_MS) % SEASON_HOURS;
  return hour < 0 ? hour + SEASON_HOURS : hour;
}

/** In standard deviations. */
function distance({ mean, variance }: Statistics, value: number): number {
  if (variance === 0) return value === mean ? 0 : SCORE_MAX;
  const z = Math.abs(value - mean) / Math.sqrt(variance);
  return Number.isNaN(z) ? 0 : Math.min(z, SCORE_MAX);
}

function learn(before: Statistics, value: number, kept: (exact: number) => number): Statistics {
  const count = before.count + 1;
  const a = Math.max(1 / count, 1 / SCORE_SPAN);
  const d = value - before.mean;
  const mean = kept(before.mean + a * d);
  const variance = kept((1 - a) * (before.variance + a * d * d));
  return Number.isFinite(mean) && Number.isFinite(variance) ? { count, mean, variance } : NOTHING;
}

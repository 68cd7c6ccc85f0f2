/**
 * One channel of a device: its watermark, windows, series and alerts. In: stored samples, firings,
 * flush points. Out: emissions, through the caller. It follows a new plan when it stores a sample.
 */
import type { PlanChannel, PlanWindow } from '../../../src/model/plan.ts';
import { Alerts } from './alert.ts';
import { Count } from './count.ts';
import { Hopping } from './hopping.ts';
import { Series } from './series.ts';
import { Session } from './session.ts';
import { Tumbling } from './tumbling.ts';
import {
  type Emission,
  type StoredSample,
  type Surroundings,
  shapeOf,
  type WindowState,
} from './window.ts';

const KINDS = { tumbling: Tumbling, hopping: Hopping, session: Session, count: Count };

export interface Moment {
  readonly logClock: number;
  /** Stamp of the message. */
  readonly logMs: number;
  readonly channel: PlanChannel;
  emit(window: PlanWindow, emission: Emission): void;
  nextFragment(): bigint;
}

/** Some metric is judged for being stuck. */
export function standsIn(channel: PlanChannel): boolean {
  return channel.metrics.some(({ stuckMs }) => stuckMs !== null);
}

export class Section {
  watermarkMs = Number.NEGATIVE_INFINITY;
  greatestEventMs = Number.NEGATIVE_INFINITY;
  /** Log time of the last record that stored a sample. */
  lastLogTimeMs = Number.NEGATIVE_INFINITY;
  /** Usual gap between samples; 0: not known yet. */
  cadenceMs = 0;
  readonly alerts = new Alerts();
  /** By metric ordinal. */
  readonly series = new Map<number, Series>();
  #followed: PlanChannel | null = null;
  #windows: WindowState[] = [];
  #lastLateMs: number | null = null;
  #tombstones: { window: WindowState; emission: Emission }[] = [];

  get unfired(): boolean {
    return this.#windows.some(({ unfired }) => unfired);
  }

  get dirty(): boolean {
    return this.#windows.some(({ dirty }) => dirty);
  }

  seriesOf(ordinal: number): Series {
    const series = this.series.get(ordinal) ?? new Series();
    this.series.set(ordinal, series);
    return series;
  }

  follow(channel: PlanChannel): void {
    if (channel === this.#followed) return;
    this.#followed = channel;
    const known = new Map(this.#windows.map((window) => [shapeOf(window.plan), window]));
    this.#windows = channel.windows.map((plan) => {
      const window = known.get(shapeOf(plan));
      window?.follow(plan, channel.score !== 'none');
      return window ?? new KINDS[plan.kind](plan);
    });
    this.#tombstones = this.#tombstones.filter(({ window }) => this.#windows.includes(window));
    for (const series of this.series.values()) series.follow(channel.score, standsIn(channel));
  }

  fold(sample: StoredSample, moment: Moment): void {
    for (const window of this.#windows) window.fold(sample, this.#around(window, moment));
    this.greatestEventMs = Math.max(this.greatestEventMs, sample.eventMs);
    const reached = Math.min(this.greatestEventMs, moment.logMs) - moment.channel.outOfOrderMs - 1;
    this.watermarkMs = Math.max(this.watermarkMs, reached);
    for (const window of this.#windows) window.pass(this.#around(window, moment));
    this.lastLogTimeMs = moment.logClock;
  }

  fireIdle(moment: Moment): void {
    for (const window of this.#windows) window.fireIdle(this.#around(window, moment));
  }

  flush(moment: Moment): void {
    for (const window of this.#windows) this.#emitTombstones(window, moment);
    for (const window of this.#windows) window.flush(this.#around(window, moment));
  }

  #around(window: WindowState, moment: Moment): Surroundings {
    return {
      logClock: moment.logClock,
      latenessMs: moment.channel.latenessMs,
      watermarkMs: this.watermarkMs,
      lastLateMs: this.#lastLateMs,
      emit: (emission) => {
        this.#emitTombstones(window, moment);
        moment.emit(window.plan, emission);
      },
      nextFragment: () => moment.nextFragment(),
      late: () => {
        this.#lastLateMs = moment.logClock;
      },
      tombstone: (emission) => this.#tombstones.push({ window, emission }),
    };
  }

  #emitTombstones(of: WindowState, moment: Moment): void {
    const due = this.#tombstones.filter(({ window }) => window === of);
    this.#tombstones = this.#tombstones.filter(({ window }) => window !== of);
    for (const { emission } of due) moment.emit(of.plan, emission);
  }
}

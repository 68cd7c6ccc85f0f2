/**
 * Alerts of one channel of a device. In: stored current readings of a metric. Out: what was raised
 * or cleared by each. assembly/README.md, Checks by state.
 */
import type { PlanAlert } from '../../../src/model/plan.ts';

/** Place of a reading in time and in the log. */
export interface Place {
  readonly eventMs: number;
  readonly sequence: bigint;
  readonly sampleOrdinal: number;
}

export interface Raised {
  readonly sinceMs: number;
  readonly at: Place;
  readonly value: number;
  readonly peak: number;
}

export interface Change {
  readonly alert: PlanAlert;
  readonly raised: Raised;
  /** Null: it was raised. */
  readonly cleared: { readonly eventMs: number; readonly value: number } | null;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'pending'; readonly sinceMs: number }
  | { readonly kind: 'raised'; readonly raised: Raised };

const IDLE: State = { kind: 'idle' };

export class Alerts {
  /** By id. */
  readonly #states = new Map<number, State>();

  /** `alerts`: those of the reading's metric. */
  judge(alerts: readonly PlanAlert[], value: number, at: Place): Change[] {
    const live = alerts.filter(({ retired }) => !retired).sort((a, b) => a.id - b.id);
    return live.flatMap((alert) => this.#judge(alert, value, at) ?? []);
  }

  #judge(alert: PlanAlert, value: number, at: Place): Change | null {
    let state = this.#states.get(alert.id) ?? IDLE;
    let change: Change | null = null;
    if (state.kind === 'raised') {
      const peak = more(alert, value, state.raised.peak) ? value : state.raised.peak;
      const raised = { ...state.raised, peak };
      state = { kind: 'raised', raised };
      if (isClear(alert, value)) {
        change = { alert, raised, cleared: { eventMs: at.eventMs, value } };
        state = IDLE;
      }
    } else if (isBreach(alert, value)) {
      if (state.kind === 'idle') state = { kind: 'pending', sinceMs: at.eventMs };
      const { sinceMs } = state;
      if (at.eventMs - sinceMs >= alert.dwellMs) {
        const raised = { sinceMs, at, value, peak: value };
        change = { alert, raised, cleared: null };
        state = { kind: 'raised', raised };
      }
    } else state = IDLE;
    this.#states.set(alert.id, state);
    return change;
  }
}

function isBreach({ condition, low, high }: PlanAlert, value: number): boolean {
  if (condition === 'above') return value > high;
  return condition === 'below' ? value < low : value > high || value < low;
}

function isClear({ condition, low, high, hysteresis }: PlanAlert, value: number): boolean {
  const isBelow = value <= high - hysteresis;
  const isAbove = value >= low + hysteresis;
  if (condition === 'above') return isBelow;
  return condition === 'below' ? isAbove : isBelow && isAbove;
}

/** Whether a value is more extreme than the peak; the earlier at a tie. */
function more({ condition, low, high }: PlanAlert, value: number, peak: number): boolean {
  if (condition === 'above') return value > peak;
  if (condition === 'below') return value < peak;
  const beyond = (of: number) => Math.max(of - high, low - of);
  return beyond(value) > beyond(peak);
}

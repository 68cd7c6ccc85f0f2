/**
 * Alerts: threshold conditions on the stored current readings of a metric (README, "Alerts").
 *
 *            breach            breach for the dwell time          back inside the hysteresis
 *   idle ───────────► pending ───────────────────────► raised ──────────────────────► idle
 *     ▲                 │ no breach                      row, fact                     row, fact
 *     └─────────────────┘
 */
import { channelAlert, channelAlertCount } from '../channel';
import { Device } from '../device';
import { AlertState, alertStateAt } from '../series';
import { ALERT_ABOVE, ALERT_BELOW } from '../shared/abi';
import { ALERT_ROW_CLEARED_AT, ALERT_ROW_CLEARED_VALUE_AT } from '../shared/control';
import {
  ALERT_CONDITION_AT, ALERT_DWELL_AT, ALERT_HIGH_AT, ALERT_HYSTERESIS_AT, ALERT_LOW_AT,
  ALERT_METRIC_AT, ALERT_RETIRED_AT,
} from '../shared/plan-layout';
import { turnOf } from '../work';
import { stageAlert } from './alert-row';

/** AlertState.flags; 0: idle. */
const PENDING: u32 = 1;
const RAISED: u32 = 2;

@inline
export function isRaised(state: AlertState): bool { return state.flags == RAISED; }

@inline function lowOf(alert: usize): f64 { return load<f64>(alert, ALERT_LOW_AT); }
@inline function highOf(alert: usize): f64 { return load<f64>(alert, ALERT_HIGH_AT); }

function breaches(alert: usize, value: f64): bool {
  const condition = load<u32>(alert, ALERT_CONDITION_AT);
  if (condition != ALERT_BELOW && value > highOf(alert)) return true;
  return condition != ALERT_ABOVE && value < lowOf(alert);
}

function clears(alert: usize, value: f64): bool {
  const condition = load<u32>(alert, ALERT_CONDITION_AT);
  const hysteresis = load<f64>(alert, ALERT_HYSTERESIS_AT);
  if (condition != ALERT_BELOW && !(value <= highOf(alert) - hysteresis)) return false;
  return condition == ALERT_ABOVE || value >= lowOf(alert) + hysteresis;
}

/** More extreme than the peak so far: farther beyond its bound. */
function exceeds(alert: usize, value: f64, peak: f64): bool {
  const condition = load<u32>(alert, ALERT_CONDITION_AT);
  if (condition == ALERT_ABOVE) return value > peak;
  if (condition == ALERT_BELOW) return value < peak;
  return beyond(alert, value) > beyond(alert, peak);
}

function beyond(alert: usize, value: f64): f64 {
  const above = value - highOf(alert);
  const below = lowOf(alert) - value;
  return above > below ? above : below;
}

/** Alerts of the reading's metric by id; `value` is its double. */
export function watchReading(
  device: Device, channel: usize, section: usize, ordinal: u32, value: f64, event: i64,
): void {
  const count = channelAlertCount(channel);
  for (let id: u32 = 0; id < count; id++) {
    const alert = channelAlert(channel, id);
    if (load<u32>(alert, ALERT_METRIC_AT) != ordinal) continue;
    if (load<u32>(alert, ALERT_RETIRED_AT) != 0) continue;
    watch(device, channel, alert, alertStateAt(section, id), value, event);
  }
}

function watch(
  device: Device, channel: usize, alert: usize, state: AlertState, value: f64, event: i64,
): void {
  if (state.flags == RAISED) {
    if (exceeds(alert, value, state.peak)) state.peak = value;
    if (!clears(alert, value)) return;
    const row = stageAlert(device, channel, alert, state, 0);
    store<i64>(row, event, ALERT_ROW_CLEARED_AT);
    store<f64>(row, value, ALERT_ROW_CLEARED_VALUE_AT);
    forget(state);
    return;
  }
  if (!breaches(alert, value)) {
    if (state.flags != 0) forget(state);
    return;
  }
  if (state.flags == 0) {
    state.flags = PENDING;
    state.since = event;
  }
  if (event - state.since < load<i64>(alert, ALERT_DWELL_AT)) return;
  const turn = turnOf();
  state.flags = RAISED;
  state.raisedAt = event;
  state.raisedSequence = turn.sequence;
  state.raisedOrdinal = turn.sampleOrdinal;
  state.value = value;
  state.peak = value;
  stageAlert(device, channel, alert, state, 1);
}

/** Idle again: all zero. */
function forget(state: AlertState): void {
  memory.fill(changetype<usize>(state), 0, offsetof<AlertState>());
}

/**
 * Plans for tests. In: only what a test is about. Out: whole plans of the contract, with small
 * bounds, so that windows close, fire, revise and leave memory within a few minutes of log time.
 */
import type { Plan, PlanChannel, PlanMetric, PlanWindow } from '../../src/model/plan.ts';
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  WINDOW_DEFAULTS,
} from '../../src/model/plan.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;

export function metricOf(ordinal: number, name: string, given: Partial<PlanMetric> = {}) {
  const metric: PlanMetric = {
    ...METRIC_DEFAULTS,
    ...{ ordinal, name, kind: 'number', unit: '1', scale: 1, offset: 0, min: null, max: null },
    ...{ required: false, path: [name], retired: false },
    ...given,
  };
  return metric;
}

export function windowOf(name: string, lengthMs: number, retentionMs = 0): PlanWindow {
  return { ...WINDOW_DEFAULTS, name, lengthMs, retentionMs };
}

export const MINUTE_WINDOW = windowOf('1m', MINUTE_MS);
export const HOUR_WINDOW = windowOf('1h', HOUR_MS);

export function channelOf(id: number, name: string, given: Partial<PlanChannel> = {}) {
  const channel: PlanChannel = {
    ...CHANNEL_DEFAULTS,
    ...{ id, name, retired: false, format: 'protobuf', timePath: ['time'], timeFormat: 'ms' },
    ...{ timeRequired: false, eventIdPath: ['id'], metrics: [metricOf(0, 'value')] },
    ...{ windows: [MINUTE_WINDOW], outOfOrderMs: 0, latenessMs: HOUR_MS, idleMs: 30_000 },
    ...{ maxAgeMs: 24 * HOUR_MS, agePolicy: 'reject', maxClockSkewMs: 5 * MINUTE_MS },
    ...{ clockPolicy: 'reject', unknownMetrics: 'reject', retentionMs: 0 },
    ...given,
  };
  return channel;
}

export function planOf(channels: readonly PlanChannel[], given: Partial<Plan> = {}): Plan {
  return {
    ...PLAN_DEFAULTS,
    ...{ version: 1, log: 'test', partitions: 16, channels, devicesAllowed: null },
    ...{ devicesMax: 1000, idsPerDevice: 64, dedupHorizonMs: 7 * 24 * HOUR_MS },
    ...{ deadLettersPerDeviceMinute: 100, deadLetterRetentionMs: 0, shadowIntervalMs: 0 },
    ...given,
  };
}

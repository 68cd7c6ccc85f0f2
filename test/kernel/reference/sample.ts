/**
 * One sample of a record that got past dedup: its event time, and whether it is refused. In: a
 * decoded sample, the channel's policies, received-at, log time and clock. Out: times and flags; if
 * it is refused, all readings have its status.
 */
import {
  EVENT_TIME_MS_MIN,
  FLAG_TIME_CORRECTED,
  FLAG_TIME_RECEIVED,
  FLAG_UNJUDGED_TIME,
} from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import type { Sample } from './decode.ts';
import type { Trouble } from './letter.ts';
import type { Value } from './validate.ts';

export interface JudgedReading {
  readonly metric: PlanMetric | null;
  readonly status: number;
  readonly value: Value | null;
  readonly offset: number;
  /** Changes too fast or is stuck, and the policy accepts it. */
  readonly suspectValue?: boolean;
  /** Breaks a rule, and the policy accepts it. */
  readonly suspectRule?: boolean;
}

export interface JudgedSample {
  readonly sample: Sample;
  readonly eventMs: number;
  /** As the device said it. */
  readonly deviceMs: number;
  /** Of the time only. */
  readonly flags: number;
  /** Why the sample is refused as a whole. */
  readonly trouble: Trouble | null;
  readonly readings: readonly JudgedReading[];
}

export interface Moment {
  readonly receivedMs: number;
  readonly logMs: number;
  /** Below 0 the device's clock runs ahead. */
  readonly clockOffsetMs: number;
}

export function judgeSample(sample: Sample, channel: PlanChannel, moment: Moment): JudgedSample {
  const time = timeOf(sample, channel, moment);
  const found = judgeTime(sample, channel, { ...moment, ...time });
  const at = sample.timeOffset;
  const late = found.status === status.OK ? null : { status: found.status, offset: at, metric: '' };
  const trouble = late ?? judgeRequired(sample, channel);
  const readings = sample.readings.map(({ metric, judged, offset }) =>
    trouble === null
      ? { metric, offset, ...judged }
      : { metric, offset, status: trouble.status, value: null },
  );
  return { sample, ...time, flags: time.flags | found.flags, trouble, readings };
}

/** The event time, set back where the clock is known to run ahead. */
function timeOf(sample: Sample, channel: PlanChannel, moment: Moment) {
  const { receivedMs, clockOffsetMs } = moment;
  if (typeof sample.timeMs !== 'number') {
    return { eventMs: receivedMs, deviceMs: receivedMs, flags: FLAG_TIME_RECEIVED };
  }
  const deviceMs = sample.timeMs;
  const isAhead = clockOffsetMs < 0 && deviceMs > receivedMs;
  if (channel.clockPolicy !== 'correct' || !isAhead) {
    return { eventMs: deviceMs, deviceMs, flags: 0 };
  }
  const eventMs = Math.max(deviceMs + clockOffsetMs, EVENT_TIME_MS_MIN);
  return { eventMs, deviceMs, flags: FLAG_TIME_CORRECTED };
}

function judgeTime(sample: Sample, channel: PlanChannel, moment: Moment & { eventMs: number }) {
  const { eventMs, receivedMs, logMs } = moment;
  const refused = (number: number) => ({ status: number, flags: 0 });
  if (sample.timeMs === 'malformed') return refused(status.TIME_MALFORMED);
  if (sample.timeMs === null && channel.timeRequired) return refused(status.TIME_MISSING);
  let flags = 0;
  if (eventMs - receivedMs > channel.maxClockSkewMs) {
    if (channel.clockPolicy !== 'accept') return refused(status.CLOCK_AHEAD);
    flags |= FLAG_UNJUDGED_TIME;
  }
  if (receivedMs - eventMs > channel.maxAgeMs) {
    if (channel.agePolicy === 'reject') return refused(status.TOO_OLD);
    flags |= FLAG_UNJUDGED_TIME;
  }
  if (channel.retentionMs > 0 && eventMs + channel.retentionMs <= logMs) {
    return refused(status.TOO_LATE);
  }
  return { status: status.OK as number, flags };
}

function judgeRequired(sample: Sample, channel: PlanChannel): Trouble | null {
  const missing = channel.metrics.find(
    (metric) =>
      metric.required &&
      !metric.retired &&
      !sample.readings.some((reading) => reading.metric?.ordinal === metric.ordinal),
  );
  if (missing === undefined) return null;
  return { status: status.REQUIRED_MISSING, offset: sample.offset, metric: missing.name };
}

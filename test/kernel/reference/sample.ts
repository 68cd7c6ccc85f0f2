/**
 * One sample of a record that got past dedup: its event time and what becomes of its readings. In:
 * a decoded sample, the channel's policies, received-at and log time. Out: final statuses and
 * flags.
 */
import {
  FLAG_PARTLY,
  FLAG_TIME_RECEIVED,
  FLAG_UNJUDGED_TIME,
} from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import type { Sample } from './decode.ts';
import type { Trouble } from './record.ts';
import type { Value } from './validate.ts';

export interface JudgedReading {
  readonly metric: PlanMetric | null;
  readonly status: number;
  readonly value: Value | null;
}

export interface JudgedSample {
  readonly eventMs: number;
  /** Without FLAG_LATE, which the watermark decides. */
  readonly flags: number;
  readonly readings: readonly JudgedReading[];
  /** Of the sample or its readings, in payload order. */
  readonly troubles: readonly Trouble[];
}

export interface Moment {
  readonly receivedMs: number;
  readonly logMs: number;
}

export function judgeSample(sample: Sample, channel: PlanChannel, moment: Moment): JudgedSample {
  const time = judgeTime(sample, channel, moment);
  const { eventMs } = time;
  const trouble = time.trouble ?? judgeRequired(sample, channel);
  if (trouble !== null) {
    const readings = sample.readings.map(({ metric }) => ({
      ...{ metric, status: trouble.status, value: null },
    }));
    return { eventMs, flags: 0, readings, troubles: [trouble] };
  }
  const readings = sample.readings.map(({ metric, judged }) => ({ metric, ...judged }));
  const troubles = sample.readings.flatMap(({ metric, judged, offset }) =>
    judged.status === status.OK
      ? []
      : [{ status: judged.status, offset, metric: metric?.name ?? '' }],
  );
  const flags = time.flags | (troubles.length > 0 ? FLAG_PARTLY : 0);
  return { eventMs, flags, readings, troubles };
}

function judgeTime(sample: Sample, channel: PlanChannel, { receivedMs, logMs }: Moment) {
  const refused = (number: number) => ({
    ...{ eventMs: receivedMs, flags: 0 },
    trouble: { status: number, offset: sample.timeOffset, metric: '' },
  });
  if (sample.timeMs === 'malformed') return refused(status.TIME_MALFORMED);
  if (sample.timeMs === null && channel.timeRequired) return refused(status.TIME_MISSING);
  const eventMs = sample.timeMs ?? receivedMs;
  let flags = sample.timeMs === null ? FLAG_TIME_RECEIVED : 0;
  if (eventMs - receivedMs > channel.maxClockSkewMs) {
    if (channel.clockPolicy === 'reject') return refused(status.CLOCK_AHEAD);
    flags |= FLAG_UNJUDGED_TIME;
  }
  if (receivedMs - eventMs > channel.maxAgeMs) {
    if (channel.agePolicy === 'reject') return refused(status.TOO_OLD);
    flags |= FLAG_UNJUDGED_TIME;
  }
  if (channel.retentionMs > 0 && eventMs + channel.retentionMs <= logMs) {
    return refused(status.TOO_LATE);
  }
  return { eventMs, flags, trouble: null };
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

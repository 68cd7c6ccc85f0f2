/**
 * Checks that need the state: of the device's series, of the partition's texts, of the other
 * readings of the sample. In: a sample that is not refused. Out: its readings with the statuses
 * that state adds, and what is only suspect. assembly/README.md, Checks by state.
 */
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel, PlanMetric, PlanRule } from '../../../src/model/plan.ts';
import type { JudgedReading } from './sample.ts';
import type { Section } from './section.ts';
import type { Value } from './validate.ts';

export interface StateOf {
  readonly channel: PlanChannel;
  /** Undefined: the device stored nothing of this channel yet. */
  readonly section: Section | undefined;
  readonly eventMs: number;
  readonly historical: boolean;
  readonly texts: Set<string>;
  readonly textsMax: number;
}

export function checkByState(
  readings: readonly JudgedReading[],
  state: StateOf,
): readonly JudgedReading[] {
  const judged = readings.map((reading) =>
    reading.status === status.OK ? checkSeries(reading, state) : reading,
  );
  return checkRules(judged, state.channel);
}

function checkSeries(reading: JudgedReading, state: StateOf): JudgedReading {
  const [metric, value] = [reading.metric!, reading.value!];
  if (typeof value === 'string' && !enterText(value, state)) {
    return { ...reading, status: status.TEXT_LIMIT, value: null };
  }
  const found = isTooFast(metric, value, state)
    ? status.RATE_EXCEEDED
    : isStuck(metric, value, state)
      ? status.VALUE_STUCK
      : status.OK;
  if (found === status.OK) return reading;
  if (state.channel.suspectPolicy === 'accept') return { ...reading, suspectValue: true };
  return { ...reading, status: found, value: null };
}

/** Whether the dictionary has, or takes, the text. */
function enterText(text: string, { texts, textsMax }: StateOf): boolean {
  if (!texts.has(text) && texts.size >= textsMax) return false;
  texts.add(text);
  return true;
}

function isTooFast(metric: PlanMetric, value: Value, { section, eventMs }: StateOf): boolean {
  const latest = section?.series.get(metric.ordinal)?.latest ?? null;
  if (metric.maxRatePerSecond === null || latest === null) return false;
  if (metric.kind === 'boolean' || metric.kind === 'text') return false;
  if (eventMs <= latest.eventMs) return false;
  const change = Math.abs(Number(value) - Number(latest.value));
  return change > (metric.maxRatePerSecond * (eventMs - latest.eventMs)) / 1000;
}

function isStuck(metric: PlanMetric, value: Value, state: StateOf): boolean {
  const series = state.section?.series.get(metric.ordinal);
  if (metric.stuckMs === null || series === undefined || state.historical) return false;
  if (!series.isCurrent(state.eventMs) || !series.isSame(value)) return false;
  return state.eventMs - series.latest!.sinceMs > metric.stuckMs;
}

function checkRules(readings: readonly JudgedReading[], channel: PlanChannel): JudgedReading[] {
  const good = (ordinal: number) =>
    readings.find((each) => each.metric?.ordinal === ordinal && each.status === status.OK);
  const broken = new Set<number>();
  for (const rule of channel.rules) {
    const [left, right] = [good(rule.left), good(rule.right)];
    if (left === undefined || right === undefined) continue;
    if (holds(rule, Number(left.value), Number(right.value))) continue;
    broken.add(rule.left).add(rule.right);
  }
  return readings.map((reading) => {
    if (reading.metric === null || !broken.has(reading.metric.ordinal)) return reading;
    if (channel.suspectPolicy === 'accept') return { ...reading, suspectRule: true };
    return { ...reading, status: status.RULE_BROKEN, value: null };
  });
}

function holds({ operator }: PlanRule, left: number, right: number): boolean {
  if (operator === '<') return left < right;
  if (operator === '<=') return left <= right;
  return operator === '=' ? left === right : left !== right;
}

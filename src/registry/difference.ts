/**
 * What changes from one plan to the next, for a person. In: two plans. Out: lines such as
 * `~ channel truck: lateness 1h → 2h`; none when the plans say the same.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatDuration } from '../base/quantity.ts';
import type { Plan, PlanAlert, PlanChannel, PlanMetric, PlanRule } from '../model/plan.ts';

export function planDifference(before: Plan | null, after: Plan): string[] {
  if (before === null) return after.channels.map((channel) => `+ channel ${channel.name}`);
  return [
    ...fieldLines('plan', before, after, ['channels']),
    ...after.channels.flatMap((channel) => {
      const old = before.channels.find(({ name }) => name === channel.name);
      return channelLines(old, channel);
    }),
  ];
}

function channelLines(before: PlanChannel | undefined, after: PlanChannel): string[] {
  const title = `channel ${after.name}`;
  if (before === undefined) return [`+ ${title}`];
  if (after.retired) return before.retired ? [] : [`- ${title} (its rows and state stay)`];
  return [
    ...(before.retired ? [`+ ${title} (again)`] : []),
    ...fieldLines(title, before, after, ['metrics', 'alerts', 'retired']),
    ...after.metrics.flatMap((metric) => {
      const old = before.metrics.find(({ name }) => name === metric.name);
      return metricLines(after.name, old, metric);
    }),
    ...after.alerts.flatMap((alert) => {
      const old = before.alerts.find(({ name }) => name === alert.name);
      return alertLines(after.name, old, alert);
    }),
  ];
}

function alertLines(channel: string, before: PlanAlert | undefined, after: PlanAlert): string[] {
  const title = `alert ${channel}.${after.name}`;
  if (before === undefined) return [`+ ${title} (${after.severity})`];
  if (after.retired) return before.retired ? [] : [`- ${title} (its rows stay)`];
  return [
    ...(before.retired ? [`+ ${title} (again)`] : []),
    ...fieldLines(title, before, after, ['retired']),
  ];
}

function metricLines(channel: string, before: PlanMetric | undefined, after: PlanMetric): string[] {
  const title = `metric ${channel}.${after.name}`;
  if (before === undefined) return [`+ ${title} (${after.unit})`];
  if (after.retired) return before.retired ? [] : [`- ${title} (its column and state stay)`];
  return [
    ...(before.retired ? [`+ ${title} (again)`] : []),
    ...fieldLines(title, before, after, ['retired']),
  ];
}

function fieldLines<T extends object>(
  title: string,
  before: T,
  after: T,
  without: readonly (keyof T)[],
): string[] {
  const names = (Object.keys(after) as (keyof T & string)[]).filter(
    (name) => !without.includes(name),
  );
  return names.flatMap((name) => {
    const [old, now] = [valueText(name, before[name]), valueText(name, after[name])];
    const label = `~ ${title}: ${name.replace(/Ms$/, '')}`;
    if (old !== now) return [`${label} ${old} → ${now}`];
    // Not by their texts: a plan read from the log has its members in another order.
    return isDeepStrictEqual(before[name], after[name]) ? [] : [`${label} changed`];
  });
}

function valueText(name: string, value: unknown): string {
  if (typeof value === 'number' && name.endsWith('Ms')) {
    const endless = value === 0 && /retention/i.test(name);
    return endless ? 'forever' : formatDuration(value);
  }
  if (name === 'windows') {
    const texts = (value as PlanChannel['windows']).map(
      ({ name: of, retentionMs, facts }) =>
        `${of} for ${valueText('retentionMs', retentionMs)}${facts ? '' : ' without facts'}`,
    );
    return `[${texts.join(', ')}]`;
  }
  if (name === 'rules') {
    return `[${(value as readonly PlanRule[]).map((rule) => rule.name).join(', ')}]`;
  }
  if (name === 'schema') return value === null ? '(none)' : '(a schema)';
  if (name === 'devicesAllowed') return value === null ? 'any' : `${(value as []).length} devices`;
  if (Array.isArray(value)) return value.length === 0 ? '(none)' : value.join('.');
  return String(value);
}

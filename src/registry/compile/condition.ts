/**
 * Rules and alerts of a channel in the plan: names of metrics become ordinals. In: as declared, the
 * channel's metrics, the alerts of earlier plans. Out: PlanRules; PlanAlerts by id, for ever.
 */
import { assert } from '../../base/assert.ts';
import type { ChannelConfig } from '../../model/config.ts';
import { ALERTS_PER_CHANNEL_MAX } from '../../model/limit.ts';
import type { PlanAlert, PlanMetric, PlanRule } from '../../model/plan.ts';
import { type Compilation, inPlaces } from './compilation.ts';

export function compileRules({ rules }: ChannelConfig, metrics: readonly PlanMetric[]): PlanRule[] {
  return rules.map(({ name, left, operator, right }) => ({
    name,
    left: ordinalOf(metrics, left),
    operator,
    right: ordinalOf(metrics, right),
  }));
}

export function compileAlerts(
  { problems }: Compilation,
  channel: ChannelConfig,
  metrics: readonly PlanMetric[],
  earlier: readonly PlanAlert[],
): PlanAlert[] {
  const alerts = inPlaces<PlanAlert, ChannelConfig['alerts'][number]>(earlier, channel.alerts, {
    retire: (alert) => ({ ...alert, retired: true }),
    compile: ({ metric, ...alert }, id) => ({
      ...alert,
      id,
      metric: ordinalOf(metrics, metric),
      retired: false,
    }),
  });
  if (alerts.length > ALERTS_PER_CHANNEL_MAX) {
    const what =
      `has ${alerts.length} with those no longer declared, ` +
      `at most ${ALERTS_PER_CHANNEL_MAX}: use another channel`;
    problems.push({ path: ['channels', channel.name, 'alerts'], what });
  }
  return alerts;
}

function ordinalOf(metrics: readonly PlanMetric[], name: string): number {
  const found = metrics.find((metric) => metric.name === name);
  assert(found !== undefined, `rules and alerts are of metrics of the channel: ${name}`);
  return found.ordinal;
}

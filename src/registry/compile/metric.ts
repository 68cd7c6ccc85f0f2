/**
 * Metrics of a channel in the plan. In: as declared, the catalogue, those of earlier plans. Out:
 * PlanMetrics by ordinal; problems of what would change the meaning of a column.
 */
import type { ChannelConfig, ChannelMetricConfig, MetricConfig } from '../../model/config.ts';
import { METRICS_PER_CHANNEL_MAX } from '../../model/limit.ts';
import type { PlanMetric } from '../../model/plan.ts';
import { findConversion, isConversion } from '../unit/conversion.ts';
import { type Compilation, inPlaces } from './compilation.ts';

export function compileMetrics(
  compilation: Compilation,
  channel: ChannelConfig,
  earlier: readonly PlanMetric[],
): PlanMetric[] {
  const metrics = inPlaces(earlier, channel.metrics, {
    retire: (metric) => ({ ...metric, retired: true }),
    compile(declared, ordinal, before) {
      const { name } = declared;
      const canonical = compilation.config.metrics.find((metric) => metric.name === name);
      if (before !== undefined && canonical !== undefined) {
        checkColumn(compilation, channel, { before, canonical });
      }
      return compileMetric(channel, declared, { ordinal, canonical: canonical ?? unknown(name) });
    },
  });
  if (metrics.length > METRICS_PER_CHANNEL_MAX) {
    const what =
      `has ${metrics.length} with those no longer declared, ` +
      `at most ${METRICS_PER_CHANNEL_MAX}: use another channel`;
    compilation.problems.push({ path: ['channels', channel.name, 'metrics'], what });
  }
  return metrics;
}

function checkColumn(
  { problems }: Compilation,
  channel: ChannelConfig,
  { before, canonical }: { before: PlanMetric; canonical: MetricConfig },
): void {
  for (const option of ['unit', 'kind'] as const) {
    if (before[option] === canonical[option]) continue;
    const what =
      `was '${before[option]}' in channel ${channel.name}: ` +
      `a changed ${option} is a new column: give it a new name`;
    problems.push({ path: ['metrics', canonical.name, option], what, given: canonical[option] });
  }
}

function compileMetric(
  { format }: ChannelConfig,
  { name, path, unit, required }: ChannelMetricConfig,
  { ordinal, canonical }: { ordinal: number; canonical: MetricConfig },
): PlanMetric {
  const found = findConversion(unit ?? canonical.unit, canonical.unit);
  const measured = canonical.kind === 'number' || canonical.kind === 'integer';
  const { scale, offset } = measured && isConversion(found) ? found : { scale: 1, offset: 0 };
  const isSenml = format === 'senml-json' || format === 'senml-cbor';
  return {
    ordinal,
    name,
    kind: canonical.kind,
    unit: canonical.unit,
    scale,
    offset,
    min: canonical.min,
    max: canonical.max,
    required,
    path,
    values: canonical.values,
    maxRatePerSecond: canonical.maxRatePerSecond,
    stuckMs: canonical.stuckMs,
    sentUnit: isSenml ? (unit ?? '') : '',
    retired: false,
  };
}

/** Only a Config that loadConfig did not make can lack a metric; the plan then stays harmless. */
const unknown = (name: string): MetricConfig => ({
  name,
  unit: '1',
  kind: 'number',
  min: null,
  max: null,
  values: null,
  maxRatePerSecond: null,
  stuckMs: null,
});

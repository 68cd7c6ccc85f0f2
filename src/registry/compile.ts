/**
 * Compiles the configuration into a plan. In: a checked Config, the newest plan of the log (null:
 * none). Out: the plan; CONFIG_INVALID when units do not fit or what earlier plans fixed would
 * change. Pure.
 *
 * Ids are for ever: channels keep their id and metrics their ordinal, also while they are not
 * declared (retired); state, presence bits and devices' messages refer to them. New ones get the
 * next number, in the order of the file.
 */

import type {
  ChannelConfig,
  ChannelMetricConfig,
  Config,
  ConfigPath,
  ConfigProblem,
  LocateProblem,
  MetricConfig,
} from '../model/config.ts';
import { withoutPlace } from '../model/config.ts';
import { configInvalid } from '../model/config-error.ts';
import { CHANNELS_MAX, MESSAGE_BYTES_MAX, METRICS_PER_CHANNEL_MAX } from '../model/limit.ts';
import type { Plan, PlanChannel, PlanMetric } from '../model/plan.ts';
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  WINDOW_DEFAULTS,
} from '../model/plan.ts';
import { findConversion, findUnitProblem, isConversion } from './conversion.ts';
import { planText } from './plan-text.ts';

interface Compilation {
  readonly config: Config;
  readonly problems: ConfigProblem[];
}

/** `locate` (from loadConfig) gives problems their file and line. */
export function compilePlan(
  config: Config,
  previous: Plan | null,
  locate: LocateProblem = withoutPlace,
): Plan {
  const compilation: Compilation = { config, problems: checkUnits(config) };
  const plan: Plan = {
    ...PLAN_DEFAULTS,
    version: 1,
    log: config.log.id,
    partitions: config.log.partitions,
    channels: compileChannels(compilation, previous?.channels ?? []),
    devicesAllowed: config.devices.policy === 'strict' ? config.devices.allow : null,
    devicesMax: config.devices.max,
    idsPerDevice: config.devices.idsPerDevice,
    dedupHorizonMs: config.dedup.horizonMs,
    deadLettersPerDeviceMinute: config.deadLetters.perDeviceMinute,
    deadLetterRetentionMs: config.deadLetters.retentionMs,
    shadowIntervalMs: config.shadows.intervalMs,
  };
  checkLog(compilation, plan, previous);
  if (compilation.problems.length > 0) throw configInvalid(compilation.problems.map(locate));
  return plan;
}

/** Units that are no UCUM codes or cannot be converted: for loadConfig's `checks`. */
export function checkUnits(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const broken = new Set<string>();
  for (const { name, unit } of config.metrics) {
    const problem = findUnitProblem(unit);
    if (problem === null) continue;
    broken.add(name);
    problems.push({ path: ['metrics', name, 'unit'], given: unit, ...problem });
  }
  for (const channel of config.channels) {
    for (const { name, unit } of channel.metrics) {
      const canonical = config.metrics.find((metric) => metric.name === name)?.unit;
      if (unit === null || canonical === undefined || broken.has(name)) continue;
      const conversion = findConversion(unit, canonical);
      if (isConversion(conversion)) continue;
      const path: ConfigPath = ['channels', channel.name, 'metrics', name, 'unit'];
      const also: ConfigPath[] = [['metrics', name, 'unit']];
      problems.push({ path, given: unit, with: also, ...conversion });
    }
  }
  return problems;
}

function compileChannels(compilation: Compilation, earlier: readonly PlanChannel[]) {
  const { config, problems } = compilation;
  const channels: PlanChannel[] = earlier.map((channel) => {
    const declared = config.channels.find(({ name }) => name === channel.name);
    return declared === undefined
      ? { ...channel, retired: true }
      : compileChannel(compilation, declared, channel);
  });
  for (const declared of config.channels) {
    if (earlier.some(({ name }) => name === declared.name)) continue;
    const fresh = { id: channels.length, metrics: [] };
    channels.push(compileChannel(compilation, declared, fresh));
  }
  if (channels.length > CHANNELS_MAX) {
    const what = `has ${channels.length} with those no longer declared, at most ${CHANNELS_MAX}`;
    problems.push({ path: ['channels'], what });
  }
  return channels;
}

function compileChannel(
  compilation: Compilation,
  channel: ChannelConfig,
  earlier: Pick<PlanChannel, 'id' | 'metrics'>,
): PlanChannel {
  return {
    ...CHANNEL_DEFAULTS,
    id: earlier.id,
    name: channel.name,
    retired: false,
    format: channel.format,
    timePath: channel.time.path,
    timeFormat: channel.time.format,
    timeRequired: channel.time.required,
    eventIdPath: channel.eventIdPath,
    metrics: compileMetrics(compilation, channel, earlier.metrics),
    windows: channel.windows.map((window) => ({ ...WINDOW_DEFAULTS, ...window })),
    outOfOrderMs: channel.outOfOrderMs,
    latenessMs: channel.latenessMs,
    idleMs: channel.idleMs,
    maxAgeMs: channel.age.maxMs,
    agePolicy: channel.age.policy,
    maxClockSkewMs: channel.clock.maxSkewMs,
    clockPolicy: channel.clock.policy,
    unknownMetrics: channel.unknownMetrics,
    retentionMs: channel.retentionMs,
  };
}

function compileMetrics(
  compilation: Compilation,
  channel: ChannelConfig,
  earlier: readonly PlanMetric[],
): PlanMetric[] {
  const metrics: PlanMetric[] = earlier.map((metric) => {
    const declared = channel.metrics.find(({ name }) => name === metric.name);
    if (declared === undefined) return { ...metric, retired: true };
    return compileMetric(compilation, channel, declared, metric);
  });
  for (const declared of channel.metrics) {
    if (earlier.some(({ name }) => name === declared.name)) continue;
    metrics.push(compileMetric(compilation, channel, declared, { ordinal: metrics.length }));
  }
  if (metrics.length > METRICS_PER_CHANNEL_MAX) {
    const what =
      `has ${metrics.length} with those no longer declared, ` +
      `at most ${METRICS_PER_CHANNEL_MAX}: use another channel`;
    compilation.problems.push({ path: ['channels', channel.name, 'metrics'], what });
  }
  return metrics;
}

function compileMetric(
  { config, problems }: Compilation,
  channel: ChannelConfig,
  declared: ChannelMetricConfig,
  earlier: { readonly ordinal: number } | PlanMetric,
): PlanMetric {
  const { name, path, required } = declared;
  const canonical = config.metrics.find((metric) => metric.name === name) ?? unknown(name);
  if ('kind' in earlier) {
    for (const option of ['unit', 'kind'] as const) {
      if (earlier[option] === canonical[option]) continue;
      const what =
        `was '${earlier[option]}' in channel ${channel.name}: ` +
        `a changed ${option} is a new column: give it a new name`;
      problems.push({ path: ['metrics', name, option], what, given: canonical[option] });
    }
  }
  const found = findConversion(declared.unit ?? canonical.unit, canonical.unit);
  const { scale, offset } = isConversion(found) ? found : { scale: 1, offset: 0 };
  return {
    ...METRIC_DEFAULTS,
    ordinal: earlier.ordinal,
    name,
    kind: canonical.kind,
    unit: canonical.unit,
    scale,
    offset,
    min: canonical.min,
    max: canonical.max,
    required,
    path,
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
});

function checkLog({ problems }: Compilation, plan: Plan, previous: Plan | null): void {
  if (previous?.log === plan.log && previous.partitions !== plan.partitions) {
    const what =
      `is fixed for the life of a log: '${plan.log}' has ${previous.partitions}; ` +
      'choose another log.id to begin a new log';
    problems.push({ path: ['log', 'partitions'], what, given: plan.partitions });
  }
  const bytes = Buffer.byteLength(planText(plan));
  if (bytes > MESSAGE_BYTES_MAX) {
    const what =
      `makes a plan of ${bytes} bytes, a log message holds ${MESSAGE_BYTES_MAX}: ` +
      'fewer channels, metrics or allowed devices';
    problems.push({ path: ['channels'], what });
  }
}

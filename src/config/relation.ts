/**
 * Relations between sound options: what a single option's range cannot say. In: the raw shape and
 * its Config. Out: problems. The chain that exactly-once results rest on (EXACTLY_ONCE §2):
 *
 *   outOfOrder ≤ lateness ≤ age.max ≤ dedup.horizon ≤ log.retention
 *   age.max < retention of every table the channel writes
 *   deadLetters.retention ≤ log.retention: raw bytes of a dead letter are read from the log
 *
 * Where age is not judged (policy accept) its relations do not hold and are not asked for.
 */

import { formatSize } from '../base/quantity.ts';
import type { Config, ConfigPath, ConfigProblem, MetricConfig } from '../model/config.ts';
import { CHANNELS_MAX, TEXT_BYTES_MAX } from '../model/limit.ts';
import type { ValueKind } from '../model/plan.ts';
import { channelProblems } from './channel/relation.ts';
import type { RawConfig } from './schema/schema.ts';

/** Less would make JetStream roll its blocks all the time. */
const PARTITION_BYTES_MIN = 1024 * 1024;

export function checkRelations(raw: RawConfig, config: Config): ConfigProblem[] {
  return [
    ...logProblems(raw, config),
    ...portProblems(raw),
    ...deviceProblems(raw),
    ...catalogueProblems(config),
    ...nameProblems(config),
    ...config.channels.flatMap((channel) => channelProblems(raw, config, channel)),
  ];
}

function logProblems(raw: RawConfig, config: Config): ConfigProblem[] {
  const { log, dedup, deadLetters } = config;
  const kept = log.retentionMs === 0 ? Number.POSITIVE_INFINITY : log.retentionMs;
  const retention: ConfigPath = ['log', 'retention'];
  const problems: ConfigProblem[] = [];
  if (dedup.horizonMs > kept) {
    problems.push({
      path: ['dedup', 'horizon'],
      what: `must not exceed log.retention (${raw.log.retention})`,
      given: raw.dedup.horizon,
      with: [retention],
    });
  }
  const letters =
    deadLetters.retentionMs === 0 ? Number.POSITIVE_INFINITY : deadLetters.retentionMs;
  if (letters > kept) {
    problems.push({
      path: ['deadLetters', 'retention'],
      what: `must not exceed log.retention (${raw.log.retention}): raw bytes lie in the log`,
      given: raw.deadLetters.retention,
      with: [retention],
    });
  }
  const least = log.partitions * PARTITION_BYTES_MIN;
  if (log.maxBytes < least) {
    problems.push({
      path: ['log', 'maxBytes'],
      what: `must be at least 1MiB per partition: ${formatSize(least)} for ${log.partitions}`,
      given: raw.log.maxBytes,
      with: [['log', 'partitions']],
    });
  }
  return problems;
}

/** Embedded engines listen on four ports of one address. 0 is any free port. */
function portProblems(raw: RawConfig): ConfigProblem[] {
  const ports: [ConfigPath, number][] = [];
  if (raw.nats.url === null) {
    ports.push([['nats', 'port'], raw.nats.port]);
    ports.push([['nats', 'websocketPort'], raw.nats.websocketPort]);
    ports.push([['nats', 'monitorPort'], raw.nats.monitorPort]);
  }
  if (raw.clickhouse.url === null) ports.push([['clickhouse', 'port'], raw.clickhouse.port]);
  return ports.flatMap(([path, port], index) => {
    const other = ports.slice(0, index).find(([, taken]) => taken === port && port !== 0);
    if (other === undefined) return [];
    const what = `is already used by ${other[0].join('.')}`;
    return [{ path, what, given: port, with: [other[0]] }];
  });
}

function deviceProblems(raw: RawConfig): ConfigProblem[] {
  const { policy, allow } = raw.devices;
  const path: ConfigPath = ['devices', 'allow'];
  const also: ConfigPath[] = [['devices', 'policy']];
  if (policy === 'strict' && allow.length === 0) {
    return [
      { path, what: 'must name the known devices when devices.policy is strict', with: also },
    ];
  }
  if (policy === 'register' && allow.length > 0) {
    return [{ path, what: 'has no effect unless devices.policy is strict', with: also }];
  }
  return allow.flatMap((device, index) =>
    allow.indexOf(device) === index
      ? []
      : [{ path: [...path, index], what: 'is named twice', given: device }],
  );
}

function catalogueProblems(config: Config): ConfigProblem[] {
  return config.metrics.flatMap(({ name, kind, min, max, ...metric }) => {
    const path = (option: string): ConfigPath => ['metrics', name, option];
    const problems: ConfigProblem[] = [];
    if (min !== null && max !== null && min > max) {
      const what = `must not be above max (${max})`;
      problems.push({ path: path('min'), what, given: min, with: [path('max')] });
    }
    for (const [option, limit] of [['min', min] as const, ['max', max] as const]) {
      if (limit === null) continue;
      const also = [path('kind')];
      if (kind === 'boolean' || kind === 'text') {
        problems.push({ path: path(option), what: `has no meaning for a ${kind}`, with: also });
      } else if (kind === 'integer' && !Number.isSafeInteger(limit)) {
        const what = 'must be a whole number within ±2^53, as the metric is an integer';
        problems.push({ path: path(option), what, given: limit, with: also });
      }
    }
    return [...problems, ...textProblems(metric, kind, path)];
  });
}

/** What only some kinds have: a list of values, a rate, a value that can be stuck. */
function textProblems(
  { values, maxRatePerSecond }: Pick<MetricConfig, 'values' | 'maxRatePerSecond'>,
  kind: ValueKind,
  path: (option: string) => ConfigPath,
): ConfigProblem[] {
  const also = [path('kind')];
  const problems: ConfigProblem[] = [];
  if (maxRatePerSecond !== null && (kind === 'boolean' || kind === 'text')) {
    problems.push({ path: path('maxRate'), what: `has no meaning for a ${kind}`, with: also });
  }
  if (values === null) return problems;
  if (kind !== 'text') {
    const what = `has no meaning for a ${kind}: it is for text`;
    return [...problems, { path: path('values'), what, with: also }];
  }
  const wrong = values.flatMap((value, index): ConfigProblem[] => {
    const place = [...path('values'), index];
    if (values.indexOf(value) !== index) {
      return [{ path: place, what: 'is named twice', given: value }];
    }
    if (Buffer.byteLength(value) <= TEXT_BYTES_MAX) return [];
    return [{ path: place, what: `is longer than ${TEXT_BYTES_MAX} bytes of UTF-8` }];
  });
  return [...problems, ...wrong];
}

/** Channels and metrics name tables, columns and their files: some file systems fold case. */
function nameProblems(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const section of ['metrics', 'channels'] as const) {
    const seen = new Map<string, string>();
    for (const { name } of config[section]) {
      const other = seen.get(name.toLowerCase());
      if (other !== undefined) {
        const what = `differs from ${section}.${other} only in case`;
        problems.push({ path: [section, name], key: true, what });
      }
      seen.set(name.toLowerCase(), name);
    }
  }
  if (config.channels.length > CHANNELS_MAX) {
    const what = `has more than ${CHANNELS_MAX} channels`;
    problems.push({ path: ['channels'], what, given: config.channels.length });
  }
  return problems;
}

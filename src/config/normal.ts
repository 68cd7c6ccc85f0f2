/**
 * From the checked YAML shape to the Config that rooms read: text to milliseconds and bytes,
 * defaults that depend on other options, order. In: a sound RawConfig. Out: a frozen Config. Never
 * fails.
 */
import { assert } from '../base/assert.ts';
import { formatDuration, parseDuration, parseSize } from '../base/quantity.ts';
import type {
  ChannelConfig,
  ChannelMetricConfig,
  Config,
  MetricConfig,
  WindowConfig,
} from '../model/config.ts';
import type { RawChannel, RawConfig } from './schema/schema.ts';

/** Longer than a device that is on line is silent. */
const LIVE_IDLE = '30s';
/** A file that has ended sends nothing more: its last windows close soon. */
const HISTORICAL_IDLE = '2s';

/** Longer than age.max, so that no accepted event's row has already expired. */
export const READINGS_RETENTION = '14d';
export const SHORT_WINDOW_RETENTION = '90d';
export const LONG_WINDOW_RETENTION = '5y';
/** Windows of at least this length count as long. */
const LONG_WINDOW_MS = 3_600_000;

export function normalize(raw: RawConfig): Config {
  const { log, nats, clickhouse, kernel, devices } = raw;
  return freeze({
    version: 1,
    log: {
      id: log.id,
      partitions: log.partitions,
      maxBytes: bytes(log.maxBytes),
      retentionMs: ms(log.retention),
    },
    nats: { ...nats },
    clickhouse: { ...rest(clickhouse, 'memory'), memoryBytes: bytes(clickhouse.memory) },
    kernel: { ...rest(kernel, 'memory'), memoryBytes: bytes(kernel.memory) },
    checkpoint: { intervalMs: ms(raw.checkpoint.interval) },
    ingest: { lingerMs: ms(raw.ingest.linger) },
    devices: { ...devices, allow: [...devices.allow] },
    dedup: { horizonMs: ms(raw.dedup.horizon) },
    deadLetters: {
      perDeviceMinute: raw.deadLetters.perDeviceMinute,
      retentionMs: ms(raw.deadLetters.retention),
    },
    shadows: { intervalMs: ms(raw.shadows.interval) },
    facts: { ...raw.facts },
    metrics: Object.entries(raw.metrics).map(
      ([name, metric]): MetricConfig => ({
        name,
        ...metric,
      }),
    ),
    channels: Object.entries(raw.channels).map(([name, channel]) => toChannel(name, channel)),
  });
}

function toChannel(name: string, raw: RawChannel): ChannelConfig {
  const json = raw.format === 'json';
  return {
    name,
    format: raw.format,
    time: {
      path: json ? toPath(raw.time.path) : [],
      format: raw.time.format,
      required: raw.time.required,
    },
    eventIdPath: json ? toPath(raw.eventId.path) : [],
    metrics: Object.entries(raw.metrics).map(
      ([metric, options]): ChannelMetricConfig => ({
        name: metric,
        path: json ? toPath(options.path ?? [metric]) : [],
        unit: options.unit ?? null,
        required: options.required,
      }),
    ),
    age: {
      maxMs: ms(raw.age.max),
      policy: raw.age.policy ?? (raw.historical ? 'accept' : 'reject'),
    },
    clock: { maxSkewMs: ms(raw.clock.maxSkew), policy: raw.clock.policy },
    unknownMetrics: raw.unknownMetrics ?? (json ? 'ignore' : 'reject'),
    windows: toWindows(raw),
    outOfOrderMs: ms(raw.outOfOrder),
    latenessMs: ms(raw.lateness),
    idleMs: ms(raw.idle ?? (raw.historical ? HISTORICAL_IDLE : LIVE_IDLE)),
    retentionMs: ms(raw.retention['readings'] ?? (raw.historical ? 'forever' : READINGS_RETENTION)),
  };
}

/** Shortest first; a length written twice counts once here and is a problem elsewhere. */
function toWindows(raw: RawChannel): WindowConfig[] {
  const lengths = [...new Set(raw.windows.map(ms))].sort((left, right) => left - right);
  return lengths.map((lengthMs) => {
    const byLength = lengthMs >= LONG_WINDOW_MS ? LONG_WINDOW_RETENTION : SHORT_WINDOW_RETENTION;
    const given = retentionKeyOf(raw, lengthMs);
    const text = given === null ? (raw.historical ? 'forever' : byLength) : raw.retention[given];
    return { name: formatDuration(lengthMs), lengthMs, retentionMs: ms(text) };
  });
}

/** The key under `retention` that means this window ('60s' and '1m' are the same), or null. */
export function retentionKeyOf(raw: RawChannel, lengthMs: number): string | null {
  const keys = Object.keys(raw.retention).filter((key) => key !== 'readings');
  return keys.find((key) => parseDuration(key) === lengthMs) ?? null;
}

export function toPath(path: string | readonly string[] | undefined): readonly string[] {
  if (path === undefined) return [];
  return typeof path === 'string' ? path.split('.') : [...path];
}

function ms(text: string): number {
  const parsed = parseDuration(text);
  assert(parsed !== null, `the schema has let '${text}' pass as a duration`);
  return parsed;
}

function bytes(text: string): number {
  const parsed = parseSize(text);
  assert(parsed !== null, `the schema has let '${text}' pass as a size`);
  return parsed;
}

function rest<T extends object, K extends keyof T>(value: T, name: K): Omit<T, K> {
  const { [name]: _, ...others } = value;
  return others;
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  }
  return value;
}

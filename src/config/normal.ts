/**
 * From the checked YAML shape to the Config that rooms read: text to milliseconds and bytes,
 * defaults that depend on other options, order. In: a sound RawConfig and
 * the texts of its schema files by channel. Out: a frozen Config. Never
 * fails.
 */
import type { Config, MetricConfig } from '../model/config.ts';
import { bytes, ms } from './amount.ts';
import { toChannel } from './channel/normal.ts';
import type { SchemaText } from './channel/schema-file.ts';
import type { RawConfig } from './schema/schema.ts';

export function normalize(
  raw: RawConfig,
  schemas: ReadonlyMap<string, SchemaText> = new Map(),
): Config {
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
    clickhouse: {
      ...rest(rest(clickhouse, 'memory'), 'spoolMaxBytes'),
      memoryBytes: bytes(clickhouse.memory),
      spoolBytesMax: bytes(clickhouse.spoolMaxBytes),
    },
    kernel: { ...rest(kernel, 'memory'), memoryBytes: bytes(kernel.memory) },
    cluster: { ...raw.cluster },
    checkpoint: { intervalMs: ms(raw.checkpoint.interval), store: raw.checkpoint.store },
    ingest: { lingerMs: ms(raw.ingest.linger) },
    devices: { ...devices, allow: [...devices.allow] },
    dedup: { horizonMs: ms(raw.dedup.horizon), contentsPerDevice: raw.dedup.contents },
    texts: { ...raw.texts },
    quality: { enabled: raw.quality.enabled, retentionMs: ms(raw.quality.retention) },
    alerts: { retentionMs: ms(raw.alerts.retention) },
    deadLetters: {
      perDeviceMinute: raw.deadLetters.perDeviceMinute,
      retentionMs: ms(raw.deadLetters.retention),
    },
    shadows: { intervalMs: ms(raw.shadows.interval), publish: raw.shadows.publish },
    facts: { ...raw.facts },
    metrics: Object.entries(raw.metrics).map(
      ([name, { values, maxRate, stuck, ...metric }]): MetricConfig => ({
        name,
        ...metric,
        values: values ?? null,
        maxRatePerSecond: maxRate,
        stuckMs: stuck === undefined ? null : ms(stuck),
      }),
    ),
    channels: Object.entries(raw.channels).map(([name, channel]) =>
      toChannel(name, channel, schemas.get(name) ?? null),
    ),
  });
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

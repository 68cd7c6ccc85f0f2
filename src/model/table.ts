/**
 * The read models as data. One declaration per table serves the kernel (names, types and order of
 * the Native columns it writes), the migration runner (DDL) and the views. `wire` is the type in
 * the Native block where it differs from the stored type; ClickHouse converts.
 */
import type { PlanChannel, ValueKind } from './plan.ts';

export interface Column {
  readonly name: string;
  /** Type in the table. */
  readonly type: string;
  /** Type in the kernel's block, when another. */
  readonly wire?: string;
  readonly codec?: string;
}

export interface Table {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly orderBy: readonly string[];
  readonly partitionBy: string;
  /** Argument of ReplacingMergeTree next to is_deleted. */
  readonly version: string;
}

const text = (name: string): Column => ({ name, type: 'LowCardinality(String)', wire: 'String' });
const time = (name: string): Column => ({
  name,
  type: "DateTime64(3, 'UTC')",
  wire: "DateTime64(3, 'UTC')",
  codec: 'DoubleDelta, ZSTD(1)',
});
const number = (name: string, type: string): Column => ({ name, type, codec: 'ZSTD(1)' });
const counter = (name: string, type: string): Column => ({ name, type, codec: 'T64, ZSTD(1)' });
const array = (name: string, of: string): Column => ({
  name,
  type: `Array(${of})`,
  codec: 'ZSTD(1)',
});

const IDENTITY: readonly Column[] = [text('tenant'), text('site'), text('device')];
const TOMBSTONE: Column = { name: 'is_deleted', type: 'UInt8' };
/** Event time or window start + retention, in seconds; 4294967295 = for ever. */
const EXPIRES: Column = {
  name: 'expires_at',
  type: "DateTime('UTC')",
  codec: 'DoubleDelta, ZSTD(1)',
};
const VERSION: Column = { name: 'version', type: 'UInt128', codec: 'ZSTD(1)' };

const VALUE_TYPES: Record<ValueKind, { readonly type: string; readonly wire?: string }> = {
  number: { type: 'Float64' },
  integer: { type: 'Int64' },
  boolean: { type: 'Bool' },
  text: { type: 'LowCardinality(String)', wire: 'String' },
};

/** One wide row per sample of a channel; metrics follow in ordinal order, retired ones included. */
export function channelTable(channel: Pick<PlanChannel, 'name' | 'metrics'>): Table {
  return {
    name: `ch_${channel.name}`,
    columns: [
      ...IDENTITY,
      time('event_time'),
      time('received_at'),
      time('log_time'),
      counter('partition', 'UInt16'),
      { name: 'sequence', type: 'UInt64', codec: 'DoubleDelta, ZSTD(1)' },
      counter('ordinal', 'UInt32'),
      counter('flags', 'UInt32'),
      counter('presence', 'UInt64'),
      counter('version', 'UInt32'),
      TOMBSTONE,
      EXPIRES,
      // What the device said; event_time is another when its clock was corrected.
      time('device_time'),
      ...channel.metrics.map((metric) => ({
        name: metric.name,
        ...VALUE_TYPES[metric.kind],
        ...(metric.kind === 'text'
          ? {}
          : { codec: metric.kind === 'number' ? 'Gorilla, ZSTD(1)' : 'ZSTD(1)' }),
      })),
    ],
    orderBy: ['tenant', 'site', 'device', 'event_time', 'partition', 'sequence', 'ordinal'],
    partitionBy: 'toMonday(event_time)',
    version: 'version',
  };
}

/** First columns of every channel table, before its metrics. */
export const CHANNEL_FIXED_COLUMNS = 15;

/**
 * One row per (device, channel, window, fragment); arrays run over the metrics that have readings.
 */
export function aggregateTable(window: string): Table {
  return {
    name: `agg_${window}`,
    columns: [
      text('job'),
      ...IDENTITY,
      text('channel'),
      time('window_start'),
      number('fragment', 'UInt64'),
      VERSION,
      TOMBSTONE,
      { name: 'metric', type: 'Array(LowCardinality(String))', wire: 'Array(String)' },
      array('count', 'UInt64'),
      array('sum', 'Float64'),
      array('min', 'Float64'),
      array('max', 'Float64'),
      array('first', 'Float64'),
      array('first_time', "DateTime64(3, 'UTC')"),
      array('first_sequence', 'UInt64'),
      array('last', 'Float64'),
      array('last_time', "DateTime64(3, 'UTC')"),
      array('last_sequence', 'UInt64'),
      array('mean', 'Float64'),
      array('m2', 'Float64'),
      // Greatest score of its readings; 0 while the series has none.
      array('score', 'Float64'),
      // Σ value · ms until the next reading: divided by last_time − first_time the mean over time.
      array('integral', 'Float64'),
      // Quantile sketch: keys ascending, and how many readings each; empty without one.
      array('bin', 'Array(Int32)'),
      array('bin_count', 'Array(UInt32)'),
      counter('revision', 'UInt32'),
      time('watermark'),
      time('log_time'),
      time('window_end'),
      counter('partition', 'UInt16'),
      EXPIRES,
    ],
    orderBy: ['job', 'tenant', 'site', 'device', 'channel', 'window_start', 'fragment'],
    partitionBy: 'toYYYYMM(window_start)',
    version: 'version',
  };
}

/** Absolute counts per partition and block of 65,536 sequences (law 5). */
export const LEDGER: Table = {
  name: 'ledger',
  columns: [
    text('log'),
    counter('partition', 'UInt16'),
    counter('block', 'UInt64'),
    VERSION,
    TOMBSTONE,
    counter('messages', 'UInt64'),
    counter('gap_messages', 'UInt64'),
    counter('records_in', 'UInt64'),
    counter('stored', 'UInt64'),
    counter('partly', 'UInt64'),
    counter('duplicate', 'UInt64'),
    counter('dedup_unknown', 'UInt64'),
    counter('too_late', 'UInt64'),
    counter('rejected', 'UInt64'),
    counter('filtered', 'UInt64'),
    counter('skipped', 'UInt64'),
    counter('readings_decoded', 'UInt64'),
    counter('readings_stored', 'UInt64'),
    counter('samples_stored', 'UInt64'),
    { name: 'reason', type: 'Array(LowCardinality(String))', wire: 'Array(String)' },
    array('records', 'UInt64'),
    array('readings', 'UInt64'),
    time('log_time'),
  ],
  orderBy: ['log', 'partition', 'block'],
  partitionBy: 'tuple()',
  version: 'version',
};

export const DEAD_LETTERS: Table = {
  name: 'dead_letters',
  columns: [
    text('log'),
    counter('partition', 'UInt16'),
    counter('sequence', 'UInt64'),
    counter('index', 'UInt32'),
    ...IDENTITY,
    text('channel'),
    text('reason'),
    text('metric'),
    counter('offset', 'UInt32'),
    time('received_at'),
    time('log_time'),
    counter('payload_bytes', 'UInt32'),
    { name: 'sample', type: 'String', codec: 'ZSTD(1)' },
    number('plan_hash', 'UInt64'),
    counter('version', 'UInt32'),
    TOMBSTONE,
    EXPIRES,
  ],
  orderBy: ['log', 'partition', 'sequence', 'index'],
  partitionBy: 'toYYYYMM(log_time)',
  version: 'version',
};

/** One row per device, rewritten when its shadow is published. */
export const DEVICES: Table = {
  name: 'devices',
  columns: [
    ...IDENTITY,
    counter('partition', 'UInt16'),
    VERSION,
    TOMBSTONE,
    time('first_seen'),
    time('last_seen'),
    time('last_event_time'),
    counter('records', 'UInt64'),
    counter('readings', 'UInt64'),
    counter('rejected', 'UInt64'),
    counter('duplicates', 'UInt64'),
    // received − event at its least: below 0 the clock runs ahead. 0 while unknown.
    number('clock_offset_ms', 'Int64'),
    number('clock_drift_ppm', 'Float64'),
  ],
  orderBy: ['tenant', 'site', 'device'],
  partitionBy: 'tuple()',
  version: 'version',
};

/** The six dimensions of quality, each as how many were good out of how many. */
export const QUALITY_DIMENSIONS = [
  'accuracy',
  'completeness',
  'consistency',
  'timeliness',
  'validity',
  'uniqueness',
] as const;

/** One row per device and minute of log time in which it sent something. */
export const QUALITY: Table = {
  name: 'quality_1m',
  columns: [
    ...IDENTITY,
    time('minute'),
    counter('partition', 'UInt16'),
    VERSION,
    TOMBSTONE,
    ...QUALITY_DIMENSIONS.flatMap((dimension) => [
      counter(`${dimension}_good`, 'UInt64'),
      counter(`${dimension}_total`, 'UInt64'),
    ]),
    time('log_time'),
    EXPIRES,
  ],
  orderBy: ['tenant', 'site', 'device', 'minute'],
  partitionBy: 'toYYYYMM(minute)',
  version: 'version',
};

/** One row per time that an alert was raised; written again when it is cleared. */
export const ALERTS: Table = {
  name: 'alerts',
  columns: [
    ...IDENTITY,
    text('channel'),
    text('rule'),
    time('raised_at'),
    counter('raised_sequence', 'UInt64'),
    counter('raised_ordinal', 'UInt32'),
    VERSION,
    TOMBSTONE,
    text('severity'),
    text('metric'),
    { name: 'active', type: 'Bool' },
    number('value', 'Float64'),
    number('peak', 'Float64'),
    time('since'),
    time('cleared_at'),
    number('cleared_value', 'Float64'),
    time('log_time'),
    counter('partition', 'UInt16'),
    EXPIRES,
  ],
  orderBy: [
    ...['tenant', 'site', 'device', 'channel', 'rule'],
    ...['raised_at', 'raised_sequence', 'raised_ordinal'],
  ],
  partitionBy: 'toYYYYMM(raised_at)',
  version: 'version',
};

/** Written by the inserter after all inserts of a flush: everything up to `sequence` is visible. */
export const VISIBLE: Table = {
  name: 'visible',
  columns: [text('log'), counter('partition', 'UInt16'), counter('sequence', 'UInt64'), TOMBSTONE],
  orderBy: ['log', 'partition'],
  partitionBy: 'tuple()',
  version: 'sequence',
};

/** Rows of generations below `generation` with a sequence above `cut` do not count (tail loss). */
export const GENERATIONS: Table = {
  name: 'generations',
  columns: [
    text('log'),
    counter('partition', 'UInt16'),
    counter('generation', 'UInt32'),
    counter('cut', 'UInt64'),
    TOMBSTONE,
  ],
  orderBy: ['log', 'partition', 'generation'],
  partitionBy: 'tuple()',
  version: 'generation',
};

/** Columns of `v_<channel>` computed from `flags`. */
export const FLAG_COLUMNS = [
  ...['late', 'partly', 'time_received', 'time_unjudged'],
  ...['time_corrected', 'historical', 'suspect'],
] as const;

/** Names that a metric cannot have: columns that every channel's table or view already has. */
export const RESERVED_METRIC_NAMES: readonly string[] = [
  ...channelTable({ name: '', metrics: [] }).columns.map(({ name }) => name),
  ...FLAG_COLUMNS,
];

/** Names that a channel cannot have, because `v_<name>` is a view of its own; nor `agg_…`. */
export const RESERVED_CHANNEL_NAMES: readonly string[] = [
  'readings',
  'ledger',
  'dead_letters',
  'devices',
  'quality_1m',
  'alerts',
];

/** What the suites of the read model share: a plan, rows with sensible defaults, a way to ask. */
import type { Plan, PlanChannel, PlanMetric, ValueKind } from '../../../src/model/plan.ts';
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  WINDOW_DEFAULTS,
} from '../../../src/model/plan.ts';
import { aggregateTable, channelTable } from '../../../src/model/table.ts';
import { type Connection, createConnection } from '../../../src/readmodel/connection.ts';
import type { Placement } from '../../../src/readmodel/ddl.ts';
import { createMigration, type Migration } from '../../../src/readmodel/migration.ts';
import type { TestClickHouse } from '../../support/clickhouse.ts';
import { nativeBlock, type Row } from '../../support/native-writer.ts';

export const HOUR_MS = 3_600_000;
export const MINUTE_MS = 60_000;
export const START_MS = Date.UTC(2026, 6, 1, 10);
/** expires_at of rows that are kept for ever. */
export const NEVER_S = 4_294_967_295;

export function metric(ordinal: number, name: string, kind: ValueKind, unit: string): PlanMetric {
  return {
    ...METRIC_DEFAULTS,
    ordinal,
    name,
    kind,
    unit,
    scale: 1,
    offset: 0,
    min: null,
    max: null,
    required: false,
    path: [name],
    retired: false,
  };
}

export function channel(id: number, name: string, metrics: readonly PlanMetric[]): PlanChannel {
  return {
    ...CHANNEL_DEFAULTS,
    id,
    name,
    retired: false,
    format: 'json',
    timePath: [],
    timeFormat: 'ms',
    timeRequired: false,
    eventIdPath: [],
    metrics,
    windows: [
      { ...WINDOW_DEFAULTS, name: '1m', lengthMs: MINUTE_MS, retentionMs: 0 },
      { ...WINDOW_DEFAULTS, name: '1h', lengthMs: HOUR_MS, retentionMs: 0 },
    ],
    outOfOrderMs: 0,
    latenessMs: 0,
    idleMs: MINUTE_MS,
    maxAgeMs: HOUR_MS,
    agePolicy: 'accept',
    maxClockSkewMs: MINUTE_MS,
    clockPolicy: 'reject',
    unknownMetrics: 'reject',
    retentionMs: 0,
  };
}

export function plan(channels: readonly PlanChannel[]): Plan {
  return {
    ...PLAN_DEFAULTS,
    version: 1,
    log: 'main',
    partitions: 4,
    channels,
    devicesAllowed: null,
    devicesMax: 1_000,
    idsPerDevice: 1_024,
    dedupHorizonMs: 0,
    deadLettersPerDeviceMinute: 100,
    deadLetterRetentionMs: 0,
    shadowIntervalMs: 1_000,
  };
}

export const TRUCK = channel(0, 'truck', [
  metric(0, 'velocity', 'number', 'm/s'),
  metric(1, 'gear', 'integer', '1'),
  metric(2, 'engine_on', 'boolean', '1'),
]);
export const ROOM = channel(1, 'cold-room', [metric(0, 'temperature', 'number', 'Cel')]);

export const IDENTITY = { tenant: 'acme', site: 'north', device: 'truck_1' };

export function version(generation: number, sequence: number, ordinal = 0): bigint {
  return (BigInt(generation) << 96n) | (BigInt(sequence) << 32n) | BigInt(ordinal);
}

/** A row of `ch_truck` with all metrics present, unless said otherwise. */
export function truckRow(row: Row): Row {
  const eventTime = (row['event_time'] as number | undefined) ?? START_MS;
  return {
    ...IDENTITY,
    event_time: eventTime,
    received_at: eventTime + 5,
    log_time: eventTime + 7,
    presence: 0b111,
    velocity: 20.5,
    gear: 3,
    engine_on: true,
    expires_at: NEVER_S,
    ...row,
  };
}

export interface ReadModelFixture {
  readonly database: string;
  readonly connection: Connection;
  readonly migration: Migration;
  insert(table: ReturnType<typeof channelTable>, rows: readonly Row[]): Promise<void>;
  insertTruck(rows: readonly Row[]): Promise<void>;
  insertAggregate(window: string, rows: readonly Row[]): Promise<void>;
  rows<T = Record<string, unknown>>(sql: string): Promise<T[]>;
}

let databases = 0;
let attempts = 0;

/** A database of its own, migrated to `channels` (none: no plan yet). Write `{db}` in SQL. */
export async function createFixture(
  clickHouse: TestClickHouse,
  channels: readonly PlanChannel[] | null,
): Promise<ReadModelFixture> {
  databases += 1;
  const database = `readmodel_${databases}`;
  const { url, admin, handOverFolder } = clickHouse;
  // Every other one is sent its blocks, as a server elsewhere is.
  const way = databases % 2 === 0 ? { handOverFolder } : {};
  const connection = createConnection({ url, ...admin, ...way });
  const migration = createMigration(connection, { database, log: 'main', cluster: null });
  await migration.start();
  if (channels !== null) await migration.prepare(plan(channels));
  const insert: ReadModelFixture['insert'] = async (table, rows) => {
    attempts += 1;
    await connection.insertNative({
      table: `\`${database}\`.\`${table.name}\``,
      blocks: [nativeBlock(table, rows).bytes],
      token: `test:${attempts}`,
    });
  };
  return {
    database,
    connection,
    migration,
    insert,
    insertTruck: (rows) => insert(channelTable(TRUCK), rows.map(truckRow)),
    insertAggregate: (window, rows) =>
      insert(
        aggregateTable(window),
        rows.map((row) => ({ job: 'core', ...IDENTITY, expires_at: NEVER_S, ...row })),
      ),
    rows: (sql) => connection.rows(sql.replaceAll('{db}', database)),
  };
}

/** Statements of a first start and of a plan, as the migration runs them on an empty database. */
export async function migrationStatements(
  at: Placement,
  channels: readonly PlanChannel[],
): Promise<string[]> {
  const statements: string[] = [];
  const recorder: Connection = {
    url: '',
    command: async (sql) => void statements.push(sql),
    rows: async () => [],
    insertRows: async () => undefined,
    insertNative: async () => undefined,
    close: async () => undefined,
  };
  const migration = createMigration(recorder, { ...at, log: 'main' });
  await migration.start();
  await migration.prepare(plan(channels));
  return [...new Set(statements)];
}

/**
 * Brings a database to the shape that this version and a plan expect. In: tables as data, views as
 * text, the database as it is. Out: statements run in order, each recorded in `migrations`.
 *
 * Every step may be repeated: tables are made IF NOT EXISTS, new columns are added in ordinal
 * order, views are replaced when their text changed. Nothing is ever dropped or retyped: a table of
 * another shape is SCHEMA_CONFLICT before anything was written to it. DDL runs before the plan
 * enters the log.
 */
import { createHash } from 'node:crypto';
import { OperatingError } from '../model/error.ts';
import type { Plan, PlanChannel } from '../model/plan.ts';
import {
  ALERTS,
  aggregateTable,
  channelTable,
  DEAD_LETTERS,
  DEVICES,
  GENERATIONS,
  LEDGER,
  QUALITY,
  RESERVED_CHANNEL_NAMES,
  RESERVED_METRIC_NAMES,
  type Table,
  VISIBLE,
} from '../model/table.ts';
import type { Connection } from './connection.ts';
import {
  type Placement,
  renderAddColumn,
  renderDatabase,
  renderTable,
  renderView,
  storedName,
} from './ddl.ts';
import { qualified } from './sql.ts';
import { deadLettersView, devicesView, ledgerView } from './view/account.ts';
import { aggregateView } from './view/aggregate.ts';
import { alertsView, qualityView } from './view/condition.ts';
import type { View, ViewContext } from './view/context.ts';
import { channelView, readingsView } from './view/sample.ts';

export const MIGRATIONS: Table = {
  name: 'migrations',
  columns: [
    { name: 'name', type: 'String' },
    { name: 'hash', type: 'String' },
    { name: 'applied', type: "DateTime64(3, 'UTC')" },
    { name: 'is_deleted', type: 'UInt8' },
  ],
  orderBy: ['name'],
  partitionBy: 'tuple()',
  version: 'applied',
};

/** Their views are promised to exist whatever the plan says. */
const WINDOWS_ALWAYS = ['1m', '1h'];
const FIXED_TABLES = [
  ...[MIGRATIONS, LEDGER, DEAD_LETTERS, DEVICES],
  ...[QUALITY, ALERTS, VISIBLE, GENERATIONS],
];

/** What the database holds, by table name. */
interface Shape {
  readonly tables: ReadonlyMap<string, { engine: string; sortingKey: string }>;
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Step name → hash of the statement that was run last. */
  readonly applied: ReadonlyMap<string, string>;
}

export interface Migration {
  /** Database, fixed tables, views; views that need a plan are made empty when they are missing. */
  start(): Promise<void>;
  /** Tables and views of a plan. SCHEMA_CONFLICT when an existing table has another shape. */
  prepare(plan: Plan): Promise<void>;
}

export function createMigration(connection: Connection, context: ViewContext): Migration {
  let turn: Promise<unknown> = Promise.resolve();
  const oneAtATime = (work: () => Promise<void>): Promise<void> => {
    const result = turn.then(work);
    turn = result.catch(() => undefined);
    return result;
  };
  return {
    start: () => oneAtATime(() => migrateFixed(connection, context)),
    prepare: (plan) =>
      oneAtATime(async () => {
        checkNames(plan.channels);
        await migrateFixed(connection, context);
        await migratePlan(connection, context, plan);
      }),
  };
}

async function migrateFixed(connection: Connection, context: ViewContext): Promise<void> {
  await connection.command(renderDatabase(context));
  for (const statement of renderTable(MIGRATIONS, context)) await connection.command(statement);
  const shape = await readShape(connection, context.database);
  const tables = [...FIXED_TABLES, ...WINDOWS_ALWAYS.map(aggregateTable)];
  for (const table of tables) await applyTable(connection, context, shape, table);
  const fixed = [ledgerView, deadLettersView, devicesView, qualityView];
  for (const view of fixed.map((of) => of(context))) {
    await applyView(connection, context, shape, view);
  }
  for (const view of planViews([], WINDOWS_ALWAYS, context)) {
    if (!shape.tables.has(view.name)) await applyView(connection, context, shape, view);
  }
}

async function migratePlan(
  connection: Connection,
  context: ViewContext,
  plan: Plan,
): Promise<void> {
  const shape = await readShape(connection, context.database);
  const windows = new Set(WINDOWS_ALWAYS);
  for (const channel of plan.channels) for (const { name } of channel.windows) windows.add(name);
  const tables = [...plan.channels.map(channelTable), ...[...windows].map(aggregateTable)];
  for (const table of tables) checkShape(shape, table, context);
  for (const table of tables) await applyTable(connection, context, shape, table);
  for (const view of planViews(plan.channels, [...windows], context)) {
    await applyView(connection, context, shape, view);
  }
}

function planViews(
  channels: readonly PlanChannel[],
  windows: readonly string[],
  context: ViewContext,
): View[] {
  return [
    ...channels.map((channel) => channelView(channel, context)),
    readingsView(channels, context),
    alertsView(channels, context),
    ...windows.map((window) => aggregateView(window, channels, context)),
  ];
}

async function readShape(connection: Connection, database: string): Promise<Shape> {
  const tables = await connection.rows<{ name: string; engine: string; sorting_key: string }>(
    'SELECT name, engine, sorting_key FROM system.tables WHERE database = {database: String}',
    { database },
  );
  const columns = await connection.rows<{ table: string; name: string; type: string }>(
    'SELECT table, name, type FROM system.columns WHERE database = {database: String} ' +
      'ORDER BY table, position',
    { database },
  );
  const steps = await connection.rows<{ name: string; hash: string }>(
    `SELECT name, hash FROM ${qualified(database, MIGRATIONS.name)} FINAL`,
  );
  const byTable = new Map<string, Map<string, string>>();
  for (const { table, name, type } of columns) {
    if (!byTable.has(table)) byTable.set(table, new Map());
    byTable.get(table)!.set(name, type);
  }
  return {
    tables: new Map(
      tables.map(({ name, engine, sorting_key }) => [name, { engine, sortingKey: sorting_key }]),
    ),
    columns: byTable,
    applied: new Map(steps.map(({ name, hash }) => [name, hash])),
  };
}

async function applyTable(
  connection: Connection,
  context: ViewContext,
  shape: Shape,
  table: Table,
): Promise<void> {
  checkShape(shape, table, context);
  const statements = renderTable(table, context);
  const existing = shape.columns.get(storedName(table, context));
  if (existing === undefined || !shape.tables.has(table.name)) {
    for (const statement of statements) await connection.command(statement);
  }
  let after: string | null = null;
  for (const column of existing === undefined ? [] : table.columns) {
    if (!existing!.has(column.name)) {
      for (const statement of renderAddColumn(table, column, context, after)) {
        await connection.command(statement);
      }
    }
    after = column.name;
  }
  await record(connection, context, shape, {
    name: `table ${table.name}`,
    statement: statements.join(';\n'),
  });
}

async function applyView(
  connection: Connection,
  context: ViewContext,
  shape: Shape,
  view: View,
): Promise<void> {
  const statement = renderView(view.name, view.select, context);
  const step = { name: `view ${view.name}`, statement };
  if (shape.tables.has(view.name) && shape.applied.get(step.name) === hashOf(statement)) return;
  await connection.command(statement);
  await record(connection, context, shape, step);
}

async function record(
  connection: Connection,
  context: ViewContext,
  shape: Shape,
  step: { name: string; statement: string },
): Promise<void> {
  const hash = hashOf(step.statement);
  if (shape.applied.get(step.name) === hash) return;
  const table = qualified(context.database, MIGRATIONS.name);
  await connection.command(
    `INSERT INTO ${table} (name, hash, applied, is_deleted) ` +
      'SELECT {name: String}, {hash: String}, now64(3), 0',
    { name: step.name, hash },
  );
}

function hashOf(statement: string): string {
  return createHash('sha256').update(statement).digest('hex').slice(0, 16);
}

/** Throws when an existing table cannot take the rows of this declaration. */
function checkShape(shape: Shape, table: Table, at: Placement): void {
  const { database, cluster } = at;
  const conflict = (text: string): OperatingError =>
    new OperatingError('SCHEMA_CONFLICT', `${database}.${table.name} ${text}`, {
      where: { database, table: table.name },
    });
  const written = shape.tables.get(table.name);
  if (written !== undefined && cluster !== null && written.engine !== 'Distributed') {
    throw conflict(
      `has engine ${written.engine}; expected Distributed, as clickhouse.cluster is set`,
    );
  }
  const existing = shape.tables.get(storedName(table, at));
  if (existing === undefined) return;
  if (!existing.engine.endsWith('ReplacingMergeTree')) {
    throw conflict(`has engine ${existing.engine}; expected ReplacingMergeTree`);
  }
  const sortingKey = table.orderBy.join(', ');
  if (existing.sortingKey.replace(/[`()]/g, '') !== sortingKey) {
    throw conflict(`is sorted by (${existing.sortingKey}); expected (${sortingKey})`);
  }
  const columns = shape.columns.get(storedName(table, at));
  for (const { name, type } of table.columns) {
    const found = columns?.get(name);
    if (found !== undefined && found !== type) {
      throw conflict(`has a column ${name} of type ${found}; expected ${type}`);
    }
  }
}

function checkNames(channels: readonly PlanChannel[]): void {
  const conflict = (text: string): OperatingError => new OperatingError('SCHEMA_CONFLICT', text);
  for (const { name, metrics } of channels) {
    if (RESERVED_CHANNEL_NAMES.includes(name) || name.startsWith('agg_')) {
      throw conflict(`a channel cannot be called ${name}: the view v_${name} has another meaning`);
    }
    const seen = new Set(RESERVED_METRIC_NAMES);
    for (const metric of metrics) {
      if (seen.has(metric.name)) {
        throw conflict(`channel ${name} cannot have a metric ${metric.name}: the column is taken`);
      }
      seen.add(metric.name);
    }
  }
}

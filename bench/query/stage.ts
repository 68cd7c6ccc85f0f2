/**
 * The tables of the query bench: an embedded ClickHouse of its own, the product's migration for the
 * demo's fleet, rows. Out: who asks its views, and who asks the same views without FINAL: those are
 * wrong, but what they cost says what FINAL costs.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { loadSettings } from '../../src/cli/run/settings.ts';
import { createClickHouseEngine } from '../../src/engine/clickhouse/index.ts';
import { createQuery, type Query } from '../../src/query/index.ts';
import { type Connection, createConnection } from '../../src/readmodel/connection.ts';
import { createMigration } from '../../src/readmodel/migration.ts';
import { compilePlan } from '../../src/registry/index.ts';
import { fill } from './filling.ts';
import type { Fleet } from './fleet.ts';

const DATABASE = 'millrace';
/** Views only, on the tables of DATABASE. */
const WITHOUT_FINAL = 'without_final';
const PASSWORD = 'bench';
const MERGE_LOOK_MS = 500;

export interface Stage {
  readonly connection: Connection;
  readonly database: string;
  /** Asks the product's views, as an analyst does: by the account that can only read. */
  readonly views: Query;
  readonly viewsWithoutFinal: Query;
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly fleet: Fleet;
  /** Kept, and taken as it is when it is filled; null: a temporary one. */
  readonly folder: string | null;
  readonly say: (text: string) => void;
}

export async function openStage({ fleet, folder, say }: StageOptions): Promise<Stage> {
  const home = folder ?? mkdtempSync(join(tmpdir(), 'millrace-query-'));
  const { config } = loadSettings({ demo: true, folder: home });
  const engine = createClickHouseEngine({
    dataDir: join(home, 'clickhouse'),
    port: 'auto',
    users: {
      admin: { name: 'default', password: PASSWORD },
      readOnly: { name: 'analyst', password: PASSWORD },
    },
    memoryBytesMax: config.clickhouse.memoryBytes,
  });
  const { url } = await engine.start();
  const connection = createConnection({ url, user: 'default', password: PASSWORD });
  const ask = (database: string) =>
    createQuery({ url, database, user: 'analyst', password: PASSWORD });
  const [views, viewsWithoutFinal] = [ask(DATABASE), ask(WITHOUT_FINAL)];
  const stop = async () => {
    for (const part of [connection, views, viewsWithoutFinal]) await part.close();
    await engine.stop();
    if (folder === null) rmSync(home, { recursive: true, force: true });
  };
  try {
    const context = { database: DATABASE, log: config.log.id, cluster: null };
    const migration = createMigration(connection, context);
    await migration.start();
    await migration.prepare(compilePlan(config, null));
    if (!(await isFilled(connection))) {
      const startedMs = systemClock.monotonicMs();
      await fill(connection, DATABASE, fleet);
      say(`filled in ${Math.round((systemClock.monotonicMs() - startedMs) / 1_000)} s`);
    }
    await stripFinal(connection);
    await untilMerged(connection);
    return { connection, database: DATABASE, views, viewsWithoutFinal, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `visible` is written last. */
async function isFilled(connection: Connection): Promise<boolean> {
  const rows = await connection.rows(`SELECT 1 FROM ${DATABASE}.visible LIMIT 1`);
  return rows.length > 0;
}

/** `generations` keeps its FINAL: it has a handful of rows. */
async function stripFinal(connection: Connection): Promise<void> {
  await connection.command(`CREATE DATABASE IF NOT EXISTS ${WITHOUT_FINAL}`);
  const views = await connection.rows<{ name: string; text: string }>(
    'SELECT name, as_select AS text FROM system.tables ' +
      `WHERE database = '${DATABASE}' AND engine = 'View'`,
  );
  for (const { name, text } of views) {
    const select = text.replace(
      /(FROM `?\w+`?\.`?(?!generations\b)\w+`?(?: AS `?\w+`?)?) FINAL/g,
      '$1',
    );
    await connection.command(`CREATE OR REPLACE VIEW ${WITHOUT_FINAL}.\`${name}\` AS ${select}`);
  }
}

/** Merges that inserts have set off are not what is measured. */
async function untilMerged(connection: Connection): Promise<void> {
  for (;;) {
    const [{ n }] = await connection.rows<{ n: string }>('SELECT count() AS n FROM system.merges');
    if (n === '0') return;
    await systemClock.wait(MERGE_LOOK_MS);
  }
}

/**
 * Table declarations → CREATE TABLE. In: a Table of model/table.ts and where it is to live. Out:
 * statements. Every table of the read model is a ReplacingMergeTree(version, is_deleted) of
 * absolute values, so writing a row twice changes nothing.
 *
 *   one server   `x`         ReplacingMergeTree
 *   a cluster    `local_x`   ReplicatedReplacingMergeTree on every server: the rows of its shard
 *                `x`         Distributed over them; what is inserted into and read by views
 *
 * FINAL over a Distributed table is FINAL within each shard. That is all of it, because the
 * sharding key is a function of the sort key: all versions of a row lie on one shard.
 */
import { assert } from '../base/assert.ts';
import type { Column, Table } from '../model/table.ts';
import { identifier, literal, qualified } from './sql.ts';

export interface Placement {
  readonly database: string;
  /** Name of a ClickHouse cluster on which statements are to run; null on a single server. */
  readonly cluster: string | null;
}

/**
 * Inserted blocks whose tokens a table remembers: a retry comes within minutes, and an insert
 * counts once per table partition it touches.
 */
const DEDUPLICATION_WINDOW_BLOCKS = 1_000;
/** Parts below this are compact: what one insert writes, also when a backlog is drained. */
const COMPACT_PART_BYTES_MAX = 134_217_728;
/**
 * A TTL merge at most this often, in seconds: views hide expired rows, so it is only about space.
 */
const TTL_MERGE_INTERVAL_S = 3_600;

export function renderDatabase(at: Placement): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(at.database)}${onCluster(at)}`;
}

/** Statements that make it; each may be repeated. */
export function renderTable(table: Table, at: Placement): string[] {
  return at.cluster === null
    ? [renderReplacing(table, at)]
    : [renderReplacing(table, at), renderDistributed(table, at, at.cluster)];
}

function renderReplacing(table: Table, at: Placement): string {
  const expires = table.columns.some((column) => column.name === 'expires_at');
  const name = storedName(table, at);
  const lines = [
    `CREATE TABLE IF NOT EXISTS ${qualified(at.database, name)}${onCluster(at)} (`,
    table.columns.map((column) => `  ${renderColumn(column)}`).join(',\n'),
    `) ENGINE = ${engineText(table, at)}`,
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY (${table.orderBy.map(identifier).join(', ')})`,
  ];
  if (expires) lines.push('TTL `expires_at` DELETE');
  lines.push(`SETTINGS ${settingsText(expires, at)}`);
  return lines.join('\n');
}

function renderDistributed(table: Table, at: Placement, cluster: string): string {
  const columns = table.columns.map(({ name, type }) => `  ${identifier(name)} ${type}`);
  const place = [cluster, at.database, storedName(table, at)].map(literal).join(', ');
  return [
    `CREATE TABLE IF NOT EXISTS ${qualified(at.database, table.name)}${onCluster(at)} (`,
    columns.join(',\n'),
    `) ENGINE = Distributed(${place}, ${shardingKey(table)})`,
  ].join('\n');
}

/** Name of the table that holds the rows. No channel's or window's table begins with `local_`. */
export function storedName(table: Pick<Table, 'name'>, at: Placement): string {
  return at.cluster === null ? table.name : `local_${table.name}`;
}

/** By device where there is one: a device's queries meet one shard. */
export function shardingKey(table: Table): string {
  const keys = [['tenant', 'site', 'device'], ['log', 'partition'], ['name']];
  const key = keys.find((names) => names.every((name) => table.orderBy.includes(name)));
  assert(key, `the sort key of ${table.name} names a device, a partition or a step`);
  return `sipHash64(${key.map(identifier).join(', ')})`;
}

/** Statements that give an existing table one more column, after the column `after`. */
export function renderAddColumn(
  table: Table,
  column: Column,
  at: Placement,
  after: string | null,
): string[] {
  const place = after === null ? ' FIRST' : ` AFTER ${identifier(after)}`;
  const add = (name: string, text: string): string =>
    `ALTER TABLE ${qualified(at.database, name)}${onCluster(at)} ` +
    `ADD COLUMN IF NOT EXISTS ${text}${place}`;
  const stored = add(storedName(table, at), renderColumn(column));
  if (at.cluster === null) return [stored];
  return [stored, add(table.name, `${identifier(column.name)} ${column.type}`)];
}

export function renderView(name: string, select: string, at: Placement): string {
  return `CREATE OR REPLACE VIEW ${qualified(at.database, name)}${onCluster(at)} AS\n${select}`;
}

export function onCluster(at: Placement): string {
  return at.cluster === null ? '' : ` ON CLUSTER ${literal(at.cluster)}`;
}

function renderColumn(column: Column): string {
  const codec = column.codec === undefined ? '' : ` CODEC(${column.codec})`;
  return `${identifier(column.name)} ${column.type}${codec}`;
}

/** The path names shard and replica by the servers' own macros. */
function engineText(table: Table, at: Placement): string {
  const replacing = `ReplacingMergeTree(`;
  const columns = `${identifier(table.version)}, \`is_deleted\`)`;
  if (at.cluster === null) return `${replacing}${columns}`;
  const path = `/clickhouse/tables/{shard}/${at.database}/${storedName(table, at)}`;
  return `Replicated${replacing}${literal(path)}, '{replica}', ${columns}`;
}

function settingsText(expires: boolean, at: Placement): string {
  const window =
    at.cluster === null ? 'non_replicated_deduplication_window' : 'replicated_deduplication_window';
  const settings: Record<string, number> = {
    // Checkpoints rely on what an insert acknowledged.
    fsync_after_insert: 1,
    fsync_part_directory: 1,
    // What an insert writes is one file, not two for each column: it waits a quarter as long for
    // the disk. Merges make wide parts of it.
    min_bytes_for_wide_part: COMPACT_PART_BYTES_MAX,
    [window]: DEDUPLICATION_WINDOW_BLOCKS,
  };
  if (expires) settings['merge_with_ttl_timeout'] = TTL_MERGE_INTERVAL_S;
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ');
}

/**
 * Table declarations → CREATE TABLE. In: a Table of model/table.ts and where it is to live. Out:
 * one statement. Every table of the read model is a ReplacingMergeTree(version, is_deleted) of
 * absolute values, so writing a row twice changes nothing.
 */
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
/**
 * A TTL merge at most this often, in seconds: views hide expired rows, so it is only about space.
 */
const TTL_MERGE_INTERVAL_S = 3_600;

export function renderDatabase(at: Placement): string {
  return `CREATE DATABASE IF NOT EXISTS ${identifier(at.database)}${onCluster(at)}`;
}

export function renderTable(table: Table, at: Placement): string {
  const expires = table.columns.some((column) => column.name === 'expires_at');
  const lines = [
    `CREATE TABLE IF NOT EXISTS ${qualified(at.database, table.name)}${onCluster(at)} (`,
    table.columns.map((column) => `  ${renderColumn(column)}`).join(',\n'),
    `) ENGINE = ${engineText(table)}`,
    `PARTITION BY ${table.partitionBy}`,
    `ORDER BY (${table.orderBy.map(identifier).join(', ')})`,
  ];
  if (expires) lines.push('TTL `expires_at` DELETE');
  lines.push(`SETTINGS ${settingsText(expires)}`);
  return lines.join('\n');
}

/** ALTER TABLE that gives an existing table one more column, after the column `after`. */
export function renderAddColumn(
  table: Table,
  column: Column,
  at: Placement,
  after: string | null,
): string {
  const place = after === null ? ' FIRST' : ` AFTER ${identifier(after)}`;
  return (
    `ALTER TABLE ${qualified(at.database, table.name)}${onCluster(at)} ` +
    `ADD COLUMN IF NOT EXISTS ${renderColumn(column)}${place}`
  );
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

function engineText(table: Table): string {
  return `ReplacingMergeTree(${identifier(table.version)}, \`is_deleted\`)`;
}

function settingsText(expires: boolean): string {
  const settings: Record<string, number> = {
    // Checkpoints rely on what an insert acknowledged.
    fsync_after_insert: 1,
    fsync_part_directory: 1,
    non_replicated_deduplication_window: DEDUPLICATION_WINDOW_BLOCKS,
  };
  if (expires) settings['merge_with_ttl_timeout'] = TTL_MERGE_INTERVAL_S;
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}`)
    .join(', ');
}

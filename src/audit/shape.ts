/**
 * Which tables hold rows that come from the log, and what they look like. In: a database. Out: the
 * shapes of its tables; SCHEMA_CONFLICT when a table that is to be compared lacks a column.
 */
import { OperatingError } from '../model/error.ts';
import { GENERATIONS, VISIBLE } from '../model/table.ts';
import type { Ask } from './door.ts';
import { type GenerationCut, literal, place, type TableShape } from './sql.ts';

/** Tables that say something about rows; they are not computed from the log. */
const NOT_OF_THE_LOG: readonly string[] = [GENERATIONS.name, VISIBLE.name, 'migrations'];
/** On a cluster the rows of one shard; a distributed table beside each has all of them. */
const OF_A_SHARD = /^local_/;
/** Names of tables that the read model makes for channels and windows. */
const BY_PLAN = /^(ch|agg)_/;

export async function readShapes(ask: Ask, database: string): Promise<Map<string, TableShape>> {
  const tables = await ask.rows<{ name: string; key: string }>(
    `SELECT name, sorting_key AS key FROM system.tables WHERE database = ${literal(database)} ` +
      "AND (engine LIKE '%ReplacingMergeTree' OR engine = 'Distributed') ORDER BY name",
  );
  const columns = await ask.rows<{ table: string; name: string; type: string }>(
    `SELECT table, name, type FROM system.columns WHERE database = ${literal(database)} ` +
      'ORDER BY table, position',
  );
  const shapes = tables
    .filter(({ name }) => !NOT_OF_THE_LOG.includes(name) && !OF_A_SHARD.test(name))
    .map((table) => ({
      name: table.name,
      key: table.key.replace(/[`()]/g, '').split(', '),
      columns: columns.filter((column) => column.table === table.name),
    }));
  return new Map(shapes.map((shape) => [shape.name, shape]));
}

/** Stored tables that were made for a plan that the stretch of the log does not have. */
export function onlyStored(
  stored: ReadonlyMap<string, TableShape>,
  computed: ReadonlyMap<string, TableShape>,
): TableShape[] {
  return [...stored.values()].filter((each) => BY_PLAN.test(each.name) && !computed.has(each.name));
}

export function checkColumns(stored: TableShape | undefined, computed: TableShape): void {
  const lacking = computed.columns.find(
    ({ name, type }) => !stored?.columns.some((each) => each.name === name && each.type === type),
  );
  if (!lacking) return;
  const what = stored ? `has no column ${lacking.name} of type ${lacking.type}` : 'does not exist';
  throw new OperatingError(
    'SCHEMA_CONFLICT',
    `table ${computed.name} ${what}: what the log gives cannot be compared with it`,
    { where: { table: computed.name } },
  );
}

/** Generations that cut off what older ones had written. */
export async function readCuts(
  ask: Ask,
  database: string,
  { log, partition }: { readonly log: string; readonly partition: number },
): Promise<GenerationCut[]> {
  const rows = await ask.rows<{ generation: number; cut: string }>(
    `SELECT generation, toString(cut) AS cut FROM ${place(database, GENERATIONS.name)} FINAL ` +
      `WHERE log = ${literal(log)} AND partition = ${partition} ORDER BY generation`,
  );
  return rows.map(({ generation, cut }) => ({ generation, cut: BigInt(cut) }));
}

/**
 * Compares the rows of a partition in two databases, table by table, key by key, every column. In:
 * the stored rows and those computed anew. Out: how many are equal, missing, extra, different, and
 * the first of each with what both sides say.
 *
 *   1  both sides are hashed in buckets of keys inside ClickHouse: memory does not grow with rows
 *   2  buckets that differ are compared key by key, a bounded number of rows at a time
 *   3  of keys that differ the first few are read in full
 *
 * A row whose newest stored version comes from above the compared stretch has *moved on*. While no
 * merge has taken away what it was at the end of the stretch, that is compared; then it is counted
 * as moved on, never as equal.
 */
import type { Ask } from './door.ts';
import {
  bucketOf,
  comparedColumns,
  countingRows,
  keyHash,
  literal,
  name,
  place,
  type RowFilter,
  rowHash,
  sequenceOf,
  type TableShape,
} from './sql.ts';

/** Enough that one bucket of a hundred million rows is still compared in little memory. */
const BUCKETS = 4_096;
/** Rows of both sides that one question may gather by key. */
const GATHERED_ROWS_MAX = 400_000;

export interface ComparisonOptions {
  readonly ask: Ask;
  readonly stored: string;
  readonly computed: string;
  readonly filter: RowFilter;
  readonly from: bigint;
  readonly to: bigint;
  /** Versions are compared without their generation. */
  readonly ignoreGeneration: boolean;
  /** Differing rows that are told in full, per table. */
  readonly shownMax: number;
}

export type Verdict = 'missing' | 'extra' | 'differs';

export interface RowDifference {
  readonly table: string;
  readonly verdict: Verdict;
  readonly key: Readonly<Record<string, string>>;
  /** Columns that differ; of a row that is on one side only: none. */
  readonly columns: readonly {
    readonly column: string;
    readonly stored: string;
    readonly computed: string;
  }[];
}

export interface TableComparison {
  readonly table: string;
  readonly equal: number;
  readonly missing: number;
  readonly extra: number;
  readonly differs: number;
  readonly movedOn: number;
  /** Rows past their retention: may be there or not. */
  readonly expired: number;
  readonly shown: readonly RowDifference[];
}

export async function compareTable(
  options: ComparisonOptions,
  table: TableShape,
): Promise<TableComparison> {
  const [stored, computed] = await Promise.all(
    [options.stored, options.computed].map((database) => hashBuckets(options, table, database)),
  );
  let equal = 0;
  const differing: { bucket: number; rows: number }[] = [];
  for (const bucket of new Set([...stored!.keys(), ...computed!.keys()])) {
    const [left, right] = [stored!.get(bucket), computed!.get(bucket)];
    if (left && right && left.rows === right.rows && left.hash === right.hash) equal += left.rows;
    else differing.push({ bucket, rows: (left?.rows ?? 0) + (right?.rows ?? 0) });
  }
  const counts = { equal, missing: 0, extra: 0, differs: 0, movedOn: 0 };
  const shown: RowDifference[] = [];
  for (const buckets of gathered(differing)) {
    const verdicts = await compareKeys(options, table, buckets);
    for (const { verdict, rows } of verdicts) counts[verdict] += Number(rows);
    const keys = verdicts.flatMap(({ verdict, keys: of }) =>
      verdict === 'equal' || verdict === 'movedOn' ? [] : of.map((key) => ({ verdict, key })),
    );
    const room = options.shownMax - shown.length;
    if (room > 0 && keys.length > 0)
      shown.push(...(await tell(options, table, keys.slice(0, room))));
  }
  const expired = await countExpired(options, table);
  return { table: table.name, ...counts, expired, shown };
}

/** A table that the computed side does not have: whatever it holds of the stretch is extra. */
export async function countExtra(
  { ask, stored, filter, from, to }: ComparisonOptions,
  table: TableShape,
): Promise<TableComparison> {
  const sequence = sequenceOf(table);
  const [row] = await ask.rows<{ n: string }>(
    `SELECT count() AS n FROM ${place(stored, table.name)} FINAL ` +
      `WHERE ${countingRows(table, filter)} AND ${sequence} >= ${from} AND ${sequence} <= ${to}`,
  );
  const none = { equal: 0, missing: 0, differs: 0, movedOn: 0, expired: 0, shown: [] };
  return { table: table.name, ...none, extra: Number(row?.n ?? 0) };
}

interface Bucket {
  readonly rows: number;
  readonly hash: string;
}

async function hashBuckets(
  options: ComparisonOptions,
  table: TableShape,
  database: string,
): Promise<Map<number, Bucket>> {
  const { ask, filter, from, to, ignoreGeneration } = options;
  const sequence = sequenceOf(table);
  const rows = await ask.rows<{ bucket: number; n: string; hash: string }>(
    `SELECT ${bucketOf(table, BUCKETS)} AS bucket, count() AS n, ` +
      `sum(${rowHash(table, ignoreGeneration)}) AS hash ` +
      `FROM ${place(database, table.name)} FINAL WHERE ${countingRows(table, filter)} ` +
      `AND ${sequence} >= ${from} AND ${sequence} <= ${to} GROUP BY bucket`,
  );
  return new Map(rows.map(({ bucket, n, hash }) => [bucket, { rows: Number(n), hash }]));
}

function* gathered(buckets: readonly { bucket: number; rows: number }[]): Generator<number[]> {
  let [group, rows]: [number[], number] = [[], 0];
  for (const each of buckets) {
    if (group.length > 0 && rows + each.rows > GATHERED_ROWS_MAX) {
      yield group;
      [group, rows] = [[], 0];
    }
    group.push(each.bucket);
    rows += each.rows;
  }
  if (group.length > 0) yield group;
}

interface KeyVerdict {
  readonly verdict: Verdict | 'equal' | 'movedOn';
  readonly rows: string;
  /** Some of their keys, hashed. */
  readonly keys: readonly string[];
}

/**
 * Sides: 0 stored, 1 computed, 2 stored tombstones from above the stretch, 3 stored versions of the
 * stretch that a newer one has replaced and no merge has taken away yet.
 */
function compareKeys(
  options: ComparisonOptions,
  table: TableShape,
  buckets: readonly number[],
): Promise<KeyVerdict[]> {
  const { ask, stored, computed, filter, from, to, ignoreGeneration, shownMax } = options;
  const sequence = sequenceOf(table);
  const rowsOf = (side: number, database: string, final: string, more: string): string =>
    `SELECT ${side} AS side, ${keyHash(table)} AS k, ${rowHash(table, ignoreGeneration)} AS h, ` +
    `${sequence} AS s FROM ${place(database, table.name)} ${final} ` +
    `WHERE ${countingRows(table, filter)} AND ${bucketOf(table, BUCKETS)} IN (${buckets}) ${more}`;
  const sides = [
    rowsOf(0, stored, 'FINAL', ''),
    rowsOf(1, computed, 'FINAL', `AND ${sequence} >= ${from} AND ${sequence} <= ${to}`),
    rowsOf(2, stored, '', `AND \`is_deleted\` = 1 AND ${sequence} > ${to}`),
    rowsOf(3, stored, '', `AND \`is_deleted\` = 0 AND ${sequence} <= ${to}`),
  ];
  return ask.rows<KeyVerdict>(
    `SELECT verdict, count() AS rows, groupArray(${shownMax})(hex(k)) AS keys FROM (
      SELECT k, countIf(side = 0) AS l, countIf(side = 1) AS r, countIf(side = 2) AS gone,
        maxIf(s, side = 0) AS ls, anyIf(h, side = 0) AS lh, anyIf(h, side = 1) AS rh,
        groupUniqArrayIf(h, side = 3) AS before, ls > ${to} OR gone > 0 AS moved,
        multiIf(r = 0 AND (ls < ${from} OR ls > ${to}), 'outside',
          l = 1 AND r = 1 AND lh = rh, 'equal',
          r > 0 AND moved AND has(before, rh), 'equal', r > 0 AND moved, 'movedOn',
          l = 0, 'missing', r = 0, 'extra', 'differs') AS verdict
      FROM (${sides.join(' UNION ALL ')}) GROUP BY k)
     WHERE verdict != 'outside' GROUP BY verdict`,
  );
}

interface TextRow {
  readonly k: string;
  readonly texts: readonly string[];
  readonly hashes: readonly string[];
}

async function tell(
  options: ComparisonOptions,
  table: TableShape,
  keys: readonly { readonly verdict: Verdict; readonly key: string }[],
): Promise<RowDifference[]> {
  const names = table.columns.map((column) => column.name);
  const compared = comparedColumns(table, options.ignoreGeneration);
  const wanted = keys.map(({ key }) => literal(key)).join(', ');
  const read = async (database: string): Promise<Map<string, TextRow>> => {
    const rows = await options.ask.rows<TextRow>(
      `SELECT hex(${keyHash(table)}) AS k, [${names.map((each) => `toString(${name(each)})`)}] ` +
        `AS texts, [${compared.map((each) => `cityHash64(${each})`)}] AS hashes ` +
        `FROM ${place(database, table.name)} FINAL ` +
        `WHERE ${countingRows(table, options.filter)} AND k IN (${wanted})`,
    );
    return new Map(rows.map((row) => [row.k, row]));
  };
  const [stored, computed] = await Promise.all([read(options.stored), read(options.computed)]);
  return keys.map(({ verdict, key }) => {
    const [left, right] = [stored.get(key), computed.get(key)];
    const texts = left?.texts ?? right?.texts ?? [];
    const columns =
      left && right
        ? names
            .map((column, at) => ({ column, at }))
            .filter(({ at }) => left.hashes[at] !== right.hashes[at])
            .map(({ column, at }) => ({
              column,
              stored: left.texts[at]!,
              computed: right.texts[at]!,
            }))
        : [];
    const keyed = table.key.map((each) => [each, texts[names.indexOf(each)] ?? ''] as const);
    return { table: table.name, verdict, key: Object.fromEntries(keyed), columns };
  });
}

async function countExpired(options: ComparisonOptions, table: TableShape): Promise<number> {
  const sequence = sequenceOf(table);
  const [row] = await options.ask.rows<{ n: string }>(
    `SELECT count() AS n FROM ${place(options.computed, table.name)} FINAL ` +
      `WHERE ${countingRows(table, options.filter, true)} ` +
      `AND ${sequence} >= ${options.from} AND ${sequence} <= ${options.to}`,
  );
  return Number(row?.n ?? 0);
}

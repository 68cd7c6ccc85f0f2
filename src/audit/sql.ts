/**
 * Spelling of what an audit asks. In: names, values, columns of a table. Out: SQL text. Expressions
 * for generation and sequence of a row are those of the views (docs/read-models.md): raw tables and
 * dead letters have a sequence and their generation as version, all others one version of
 * generation(32) · sequence(64) · ordinal(32).
 */
export interface TableShape {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** Columns of the sorting key: what makes two rows the same row. */
  readonly key: readonly string[];
}

export const name = (text: string): string => `\`${text.replace(/[\\`]/g, '\\$&')}\``;
export const literal = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
export const place = (database: string, table: string): string =>
  `${name(database)}.${name(table)}`;

/** Lower 96 bits of a version: sequence and ordinal. */
const BELOW_GENERATION = `toUInt128('${2n ** 96n - 1n}')`;

const has = (table: TableShape, column: string, type?: string): boolean =>
  table.columns.some((each) => each.name === column && (type ?? each.type) === each.type);

export const isVersioned = (table: TableShape): boolean => has(table, 'version', 'UInt128');

/** Log sequence of the message that caused the row. */
export const sequenceOf = (table: TableShape): string =>
  isVersioned(table) ? 'toUInt64(bitShiftRight(`version`, 32))' : '`sequence`';

export const generationOf = (table: TableShape): string =>
  isVersioned(table) ? 'toUInt32(bitShiftRight(`version`, 96))' : 'toUInt32(`version`)';

export const keyHash = (table: TableShape): string =>
  `sipHash128(${table.key.map(name).join(', ')})`;

/** Which of `buckets` equal shares of all keys a row is in. */
export const bucketOf = (table: TableShape, buckets: number): string =>
  `toUInt32(cityHash64(${table.key.map(name).join(', ')}) % ${buckets})`;

/** Of every byte of every column; of the version only what lies below the generation when asked. */
export function rowHash(table: TableShape, ignoreGeneration: boolean): string {
  return `cityHash64(${comparedColumns(table, ignoreGeneration).join(', ')})`;
}

export function comparedColumns(table: TableShape, ignoreGeneration: boolean): string[] {
  return table.columns.map((column) => {
    if (!ignoreGeneration || column.name !== 'version') return name(column.name);
    return isVersioned(table) ? `bitAnd(\`version\`, ${BELOW_GENERATION})` : 'toUInt32(0)';
  });
}

export interface RowFilter {
  readonly log: string;
  readonly partition: number;
  /** Rows that expire up to here, in seconds since 1970, may be deleted at any moment. */
  readonly expiredS: number;
  /** Rows of older generations above a cut do not count (tail loss, promotion). */
  readonly cuts: readonly GenerationCut[];
  /** One more condition, e.g. one device only. */
  readonly only?: (table: TableShape) => string;
}

export interface GenerationCut {
  readonly generation: number;
  readonly cut: bigint;
}

/** Rows of the partition that count; `expired` asks for those that do not count any more. */
export function countingRows(table: TableShape, filter: RowFilter, expired = false): string {
  const conditions = [`\`partition\` = ${filter.partition}`];
  if (has(table, 'log')) conditions.push(`\`log\` = ${literal(filter.log)}`);
  if (has(table, 'expires_at')) {
    const isAlive = `toUnixTimestamp(\`expires_at\`) > ${filter.expiredS}`;
    conditions.push(expired ? `NOT (${isAlive})` : isAlive);
  } else if (expired) conditions.push('0');
  if (filter.only) conditions.push(filter.only(table));
  for (const { generation, cut } of filter.cuts) {
    // A device stays known when the log lost its tail, as its view says.
    if (table.name === 'devices') continue;
    conditions.push(
      `NOT (${generationOf(table)} < ${generation} AND ${sequenceOf(table)} > ${cut})`,
    );
  }
  return conditions.join(' AND ');
}

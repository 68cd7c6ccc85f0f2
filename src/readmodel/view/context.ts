/**
 * What every view of the read model shares. In: where tables live and which log fills them. Out:
 * text fragments of SELECTs. Views, not tables, are what people read: they are correct at any
 * moment, whatever has been merged so far, because they (1) read FINAL, (2) hide rows past
 * `expires_at`, which TTL deletes only at a merge, and (3) hide what a lost tail of the log had
 * written (`generations`).
 */
import type { PlanChannel } from '../../model/plan.ts';
import type { Placement } from '../ddl.ts';
import { list, literal, qualified } from '../sql.ts';

export interface View {
  readonly name: string;
  readonly select: string;
}

export interface ViewContext extends Placement {
  /** Log whose rows are read: `generations` and `ledger` hold those of several. */
  readonly log: string;
}

/**
 * False for rows past their retention. 4294967295 is the last second a DateTime holds: for ever.
 */
export const ALIVE = '`expires_at` > now()';

/**
 * Of every SELECT with FINAL over a table of many rows. Both change what is read, not what is
 * found: conditions on columns of the sort key decide before rows of one key are merged (ClickHouse
 * moves no others there), and rows of two partitions are never of one key, as the partition is a
 * function of it (newer servers see that for themselves).
 */
export const FINAL_SETTINGS =
  'SETTINGS optimize_move_to_prewhere_if_final = 1, ' +
  'do_not_merge_across_partitions_select_final = 1';

export interface CutColumns {
  readonly generation: string;
  readonly sequence: string;
}

/**
 * Generation and sequence inside a UInt128 version: generation(32) · sequence(64) · ordinal(32).
 */
export const VERSION_COLUMNS: CutColumns = {
  generation: 'toUInt32(bitShiftRight(`version`, 96))',
  sequence: 'toUInt64(bitShiftRight(`version`, 32))',
};

/**
 * False for rows of a generation that ended with the loss of the log's tail, when they come from
 * above the cut: devices send those events again, and the next generation counts them.
 *
 * Most logs never lose anything: then the condition is true before a row is read, and the columns
 * it names are not read for it. Else rows at or below the least cut of their partition are done
 * with at one comparison.
 */
export function uncut(context: ViewContext, columns: CutColumns): string {
  const cuts = (of: string) =>
    `(SELECT ${of} FROM ${qualified(context.database, 'generations')} FINAL ` +
    `WHERE \`log\` = ${literal(context.log)})`;
  const all = cuts('groupArray((`partition`, `generation`, `cut`))');
  return (
    `(empty(${all}) OR ${columns.sequence} <= ${cuts('min(`cut`)')} ` +
    'OR NOT arrayExists(c -> c.1 = `partition` ' +
    `AND c.2 > ${columns.generation} AND c.3 < ${columns.sequence}, ${all}))`
  );
}

/** Text of a SELECT that has the given columns and no row. */
export function emptySelect(columns: Readonly<Record<string, string>>): string {
  const texts = Object.entries(columns).map(
    ([name, type]) => `  defaultValueOfTypeName(${literal(type)}) AS \`${name}\``,
  );
  return `SELECT\n${texts.join(',\n')}\nWHERE 0`;
}

export interface SeriesColumns {
  readonly channel: string;
  readonly metric: string;
}

/** Rows carry no unit: a metric has one for ever, and the plan knows it. */
export function unitText(channels: readonly PlanChannel[], series: SeriesColumns): string {
  const metrics = channels.flatMap((channel) =>
    channel.metrics.map(({ name, unit }) => ({ key: `${channel.name}/${name}`, unit })),
  );
  if (metrics.length === 0) return "toLowCardinality('')";
  const keys = list(metrics.map(({ key }) => literal(key)));
  const units = list(metrics.map(({ unit }) => literal(unit)));
  const key = `concat(${series.channel}, '/', ${series.metric})`;
  return `toLowCardinality(transform(${key}, ${keys}, ${units}, ''))`;
}

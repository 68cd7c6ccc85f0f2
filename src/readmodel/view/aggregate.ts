/**
 * Views of window aggregates. In: window names and channels of a plan. Out: `v_agg_<window>`, one
 * row per (device, channel, metric, window).
 *
 * A window may lie in several rows: an evicted window that is touched again opens a new fragment.
 * Fragments merge here: counts and sums add up, first and last compare (time, sequence), m2 by
 * Chan's formula
 *   M2 = Σ m2ᵢ + Σ nᵢ (meanᵢ − mean)²
 * and a window of one fragment is passed through untouched, bit for bit.
 *
 * `v_agg_1h` adds the hours that are still open from their closed minutes. Both kinds of rows go
 * through one aggregation; `tier` is 1 for rows of the table and 0 for minutes, and the combinator
 * -ArgMax lets only the rows of the highest tier of a group count: where the hour has a row, its
 * minutes do not. No join and no set, so that conditions on device and time reach both tables'
 * keys.
 */
import type { PlanChannel, PlanWindow } from '../../model/plan.ts';
import { aggregateTable } from '../../model/table.ts';
import { list, literal, qualified } from '../sql.ts';
import { ALIVE, uncut, VERSION_COLUMNS, type View, type ViewContext } from './context.ts';

const MINUTE = '1m';
const HOUR = '1h';
const HOUR_MS = 3_600_000;
/** Job that writes these rows; others write under names of their own. */
const JOB = 'core';
/**
 * Minutes older than this (log time, against the newest of their partition) are not of an open
 * hour: windows of a silent device fire after its idle time-out. Keeps long ranges of hours cheap.
 */
const OPEN_HOUR_LOG_MS = 2 * 24 * HOUR_MS;

/** Columns of an aggregate table that run over the metrics of a row. */
const ARRAYS = [
  'metric',
  'count',
  'sum',
  'min',
  'max',
  'first',
  'first_time',
  'first_sequence',
  'last',
  'last_time',
  'last_sequence',
  'mean',
  'm2',
];
const SCALARS = [
  'tenant',
  'site',
  'device',
  'channel',
  'fragment',
  'revision',
  'watermark',
  'log_time',
  'partition',
];

export function aggregateView(
  window: string,
  channels: readonly PlanChannel[],
  context: ViewContext,
): View {
  const rows = [tableRows(window, context)];
  const openChannels = channels.filter((channel) => hasOpenHours(window, channel));
  if (openChannels.length > 0) rows.push(openHourRows(openChannels, context));
  const top = rows.length === 1 ? overAll : overTopTier;
  return {
    name: `v_agg_${window}`,
    select: [
      `WITH\n  ${mergedParts(top).join(',\n  ')}`,
      `SELECT\n  ${mergedColumns(channels, top).join(',\n  ')}`,
      `FROM (\n${rows.join('\nUNION ALL\n')}\n) AS f`,
      'GROUP BY f.tenant, f.site, f.device, f.channel, f.metric, f.window_start',
    ].join('\n'),
  };
}

function hasOpenHours(window: string, channel: PlanChannel): boolean {
  const names = channel.windows.map(({ name }) => name);
  return window === HOUR && names.includes(HOUR) && names.includes(MINUTE);
}

/** Spells an aggregate: over all rows of a group, or over those of its highest tier. */
type Spelling = (call: string, ...values: string[]) => string;
const overAll: Spelling = (call, ...values) => `${call}(${values.join(', ')})`;
const overTopTier: Spelling = (call, ...values) =>
  `${call}ArgMax(${[...values, 'f.tier'].join(', ')})`;

/** Sorted, so that sums do not depend on the order in which ClickHouse meets the fragments. */
const mergedParts = (top: Spelling): string[] => [
  `arraySort(${top('groupArray', '(f.fragment, f.window_part, f.count, f.mean, f.m2)')}) AS parts`,
  'length(parts) = 1 ? parts[1].4 : ' +
    'arraySum(p -> p.3 * p.4, parts) / arraySum(p -> p.3, parts) AS merged_mean',
  'length(parts) = 1 ? parts[1].5 : ' +
    'arraySum(p -> p.5 + p.3 * pow(p.4 - merged_mean, 2), parts) AS merged_m2',
];

function mergedColumns(channels: readonly PlanChannel[], top: Spelling): string[] {
  const firstKey = '(f.first_time, f.first_sequence, f.fragment)';
  const lastKey = '(f.last_time, f.last_sequence, f.fragment)';
  return [
    'f.tenant AS `tenant`',
    'f.site AS `site`',
    'f.device AS `device`',
    'f.channel AS `channel`',
    'f.metric AS `metric`',
    `${unitText(channels)} AS \`unit\``,
    'f.window_start AS `window_start`',
    `${top('sum', 'f.count')} AS \`count\``,
    `${top('sumKahan', 'f.sum')} AS \`sum\``,
    `${top('min', 'f.min')} AS \`min\``,
    `${top('max', 'f.max')} AS \`max\``,
    `${top('argMin', 'f.first', firstKey)} AS \`first\``,
    `${top('argMin', 'f.first_time', firstKey)} AS \`first_time\``,
    `${top('argMax', 'f.last', lastKey)} AS \`last\``,
    `${top('argMax', 'f.last_time', lastKey)} AS \`last_time\``,
    'merged_mean AS `mean`',
    'merged_m2 AS `m2`',
    'sqrt(merged_m2 / `count`) AS `stddev_pop`',
    'if(`count` > 1, sqrt(merged_m2 / (`count` - 1)), NULL) AS `stddev_samp`',
    `${top('count')} AS \`fragments\``,
    `${top('max', 'f.revision')} AS \`revision\``,
    `${top('max', 'f.watermark')} AS \`watermark\``,
    `${top('max', 'f.log_time')} AS \`log_time\``,
    'any(f.partition) AS `partition`',
    'toBool(max(f.tier) = 0) AS `open`',
  ];
}

/** Rows carry no unit: a metric has one for ever, and the plan knows it. */
function unitText(channels: readonly PlanChannel[]): string {
  const metrics = channels.flatMap((channel) =>
    channel.metrics.map(({ name, unit }) => ({ key: `${channel.name}/${name}`, unit })),
  );
  if (metrics.length === 0) return "toLowCardinality('')";
  const keys = list(metrics.map(({ key }) => literal(key)));
  const units = list(metrics.map(({ unit }) => literal(unit)));
  return `toLowCardinality(transform(concat(f.channel, '/', f.metric), ${keys}, ${units}, ''))`;
}

function tableRows(window: string, context: ViewContext): string {
  return rowsOf(window, context, { tier: 1, start: 't.window_start', where: [ALIVE] });
}

function openHourRows(channels: readonly PlanChannel[], context: ViewContext): string {
  const names = list(channels.map(({ name }) => literal(name)));
  const retentions = list(channels.map((channel) => `${hourOf(channel).retentionMs}`));
  // In milliseconds: stays a DateTime64 and is known to be monotonic, so that indexes are used.
  const start = `toStartOfInterval(t.window_start, toIntervalMillisecond(${HOUR_MS}))`;
  const retention = `transform(t.channel, ${names}, ${retentions}, 0)`;
  const ledger = qualified(context.database, 'ledger');
  const newest =
    '(SELECT groupArrayInsertAt(toInt64(0))(log_ms, `partition`) FROM ' +
    '(SELECT `partition`, max(toUnixTimestamp64Milli(`log_time`)) AS log_ms ' +
    `FROM ${ledger} WHERE \`log\` = ${literal(context.log)} GROUP BY \`partition\`))`;
  return rowsOf(MINUTE, context, {
    tier: 0,
    start,
    where: [
      ALIVE,
      `t.channel IN (${names.slice(1, -1)})`,
      `(${retention} = 0 OR toUnixTimestamp64Milli(${start}) + ${retention} > ` +
        'toUnixTimestamp64Milli(now64(3)))',
      `toUnixTimestamp64Milli(t.log_time) >= ${newest}[t.partition + 1] - ${OPEN_HOUR_LOG_MS}`,
    ],
  });
}

function hourOf(channel: PlanChannel): PlanWindow {
  return channel.windows.find(({ name }) => name === HOUR)!;
}

interface RowsOptions {
  readonly tier: 0 | 1;
  readonly start: string;
  readonly where: readonly string[];
}

function rowsOf(window: string, context: ViewContext, options: RowsOptions): string {
  const ofJob = `t.job = ${literal(JOB)}`;
  const conditions = [ofJob, ...options.where, uncut(context, VERSION_COLUMNS)];
  const columns = [
    `toUInt8(${options.tier}) AS tier`,
    ...SCALARS.map((name) => `t.\`${name}\` AS \`${name}\``),
    `${options.start} AS window_start`,
    't.window_start AS window_part',
    ...ARRAYS.map((name) => `a_${name} AS \`${name}\``),
  ];
  return [
    `SELECT ${columns.join(', ')}`,
    `FROM ${qualified(context.database, aggregateTable(window).name)} AS t FINAL`,
    `ARRAY JOIN ${ARRAYS.map((name) => `t.\`${name}\` AS a_${name}`).join(', ')}`,
    `WHERE ${conditions.join('\n  AND ')}`,
  ].join('\n');
}

/**
 * Views of window aggregates. In: window names and channels of a plan. Out: `v_agg_<window>`, one
 * row per (device, channel, metric, window).
 *
 * A window may lie in several rows: an evicted window that is touched again opens a new fragment.
 * Fragments merge here (aggregate-merge.ts); of a count window each fragment is a window of its
 * own. Tombstones of merged sessions are gone with FINAL.
 *
 * `v_agg_1h` adds the hours that are still open from their closed minutes. Both kinds of rows go
 * through one aggregation; `tier` is 1 for rows of the table and 0 for minutes, and the combinator
 * -ArgMax lets only the rows of the highest tier of a group count: where the hour has a row, its
 * minutes do not. No join and no set, so that conditions on device and time reach both tables'
 * keys.
 */
import { parseDuration } from '../../base/quantity.ts';
import type { PlanChannel, PlanWindow } from '../../model/plan.ts';
import { aggregateTable } from '../../model/table.ts';
import { list, literal, qualified } from '../sql.ts';
import { mergedColumns, mergedParts, overAll, overTopTier } from './aggregate-merge.ts';
import {
  ALIVE,
  FINAL_SETTINGS,
  uncut,
  unitText,
  VERSION_COLUMNS,
  type View,
  type ViewContext,
} from './context.ts';

const MINUTE = '1m';
const HOUR = '1h';
const HOUR_MS = 3_600_000;
/** Job that writes these rows; others write under names of their own. */
const JOB = 'core';
/**
 * Minutes older than this (log time, against the newest of their partition) are not of an open
 * hour: windows of a silent device fire after its idle time-out. Keeps long ranges of hours cheap.
 *
 * They are left out before FINAL merges rows of one key, which is most of what an open hour costs.
 * It changes nothing: where a younger row of a key is older in log time than the row it replaces
 * (of a generation that was computed anew), and old enough to be left out, the hour has closed, and
 * then no minute of it counts.
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
/**
 * By the place of the metric, whatever the channels are: sketches are large, and rows that were
 * written before there was such a column have empty arrays.
 */
const BY_PLACE = {
  score: 't.`score`[place]',
  integral: 'if(empty(t.`integral`), nan, t.`integral`[place])',
  bin: 't.`bin`[place]',
  bin_count: 't.`bin_count`[place]',
} as const;
/**
 * ARRAY JOIN reads all it joins, asked for or not; by the place of the metric only what a question
 * names is read, but each of a row's metrics copies the row's whole arrays. Up to so many metrics
 * the copies cost less: sum and count of seven metrics took 0.4 times as long by place, of 64
 * metrics a hundred times as long.
 */
const METRICS_BY_PLACE_MAX = 16;
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
  const isNarrow = channels.every(({ metrics }) => metrics.length <= METRICS_BY_PLACE_MAX);
  const rows = [tableRows(window, { ...context, isNarrow })];
  const openChannels = channels.filter((channel) => hasOpenHours(window, channel));
  if (openChannels.length > 0) rows.push(openHourRows(openChannels, { ...context, isNarrow }));
  const top = rows.length === 1 ? overAll : overTopTier;
  const key = ['tenant', 'site', 'device', 'channel', 'metric', 'window_start'];
  const group = [...key.map((name) => `f.${name}`), ...ownFragments(window, channels)];
  return {
    name: `v_agg_${window}`,
    select: [
      `WITH\n  ${mergedParts(top).join(',\n  ')}`,
      `SELECT\n  ${mergedColumns(unitText(channels, { channel: 'f.channel', metric: 'f.metric' }), top).join(',\n  ')}`,
      `FROM (\n${rows.join('\nUNION ALL\n')}\n) AS f`,
      `GROUP BY ${group.join(', ')}`,
    ].join('\n'),
  };
}

/** Count windows may begin with the same event: each emission is a window. */
function ownFragments(window: string, channels: readonly PlanChannel[]): string[] {
  const counts = channels.filter((channel) =>
    channel.windows.some(({ name, kind }) => name === window && kind === 'count'),
  );
  if (counts.length === 0) return [];
  const names = list(counts.map(({ name }) => literal(name)));
  return [`if(f.channel IN (${names.slice(1, -1)}), f.fragment, toUInt64(0))`];
}

function hasOpenHours(window: string, channel: PlanChannel): boolean {
  const names = channel.windows.filter(({ kind }) => kind === 'tumbling').map(({ name }) => name);
  return window === HOUR && names.includes(HOUR) && names.includes(MINUTE);
}

function tableRows(window: string, context: RowsContext): string {
  const start = 't.window_start';
  return rowsOf(window, context, { tier: 1, start, end: windowEnd(window), where: [ALIVE] });
}

/** Rows that were written before they said so are of tumbling windows, named by their length. */
function windowEnd(window: string): string {
  const lengthMs = parseDuration(window);
  if (lengthMs === null) return 't.window_end';
  const added = `t.window_start + toIntervalMillisecond(${lengthMs})`;
  return `if(toUnixTimestamp64Milli(t.window_end) = 0, ${added}, t.window_end)`;
}

function openHourRows(channels: readonly PlanChannel[], context: RowsContext): string {
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
    end: `${start} + toIntervalMillisecond(${HOUR_MS})`,
    before: `toUnixTimestamp64Milli(t.log_time) >= ${newest}[t.partition + 1] - ${OPEN_HOUR_LOG_MS}`,
    where: [
      ALIVE,
      `t.channel IN (${names.slice(1, -1)})`,
      `(${retention} = 0 OR toUnixTimestamp64Milli(${start}) + ${retention} > ` +
        'toUnixTimestamp64Milli(now64(3)))',
    ],
  });
}

function hourOf(channel: PlanChannel): PlanWindow {
  return channel.windows.find(({ name }) => name === HOUR)!;
}

interface RowsContext extends ViewContext {
  /** No channel has more than METRICS_BY_PLACE_MAX metrics. */
  readonly isNarrow: boolean;
}

interface RowsOptions {
  readonly tier: 0 | 1;
  readonly start: string;
  readonly end: string;
  /** Decides before rows of one key are merged. */
  readonly before?: string;
  readonly where: readonly string[];
}

function rowsOf(window: string, context: RowsContext, options: RowsOptions): string {
  const ofJob = `t.job = ${literal(JOB)}`;
  const conditions = [ofJob, ...options.where, uncut(context, VERSION_COLUMNS)];
  const arrays = ARRAYS.filter((name) => name === 'metric' || !context.isNarrow);
  const joined = [
    ...arrays.map((name) => `t.\`${name}\` AS a_${name}`),
    'arrayEnumerate(t.`metric`) AS place',
  ];
  const element = (name: string) => (arrays.includes(name) ? `a_${name}` : `t.\`${name}\`[place]`);
  const columns = [
    `toUInt8(${options.tier}) AS tier`,
    ...SCALARS.map((name) => `t.\`${name}\` AS \`${name}\``),
    `${options.start} AS window_start`,
    `${options.end} AS window_end`,
    't.window_start AS window_part',
    ...ARRAYS.map((name) => `${element(name)} AS \`${name}\``),
    ...Object.entries(BY_PLACE).map(([name, value]) => `${value} AS \`${name}\``),
  ];
  return [
    `SELECT ${columns.join(', ')}`,
    `FROM ${qualified(context.database, aggregateTable(window).name)} AS t FINAL`,
    `ARRAY JOIN ${joined.join(', ')}`,
    ...(options.before === undefined ? [] : [`PREWHERE ${options.before}`]),
    `WHERE ${conditions.join('\n  AND ')}`,
    FINAL_SETTINGS,
  ].join('\n');
}

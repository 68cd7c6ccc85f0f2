/**
 * Minutes and hours of the query bench, as SQL. In: the view of a channel's samples. Out: rows of
 * `agg_<tier>` as the kernel writes them when windows close. What no question of the bench reads
 * (scores, integrals, sketches) is empty.
 */
import { type Channel, dateTime, endMs, type Fleet, NEVER, type Rows, START_MS } from './fleet.ts';

export type Tier = '1m' | '1h';

const LENGTH_MS: Readonly<Record<Tier, number>> = { '1m': 60_000, '1h': 3_600_000 };
/** Of one INSERT: what a GROUP BY over it holds fits into the engine's memory. */
const INSERT_MS = 24 * 3_600_000;
/** An evicted window that was touched again: one in so many has two fragments. */
const FRAGMENTED_OF = 200;

export interface Span {
  readonly tier: Tier;
  readonly fromMs: number;
  readonly toMs: number;
}

/** All windows that have closed: the last hour has not, its minutes have. */
export function windowSpans(fleet: Fleet, tier: Tier): Span[] {
  const spans: Span[] = [];
  const untilMs = Math.floor(endMs(fleet) / LENGTH_MS[tier]) * LENGTH_MS[tier];
  for (let fromMs = START_MS; fromMs < untilMs; fromMs += INSERT_MS) {
    spans.push({ tier, fromMs, toMs: Math.min(untilMs, fromMs + INSERT_MS) });
  }
  return spans;
}

export function windowRows(view: string, channel: Channel, { tier, fromMs, toMs }: Span): Rows {
  const start = `toStartOfInterval(event_time, toIntervalMillisecond(${LENGTH_MS[tier]}))`;
  const time = (ms: number) => `toDateTime64('${dateTime(ms)}', 3, 'UTC')`;
  const isFragmented = `intHash32(toUnixTimestamp(${start}) + partition) % ${FRAGMENTED_OF} = 0`;
  const inner = [
    ...['tenant', 'site', 'device', `${start} AS start`],
    `if(${isFragmented}, sequence % 2, 0) AS part`,
    'max(sequence) AS newest, max(log_time) AS logged, any(partition) AS place',
    `arrayFilter(m -> m.2 > 0, [${Object.keys(channel.metrics).map(cellText).join(', ')}]) AS cells`,
  ];
  const from = `${view} WHERE event_time >= ${time(fromMs)} AND event_time < ${time(toMs)}`;
  const end = `start + toIntervalMillisecond(${LENGTH_MS[tier]})`;
  return {
    columns: {
      ...{ job: "'core'", tenant: 'tenant', site: 'site', device: 'device' },
      ...{ channel: `'${channel.name}'`, window_start: 'start', fragment: 'part' },
      // Generation 2, so that no cut hides a window.
      version: 'bitOr(bitShiftLeft(toUInt128(2), 96), bitShiftLeft(toUInt128(newest), 32))',
      is_deleted: '0',
      ...Object.fromEntries(CELL.map((name, index) => [name, `cells.${index + 1}`])),
      score: 'arrayMap(m -> 0., cells)',
      ...{ revision: '1', watermark: end, log_time: 'logged', window_end: end },
      ...{ partition: 'place', expires_at: NEVER },
    },
    from: `(SELECT ${inner.join(', ')} FROM ${from} GROUP BY ALL)`,
  };
}

/** What a row holds per metric, in the order of the tuple. */
const CELL = [
  ...['metric', 'count', 'sum', 'min', 'max', 'first', 'first_time', 'first_sequence'],
  ...['last', 'last_time', 'last_sequence', 'mean', 'm2'],
];

function cellText(name: string): string {
  const value = `toFloat64(ifNull(${name}, 0))`;
  const of = (call: string, ...more: string[]): string =>
    `${call}If(${[value, ...more].join(', ')}, isNotNull(${name}))`;
  const timeOf = (call: string): string => `${call}If(event_time, isNotNull(${name}))`;
  const sequenceOf = (call: string): string =>
    `${call}If(sequence, event_time, isNotNull(${name}))`;
  const cell = [
    ...[`'${name}'`, `count(${name})`, of('sum'), of('min'), of('max')],
    ...[of('argMin', 'event_time'), timeOf('min'), sequenceOf('argMin')],
    ...[of('argMax', 'event_time'), timeOf('max'), sequenceOf('argMax')],
    ...[of('avg'), `${of('varPop')} * count(${name})`],
  ];
  return `(${cell.join(', ')})`;
}

/** One window in thirty had another content before a late reading came; it is in the table too. */
export const EARLIER_REVISIONS =
  'INSERT INTO {table} SELECT * REPLACE (version - 1 AS version, 0 AS revision, ' +
  'arrayMap(c -> c + 1, `count`) AS `count`, arrayMap(s -> s + 100, `sum`) AS `sum`, ' +
  'arrayMap(s -> s + 100, `max`) AS `max`, arrayMap(s -> s + 100, `last`) AS `last`) ' +
  'FROM {table} FINAL WHERE cityHash64(device, window_start) % 30 = 0 ' +
  'SETTINGS insert_deduplicate = 0';

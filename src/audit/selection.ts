/**
 * Rows of one device in a stretch of time: what a recomputation keeps. In: identity and times. Out:
 * a condition per table. Each table has a time of its own; a device's one row in `devices` belongs
 * to every stretch, the ledger to no device.
 */
import type { Identity } from '../model/record.ts';
import { literal, type TableShape } from './sql.ts';

export interface Selection {
  readonly identity: Identity;
  /** Of event time, window start, minute or log time; the end is exclusive. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** The first that a table has is its time. */
const TIMES = ['event_time', 'window_start', 'raised_at', 'minute'];

export function selected({ identity, fromMs, toMs }: Selection, table: TableShape): string {
  const columns = table.columns.map(({ name }) => name);
  if (!columns.includes('device')) return '0';
  const { tenant, site, device } = identity;
  const named = { tenant, site, device };
  const who = Object.entries(named)
    .map(([column, id]) => `${column} = ${literal(id)}`)
    .join(' AND ');
  if (table.name === 'devices') return who;
  const column = TIMES.find((each) => columns.includes(each)) ?? 'log_time';
  const time = `toUnixTimestamp64Milli(\`${column}\`)`;
  return `${who} AND ${time} >= ${fromMs} AND ${time} < ${toMs}`;
}

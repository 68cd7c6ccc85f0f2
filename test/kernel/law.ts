/**
 * Laws that hold for the output of any log, whatever computed it. In: rows and dead letters of a
 * whole log, by table. Out: an assertion error that names the law. What the views of the read model
 * do (newest version per key, fragments merged) is done here by hand.
 */
import { expect } from 'chai';
import type { DeadLetter } from '../../src/model/fact.ts';
import type { Expected } from './generator.ts';

export type TableRow = Readonly<Record<string, unknown>>;
export type Tables = ReadonlyMap<string, readonly TableRow[]>;

const STATES = [
  ...['stored', 'partly', 'duplicate', 'dedup_unknown', 'too_late', 'rejected'],
  ...['filtered', 'skipped'],
];

/** The row with the highest version of every key. */
export function newest(rows: readonly TableRow[], key: readonly string[]): TableRow[] {
  const kept = new Map<string, TableRow>();
  for (const row of rows) {
    const place = key.map((column) => String(row[column])).join('|');
    const before = kept.get(place);
    const isNewer = before === undefined || Number(row['version']) >= Number(before['version']);
    expect(before?.['version'], `two rows of one version: ${place}`).to.not.equal(row['version']);
    if (isNewer) kept.set(place, row);
  }
  return [...kept.values()];
}

export function checkLedger(tables: Tables): void {
  const rows = newest(tables.get('ledger') ?? [], ['log', 'partition', 'block']);
  const sum = (values: unknown) => (values as bigint[]).reduce((total, each) => total + each, 0n);
  for (const row of rows) {
    const states = sum(STATES.map((state) => row[state]));
    expect(row['records_in'], 'law: records in = sum of terminal states').to.equal(states);
    const readings = (row['readings_stored'] as bigint) + sum(row['readings']);
    expect(row['readings_decoded'], 'law: decoded = stored + rejected').to.equal(readings);
    const refused = states - (row['stored'] as bigint) - (row['filtered'] as bigint);
    expect(sum(row['records']), 'law: every record not stored whole has a reason').to.equal(
      refused,
    );
  }
  const stored = sum(rows.map((row) => row['samples_stored']));
  const sampleRows = [...tables].filter(([name]) => name.startsWith('ch_'));
  const count = sampleRows.reduce((total, [, rowsOf]) => total + rowsOf.length, 0);
  expect(stored, 'law: samples stored = rows').to.equal(BigInt(count));
}

/** What was injected with a known status has just that one in its dead letter. */
export function checkExpected(
  expected: readonly Expected[],
  letters: readonly DeadLetter[],
  isCapped: boolean,
): void {
  const seen = new Map(letters.map((each) => [`${each.sequence}/${each.index}`, each.reason]));
  for (const { sequence, index, status } of expected) {
    const reason = seen.get(`${sequence}/${index}`);
    if (reason === undefined && isCapped) continue;
    expect(reason, `law: record ${sequence}/${index} is ${status}`).to.equal(status);
  }
}

interface Total {
  count: bigint;
  min: number;
  max: number;
  first: number;
  firstTime: number;
  firstSequence: bigint;
  last: number;
  lastTime: number;
  lastSequence: bigint;
}

const AGGREGATE_KEY = [
  ...['job', 'tenant', 'site', 'device', 'channel', 'window_start', 'fragment'],
];

/** Per (device, channel, metric) over the whole log: fragments and windows merged. */
export function totals(rows: readonly TableRow[]): Map<string, Total> {
  const merged = new Map<string, Total>();
  for (const row of newest(rows, AGGREGATE_KEY)) {
    for (const [place, metric] of (row['metric'] as string[]).entries()) {
      const at = <T>(column: string) => (row[column] as T[])[place]!;
      const next: Total = {
        ...{ count: at<bigint>('count'), min: at<number>('min'), max: at<number>('max') },
        ...{ first: at<number>('first'), firstTime: at<number>('first_time') },
        firstSequence: at<bigint>('first_sequence'),
        ...{ last: at<number>('last'), lastTime: at<number>('last_time') },
        lastSequence: at<bigint>('last_sequence'),
      };
      const key = `${row['device']} ${row['channel']} ${metric}`;
      merged.set(key, add(merged.get(key), next));
    }
  }
  return merged;
}

function add(left: Total | undefined, right: Total): Total {
  if (left === undefined) return { ...right, min: right.min + 0, max: right.max + 0 };
  return {
    count: left.count + right.count,
    // Of 0 and −0, which are equal, the one met first stands; here either is 0.
    min: Math.min(left.min, right.min) + 0,
    max: Math.max(left.max, right.max) + 0,
    ...(isBefore(right, left) ? firstOf(right) : firstOf(left)),
    ...(isBehind(right, left) ? lastOf(right) : lastOf(left)),
  };
}

/** Fragments are met in any order: of equal times the log decides. */
function isBefore(left: Total, right: Total): boolean {
  if (left.firstTime !== right.firstTime) return left.firstTime < right.firstTime;
  return left.firstSequence < right.firstSequence;
}

function isBehind(left: Total, right: Total): boolean {
  if (left.lastTime !== right.lastTime) return left.lastTime > right.lastTime;
  return left.lastSequence > right.lastSequence;
}

const firstOf = ({ first, firstTime, firstSequence }: Total) => ({
  ...{ first, firstTime, firstSequence },
});
const lastOf = ({ last, lastTime, lastSequence }: Total) => ({ last, lastTime, lastSequence });

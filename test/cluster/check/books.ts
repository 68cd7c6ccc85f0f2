/**
 * Compares what ClickHouse answers with what was acknowledged. In: a query room, the fleet, how far
 * each lane got. Out: lost, duplicated, out of order, the first differences in words, and whether
 * the ledger balances and equals the rows. Everything is asked through the views, as an analyst
 * would.
 */
import type { Query } from '../../../src/query/index.ts';
import type { Fleet } from '../load/fleet.ts';
import type { LaneCount } from '../load/lane.ts';
import { BEACON, PARTITIONS, VEHICLE } from '../settings.ts';
import { describeWindow, type Expected, parseWindows, WINDOW_SQL } from './oracle.ts';

export interface Findings {
  readonly lost: number;
  readonly duplicated: number;
  readonly orderViolations: number;
  readonly windowsEqual: boolean;
  readonly windows: number;
  readonly ledgerBalanced: boolean;
  /** At most FINDINGS_MAX, for people. */
  readonly differences: readonly string[];
}

const FINDINGS_MAX = 20;

export interface Audit {
  readonly query: Query;
  readonly fleet: Fleet;
  readonly expected: Expected;
  readonly counts: readonly LaneCount[];
}

/** Cheap enough to be asked until it is true. */
export async function windowsOf(query: Query): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await query.stream(WINDOW_SQL)) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

export async function audit(given: Audit): Promise<Findings> {
  const differences: string[] = [];
  const tell = (line: string) => {
    if (differences.length < FINDINGS_MAX) differences.push(line);
  };
  const { lost, duplicated } = await auditRows(given, tell);
  const answer = await windowsOf(given.query);
  const windowsEqual = answer.equals(given.expected.bytes);
  const inWindows = windowsEqual
    ? { lost: 0, duplicated: 0 }
    : auditWindows(given.expected, parseWindows(answer), tell);
  return {
    lost: Math.max(lost, inWindows.lost),
    duplicated: Math.max(duplicated, inWindows.duplicated),
    orderViolations: await auditOrder(given, tell),
    windowsEqual,
    windows: given.expected.rows.size,
    ledgerBalanced: await auditLedger(given, tell),
    differences,
  };
}

type Tell = (line: string) => void;
const CHANNELS = [VEHICLE, BEACON];

interface DeviceRow {
  readonly device: string;
  readonly rows: string;
  readonly distinct: string;
  readonly digest: string;
}

/** Every acknowledged event is one row: missing ones are lost, more than one are duplicated. */
async function auditRows({ query, fleet, expected }: Audit, tell: Tell) {
  let lost = 0;
  let duplicated = 0;
  const missing = new Map(expected.devices);
  for (const channel of CHANNELS) {
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const rows = await query.rows<DeviceRow>(
        'SELECT device, count() AS rows, uniqExact(counter) AS distinct, ' +
          `sum(counter * counter) AS digest FROM v_${channel} ` +
          `WHERE partition = ${partition} GROUP BY device`,
      );
      for (const row of rows) {
        const own = missing.get(row.device);
        missing.delete(row.device);
        const [count, distinct] = [Number(row.rows), Number(row.distinct)];
        const isEqual = own?.count === count && own.digest === BigInt(row.digest);
        if (isEqual && count === distinct) continue;
        const fewer = (own?.count ?? 0) - distinct;
        duplicated += count - distinct + Math.max(0, -fewer);
        // As many as expected but not the same ones: at least one is lost.
        lost += isEqual ? 0 : Math.max(fewer, count === distinct && fewer === 0 ? 1 : 0);
        tell(`${row.device}: ${count} rows, ${distinct} distinct, expected ${own?.count ?? 0}`);
      }
    }
  }
  for (const [device, { count }] of missing) {
    if (count === 0) continue;
    lost += count;
    tell(`${device}: no rows, expected ${count}`);
  }
  if (missing.size === fleet.devices.length) tell('there are no rows at all');
  return { lost, duplicated };
}

function auditWindows(expected: Expected, found: ReadonlyMap<string, Buffer>, tell: Tell) {
  let lost = 0;
  let duplicated = 0;
  const countOf = (row: Buffer | undefined): number => {
    if (!row) return 0;
    let at = 0;
    for (let name = 0; name < 2; name += 1) at += 1 + row[at]!;
    return Number(row.readBigUInt64LE(at + 8));
  };
  for (const key of new Set([...expected.rows.keys(), ...found.keys()])) {
    const [wanted, given] = [expected.rows.get(key), found.get(key)];
    if (wanted && given?.equals(wanted)) continue;
    const words = (row: Buffer | undefined) => (row ? describeWindow(row) : 'no row');
    tell(`v_agg_1m ${key}: ${words(given)}; expected ${words(wanted)}`);
    if (!key.includes(' counter ')) continue; // every event has one, so it is counted once
    const fewer = countOf(wanted) - countOf(given);
    lost += Math.max(0, fewer);
    duplicated += Math.max(0, -fewer);
  }
  return { lost, duplicated };
}

/** Rows of a device in the order of the log must be in the order in which it sent them. */
async function auditOrder({ query }: Audit, tell: Tell): Promise<number> {
  let violations = 0;
  for (const channel of CHANNELS) {
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const [row] = await query.rows<{ n: string }>(
        'SELECT countIf(counter <= before) AS n FROM (SELECT counter, lagInFrame(counter, 1, -1) ' +
          'OVER (PARTITION BY device ORDER BY sequence, ordinal ' +
          'ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS before ' +
          `FROM v_${channel} WHERE partition = ${partition})`,
      );
      const count = Number(row?.n ?? 0);
      if (count > 0) tell(`${channel}, partition ${partition}: ${count} rows out of order`);
      violations += count;
    }
  }
  return violations;
}

/** Balanced in itself, equal to the rows that are there, and to what was sent. */
async function auditLedger(given: Audit, tell: Tell): Promise<boolean> {
  const { query, expected, counts } = given;
  const ledger = await query.ledgerSummary();
  const { fates } = expected;
  const sum = (of: (count: LaneCount) => number) =>
    counts.reduce((total, each) => total + of(each), 0);
  const retried = sum((each) => each.retried);
  let isRight = true;
  const must = (condition: boolean, what: string) => {
    if (!condition) tell(`ledger: ${what}`);
    isRight &&= condition;
  };
  must(ledger.balanced, 'records do not balance');
  must(ledger.readingsBalanced, 'readings do not balance');
  must(ledger.gapMessages === 0, `${ledger.gapMessages} messages are missing in the log`);
  must(ledger.skipped === 0, `${ledger.skipped} records were skipped`);
  must(ledger.dedupUnknown === 0, `${ledger.dedupUnknown} records could not be judged`);
  const same = (name: string, found: number, wanted: number) =>
    must(found === wanted, `${name} ${found}, expected ${wanted}`);
  same('stored', ledger.stored, fates.stored);
  same('partly', ledger.partly, fates.partly);
  // A batch whose reply was lost is sent again whole: what is no duplicate by then counts again.
  const between = (name: string, found: number, least: number) =>
    must(
      found >= least && found <= least + retried,
      `${name} ${found}, expected ${least} to ${least + retried}`,
    );
  between(
    'duplicate',
    ledger.duplicate,
    sum((each) => each.repeated),
  );
  between('tooLate + rejected', ledger.tooLate + ledger.rejected, fates.tooOld + fates.rejected);
  let rows = 0;
  for (const channel of CHANNELS) {
    const [row] = await query.rows<{ n: string }>(`SELECT count() AS n FROM v_${channel}`);
    rows += Number(row?.n ?? 0);
  }
  same('samples', ledger.samplesStored, rows);
  return isRight;
}

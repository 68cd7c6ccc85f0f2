/**
 * The judge. In: what was acknowledged, the log as it was, the read model as it is. Out: the first
 * thing that is wrong, or null. Two yardsticks: the obvious one, counting acknowledged events one
 * by one, and the exact one, a single turn of the kernel over the whole log.
 */

import type { DeadLetter } from '../../src/model/fact.ts';
import type { LogPosition } from '../../src/model/record.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import type { ModelEvent, ModelPlan } from './device.ts';
import { World } from './model-world.ts';
import { type Cut, keyOf, letterKey, type Row } from './read-model.ts';

export interface Evidence {
  readonly acknowledged: ReadonlyMap<string, ModelEvent>;
  readonly logs: readonly (readonly LogMessage[])[];
  readonly skips: readonly (readonly LogPosition[])[];
  /** Of each partition, the oldest generation first. */
  readonly cuts: readonly (readonly Cut[])[];
  readonly rows: ReadonlyMap<string, Row>;
  readonly facts: ReadonlyMap<string, Row>;
  readonly letters: ReadonlyMap<string, DeadLetter>;
  readonly plan: ModelPlan;
  /** Windows are sums of what was inserted: nothing to compare them with row by row. */
  readonly isSumming: boolean;
}

/** One turn over the whole log, by a kernel that nothing happens to. */
export function replay(evidence: Pick<Evidence, 'logs' | 'skips' | 'cuts'>) {
  const rows = new Map<string, Row>();
  const facts = new Map<string, Row>();
  const letters = new Map<string, DeadLetter>();
  for (const [partition, log] of evidence.logs.entries()) {
    const world = new World(partition, 1, {});
    world.setSkips(evidence.skips[partition]!);
    const cuts = inForce(evidence.cuts[partition]!);
    begin(world, cuts, 0);
    for (const message of log) {
      for (const step of world.apply(message)) {
        if (step === 'plan') world.usePlan(Buffer.from(message.payload).toString('utf8'));
      }
      const taken = world.take();
      for (const row of taken.rows) rows.set(keyOf(row), row);
      for (const row of taken.facts) facts.set(keyOf(row), row);
      for (const letter of taken.letters) letters.set(letterKey(letter), letter);
      begin(world, cuts, Number(message.sequence));
    }
  }
  return { rows, facts, letters };
}

/** A generation whose cut lies behind a later one's never wrote anything that counts. */
function inForce(cuts: readonly Cut[]): Cut[] {
  return cuts.filter(({ generation, cut }) =>
    cuts.every((other) => other.generation <= generation || other.cut > cut),
  );
}

function begin(world: World, cuts: readonly Cut[], position: number): void {
  for (const { generation, cut } of cuts) if (cut === position) world.beginGeneration(generation);
}

export function judge(evidence: Evidence): string | null {
  return (
    judgeEvents(evidence) ??
    judgeWindows(evidence) ??
    judgeSessions(evidence) ??
    judgeLedger(evidence) ??
    judgeFacts(evidence) ??
    judgePurity(evidence)
  );
}

interface Raw {
  readonly event: string;
  readonly device: string;
  readonly timeMs: number;
  readonly value: number;
}

const rowsOf = ({ rows }: Evidence, table: string): Row[] =>
  [...rows.values()].filter((row) => row.table === table && !row.isDeleted);

const rawsOf = (evidence: Evidence): Raw[] =>
  rowsOf(evidence, 'raw').map(({ key, value }) => ({
    ...(JSON.parse(value) as Omit<Raw, 'device'>),
    device: key.split('/')[0]!,
  }));

/** No acknowledged event is lost, and each is counted once. */
function judgeEvents(evidence: Evidence): string | null {
  const stored = new Map<string, number>();
  for (const { event } of rawsOf(evidence)) stored.set(event, (stored.get(event) ?? 0) + 1);
  for (const [event, count] of stored) {
    if (count > 1) return `${event} is counted ${count} times`;
  }
  const letters = new Map<string, string>();
  for (const { channel, reason } of evidence.letters.values()) letters.set(channel, reason);
  for (const [name, event] of evidence.acknowledged) {
    const reason = letters.get(name);
    if (event.isPoison && reason !== 'SKIPPED') return `${name}: poison, and not skipped`;
    if (event.isPoison || stored.has(name)) continue;
    return `${name} was acknowledged and is lost (${reason ?? 'no trace of it'})`;
  }
  return null;
}

/** Fragments of a window together hold what the raw rows of its time hold. */
function judgeWindows(evidence: Evidence): string | null {
  const { windowMs } = evidence.plan;
  const expected = new Map<string, Total>();
  for (const raw of rawsOf(evidence)) {
    const start = Math.floor(raw.timeMs / windowMs) * windowMs;
    add(expected, `${raw.device}/${start}`, { count: 1, sum: raw.value });
  }
  const found = new Map<string, Total>();
  for (const { key, value } of rowsOf(evidence, 'win')) {
    const [device, start] = key.split('/');
    const total = value.startsWith('{') ? (JSON.parse(value) as Total) : { count: +value, sum: 0 };
    add(found, `${device}/${start}`, total);
  }
  const isDelta = rowsOf(evidence, 'win').some(({ value }) => !value.startsWith('{'));
  return differenceOf('window', expected, found, isDelta);
}

interface Total {
  readonly count: number;
  readonly sum: number;
}

function add(totals: Map<string, Total>, key: string, { count, sum }: Total): void {
  const before = totals.get(key) ?? { count: 0, sum: 0 };
  totals.set(key, { count: before.count + count, sum: before.sum + sum });
}

function differenceOf(
  what: string,
  expected: ReadonlyMap<string, Total>,
  found: ReadonlyMap<string, Total>,
  isCountOnly = false,
): string | null {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const should = expected.get(key);
    const is = found.get(key);
    if (should?.count === is?.count && (isCountOnly || should?.sum === is?.sum)) continue;
    return `${what} ${key} holds ${JSON.stringify(is)}, its events are ${JSON.stringify(should)}`;
  }
  return null;
}

/** Sessions are what sorting a device's events and cutting at the gaps gives. */
function judgeSessions(evidence: Evidence): string | null {
  const { gapMs } = evidence.plan;
  const expected = new Map<string, Total>();
  const raws = rawsOf(evidence).sort((left, right) => left.timeMs - right.timeMs);
  const open = new Map<string, { start: number; end: number }>();
  for (const { device, timeMs, value } of raws) {
    const before = open.get(device);
    const isNew = !before || timeMs > before.end + gapMs;
    const session = isNew ? { start: timeMs, end: timeMs } : { ...before, end: timeMs };
    open.set(device, session);
    add(expected, `${device}/${session.start}`, { count: 1, sum: value });
  }
  const found = new Map<string, Total>();
  for (const { key, value } of rowsOf(evidence, 'ses')) add(found, key, JSON.parse(value) as Total);
  return differenceOf('session', expected, found);
}

/** Records in = what became of them, and as many are stored as there are raw rows. */
function judgeLedger(evidence: Evidence): string | null {
  let total = 0;
  for (const { key, value } of rowsOf(evidence, 'ledger')) {
    const { in: all, stored, ...rest } = JSON.parse(value) as Record<string, number>;
    const sum = Object.values(rest).reduce((one, other) => one + other, stored!);
    if (all !== sum) return `ledger ${key} does not balance: ${value}`;
    total += stored!;
  }
  const raws = rawsOf(evidence).length;
  return raws === total ? null : `the ledger says ${total} stored, there are ${raws} raw rows`;
}

/** A consumer that keeps the highest version holds what the tables hold. */
function judgeFacts({ rows, facts }: Evidence): string | null {
  for (const [key, row] of rows) {
    if (!['win', 'ses', 'last'].includes(row.table)) continue;
    const fact = facts.get(key);
    if (fact?.version !== row.version) {
      return `${key}: the newest fact is ${fact?.version}, the row ${row.version}`;
    }
  }
  return null;
}

function judgePurity(evidence: Evidence): string | null {
  const pure = replay(evidence);
  if (evidence.isSumming) return differ('dead letter', pure.letters, evidence.letters);
  return (
    differ('row', pure.rows, evidence.rows) ??
    differ('fact', pure.facts, evidence.facts) ??
    differ('dead letter', pure.letters, evidence.letters)
  );
}

function differ(
  what: string,
  pure: ReadonlyMap<string, Row | DeadLetter>,
  found: ReadonlyMap<string, Row | DeadLetter>,
): string | null {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? `${each}` : each));
  for (const key of new Set([...pure.keys(), ...found.keys()])) {
    const [should, is] = [text(pure.get(key)), text(found.get(key))];
    if (should !== is) return `${what} ${key} is ${is}, the log says ${should}`;
  }
  return null;
}

/** What a reader sees, whatever the versions are: equal for equal events. */
export function viewOf(rows: ReadonlyMap<string, Row>): string {
  const windows = new Map<string, Total>();
  const lines: string[] = [];
  for (const { table, key, value, isDeleted } of rows.values()) {
    if (isDeleted || table === 'ledger') continue;
    const [device, start] = key.split('/');
    if (table === 'win') add(windows, `${device}/${start}`, JSON.parse(value) as Total);
    else lines.push(`${table} ${table === 'raw' ? device : key} ${value}`);
  }
  for (const [key, total] of windows) lines.push(`win ${key} ${JSON.stringify(total)}`);
  return lines.sort().join('\n');
}

/**
 * What became of the rows of an ingest: waits until the read models show them, then counts. In:
 * what was sent and where it lies in the log. Out: a report for people, or one JSON object.
 */
import pc from 'picocolors';
import { systemClock } from '../../base/clock.ts';
import { isOperatingError } from '../../model/error.ts';
import type { LedgerSummary } from '../../query/index.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLine } from '../report.ts';
import type { Session } from '../session.ts';
import type { FeedResult } from './file-feed.ts';
import type { IngestOptions } from './ingest.ts';
import type { Supply } from './supply.ts';

/** Without any progress of the read model for this long, waiting ends. */
const STANDSTILL_MS_MAX = 60_000;
const LOOK_MS = 1_000;
/** A flush point comes each second of log time. */
const LEDGER_MS_MAX = 10_000;
const LEDGER_POLL_MS = 100;

export interface OutcomeOptions {
  readonly session: Session;
  readonly options: IngestOptions;
  readonly declared: readonly string[] | null;
  readonly before: LedgerSummary | null;
  readonly results: readonly FeedResult[];
  readonly supply: Supply;
}

const STATES = [
  'recordsIn',
  'stored',
  'partly',
  'duplicate',
  'dedupUnknown',
  'tooLate',
  'rejected',
  'filtered',
  'skipped',
] as const;
type Balance = Record<(typeof STATES)[number], number>;

export async function reportIngest(outcome: OutcomeOptions): Promise<void> {
  const { session, options, declared, before, results, supply } = outcome;
  const isSeen = options.wait && !supply.ending.aborted && (await waitUntilSeen(outcome));
  const sent = results.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  const log = isSeen && before ? await patiently(() => balanceSince(session, before, sent)) : null;
  const files = [];
  for (const { positions, ...result } of results) {
    const stored = isSeen
      ? await patiently(() => countStored(outcome, { ...result, positions }))
      : null;
    const places = [...positions].map(([partition, range]) => ({ partition, ...range }));
    files.push({ ...result, stored, positions: places });
  }
  if (files.some(({ refused }) => refused > 0)) process.exitCode = EXIT.checkFailed;
  if (options.json) {
    const { channel } = options;
    printJson({
      channel,
      declared,
      interrupted: supply.ending.aborted,
      visible: isSeen,
      files,
      log,
    });
    return;
  }
  if (declared) printLine(`declared channel ${options.channel}:`);
  for (const line of declared ?? []) printLine(`  ${line}`);
  for (const file of files) for (const line of fileLines(file)) printLine(line);
  if (supply.ending.aborted) printLine('interrupted: the same command goes on from here');
  else if (options.wait && !isSeen)
    printLine('not all of it can be queried yet: see millrace status');
  if (log) printLine(`the whole log meanwhile: ${balanceText(log)}`);
}

/** True when everything sent can be queried. Waits as long as the read model goes on. */
async function waitUntilSeen(outcome: OutcomeOptions): Promise<boolean> {
  const { results } = outcome;
  const last = new Map<number, bigint>();
  for (const { positions } of results) {
    for (const [partition, range] of positions) {
      if (range.last > (last.get(partition) ?? 0n)) last.set(partition, range.last);
    }
  }
  for (const [partition, sequence] of last) {
    if (!(await isPartitionSeen(outcome, partition, sequence))) return false;
  }
  return true;
}

/** As long as there is progress now and then. */
async function isPartitionSeen(
  { session, supply }: OutcomeOptions,
  partition: number,
  sequence: bigint,
): Promise<boolean> {
  const { query } = session;
  let reached = -1n;
  let endMs = systemClock.monotonicMs() + STANDSTILL_MS_MAX;
  while (systemClock.monotonicMs() < endMs && !supply.ending.aborted) {
    if (await patiently(() => query.waitVisible(partition, sequence, LOOK_MS))) return true;
    const now = await patiently(() => query.visible(partition));
    if (now > reached) endMs = systemClock.monotonicMs() + STANDSTILL_MS_MAX;
    reached = now;
  }
  return false;
}

/** Asks again while ClickHouse is gone for a moment. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const endMs = systemClock.monotonicMs() + STANDSTILL_MS_MAX;
  while (true) {
    try {
      return await ask();
    } catch (error) {
      const passes = isOperatingError(error) && error.retry !== 'never';
      if (!passes || systemClock.monotonicMs() > endMs) throw error;
      await systemClock.wait(LOOK_MS);
    }
  }
}

/** Rows of this run that stand in the channel's view. */
async function countStored(
  { session, options }: OutcomeOptions,
  { positions, device }: Pick<FeedResult, 'positions' | 'device'>,
): Promise<number> {
  let stored = 0;
  for (const [partition, { first, last }] of positions) {
    const [row] = await session.query.rows<{ stored: string }>(
      `SELECT count() AS stored FROM \`v_${options.channel}\` ` +
        'WHERE tenant = {tenant: String} AND site = {site: String} ' +
        "AND ({device: String} = '' OR device = {device: String}) " +
        'AND partition = {partition: UInt16} ' +
        'AND sequence BETWEEN {first: UInt64} AND {last: UInt64}',
      {
        tenant: options.tenant,
        site: options.site,
        device: device ?? '',
        partition,
        first: `${first}`,
        last: `${last}`,
      },
    );
    stored += Number(row?.stored ?? 0);
  }
  return stored;
}

/** The ledger is written at flush points, a moment after the rows: waits until it has them all. */
async function balanceSince(
  session: Session,
  before: LedgerSummary,
  sent: number,
): Promise<Balance> {
  const endMs = systemClock.monotonicMs() + LEDGER_MS_MAX;
  while (true) {
    const now = await session.query.ledgerSummary();
    if (now.recordsIn - before.recordsIn >= sent || systemClock.monotonicMs() > endMs) {
      const entries = STATES.map((state) => [state, now[state] - before[state]]);
      return Object.fromEntries(entries) as Balance;
    }
    await systemClock.wait(LEDGER_POLL_MS);
  }
}

function balanceText({ recordsIn, ...states }: Balance): string {
  const counts = Object.entries(states).filter(([, count]) => count > 0);
  const out = counts.map(([state, count]) => `${count} ${words(state)}`).join(' · ');
  return `${recordsIn} records in${out ? ` · ${out}` : ''}`;
}

const words = (state: string): string =>
  state.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

type FileOutcome = Omit<FeedResult, 'positions'> & { readonly stored: number | null };

function fileLines(file: FileOutcome): string[] {
  const { rows, already, acknowledged, refused, stored } = file;
  const parts = [
    `${rows} rows read`,
    ...(already > 0 ? [`${already} were already in the log`] : []),
    `${acknowledged} acknowledged`,
    ...(refused > 0 ? [pc.red(`${refused} refused`)] : []),
    ...(stored === null ? [] : [`${stored} stored`]),
  ];
  const device = file.device === null ? '' : ` as device ${file.device}`;
  return [
    `${file.file}${device}: ${parts.join(' · ')}`,
    ...file.refusals.map(({ row, code, message }) => `  row ${row}: ${code}: ${message}`),
  ];
}

/**
 * What `up` shows while it runs: on a terminal one block that is rewritten every second; with
 * --json one line a second; else nothing after the addresses. In: the running instance. The figures
 * come from where the users look: the ledger in ClickHouse, the partitions, the ingest door.
 */
import pc from 'picocolors';
import { systemClock } from '../../base/clock.ts';
import type { Millrace } from '../../main.ts';
import { createQuery, type LedgerSummary, type Query } from '../../query/index.ts';
import { printJson, printLine } from '../report.ts';
import type { RunState } from '../run-file.ts';

const REFRESH_MS = 1000;
/** A line that wraps would make the block taller than its count of lines. */
const NO_WRAP = '\u001b[?7l';
const WRAP = '\u001b[?7h';

/** How many lines above the cursor are the block's; 0 after somebody else wrote. */
export interface Screen {
  lines: number;
}

export interface LiveOptions {
  readonly millrace: Millrace;
  readonly state: RunState;
  readonly asJson: boolean;
  readonly title: string;
  readonly signal: AbortSignal;
  readonly screen: Screen;
}

export interface LiveFigures {
  readonly uptimeSeconds: number;
  readonly eventsInPerSecond: number;
  readonly eventsFoldedPerSecond: number;
  readonly lagMessages: number;
  readonly devices: number;
  readonly partitionsRunning: number;
  readonly partitions: number;
  readonly ledger: LedgerSummary | null;
  readonly refused: number;
  /** By error code, since the start. */
  readonly troubles: Readonly<Record<string, number>>;
}

export async function showLive(options: LiveOptions): Promise<void> {
  const { state, asJson, title, signal, screen } = options;
  const isTerminal = process.stdout.isTTY === true;
  if (!asJson) for (const line of addresses(state, title)) printLine(line);
  if (!asJson && !isTerminal) return;
  const query = createQuery(state.clickhouse);
  const sample = sampler(options, query);
  while (!signal.aborted) {
    await systemClock.wait(REFRESH_MS, signal).catch(() => {});
    if (signal.aborted) break;
    const figures = await sample();
    if (asJson) printJson(figures);
    else {
      const block = liveLines(figures);
      const up = screen.lines > 0 ? `\u001b[${screen.lines}A` : '';
      const rows = block.map((line) => `\u001b[2K${line}\n`).join('');
      process.stdout.write(`${up}${NO_WRAP}${rows}${WRAP}`);
      screen.lines = block.length;
    }
  }
  await query.close();
}

export function addresses(state: RunState, title: string): string[] {
  const { nats, clickhouse } = state;
  return [
    '',
    `${pc.bold('Millrace is up')} (${title})`,
    `  NATS        ${nats.url}   subscribe to agg.1m.>, alert.>, shadow.>, dlq.>`,
    ...(nats.websocketUrl ? [`  WebSocket   ${nats.websocketUrl}`] : []),
    `  ClickHouse  ${clickhouse.url}   database ${clickhouse.database}, read-only user ` +
      `${clickhouse.readonlyUser ?? '–'}`,
    '  Try         npx millrace query "SELECT * FROM v_devices LIMIT 5"',
    '              npx millrace tail · npx millrace ledger · npx millrace --help',
    '  Ctrl-C stops everything',
    '',
  ];
}

function sampler({ millrace }: LiveOptions, query: Query): () => Promise<LiveFigures> {
  const startedMs = systemClock.monotonicMs();
  let before: { ms: number; accepted: number; folded: number | null } = {
    ms: startedMs,
    accepted: 0,
    folded: null, // what an earlier run folded is no rate of this one
  };
  return async () => {
    const ledger = await query.ledgerSummary().catch(() => null);
    const lag = await lagOf(millrace).catch(() => 0);
    const { accepted, refused } = millrace.ingest.counts;
    const folded = ledger?.recordsIn ?? before.folded;
    const ms = systemClock.monotonicMs();
    const seconds = Math.max(0.001, (ms - before.ms) / 1000);
    const running = millrace.runtime.status.filter(({ phase }) => phase === 'running');
    const figures: LiveFigures = {
      uptimeSeconds: Math.round((ms - startedMs) / 1000),
      eventsInPerSecond: Math.round((accepted - before.accepted) / seconds),
      eventsFoldedPerSecond: rateOf(before.folded, folded, seconds),
      lagMessages: lag,
      devices: millrace.runtime.status.reduce((sum, { devices }) => sum + devices, 0),
      partitionsRunning: running.length,
      partitions: millrace.runtime.status.length,
      ledger,
      refused: Object.values(refused).reduce((sum, count) => sum + count, 0),
      troubles: millrace.troubleCounts,
    };
    before = { ms, accepted, folded };
    return figures;
  };
}

function rateOf(before: number | null, now: number | null, seconds: number): number {
  return before === null || now === null ? 0 : Math.max(0, Math.round((now - before) / seconds));
}

async function lagOf({ runtime, reader }: Millrace): Promise<number> {
  const owned = runtime.status.filter(({ phase }) => phase !== 'following' && phase !== 'claiming');
  const lags = owned.map(async ({ partition, position }) => {
    const { lastSequence } = await reader.state(partition);
    return Number(lastSequence - position);
  });
  return (await Promise.all(lags)).reduce((sum, lag) => sum + Math.max(0, lag), 0);
}

function liveLines(figures: LiveFigures): string[] {
  const { ledger, partitions, partitionsRunning } = figures;
  const all = partitionsRunning === partitions ? pc.green : pc.yellow;
  const balance =
    ledger === null
      ? pc.yellow('ClickHouse does not answer')
      : ledger.balanced
        ? pc.green('balanced')
        : pc.red('DOES NOT BALANCE');
  const running = all(`${partitionsRunning}/${partitions}`);
  const { uptimeSeconds, eventsInPerSecond, eventsFoldedPerSecond } = figures;
  const { devices, lagMessages, refused } = figures;
  return [
    `  up ${uptimeSeconds} s · partitions ${running} · devices ${devices}`,
    `  events/s in ${eventsInPerSecond} · folded ${eventsFoldedPerSecond} · ` +
      `lag ${lagMessages} messages · refused ${refused}`,
    `  ledger ${balance}${ledger ? countsText(ledger) : ''}`,
  ];
}

function countsText({ recordsIn, stored, duplicate, rejected }: LedgerSummary): string {
  return ` · ${recordsIn} in · ${stored} stored · ${duplicate} duplicate · ${rejected} rejected`;
}

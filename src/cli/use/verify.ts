/**
 * `millrace verify`: an audit that any user can run. Computes a partition anew from its log, into
 * tables of its own, and compares state, rows and books with what is stored. Exit code 5 when
 * something differs, 6 when nothing does but part of what was asked for cannot be verified any
 * more.
 */
import { Command } from 'commander';
import pc from 'picocolors';
import { type Verification, verify } from '../../audit/index.ts';
import { systemClock } from '../../base/clock.ts';
import { EXIT } from '../exit.ts';
import { catchInterrupt } from '../interrupt.ts';
import { bigNumber, examples, forInstance, type InstanceOptions, wholeNumber } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openExtent, openWorkshop, partitionsOf, type Workshop } from '../workshop.ts';
import { grouped, rowLines, rowsWrong } from './difference.ts';
import { createPositionBar } from './progress.ts';

/** Rows may expire while they are compared: those about to do so are left out. */
const EXPIRY_MARGIN_S = 900;
const SHOWN_DEFAULT = 10;
/** Databases of runs that were killed are dropped by a later one. */
const LEFTOVER_S = 86_400;

interface VerifyOptions extends InstanceOptions {
  readonly partition?: number;
  readonly all?: boolean;
  readonly from?: bigint;
  readonly to?: bigint;
  readonly show: number;
}

export function verifyCommand(): Command {
  const command = new Command('verify')
    .description('compute a partition anew from its log and compare it with what is stored')
    .option('--partition <number>', 'which partition', wholeNumber)
    .option('--all', 'every partition, one after the other')
    .option('--from <sequence>', 'first log message whose rows are compared', bigNumber)
    .option('--to <sequence>', 'last one (default: as far as rows can be seen)', bigNumber)
    .option('--show <rows>', 'differing rows told per table', wholeNumber, SHOWN_DEFAULT)
    .addHelpText(
      'after',
      `${examples('millrace verify --partition 3', 'millrace verify --all --json')}

Exit code 5: something differs. 6: nothing differs, but part of what was asked for cannot be
verified any more (purged or lost log).`,
    );
  return forInstance(command).action(run);
}

async function run(options: VerifyOptions): Promise<void> {
  const interruption = catchInterrupt();
  const workshop = await openWorkshop(options);
  try {
    await dropLeftovers(workshop);
    const results: Verification[] = [];
    for (const partition of partitionsOf(workshop.session, options)) {
      const result = await verifyOne(workshop, { ...options, partition }, interruption.signal);
      results.push(result);
      if (options.json) printJson(asJson(result));
      else show(result);
    }
    process.exitCode = exitCode(results, options);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    interruption.release();
    await workshop.close();
  }
}

async function verifyOne(
  workshop: Workshop,
  options: VerifyOptions & { readonly partition: number },
  signal: AbortSignal,
): Promise<Verification> {
  const { state } = workshop.session;
  const { partition, from, to } = options;
  const { extent, kernel } = await openExtent(workshop, {
    partition,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  });
  const nowS = Math.floor(systemClock.nowMs() / 1000);
  const computed = `${prefixOf(workshop)}${nowS}_${process.pid}`;
  const bar = createPositionBar(`partition ${partition}`, extent, options.json === true);
  try {
    const { readModel, prepare } = await workshop.openTables(computed);
    try {
      await prepare(extent.start.planText);
      return await verify(
        {
          ...workshop,
          extent,
          log: state.log,
          partitionKernel: kernel,
          sink: readModel.sink,
          prepare,
          stored: state.clickhouse.database,
          computed,
          expiredS: nowS + EXPIRY_MARGIN_S,
          shownMax: options.show,
          onProgress: (position) => bar.show(position),
        },
        signal,
      );
    } finally {
      await readModel.stop();
    }
  } finally {
    bar.stop();
    kernel.close();
    await workshop.dropDatabase(computed);
  }
}

const prefixOf = ({ session }: Workshop): string => `${session.state.clickhouse.database}_verify_`;

async function dropLeftovers(workshop: Workshop): Promise<void> {
  const prefix = prefixOf(workshop);
  const rows = await workshop.ask.rows<{ name: string }>('SELECT name FROM system.databases');
  const before = systemClock.nowMs() / 1000 - LEFTOVER_S;
  for (const { name } of rows) {
    const stamp = name.startsWith(prefix) ? /^\d+/.exec(name.slice(prefix.length))?.[0] : undefined;
    if (stamp !== undefined && Number(stamp) < before) await workshop.dropDatabase(name);
  }
}

function exitCode(results: readonly Verification[], { from, to }: VerifyOptions): number {
  if (results.some(({ isEqual }) => !isEqual)) return EXIT.differs;
  // What retention has purged was not asked for unless somebody says so; a lost tail always is.
  const isAsked = from !== undefined || to !== undefined;
  const isOpen = ({ extent }: Verification) =>
    extent.unverifiable.some((range) => isAsked || range.from > extent.to);
  return results.some(isOpen) ? EXIT.unverifiable : EXIT.done;
}

const total = (result: Verification, count: 'equal' | 'movedOn' | 'expired'): number =>
  result.tables.reduce((sum, table) => sum + table[count], 0);

function asJson(result: Verification) {
  const { extent, partition, messages, gapMessages, states, tables, books, isEqual } = result;
  return {
    partition,
    equal: isEqual,
    generation: extent.record.generation,
    computedFrom: BigInt(extent.start.position) + 1n,
    from: extent.from,
    to: extent.to,
    messages,
    gapMessages,
    records: books.records,
    rowsEqual: total(result, 'equal'),
    rowsWrong: rowsWrong(result.tables),
    rowsMovedOn: total(result, 'movedOn'),
    rowsExpired: total(result, 'expired'),
    unverifiable: extent.unverifiable,
    states,
    tables,
    books,
  };
}

function show(result: Verification): void {
  const { extent, partition, books, states, tables } = result;
  printLine(
    `partition ${partition}: log messages ${extent.from} … ${extent.to}, computed from ` +
      `${BigInt(extent.start.position) + 1n} on, generation ${extent.record.generation}`,
  );
  for (const { from, to, why } of extent.unverifiable) {
    printLine(pc.yellow(`  not verifiable: ${from} … ${to}: ${why}`));
  }
  if (result.gapMessages > 0n) {
    printLine(pc.yellow(`  the log lacks ${result.gapMessages} messages inside the stretch`));
  }
  for (const line of rowLines(tables)) printLine(`  ${line}`);
  for (const { position, stored, computed } of states) {
    if (stored === computed) printLine(`  state at ${position}: ${stored}, equal`);
    else printLine(pc.red(`  state at ${position}: stored ${stored}, computed ${computed}`));
  }
  for (const { block, what } of books.errors) {
    printLine(pc.red(`  ledger block ${block}: ${what}`));
  }
  printLine(verdictLine(result));
}

function verdictLine(result: Verification): string {
  const { partition, books, states, isEqual } = result;
  const rows = `${grouped(total(result, 'equal'))} rows equal`;
  const head = `partition ${partition}: ${grouped(books.records)} records, ${rows}`;
  const isStateEqual = states.every(({ stored, computed }) => stored === computed);
  const none = 'state not compared (no checkpoint in the stretch)';
  const state = states.length === 0 ? none : `state ${isStateEqual ? 'equal' : 'DIFFERS'}`;
  if (isEqual) return pc.green(`${head}, ${state}`);
  return pc.red(`${head}, ${grouped(rowsWrong(result.tables))} ROWS DIFFER, ${state}`);
}

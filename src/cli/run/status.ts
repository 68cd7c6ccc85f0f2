/**
 * `millrace status`: the running instance from outside. In: its streams, ownership records, ledger
 * and what can be queried. Out: per partition how far it is, and one line that says whether all is
 * well.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { formatSize } from '../../base/quantity.ts';
import { createLogReader, createOwnership } from '../../log/index.ts';
import type { LedgerSummary } from '../../query/index.ts';
import { EXIT } from '../exit.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openSession, type Session } from '../session.ts';
import { askPhases, type PhaseState } from './phase.ts';

const JOB = 'core';

export interface PartitionState {
  readonly partition: number;
  /** Somebody holds the partition's ownership record. */
  readonly isOwned: boolean;
  readonly epoch: number;
  readonly generation: number;
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
  /** Up to here everything is saved: a restart goes on from here. */
  readonly checkpoint: bigint;
  /** Up to here everything can be queried. */
  readonly visible: bigint;
  readonly behind: bigint;
  readonly logBytes: number;
  readonly logBytesMax: number;
  /** What this instance does with it; null: its process did not answer. */
  readonly phase: PhaseState['phase'] | null;
  readonly error: PhaseState['error'];
}

export function statusCommand(): Command {
  const command = new Command('status')
    .description('partitions, positions and lag of the running instance')
    .addHelpText(
      'after',
      `${examples('millrace status', 'millrace status --json')}

Exit code 4: a partition has no owner or is halted, or the ledger does not balance.`,
    );
  return forInstance(command).action(status);
}

async function status(options: InstanceOptions): Promise<void> {
  const session = await openSession(options);
  try {
    const { partitions: count } = session.state;
    const phases = await askPhases(session.link.nc, session.state);
    const each = Array.from({ length: count }, (_, partition) =>
      stateOf(session, partition, phases[partition]),
    );
    const partitions = await Promise.all(each);
    const ledger = await session.query.ledgerSummary();
    const goesOn = ({ isOwned, phase }: PartitionState) => isOwned && phase !== 'halted';
    const isWell = partitions.every(goesOn) && ledger.balanced;
    if (options.json) printJson(statusJson(session, partitions, ledger));
    else show(session, partitions, ledger);
    if (!isWell) process.exitCode = EXIT.checkFailed;
  } finally {
    await session.close();
  }
}

async function stateOf(
  session: Session,
  partition: number,
  phase?: PhaseState,
): Promise<PartitionState> {
  const { link, query, state } = session;
  const reader = createLogReader({ link, logId: state.log });
  const [log, owned, visible] = await Promise.all([
    reader.state(partition),
    createOwnership({ link, job: JOB, log: state.log }).load(partition),
    query.visible(partition),
  ]);
  const behind = log.lastSequence - visible;
  return {
    partition,
    isOwned: (owned?.record.owner ?? '') !== '',
    epoch: owned?.record.epoch ?? 0,
    generation: owned?.record.generation ?? 0,
    firstSequence: log.firstSequence,
    lastSequence: log.lastSequence,
    checkpoint: BigInt(owned?.record.position ?? 0),
    visible,
    behind: behind > 0n ? behind : 0n,
    logBytes: log.bytes,
    logBytesMax: log.bytesMax,
    phase: phase?.phase ?? null,
    error: phase?.error ?? null,
  };
}

function statusJson(
  { folder, state }: Session,
  partitions: readonly PartitionState[],
  ledger: LedgerSummary,
) {
  const { pid, startedAt, configFile, log } = state;
  const urls = { nats: state.nats.url, clickhouse: state.clickhouse.url };
  return { folder, pid, startedAt, configFile, log, ...urls, partitions, ledger };
}

function show(
  { folder, state }: Session,
  partitions: readonly PartitionState[],
  ledger: LedgerSummary,
): void {
  printLine(`${folder} · process ${state.pid} since ${state.startedAt} · log ${state.log}`);
  printLine(`NATS ${state.nats.url} · ClickHouse ${state.clickhouse.url}`);
  const table = new Table({
    head: ['partition', '', 'log', 'checkpoint', 'visible', 'behind', 'bytes'],
    style: { compact: true, head: [], border: [] },
  });
  for (const each of partitions) {
    table.push([
      each.partition,
      ownerCell(each),
      `${each.firstSequence} … ${each.lastSequence}`,
      `${each.checkpoint}`,
      `${each.visible}`,
      `${each.behind}`,
      `${Math.round((100 * each.logBytes) / each.logBytesMax)} % of ` +
        `${formatSize(each.logBytesMax)}`,
    ]);
  }
  printLine(table.toString());
  for (const { partition, error } of partitions) {
    if (error) printLine(pc.red(`partition ${partition}: ${error.code}: ${error.message}`));
  }
  const behind = partitions.reduce((sum, each) => sum + each.behind, 0n);
  const balance = ledger.balanced ? pc.green('balances') : pc.red('DOES NOT BALANCE');
  printLine(`${behind} log messages behind · ${ledger.recordsIn} records · the ledger ${balance}`);
}

function ownerCell({ isOwned, epoch, phase }: PartitionState): string {
  if (phase === 'halted') return pc.red('halted');
  return isOwned ? `epoch ${epoch}` : pc.red('no owner');
}

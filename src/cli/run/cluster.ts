/**
 * `millrace cluster status|drain|move`: who owns and follows which partition, and moving them. In:
 * the running worker of a data folder, or `--join` with the address of the log's NATS. Partitions
 * move by planned hand-over: the standby is warm before the owner lets go.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import { systemClock } from '../../base/clock.ts';
import { environment } from '../../config/index.ts';
import {
  createMembership,
  createNatsConnection,
  createOwnership,
  type Roster,
} from '../../log/index.ts';
import type { Member, OwnershipRecord } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import { HEARTBEAT_INTERVAL_MS, MEMBER_SILENT_MS } from '../../model/limit.ts';
import { EXIT } from '../exit.ts';
import { examples, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openSession } from '../session.ts';

/** Everybody alive has spoken by then. */
const LISTEN_MS = 5 * HEARTBEAT_INTERVAL_MS;
/** A drained or moved partition has its new owner by then, or something is wrong. */
const MOVE_MS_MAX = 60_000;

interface ClusterOptions extends InstanceOptions {
  readonly join?: string;
  readonly log?: string;
  readonly undo?: boolean;
}

interface View {
  readonly roster: Roster;
  readonly members: () => readonly Member[];
  readonly records: () => Promise<ReadonlyMap<number, OwnershipRecord>>;
}

export function clusterCommand(): Command {
  const command = new Command('cluster').description('the workers of a log, and their partitions');
  const sub = (usage: string, what: string) =>
    new Command(usage.split(' ')[0])
      .description(what)
      .option('--data-dir <folder>', 'data folder of a running worker')
      .option('--join <url>', 'NATS of the log, instead of a data folder')
      .option('--log <id>', 'id of the log, with --join', 'main')
      .option('--json', 'JSON instead of text')
      .exitOverride();
  command.addCommand(
    sub('status', 'who owns and follows what')
      .addHelpText('after', examples('millrace cluster status --join nats://127.0.0.1:4222'))
      .action((options: ClusterOptions) => within(options, status)),
  );
  command.addCommand(
    sub('drain', 'move everything away from a worker, e.g. before it is stopped')
      .argument('<worker>', 'name of the worker')
      .option('--undo', 'let it own partitions again')
      .action((worker: string, options: ClusterOptions) =>
        within(options, (view) => drain(view, worker, options)),
      ),
  );
  command.addCommand(
    sub('move', 'keep a partition on a certain worker')
      .argument('<partition>', 'number of the partition')
      .argument('<worker>', 'name of the worker; "any": where it belongs by itself')
      .action((partition: string, worker: string, options: ClusterOptions) =>
        within(options, (view) => move(view, partition, worker, options)),
      ),
  );
  return command;
}

async function within(
  options: ClusterOptions,
  act: (view: View, options: ClusterOptions) => Promise<void>,
): Promise<void> {
  const { MILLRACE_NATS_USER: user, MILLRACE_NATS_PASSWORD: password } = environment.variables;
  const opened =
    options.join === undefined
      ? await openSession(options)
      : {
          link: await createNatsConnection({
            url: options.join,
            ...(user ? { user, password: password ?? '' } : {}),
            name: 'millrace command',
          }),
          close: async () => {},
        };
  const log = 'state' in opened ? opened.state.log : (options.log ?? 'main');
  const roster = createMembership({ link: opened.link, log, clock: systemClock });
  const ownership = createOwnership({ link: opened.link, job: 'core', log });
  const members = () =>
    roster.members
      .filter(({ heardAtMs }) => systemClock.monotonicMs() - heardAtMs < LISTEN_MS)
      .sort((left, right) => (left.id < right.id ? -1 : 1));
  const records = async () => {
    const found = new Map<number, OwnershipRecord>();
    for (let partition = 0; ; partition += 1) {
      const stored = await ownership.load(partition);
      if (!stored) return found;
      found.set(partition, stored.record);
    }
  };
  try {
    await systemClock.wait(LISTEN_MS);
    await act({ roster, members, records }, options);
  } finally {
    await roster.stop();
    await opened.close();
    await opened.link.close();
  }
}

async function status(view: View, options: ClusterOptions): Promise<void> {
  const members = view.members();
  const records = await view.records();
  if (options.json) return printJson({ members, partitions: [...records].map(rowOf(members)) });
  if (members.length === 0) {
    printLine('no worker speaks: none runs on this log, or it runs alone on embedded engines');
  }
  const workers = new Table({
    head: ['worker', 'version', 'owns', 'follows', 'up since', 'troubles'],
    style: { head: [], border: [] },
  });
  for (const member of members) {
    const troubles = Object.entries(member.troubles).map(([code, count]) => `${code} ${count}`);
    workers.push([
      member.draining ? pc.yellow(`${member.id} (draining)`) : member.id,
      member.version,
      numbers(member.owns),
      numbers(member.follows),
      new Date(member.startedAtMs).toISOString(),
      troubles.join(', ') || '–',
    ]);
  }
  printLine(workers.toString());
  const partitions = new Table({
    head: ['partition', 'owner', 'epoch', 'generation', 'checkpoint', 'position', 'standbys'],
    style: { head: [], border: [] },
  });
  for (const row of [...records].map(rowOf(members))) {
    const owner = row.alive ? row.owner : pc.red(`${row.owner || 'nobody'} (silent)`);
    const { partition, epoch, generation, checkpoint, position, standbys } = row;
    partitions.push([
      partition,
      owner,
      epoch,
      generation,
      checkpoint,
      position ?? '–',
      standbys.map(({ id, position: at }) => `${id} at ${at}`).join(', ') || pc.yellow('none'),
    ]);
  }
  printLine(partitions.toString());
  if ([...records].map(rowOf(members)).some(({ alive }) => !alive)) {
    process.exitCode = EXIT.checkFailed;
  }
}

const numbers = (list: readonly { partition: number }[]): string =>
  list.map(({ partition }) => partition).join(' ') || '–';

const rowOf =
  (members: readonly Member[]) =>
  ([partition, record]: [number, OwnershipRecord]) => {
    const [id = ''] = record.owner.split(':');
    const member = members.find((each) => record.owner === `${each.id}:${each.process}`);
    const owned = member?.owns.find((each) => each.partition === partition);
    return {
      partition,
      owner: id,
      alive: owned !== undefined,
      epoch: record.epoch,
      generation: record.generation,
      checkpoint: record.position,
      position: owned?.position ?? null,
      standbys: members.flatMap(({ id: standby, follows }) =>
        follows
          .filter((each) => each.partition === partition)
          .map(({ position }) => ({ id: standby, position })),
      ),
    };
  };

async function drain(view: View, worker: string, options: ClusterOptions): Promise<void> {
  const on = options.undo !== true;
  await view.roster.order(findMember(view, worker).id, { kind: 'drain', on });
  if (on) {
    const isDone = () => view.members().every(({ id, owns }) => id !== worker || owns.length === 0);
    await done(isDone, `${worker} still owns partitions: nobody else took them`);
  }
  say(options, on ? `${worker} owns nothing any more` : `${worker} takes partitions again`);
}

async function move(
  view: View,
  text: string,
  worker: string,
  options: ClusterOptions,
): Promise<void> {
  const partition = Number(text);
  const records = await view.records();
  if (!records.has(partition)) {
    throw new OperatingError(
      'INPUT_INVALID',
      `partition ${text}: expected one of 0 to ${records.size - 1}`,
    );
  }
  if (worker === 'any') {
    await view.roster.pin(partition, null);
    return say(options, `partition ${partition} goes where it belongs`);
  }
  findMember(view, worker);
  await view.roster.pin(partition, worker);
  const owner = () =>
    view.members().find(({ owns }) => owns.some((each) => each.partition === partition));
  await done(() => owner()?.id === worker, `partition ${partition} is still at ${owner()?.id}`);
  say(options, `partition ${partition} is at ${worker}, and stays there while it lives`);
}

function findMember(view: View, worker: string): Member {
  const members = view.members();
  const found = members.find(({ id }) => id === worker);
  if (found) return found;
  const names = members.map(({ id }) => id).join(', ') || 'none at all';
  throw new OperatingError('INPUT_INVALID', `no worker ${worker} speaks; those that do: ${names}`);
}

async function done(isDone: () => boolean, trouble: string): Promise<void> {
  const endMs = systemClock.monotonicMs() + MOVE_MS_MAX;
  while (!isDone()) {
    if (systemClock.monotonicMs() > endMs) throw new OperatingError('MOVE_TIMED_OUT', trouble);
    await systemClock.wait(MEMBER_SILENT_MS / 4);
  }
}

function say(options: ClusterOptions, text: string): void {
  if (options.json) printJson({ done: text });
  else printLine(text);
}

/**
 * `millrace savepoint create|list|restore|remove`: named copies of the state of all partitions. In:
 * the running instance, its checkpoints. Out: a savepoint that nothing collects, or partitions that
 * go on from one. Nothing is stopped for it.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { formatSize } from '../../base/quantity.ts';
import { createLogReader, createOwnership } from '../../log/index.ts';
import type { StateStore } from '../../model/doors.ts';
import { SEMANTICS_VERSION } from '../../model/limit.ts';
import {
  createSavepoint,
  getSavepoint,
  listSavepoints,
  removeSavepoint,
  restoreSavepoint,
  type Savepoint,
} from '../../runtime/index.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openSession, openState, type Session } from '../session.ts';

interface Bench {
  readonly session: Session;
  readonly stateStore: StateStore;
  readonly options: InstanceOptions;
}

export function savepointCommand(): Command {
  const command = new Command('savepoint').description('named copies of the state, to go back to');
  const sub = (name: string, what: string) =>
    forInstance(new Command(name).description(what)).exitOverride();
  command.addCommand(
    sub('create', 'keep the newest checkpoint of every partition under a name')
      .argument('[name]', 'default: the time')
      .addHelpText('after', examples('millrace savepoint create before-upgrade'))
      .action((name: string | undefined, options: InstanceOptions) =>
        at(options, (bench) => create(bench, name)),
      ),
  );
  command.addCommand(
    sub('list', 'what there is, oldest first').action((options: InstanceOptions) =>
      at(options, list),
    ),
  );
  command.addCommand(
    sub('restore', 'let every partition go on from a savepoint, in a new generation')
      .argument('<name>')
      .action((name: string, options: InstanceOptions) =>
        at(options, (bench) => restore(bench, name)),
      ),
  );
  command.addCommand(
    sub('remove', 'delete a savepoint and its state')
      .argument('<name>')
      .action((name: string, options: InstanceOptions) =>
        at(options, async ({ stateStore }) => {
          await removeSavepoint(stateStore, name);
          say(options, { removed: name }, `savepoint ${name} is removed`);
        }),
      ),
  );
  return command;
}

async function at(options: InstanceOptions, act: (bench: Bench) => Promise<void>): Promise<void> {
  const session = await openSession(options);
  try {
    const stateStore = await openState(session);
    await act({ session, stateStore, options });
  } finally {
    await session.close();
  }
}

async function create({ session, stateStore, options }: Bench, given?: string): Promise<void> {
  const { log, partitions } = session.state;
  const nowMs = systemClock.nowMs();
  const name = given ?? new Date(nowMs).toISOString().slice(0, 19).replace(/[:T]/g, '-');
  const ownership = createOwnership({ link: session.link, job: 'core', log });
  const semanticsVersion = SEMANTICS_VERSION;
  const wanted = { ownership, stateStore, name, log, partitions, semanticsVersion, nowMs };
  const savepoint = await createSavepoint(wanted);
  say(
    options,
    summary(savepoint),
    `savepoint ${name}: ${partitions} partitions, ${formatSize(savepoint.bytes)}`,
  );
}

async function list({ stateStore, options }: Bench): Promise<void> {
  const savepoints = await listSavepoints(stateStore);
  if (options.json) return printJson({ savepoints: savepoints.map(summary) });
  if (savepoints.length === 0) return printLine('no savepoints');
  const table = new Table({
    head: ['name', 'created', 'size', 'semantics', 'positions'],
    style: { head: [], border: [] },
  });
  for (const { name, createdAtMs, bytes, semanticsVersion, partitions } of savepoints) {
    const positions = partitions.map(({ partition, position }) => `${partition}:${position}`);
    const shown = positions.length > 4 ? [...positions.slice(0, 4), '…'] : positions;
    table.push([
      name,
      new Date(createdAtMs).toISOString(),
      formatSize(bytes),
      semanticsVersion,
      shown.join(' '),
    ]);
  }
  printLine(table.toString());
}

async function restore({ session, stateStore, options }: Bench, name: string): Promise<void> {
  const { link, state } = session;
  const savepoint = await getSavepoint(stateStore, name);
  const restored: { partition: number; generation: number; position: string }[] = [];
  await restoreSavepoint({
    savepoint,
    stateStore,
    ownership: createOwnership({ link, job: 'core', log: state.log }),
    reader: createLogReader({ link, logId: state.log }),
    semanticsVersion: SEMANTICS_VERSION,
    onRestored: (partition, { generation, position }) =>
      restored.push({ partition, generation, position }),
  });
  say(
    options,
    { restored: name, partitions: restored },
    `${restored.length} partitions go on from savepoint ${name}; the log gives again what came since`,
  );
}

const summary = ({ name, createdAtMs, bytes, semanticsVersion, partitions }: Savepoint) => ({
  name,
  createdAt: new Date(createdAtMs).toISOString(),
  bytes,
  semanticsVersion,
  partitions: partitions.map(({ partition, generation, position }) => ({
    partition,
    generation,
    position,
  })),
});

function say(options: InstanceOptions, json: object, text: string): void {
  if (options.json) printJson(json);
  else printLine(text);
}

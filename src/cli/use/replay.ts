/**
 * `millrace replay`: a range of the log into tables of its own, at full speed, beside what is
 * stored; then the difference, and the way to let it take the stored rows' place.
 */
import { Command } from 'commander';
import pc from 'picocolors';
import { dropState, loadJobs, type ReplayJob } from '../../audit/index.ts';
import { OperatingError } from '../../model/error.ts';
import { EXIT } from '../exit.ts';
import { catchInterrupt } from '../interrupt.ts';
import { bigNumber, examples, forInstance, type InstanceOptions, wholeNumber } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openWorkshop, partitionsOf, type Workshop } from '../workshop.ts';
import { rowLines, rowsWrong } from './difference.ts';
import {
  checkName,
  diffReplay,
  listReplays,
  promoteReplay,
  type ReplayResult,
  replayDatabase,
  replayName,
  runReplay,
} from './replay-run.ts';

interface ReplayOptions extends InstanceOptions {
  readonly partition?: number;
  readonly all?: boolean;
  readonly from?: bigint;
  readonly to?: bigint;
  readonly name?: string;
}

const EXAMPLES = examples(
  'millrace replay --partition 3 --name today',
  'millrace replay --all --from 100000 --to 200000',
  'millrace replay diff today',
  'millrace replay promote today',
  'millrace replay drop today',
);

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('compute a range of the log into tables of its own; compare, promote, drop')
    .option('--partition <number>', 'which partition', wholeNumber)
    .option('--all', 'every partition, one after the other')
    .option('--from <sequence>', 'first log message whose rows are kept', bigNumber)
    .option('--to <sequence>', 'last one (default: as far as rows can be seen)', bigNumber)
    .option('--name <name>', 'name of the replay (default: of the time)')
    .addHelpText('after', EXAMPLES);
  forInstance(command).action((options: ReplayOptions) =>
    inWorkshop(options, (workshop, signal) => start(workshop, options, signal)),
  );
  command.addCommand(
    named(
      'diff',
      'what is stored against what the replay gave; exit code 5 when they differ',
      diff,
    ),
  );
  command.addCommand(
    named(
      'promote',
      'let the replay take the place of what is stored, as a new generation',
      promote,
    ),
  );
  command.addCommand(named('drop', 'remove the replay and its tables', drop));
  const list = new Command('ls').description('replays that are there');
  list.addHelpText('after', examples('millrace replay ls'));
  command.addCommand(
    forInstance(list).action((_, of: Command) =>
      inWorkshop(of.optsWithGlobals(), (workshop) => ls(workshop, of)),
    ),
  );
  return command;
}

type NamedAct = (workshop: Workshop, name: string, asJson: boolean) => Promise<void>;

function named(verb: string, what: string, act: NamedAct): Command {
  const command = new Command(verb)
    .description(what)
    .argument('<name>', 'name of the replay')
    .addHelpText('after', examples(`millrace replay ${verb} today`));
  return forInstance(command).action((name: string, _, of: Command) => {
    const options = of.optsWithGlobals<InstanceOptions>();
    return inWorkshop(options, async (workshop) => {
      await checkThere(workshop, name);
      await act(workshop, name, options.json === true);
    });
  });
}

export async function inWorkshop(
  options: InstanceOptions,
  act: (workshop: Workshop, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const interruption = catchInterrupt();
  const workshop = await openWorkshop(options);
  try {
    await act(workshop, interruption.signal);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    process.exitCode = EXIT.interrupted;
  } finally {
    interruption.release();
    await workshop.close();
  }
}

async function start(
  workshop: Workshop,
  options: ReplayOptions,
  signal: AbortSignal,
): Promise<void> {
  const name = options.name ?? replayName();
  checkName(name);
  for (const partition of partitionsOf(workshop.session, options)) {
    const { from, to } = options;
    const result = await runReplay(
      workshop,
      { name, partition, from, to, selection: null, asJson: options.json === true },
      signal,
    );
    if (options.json) printJson(resultJson(result));
    else printLine(resultLine(result));
  }
  if (!options.json) {
    printLine(`tables in database ${replayDatabase(workshop.session, name)}`);
    printLine(`next: millrace replay diff ${name} · promote ${name} · drop ${name}`);
  }
}

export const resultJson = ({ job, seconds, records }: ReplayResult) => {
  const { planText: _, objects, ...told } = job;
  return { ...told, objects: objects.length, records, seconds };
};

export function resultLine({ job, seconds, records }: ReplayResult): string {
  const rate = Math.round(records / Math.max(seconds, 0.001)).toLocaleString('en-US');
  return (
    `partition ${job.partition}: messages ${job.from} … ${job.to}, ` +
    `${records.toLocaleString('en-US')} records in ${seconds.toFixed(1)} s (${rate}/s)`
  );
}

async function diff(workshop: Workshop, name: string, asJson: boolean): Promise<void> {
  for (const { job, tables } of await diffReplay(workshop, name)) {
    const wrong = rowsWrong(tables);
    if (wrong > 0) process.exitCode = EXIT.differs;
    if (asJson) printJson({ partition: job.partition, rowsWrong: wrong, tables });
    else showTables(job, tables);
  }
}

export function showTables(job: ReplayJob, tables: Parameters<typeof rowLines>[0]): void {
  const wrong = rowsWrong(tables);
  for (const line of rowLines(tables)) printLine(`  ${line}`);
  const verdict = wrong === 0 ? pc.green('equal') : pc.red(`${wrong} rows differ`);
  printLine(`partition ${job.partition}: messages ${job.from} … ${job.to}: ${verdict}`);
}

async function promote(workshop: Workshop, name: string, asJson: boolean): Promise<void> {
  for (const job of await promoteReplay(workshop, name)) {
    const { partition, generation, to } = job;
    if (asJson) printJson({ partition, generation, position: to });
    else printLine(promotedLine(job));
  }
}

export const promotedLine = ({ partition, generation, to }: ReplayJob): string =>
  `partition ${partition}: generation ${generation} from message ${to} on; its owner ends, and ` +
  'whoever claims the partition next goes on from there';

async function drop(workshop: Workshop, name: string, asJson: boolean): Promise<void> {
  const { session, ownership, stateStore } = workshop;
  const inUse = new Set<string>();
  for (let partition = 0; partition < session.state.partitions; partition += 1) {
    const found = await ownership.load(partition);
    for (const object of found?.record.objects ?? []) inUse.add(object);
  }
  await dropState(stateStore, name, inUse);
  await workshop.dropDatabase(replayDatabase(session, name));
  if (asJson) printJson({ dropped: name });
  else printLine(`replay ${name} is dropped`);
}

async function ls(workshop: Workshop, command: Command): Promise<void> {
  const asJson = command.optsWithGlobals<InstanceOptions>().json === true;
  for (const name of await listReplays(workshop)) {
    const jobs = await loadJobs(workshop.ask, replayDatabase(workshop.session, name));
    for (const job of jobs) {
      const { partition, from, to, generation, messages } = job;
      if (asJson) printJson({ name, partition, from, to, generation, messages });
      else printLine(`${name}: partition ${partition}, messages ${from} … ${to}`);
    }
  }
}

async function checkThere(workshop: Workshop, name: string): Promise<void> {
  checkName(name);
  const names = await listReplays(workshop);
  if (names.includes(name)) return;
  const known = names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`;
  throw new OperatingError('INPUT_INVALID', `there is no replay ${name}: ${known}`);
}

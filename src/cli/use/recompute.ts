/**
 * `millrace recompute`: the rows of one device in a stretch of time, computed anew from the log
 * after stored data was repaired or deleted. The kernel computes the whole partition; only that
 * device's rows are kept, compared, and with `--promote` put in the place of the stored ones.
 */
import { Command, InvalidArgumentError } from 'commander';
import { OperatingError } from '../../model/error.ts';
import type { Identity } from '../../model/record.ts';
import { ID_PATTERN } from '../../model/record.ts';
import { partitionOf } from '../../wire/subject.ts';
import { EXIT } from '../exit.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import type { Workshop } from '../workshop.ts';
import { rowsWrong } from './difference.ts';
import { inWorkshop, promotedLine, resultJson, resultLine, showTables } from './replay.ts';
import { checkName, diffReplay, promoteReplay, replayName, runReplay } from './replay-run.ts';

interface RecomputeOptions extends InstanceOptions {
  readonly device: Identity;
  readonly from: number;
  readonly to: number;
  readonly name?: string;
  readonly promote?: boolean;
}

const EXAMPLES = examples(
  'millrace recompute --device demo/West/truck_1 --from 2026-01-01T00:00Z --to 2026-01-02T00:00Z',
  'millrace recompute --device … --from … --to … --promote',
);

export function recomputeCommand(): Command {
  const command = new Command('recompute')
    .description('compute rows of one device anew from the log; compare and promote them')
    .requiredOption('--device <tenant/site/device>', 'whose rows', identityOf)
    .requiredOption('--from <time>', 'first time of its rows, ISO 8601', timeOf)
    .requiredOption('--to <time>', 'end of the stretch, exclusive', timeOf)
    .option('--name <name>', 'name of the replay that holds them (default: of the time)')
    .option('--promote', 'put them in the place of the stored rows, as a new generation')
    .addHelpText('after', `${EXAMPLES}\n\nExit code 5: they differ, and were not promoted.`);
  return forInstance(command).action((options: RecomputeOptions) =>
    inWorkshop(options, (workshop, signal) => recompute(workshop, options, signal)),
  );
}

async function recompute(
  workshop: Workshop,
  options: RecomputeOptions,
  signal: AbortSignal,
): Promise<void> {
  const { device: identity, from: fromMs, to: toMs, json: asJson = false } = options;
  if (fromMs >= toMs) {
    throw new OperatingError('INPUT_INVALID', '--from lies at or behind --to: no row is between');
  }
  const name = options.name ?? replayName();
  checkName(name);
  const partition = partitionOf(identity, workshop.session.state.partitions);
  const selection = { identity, fromMs, toMs };
  const result = await runReplay(workshop, { name, partition, selection, asJson }, signal);
  const [diff] = await diffReplay(workshop, name);
  const { job, tables } = diff!;
  if (asJson) printJson({ ...resultJson(result), rowsWrong: rowsWrong(tables), tables });
  else {
    printLine(resultLine(result));
    showTables(job, tables);
  }
  if (options.promote) {
    await promoteReplay(workshop, name);
    if (asJson) printJson({ partition, generation: job.generation, position: job.to });
    else printLine(promotedLine(job));
  } else if (rowsWrong(tables) > 0) {
    process.exitCode = EXIT.differs;
    if (!asJson) printLine(`next: millrace replay promote ${name} · drop ${name}`);
  }
}

function identityOf(text: string): Identity {
  const [tenant = '', site = '', device = '', more] = text.split('/');
  if (more === undefined && [tenant, site, device].every((id) => ID_PATTERN.test(id))) {
    return { tenant, site, device };
  }
  throw new InvalidArgumentError('Expected TENANT/SITE/DEVICE.');
}

function timeOf(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new InvalidArgumentError('Expected a time such as 2026-01-01T00:00:00Z.');
}

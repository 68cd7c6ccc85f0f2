/**
 * `millrace reset`: deletes a data folder with everything in it: log, rows, checkpoints, cursors.
 * Only after a yes, only when nothing runs on it, and only in a folder that carries our marker;
 * other files in it are left alone.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { environment } from '../../config/index.ts';
import { endLeftover } from '../../engine/nats/index.ts';
import { OperatingError } from '../../model/error.ts';
import { examples } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { DATA_FOLDER, DEMO_FOLDER, findRunState, MARKER_FILE } from '../run-file.ts';

/** Everything that Millrace writes into a data folder; the marker goes last. */
const OURS = [
  'nats',
  'clickhouse',
  'spool',
  'state',
  'channels',
  'ingest',
  'sim',
  'run.json',
  MARKER_FILE,
];

interface ResetOptions {
  readonly dataDir?: string;
  readonly demo?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export function resetCommand(): Command {
  return new Command('reset')
    .description('delete a data folder: log, rows, state (asks first)')
    .option('--data-dir <folder>', `folder to delete (default: ${DATA_FOLDER})`)
    .option('--demo', `the demo's folder, ${DEMO_FOLDER}`)
    .option('--yes', 'do not ask')
    .option('--json', 'JSON instead of text')
    .addHelpText('after', examples('millrace reset --demo', 'millrace reset --data-dir x --yes'))
    .action(reset);
}

async function reset(options: ResetOptions): Promise<void> {
  const named = options.dataDir ?? (options.demo ? DEMO_FOLDER : environment.dataFolder);
  const folder = resolve(named ?? DATA_FOLDER);
  if (!existsSync(join(folder, MARKER_FILE))) {
    throw new OperatingError(
      'INPUT_INVALID',
      `${folder} is not a data folder of Millrace (it has no file "${MARKER_FILE}"): nothing is ` +
        'deleted',
      { where: { folder } },
    );
  }
  const running = findRunState(folder);
  if (running) {
    throw new OperatingError(
      'ALREADY_RUNNING',
      `${folder} is in use by process ${running.pid}: stop it first with \`millrace stop\``,
      { where: { folder, pid: running.pid } },
    );
  }
  if (!options.yes && !(await isConfirmed(folder))) {
    throw new OperatingError('INPUT_INVALID', 'nothing is deleted: it was not confirmed');
  }
  await endLeftover(join(folder, 'nats'));
  for (const name of OURS) rmSync(join(folder, name), { recursive: true, force: true });
  if (readdirSync(folder).length === 0) rmdirSync(folder);
  if (options.json) printJson({ deleted: folder });
  else printLine(`deleted ${folder}`);
}

async function isConfirmed(folder: string): Promise<boolean> {
  if (process.stdin.isTTY !== true) {
    throw new OperatingError('INPUT_INVALID', 'no terminal to ask on: say --yes to delete');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await terminal.question(`Delete ${folder} with all its data? Type yes: `);
    return answer.trim().toLowerCase() === 'yes';
  } finally {
    terminal.close();
  }
}

/**
 * `millrace lint`: checks a configuration without starting anything, prices it in bytes per device,
 * and says what would change on an instance that runs. Exit code 2 when the configuration has
 * problems.
 */
import { resolve } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { formatSize } from '../../base/quantity.ts';
import { environment } from '../../config/index.ts';
import { configInvalid, configProblems } from '../../model/config-error.ts';
import type { Plan } from '../../model/plan.ts';
import {
  type ChannelPrice,
  compilePlan,
  lintPlan,
  type PlanLint,
  planDifference,
} from '../../registry/index.ts';
import { EXIT } from '../exit.ts';
import { examples } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { DATA_FOLDER, findRunState } from '../run-file.ts';
import { findPlan, openSession } from '../session.ts';
import { loadSettings, type Settings } from './settings.ts';

interface LintOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

export function lintCommand(): Command {
  return new Command('lint')
    .description('check a configuration and price it, without starting anything')
    .argument('[file]', 'configuration (default: ./millrace.yaml when it is there)')
    .option('--data-dir <folder>', `instance to compare with, if it runs (default: ${DATA_FOLDER})`)
    .option('--json', 'JSON instead of text')
    .addHelpText('after', examples('millrace lint', 'millrace lint my.yaml --json'))
    .action((file: string | undefined, options: LintOptions) =>
      lint({ ...options, ...(file === undefined ? {} : { config: file }) }),
    );
}

async function lint(options: LintOptions): Promise<void> {
  const folder = resolve(options.dataDir ?? environment.dataFolder ?? DATA_FOLDER);
  try {
    const settings = loadSettings({ ...options, demo: false, folder });
    const running = await findRunningPlan(folder);
    const plan = compilePlan(settings.config, running, settings.locate);
    const result = lintPlan(settings.config, plan);
    if (result.problems.length > 0) throw configInvalid(result.problems.map(settings.locate));
    const changes = running === null ? null : planDifference(running, plan);
    report({ options, settings, result, changes });
  } catch (error) {
    const problems = configProblems(error);
    if (!options.json || problems.length === 0) throw error;
    printJson({ ok: false, problems });
    process.exitCode = EXIT.usage;
  }
}

async function findRunningPlan(folder: string): Promise<Plan | null> {
  if (findRunState(folder) === null) return null;
  const session = await openSession({ dataDir: folder });
  try {
    return await findPlan(session);
  } finally {
    await session.close();
  }
}

function partsOf({ metrics, scoreBytes, alertBytes, sketchBytes }: ChannelPrice): string {
  const parts = [`${metrics} metrics`];
  if (scoreBytes > 0) parts.push(`scores ${scoreBytes}`);
  if (alertBytes > 0) parts.push(`alerts ${alertBytes}`);
  if (sketchBytes > 0) parts.push(`sketches ${sketchBytes}`);
  return parts.join(', ');
}

interface Report {
  readonly options: LintOptions;
  readonly settings: Settings;
  readonly result: PlanLint;
  /** Null when nothing runs. */
  readonly changes: readonly string[] | null;
}

function report({ options, settings, result, changes }: Report): void {
  const { price } = result;
  const warnings = [...settings.warnings, ...result.warnings];
  if (options.json) {
    printJson({ ok: true, files: settings.files, warnings, price, changes });
    return;
  }
  const files = settings.files.length === 0 ? ['the defaults'] : settings.files;
  printLine(`${pc.green('ok')}: ${files.join(', ')}`);
  for (const warning of warnings) printLine(`${pc.yellow('warning')}: ${warning}`);
  printLine(`memory per device: ${price.bytesPerDevice} bytes, sending on every channel`);
  for (const channel of price.channels) {
    printLine(`  channel ${channel.name}: ${channel.bytes} bytes (${partsOf(channel)})`);
  }
  if (price.qualityBytes > 0) printLine(`  quality: ${price.qualityBytes} bytes`);
  printLine(`  more with a full set of event ids: ${price.eventIdBytes} bytes`);
  if (price.contentBytes > 0) {
    printLine(`  more when it is known by content only: ${price.contentBytes} bytes`);
  }
  if (price.textBytes > 0) {
    printLine(`texts: up to ${price.textBytes} bytes of a partition`);
  }
  const memory = formatSize(settings.config.kernel.memoryBytes);
  printLine(
    `a partition (${memory}) holds ${price.devicesPerPartition} such devices; ` +
      `${price.devicesPerPartition * price.partitions} on ${price.partitions} partitions`,
  );
  if (changes === null) return;
  printLine(changes.length === 0 ? 'the running instance has the same plan' : 'a restart changes:');
  for (const line of changes) printLine(`  ${line}`);
}

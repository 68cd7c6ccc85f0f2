/**
 * `npm run chaos -- --minutes N --seed S [--json] [--report file]`: a cluster of real processes
 * under load and faults, then the reckoning. Exit code 0 only when everything was as promised. With
 * --json the last line is {events, faults, faultsByKind, lost, duplicated, unknown,
 * orderViolations, ledgerBalanced, failoverMsP50, failoverMsP99, natsStallMsP99, seed, commit}.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import type { Launch } from '../../cluster/local/owned-process.ts';
import { runChaos } from './chaos.ts';
import { findEngine } from './container/engine.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';
import { brokenPromises, figuresOf, reportText } from './report.ts';

interface Options {
  readonly minutes: string;
  readonly seed: string;
  readonly rate: string;
  readonly workers: string;
  readonly kinds?: string;
  readonly folder?: string;
  readonly report?: string;
  readonly failoverMax: string;
  readonly containers?: boolean;
  readonly json?: boolean;
}

async function main(options: Options): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => interrupted.abort(new Error('interrupted')));
  }
  const folder = options.folder ? resolve(options.folder) : mkdtempSync(join(tmpdir(), 'chaos-'));
  const startMs = process.uptime();
  const say = (line: string) =>
    process.stderr.write(`${(process.uptime() - startMs).toFixed(0).padStart(5)} s  ${line}\n`);
  const outcome = await runChaos({
    folder,
    minutes: numberOf('--minutes', options.minutes, 0, 10_000),
    seed: numberOf('--seed', options.seed, 0, 2 ** 31),
    eventsPerSecond: numberOf('--rate', options.rate, 5_000, 1_000_000),
    workers: numberOf('--workers', options.workers, 2, 16),
    ...(options.kinds === undefined ? {} : { kinds: kindsOf(options.kinds) }),
    ...(options.containers ? { launch: await containersIn(folder) } : {}),
    keepFolder: options.folder !== undefined,
    say,
    signal: interrupted.signal,
  });
  const figures = figuresOf(outcome);
  const broken = brokenPromises(outcome);
  const limitMs = numberOf('--failover-max', options.failoverMax, 0, 1_000_000);
  if (limitMs > 0 && (figures.failoverMsP99 ?? 0) > limitMs) {
    broken.push(`failover p99 is ${figures.failoverMsP99} ms, promised are ${limitMs} ms`);
  }
  const text = reportText(outcome, broken);
  if (options.report) writeFileSync(resolve(options.report), text);
  if (options.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
  else process.stdout.write(text);
  for (const claim of broken) say(`NOT AS PROMISED: ${claim}`);
  return broken.length === 0 ? 0 : 1;
}

async function containersIn(folder: string): Promise<Launch> {
  const engine = await findEngine();
  if ('missing' in engine) {
    throw new Error(`--containers: there is no Docker engine here (${engine.missing}); start one`);
  }
  return engine.launch(folder);
}

function numberOf(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== '' && value >= least && value <= most) return value;
  throw new Error(`${option} ${text}: expected a number from ${least} to ${most}`);
}

function kindsOf(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = FAULT_KINDS.find((each) => each === name);
    if (kind) return kind;
    throw new Error(`--kinds ${name}: expected some of ${FAULT_KINDS.join(', ')}`);
  });
}

const command = new Command('chaos')
  .description('a cluster of real processes under load and faults')
  .option('--minutes <minutes>', 'how long faults happen; 0: only the load', '10')
  .option('--seed <seed>', 'decides every fault and every event', '1')
  .option('--rate <events>', 'events per second', '21000')
  .option('--workers <count>', 'workers', '3')
  .option('--kinds <list>', 'only these kinds of faults, with commas')
  .option('--folder <folder>', 'keep everything there (default: a temporary folder, removed)')
  .option('--report <file>', 'write the page for people')
  .option('--failover-max <ms>', 'p99 of failovers that is promised; 0: not judged', '1000')
  .option('--containers', 'servers and workers in containers; needs a Docker engine')
  .option('--json', 'one JSON line at the end')
  .action(async (options: Options) => {
    process.exitCode = await main(options);
    process.exit();
  });

command.parseAsync().catch((error: Error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  process.exit(1);
});

/**
 * `npm run bench -- kernel`: which cases, how they are printed. With --json one line a measurement;
 * without, a table with ratios to the peer and the bytes of state.
 */
import { spawnSync } from 'node:child_process';
import { Command } from 'commander';
import { CASES, type KernelCase, type KernelResult, runKernelCase, small } from './run.ts';

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
  readonly case?: string;
  readonly subject?: string;
  readonly events?: string;
}

export function kernelCommand(): Command {
  return new Command('kernel')
    .description('W2: one core, validation, dedup, windows, Native output to nowhere; with peers')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .option('--case <names>', 'only these cases, separated by commas')
    .option('--subject <names>', 'only these subjects')
    .option('--events <count>', 'events measured per case')
    .action((options: Options) => {
      collectInPlace();
      for (const chosen of casesOf(options)) print(runKernelCase(chosen), options.json === true);
      process.exit(0);
    });
}

/**
 * Garbage is to be collected where it is made, not by threads that run beside somebody else's
 * measurement: V8 takes these flags only at its start.
 */
const GC_FLAGS = ['--single-threaded-gc', '--expose-gc'];

function collectInPlace(): void {
  if (process.execArgv.includes(GC_FLAGS[0]!)) return;
  const { argv, execArgv, execPath } = process;
  const options = [...GC_FLAGS, ...execArgv, ...argv.slice(1)];
  process.exit(spawnSync(execPath, options, { stdio: 'inherit' }).status ?? 1);
}

function casesOf(options: Options): KernelCase[] {
  const names = options.case?.split(',');
  const subjects = options.subject?.split(',');
  return CASES.filter(({ name }) => names === undefined || names.includes(name))
    .map((given) => (options.small ? small(given) : given))
    .map((given) => ({
      ...given,
      events: options.events === undefined ? given.events : Number(options.events),
      subjects: subjects ?? given.subjects,
    }));
}

function print(results: readonly KernelResult[], json: boolean): void {
  const base = results[0]!.cpuMicrosPerEvent;
  for (const { stateBytes, ...measurement } of results) {
    if (json) {
      process.stdout.write(`${JSON.stringify(measurement)}\n`);
      continue;
    }
    const { case: name, subject, cpuMicrosPerEvent, eventsPerSecond, resultHash } = measurement;
    console.log(
      [
        name.padEnd(20),
        subject.padEnd(16),
        `${(cpuMicrosPerEvent * 1000).toFixed(0).padStart(6)} ns`,
        `${(eventsPerSecond / 1e6).toFixed(2).padStart(7)} M/s`,
        `${(cpuMicrosPerEvent / base).toFixed(2).padStart(6)} ×`,
        `${(stateBytes / 1024 / 1024).toFixed(0).padStart(6)} MiB`,
        resultHash,
      ].join(' '),
    );
  }
}

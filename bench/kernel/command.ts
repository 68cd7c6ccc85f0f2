/**
 * `npm run bench -- kernel`: which cases, how they are printed. With --json one line a measurement;
 * without, a table with ratios to the peer and the bytes of state.
 */
import { spawnSync } from 'node:child_process';
import { Command, InvalidArgumentError } from 'commander';
import {
  CASES,
  type KernelCase,
  type KernelResult,
  runKernelCase,
  SUBJECTS,
  small,
} from './run.ts';

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
  readonly case?: readonly string[];
  readonly subject?: readonly string[];
  readonly events?: string;
}

const NAMES = CASES.map(({ name }) => name);

export function kernelCommand(): Command {
  return new Command('kernel')
    .description('W2: one core, validation, dedup, windows, Native output to nowhere; with peers')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .option('--case <names>', 'only these cases, separated by commas', namesAmong(NAMES))
    .option('--subject <names>', 'only these subjects', namesAmong(SUBJECTS))
    .option('--events <count>', 'events measured per case')
    .action((options: Options) => {
      workInPlace();
      for (const chosen of casesOf(options)) print(runKernelCase(chosen), options.json === true);
      process.exit(0);
    });
}

/**
 * Garbage is to be collected, and code to be compiled, where it is made, not by threads that run
 * beside somebody else's measurement; and the peers' room for new objects is not to shrink when we
 * collect between two subjects. V8 takes these flags only at its start.
 */
const V8_FLAGS = ['--single-threaded', '--expose-gc', '--min-semi-space-size=16'];

function workInPlace(): void {
  if (process.execArgv.includes(V8_FLAGS[0]!)) return;
  const { argv, execArgv, execPath } = process;
  const options = [...V8_FLAGS, ...execArgv, ...argv.slice(1)];
  process.exit(spawnSync(execPath, options, { stdio: 'inherit' }).status ?? 1);
}

/** Takes names that there are; any other would measure nothing, or something else. */
function namesAmong(known: readonly string[]): (written: string) => string[] {
  return (written) => {
    const names = written.split(',');
    const strange = names.find((name) => !known.includes(name));
    if (strange === undefined) return names;
    throw new InvalidArgumentError(`'${strange}' is not among ${known.join(', ')}.`);
  };
}

function casesOf(options: Options): KernelCase[] {
  const { case: names, subject: subjects } = options;
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

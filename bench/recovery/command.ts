/**
 * `npm run bench -- recovery`: checkpoints and what they are for.
 *
 *   size         bytes of a checkpoint at 10 % active devices, against a whole export
 *   delay        turns with and without checkpoints under way
 *   cold-start   from stored state objects to the first turn of every partition
 */
import { Command } from 'commander';
import { commit } from '../measurement.ts';
import { coldStartCase } from './cold-start.ts';
import { delayCase } from './delay.ts';
import { sizeCase } from './size.ts';

const DEVICES = 62_500;
const PARTITIONS = 16;

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
  readonly case?: string;
}

export function recoveryCommand(): Command {
  return new Command('recovery')
    .description('size of checkpoints, what they do to turns, cold start from stored state')
    .option('--json', 'one JSON line per case')
    .option('--small', 'a size that fits into a test run')
    .option('--case <name>', 'only this one: size, delay or cold-start')
    .action(async (options: Options, command: Command) => {
      const devices = options.small ? 10_000 : DEVICES;
      const cases: Record<string, () => Promise<object>> = {
        size: () => sizeCase(devices),
        delay: () => delayCase(devices, options.small ? 1 : 5),
        'cold-start': () =>
          options.small ? coldStartCase(2, devices) : coldStartCase(PARTITIONS, 1_000_000),
      };
      const names = options.case === undefined ? Object.keys(cases) : [options.case];
      for (const name of names) {
        const run = cases[name] ?? command.error(`--case ${name}: size, delay or cold-start`);
        const result = { workload: 'recovery', case: name, ...(await run()), commit: commit() };
        if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`);
        else console.log(JSON.stringify(result, null, 2));
      }
      process.exit(0);
    });
}

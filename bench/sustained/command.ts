/** `npm run bench -- sustained`: a load that lasts, open loop; one line with --json. */
import { Command, InvalidArgumentError } from 'commander';
import { CASES } from '../drain/case.ts';
import { runSustained } from './run.ts';

interface Options {
  readonly case: string;
  readonly rate: number;
  readonly seconds: number;
  readonly devices?: number;
  readonly json?: boolean;
  readonly small?: boolean;
}

const NAMES = CASES.map(({ name }) => name).filter(
  (name) => name.startsWith('batch') && !name.endsWith('json'),
);

export function sustainedCommand(): Command {
  return new Command('sustained')
    .description('W4: how old alerts and rows are under a load that lasts; publisher included')
    .option('--case <name>', `one of ${NAMES.join(', ')}`, oneOf, 'batch-truck')
    .option('--rate <count>', 'events per second', wholeNumber, 20_000)
    .option('--seconds <count>', 'how long', wholeNumber, 60)
    .option('--devices <count>', 'how many (default: of the case)', wholeNumber)
    .option('--json', 'one JSON line')
    .option('--small', 'a size that fits into a test run')
    .action(async ({ case: name, rate, seconds, devices, json, small }: Options) => {
      const found = CASES.find((each) => each.name === name)!;
      const given = { ...found, devices: devices ?? (small ? 500 : found.devices) };
      const measured = await runSustained({
        given: { ...given, alerts: true },
        eventsPerSecond: small ? 1_000 : rate,
        seconds: small ? 4 : seconds,
      });
      if (json) process.stdout.write(`${JSON.stringify(measured)}\n`);
      else console.log(JSON.stringify(measured, null, 2));
      process.exit(0);
    });
}

function oneOf(written: string): string {
  if (NAMES.includes(written)) return written;
  throw new InvalidArgumentError(`'${written}' is not among ${NAMES.join(', ')}.`);
}

function wholeNumber(written: string): number {
  const value = Number(written);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected a whole number of at least 1.');
}

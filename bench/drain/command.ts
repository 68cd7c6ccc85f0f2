/**
 * `npm run bench -- drain`: which cases and subjects, how they are printed. With --json one line a
 * measurement; without, a table with ratios to the first subject.
 */
import { Command, InvalidArgumentError } from 'commander';
import { CASES, type DrainCase, small } from './case.ts';
import { type DrainMeasurement, runDrain, SUBJECTS, type SubjectName } from './run.ts';

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
  readonly case?: readonly string[];
  readonly subject?: readonly SubjectName[];
  readonly events?: number;
  readonly rounds: number;
}

const NAMES = CASES.map(({ name }) => name);

export function drainCommand(): Command {
  return new Command('drain')
    .description('W3: a stored log into rows that can be queried; with peers')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .option('--case <names>', 'only these cases, separated by commas', namesAmong(NAMES))
    .option('--subject <names>', 'only these subjects', namesAmong(SUBJECTS))
    .option('--events <count>', 'events stored per case', wholeNumber)
    .option('--rounds <count>', 'how often, in alternating order', wholeNumber, 1)
    .action(async (options: Options) => {
      for (const given of casesOf(options)) {
        for (let round = 0; round < options.rounds; round += 1) {
          const order = [...(options.subject ?? SUBJECTS)];
          if (round % 2 === 1) order.reverse();
          const say = (what: string) => console.error(what);
          print(await runDrain(given, order, say), options.json === true);
        }
      }
      process.exit(0);
    });
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

function wholeNumber(written: string): number {
  const value = Number(written);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected a whole number of at least 1.');
}

function casesOf({ case: names, small: isSmall, events }: Options): DrainCase[] {
  return CASES.filter(({ name }) => names === undefined || names.includes(name))
    .map((given) => (isSmall ? small(given) : given))
    .map((given) => ({ ...given, events: events ?? given.events }));
}

function print(results: readonly DrainMeasurement[], json: boolean): void {
  const first = results[0]!;
  for (const measurement of results) {
    if (json) {
      process.stdout.write(`${JSON.stringify(measurement)}\n`);
      continue;
    }
    const { cpuMicrosPerEvent, cpuMicrosPerEventBy, eventsPerSecond } = measurement;
    const parts = Object.entries(cpuMicrosPerEventBy);
    console.log(
      [
        measurement.case.padEnd(18),
        measurement.subject.padEnd(10),
        `${(eventsPerSecond / 1e6).toFixed(3).padStart(8)} M/s`,
        `${cpuMicrosPerEvent.toFixed(2).padStart(7)} µs`,
        `(${parts.map(([name, micros]) => `${name} ${micros.toFixed(2)}`).join(', ')})`,
        `${(eventsPerSecond / first.eventsPerSecond).toFixed(2).padStart(6)} ×`,
        measurement.resultHash,
      ].join(' '),
    );
  }
}

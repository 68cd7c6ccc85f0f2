/** `npm run bench -- insert`: the formats beside each other, one line a measurement with --json. */
import { Command, InvalidArgumentError } from 'commander';
import { CASES } from '../drain/case.ts';
import { runInsert } from './run.ts';

const ROWS = 1_000_000;
/** Enough for several hundredths of a second: Linux counts processor time in those. */
const ROWS_SMALL = 100_000;
const NAMES = ['batch-point', 'batch-truck'];

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
  readonly rows?: number;
  readonly rounds: number;
}

export function insertCommand(): Command {
  return new Command('insert')
    .description('W6: rows per processor second: Native, RowBinary, JSONEachRow, client objects')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .option('--rows <count>', 'rows per measurement', wholeNumber)
    .option('--rounds <count>', 'how often, in alternating order', wholeNumber, 1)
    .action(async ({ json, small, rows, rounds }: Options) => {
      for (const given of CASES.filter(({ name }) => NAMES.includes(name))) {
        const measured = await runInsert(given, rows ?? (small ? ROWS_SMALL : ROWS), rounds);
        for (const each of measured) {
          if (json) process.stdout.write(`${JSON.stringify(each)}\n`);
          else {
            const { subject, rowsPerCpuSecond, cpuMicrosPerEvent, resultHash } = each;
            console.log(
              [
                given.name.padEnd(14),
                subject.padEnd(12),
                `${(rowsPerCpuSecond / 1e6).toFixed(2).padStart(6)} M rows/CPU s`,
                `${cpuMicrosPerEvent.toFixed(2).padStart(7)} µs`,
                resultHash,
              ].join(' '),
            );
          }
        }
      }
      process.exit(0);
    });
}

function wholeNumber(written: string): number {
  const value = Number(written);
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('expected a whole number of at least 1.');
}

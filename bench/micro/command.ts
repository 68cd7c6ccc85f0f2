/**
 * `npm run bench -- micro`: W7, the parts that the rest is made of, each alone, so that a
 * regression has a name:
 *
 *   framing        records of a batch read and found empty            per record
 *   lookup         a record's device found among 20,000               per record
 *   turn-inline    an empty turn in this thread                       per turn
 *   turn-worker    the same handed to a Piscina worker and back       per turn
 *   export         all of the state copied out in chunks              per device
 *   import         the same read back, indexes built                  per device
 *   hash           the state's hash                                   per device
 */
import { Command } from 'commander';
import { commit, type Measurement } from '../measurement.ts';
import { type MicroCase, microCases } from './case.ts';

const ROUNDS = 7;

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
}

export function microCommand(): Command {
  return new Command('micro')
    .description('W7: framing, look-up, hand-over of a turn, state out and in, each alone')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .action(async (options: Options) => {
      const cases = await microCases(options.small === true);
      const rounds = cases.map((chosen) => ({ chosen, cpu: [] as number[], wall: [] as number[] }));
      for (let i = 0; i < (options.small ? 1 : ROUNDS); i++) {
        for (const { chosen, cpu, wall } of rounds) await measure(chosen, cpu, wall);
      }
      for (const { chosen, cpu, wall } of rounds) {
        print(measurementOf(chosen, cpu, wall), options.json === true);
        await chosen.stop();
      }
      process.exit(0);
    });
}

async function measure(chosen: MicroCase, cpu: number[], wall: number[]): Promise<void> {
  const prepared = chosen.prepare();
  const begin = performance.now();
  const before = process.cpuUsage();
  await prepared();
  const { user, system } = process.cpuUsage(before);
  cpu.push((user + system) / chosen.events);
  wall.push((performance.now() - begin) / 1000);
}

function measurementOf(
  chosen: MicroCase,
  cpu: readonly number[],
  wall: readonly number[],
): Measurement {
  return {
    workload: 'micro',
    case: chosen.name,
    subject: chosen.subject,
    events: chosen.events,
    wallSeconds: median(wall),
    cpuMicrosPerEvent: median(cpu),
    eventsPerSecond: Math.round(chosen.events / median(wall)),
    resultHash: chosen.result(),
    commit: commit(),
  };
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1]!;

function print(result: Measurement, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const nanoseconds = (result.cpuMicrosPerEvent * 1000).toFixed(0).padStart(8);
  const name = `${result.case.padEnd(14)} ${result.subject.padEnd(12)}`;
  console.log(`${name} ${nanoseconds} ns ${result.eventsPerSecond}/s ${result.resultHash}`);
}

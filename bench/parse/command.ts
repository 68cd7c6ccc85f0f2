/**
 * `npm run bench -- parse`: W1. A corpus in memory, decoded and checked by the kernel and by what a
 * Node team would use, in turns (A B A B …) within one process; processor time per payload is the
 * median of the rounds.
 */
import { Command } from 'commander';
import { commit, type Measurement } from '../measurement.ts';
import { type Format, payloadsOf, SHAPES, type ShapeName } from './corpus.ts';
import { kernelSubjects } from './millrace.ts';
import { peersOf, type Subject } from './peer.ts';

const EVENTS = 100_000;
const EVENTS_SMALL = 2_000;
const ROUNDS = 9;
const ROUNDS_SMALL = 1;
/** A measured round lasts at least so long: short ones measure the clock. */
const ROUND_SECONDS = 0.2;

interface Options {
  readonly json?: boolean;
  readonly small?: boolean;
}

export function parseCommand(): Command {
  return new Command('parse')
    .description('W1: payloads in memory, decoded and checked; with peers')
    .option('--json', 'one JSON line per measurement')
    .option('--small', 'a size that fits into a test run')
    .action(async (options: Options) => {
      for (const shape of ['point', 'truck'] as const) {
        for (const format of ['json', 'protobuf', 'avro'] as const) {
          print(await measureCase(shape, format, options), options.json === true);
        }
      }
      process.exit(0);
    });
}

interface Rounds {
  readonly subject: Subject;
  readonly cpu: number[];
  readonly wall: number[];
  result: string;
}

async function measureCase(
  shapeName: ShapeName,
  format: Format,
  options: Options,
): Promise<(Measurement & { readonly bytes: number })[]> {
  const events = options.small ? EVENTS_SMALL : EVENTS;
  const shape = SHAPES[shapeName];
  const payloads = payloadsOf(shape, format, events);
  const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0) / events;
  const subjects = [
    ...(await kernelSubjects(shape, format, payloads)),
    ...peersOf(shape, format, payloads),
  ];
  const rounds = subjects.map((subject): Rounds => ({ subject, cpu: [], wall: [], result: '' }));
  for (const { subject } of rounds) subject.run();
  for (let i = 0; i < (options.small ? ROUNDS_SMALL : ROUNDS); i++) {
    for (const round of rounds) measure(round, events, options.small ? 0 : ROUND_SECONDS);
  }
  return rounds.map(({ subject, cpu, wall, result }) => ({
    workload: 'parse',
    case: `${shapeName}-${format}`,
    subject: subject.name,
    events,
    wallSeconds: median(wall) * events,
    cpuMicrosPerEvent: median(cpu),
    eventsPerSecond: Math.round(1 / median(wall)),
    resultHash: result,
    commit: commit(),
    bytes,
  }));
}

function measure(round: Rounds, events: number, secondsMin: number): void {
  const begin = performance.now();
  const before = process.cpuUsage();
  let passes = 0;
  do {
    round.result = round.subject.run();
    passes++;
  } while (performance.now() - begin < secondsMin * 1000);
  const { user, system } = process.cpuUsage(before);
  round.cpu.push((user + system) / passes / events);
  round.wall.push((performance.now() - begin) / 1000 / passes / events);
}

const median = (values: readonly number[]): number =>
  [...values].sort((left, right) => left - right)[values.length >> 1]!;

function print(results: readonly (Measurement & { bytes: number })[], json: boolean): void {
  const base = results[0]!.cpuMicrosPerEvent;
  for (const { bytes, ...result } of results) {
    if (json) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
      continue;
    }
    const nanoseconds = result.cpuMicrosPerEvent * 1000;
    console.log(
      [
        result.case.padEnd(15),
        result.subject.padEnd(16),
        `${nanoseconds.toFixed(0).padStart(6)} ns`,
        `${(bytes / nanoseconds).toFixed(2).padStart(6)} GB/s`,
        `${(result.cpuMicrosPerEvent / base).toFixed(2).padStart(7)} ×`,
        result.resultHash,
      ].join(' '),
    );
  }
}

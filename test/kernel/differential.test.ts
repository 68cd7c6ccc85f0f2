/**
 * The kernel against the reference over generated logs, in every build: equal rows, facts and dead
 * letters. And against itself: however a log is cut into turns, and wherever its state is exported
 * and taken up again, rows, facts and state are equal. A failure names its seed; to look at one
 * alone, put it into the environment as ONLY_SEED. The logs hold every payload format.
 */
import { expect } from 'chai';
import type { PartitionKernel } from '../../src/model/doors.ts';
import { BUILDS, type Build, everyBuild } from './build.ts';
import { difference, drive, GENERATION, lines, Outcome, runReference } from './drive.ts';
import { generateStream, type Stream } from './generator.ts';
import { checkExpected, checkLedger } from './law.ts';
import { all, always, cut, LOG, PARTITION } from './log-writer.ts';
import { Random } from './random.ts';
import { Sights } from './sights.ts';

/** What narrows a run, or widens it; a number in the environment. */
const given = (name: string): number | null => {
  const text = process.env[name];
  return text === undefined ? null : Number(text);
};
const ONLY_SEED = given('ONLY_SEED');
const SEEDS_PER_TEST = given('SEEDS_PER_TEST') ?? 10;
const TESTS = given('TESTS') ?? 9;
/** Every eighth log is long: what needs many records (full windows, boots, ids) happens there. */
const LONG_EVERY = 8;
const MESSAGES = 100;
const MESSAGES_LONG = 400;
const MEMORY_BYTES = 64 * 1024 * 1024;

const seedsOf = (test: number): number[] =>
  ONLY_SEED === null
    ? Array.from({ length: SEEDS_PER_TEST }, (_, place) => test * SEEDS_PER_TEST + place + 1)
    : [ONLY_SEED];
const tests = Array.from({ length: ONLY_SEED === null ? TESTS : 1 }, (_, test) => test);

const streamOf = (seed: number): Stream =>
  generateStream(seed, seed % LONG_EVERY === 0 ? MESSAGES_LONG : MESSAGES);

function* randomSizes(random: Random): Generator<number> {
  for (;;) yield random.pick([1, 2, 3, 10, 40]);
}

/** A plan may lower its caps in mid-stream, so known statuses may lack their dead letter. */
function isCapped(stream: Stream): boolean {
  const plans = stream.messages.filter(({ subject }) => subject.endsWith('.plan'));
  return plans.some(({ payload }) => {
    const text = Buffer.from(payload).toString('utf8');
    return !text.includes('"deadLettersPerDeviceMinute":100000');
  });
}

describe('kernel against reference', function () {
  this.timeout(120_000);
  const kernels = everyBuild();
  const sights = new Sights();

  function open(build: Build, stream: Stream): PartitionKernel {
    const partition = kernels.get(build)!.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: MEMORY_BYTES },
    });
    partition.setSkips(stream.skips);
    return partition;
  }

  async function run(build: Build, stream: Stream, sizes: Iterable<number>): Promise<Outcome> {
    const kernel = open(build, stream);
    try {
      return await drive(kernel, cut(stream.messages, sizes));
    } finally {
      kernel.close();
    }
  }

  for (const test of tests) {
    const seeds = seedsOf(test);
    const range = `seeds ${seeds[0]} to ${seeds.at(-1)}`;
    it(`gives equal rows, facts and dead letters: ${range}`, async () => {
      for (const seed of seeds) {
        const stream = streamOf(seed);
        const wanted = runReference(stream);
        checkLedger(wanted.tables);
        sights.take(stream, wanted);
        checkExpected(stream.expected, wanted.deadLetters, isCapped(stream));
        const cuts = {
          debug: always(stream.messages.length),
          simd: randomSizes(new Random(seed)),
          scalar: always(1),
        };
        const hashes = new Map<Build, string>();
        for (const build of BUILDS) {
          const got = await run(build, stream, cuts[build]);
          const found = difference(lines(got), lines(wanted));
          expect(found, `seed ${seed}, build ${build}`).to.equal('');
          hashes.set(build, got.stateHash);
        }
        expect(new Set(hashes.values()).size, `seed ${seed}: ${[...hashes]}`).to.equal(1);
      }
    });
  }

  it('met every format, state, flag and status in these logs', function () {
    if (ONLY_SEED !== null || SEEDS_PER_TEST * TESTS < 90) this.skip();
    expect(sights.lacking()).to.deep.equal([]);
  });

  for (const test of tests) {
    const seeds = seedsOf(test);
    it(`goes on from an exported state: seeds ${seeds[0]} to ${seeds.at(-1)}`, async () => {
      for (const seed of seeds) await checkResumption(streamOf(seed));
    });
  }

  /** Two exports, all and then changed; a fresh memory takes both up and applies the rest. */
  async function checkResumption(stream: Stream): Promise<void> {
    const random = new Random(stream.seed);
    const first = random.int(1, stream.messages.length - 1);
    const second = random.int(first, stream.messages.length - 1);
    const part = (from: number, to?: number) => all(stream.messages.slice(from, to));
    const kernel = open('simd', stream);
    const fresh = open('simd', stream);
    try {
      await drive(kernel, part(0, first));
      const objects = [...kernel.exportState('all')].map((chunk) => chunk.slice());
      kernel.exportDone(true);
      await drive(kernel, part(first, second));
      // An export that nobody acknowledged is part of the next.
      if (random.chance(0.3)) {
        Array.from(kernel.exportState('changed'));
        kernel.exportDone(false);
      }
      objects.push(...[...kernel.exportState('changed')].map((chunk) => chunk.slice()));
      kernel.exportDone(true);

      for (const object of objects) fresh.importState(object);
      usePlanOf(fresh, stream, second);
      fresh.importDone(kernel.stateHash());
      expect(fresh.position, `seed ${stream.seed}`).to.equal(kernel.position);
      const [wanted, got] = [new Outcome(), new Outcome()];
      await drive(kernel, part(second), wanted);
      // What is already applied may come again, and is passed over.
      const again = stream.messages.slice(Math.max(0, second - random.int(0, 5)));
      await drive(fresh, cut(again, randomSizes(random)), got);
      const where = `seed ${stream.seed}, exported at ${first} and ${second}`;
      expect(difference(lines(got), lines(wanted)), where).to.equal('');
      expect(got.stateHash, where).to.equal(wanted.stateHash);
    } finally {
      kernel.close();
      fresh.close();
    }
  }

  function usePlanOf(kernel: PartitionKernel, stream: Stream, end: number): void {
    const before = stream.messages.slice(0, end);
    const plan = before.findLast(({ subject }) => subject.endsWith('.plan'));
    if (plan !== undefined) kernel.usePlan(Buffer.from(plan.payload).toString('utf8'));
  }
});

/**
 * The streams that are known to be hard, in every build and cut in every way, against the
 * reference; and laws that their outcome keeps whoever computed it.
 */
import { expect } from 'chai';
import { BUILDS, type Build, everyBuild } from './build.ts';
import { difference, drive, GENERATION, lines, type Outcome, runReference } from './drive.ts';
import type { Stream } from './generator.ts';
import { checkLedger, totals } from './law.ts';
import { always, cut, LOG, PARTITION } from './log-writer.ts';
import { Random } from './random.ts';
import { SCENARIOS, TUMBLING } from './scenario.ts';

const MEMORY_BYTES = 64 * 1024 * 1024;
const SEED = 20_261_122;

function* randomSizes(): Generator<number> {
  const random = new Random(SEED);
  for (;;) yield random.pick([1, 2, 3, 10, 40]);
}

describe(`hard streams (cut by seed ${SEED})`, function () {
  this.timeout(120_000);
  const kernels = everyBuild();

  async function run(build: Build, { messages }: Stream, sizes: Iterable<number>) {
    const partition = kernels.get(build)!.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: MEMORY_BYTES },
    });
    try {
      return await drive(partition, cut(messages, sizes));
    } finally {
      partition.close();
    }
  }

  for (const [title, make] of Object.entries(SCENARIOS)) {
    describe(title, () => {
      let stream: Stream;
      let wanted: Outcome;
      before(() => {
        stream = make();
        wanted = runReference(stream);
      });

      it('give equal rows, facts, dead letters and state in every build and cut', async () => {
        const cuts = { debug: always(Infinity), simd: randomSizes(), scalar: always(1) };
        const hashes = new Set<string>();
        for (const build of BUILDS) {
          const got = await run(build, stream, cuts[build]);
          expect(difference(lines(got), lines(wanted)), `build ${build}`).to.equal('');
          hashes.add(got.stateHash);
        }
        expect([...hashes]).to.have.lengthOf(1);
      });

      it('keep the ledger balanced and lose nothing without a dead letter', () => {
        checkLedger(wanted.tables);
        const ledger = wanted.tables.get('ledger')!.at(-1)!;
        const refused = ['partly', 'too_late', 'rejected', 'dedup_unknown', 'skipped'];
        const count = refused.reduce((sum, state) => sum + Number(ledger[state]), 0);
        expect(wanted.deadLetters).to.have.lengthOf(count);
      });

      // Windows that a plan brings later know less.
      if (title.startsWith('plans')) return;
      it('have equal counts, extremes, first and last in windows of every length', () => {
        const [finest, ...coarser] = TUMBLING.map(({ name }) =>
          totals(wanted.tables.get(`agg_${name}`) ?? []),
        );
        expect(finest!.size).to.be.above(0);
        for (const each of coarser) expect([...each]).to.have.deep.members([...finest!]);
      });
    });
  }
});

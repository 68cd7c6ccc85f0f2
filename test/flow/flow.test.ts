/** The whole house under ten thousand seeds; and seeds that once failed. */
import { expect } from 'chai';
import { simulate } from './house.ts';
import { drawScenario } from './scenario.ts';
import { runSeeds } from './seeds.ts';

const SEEDS = Number(process.env['MILLRACE_TEST_SEEDS'] ?? 10_000);
const INTERVAL_MS = 60_000;

describe('the whole house', function () {
  this.timeout(1_800_000);

  it('gives the same run for the same seed, event by event', async () => {
    const lines = [[], []] as string[][];
    for (const trace of lines) {
      await simulate(drawScenario(3), {}, ({ scheduler }) => {
        scheduler.trace = (line) => {
          // Nonces differ, and decide nothing.
          trace.push(`${scheduler.nowMs} ${line().replace(/"nonce":"[^"]*"/, '')}`);
        };
      });
    }
    expect(lines[0]!.length).to.be.greaterThan(100);
    expect(lines[1]).to.deep.equal(lines[0]);
  });

  it(`loses nothing and counts nothing twice under ${SEEDS} seeds`, async () => {
    const say = (line: string) => console.log(`      ${line}`);
    const found = await runSeeds({ seeds: SEEDS, first: 1, say, intervalMs: INTERVAL_MS });
    const again = `npm run simulate -- --seed ${found.seed} --trace`;
    expect(found.violation, `seed ${found.seed}: ${again}`).to.equal(null);
  });
});

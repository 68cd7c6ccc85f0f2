/** Whoever dies at whatever step, and whoever else then: a reader sees the same, byte for byte. */
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { createRandom } from '../../src/sim/random.ts';
import { type CrashRun, pointsOf, runWithCrashes, shortScenario } from './crash-point.ts';

const SEED = 7;
const PAIRS_MS = 60_000;
const PAIRS_MAX = 3_000;
const PROGRESS_MS = 60_000;

describe('a crash at any step', function () {
  this.timeout(600_000);
  const scenario = shortScenario(SEED);
  let usual: CrashRun;
  let points: string[];
  let saidMs = systemClock.monotonicMs();

  before(async () => {
    usual = await runWithCrashes(scenario, []);
    points = pointsOf(usual.verdict);
    expect(usual.verdict.violation).to.equal(null);
    expect(usual.view.split('\n').length).to.be.greaterThan(15);
    expect(points.length).to.be.greaterThan(400);
  });

  async function check(fatal: readonly string[], done: number): Promise<void> {
    const { verdict, view } = await runWithCrashes(scenario, fatal);
    expect(verdict.violation, `crash at ${fatal}`).to.equal(null);
    expect(view, `crash at ${fatal}`).to.equal(usual.view);
    if (systemClock.monotonicMs() - saidMs < PROGRESS_MS) return;
    saidMs = systemClock.monotonicMs();
    console.log(`      ${done} runs with crashes`);
  }

  it('alone, at every point of the run, changes nothing', async () => {
    for (const [done, point] of points.entries()) await check([point], done);
    console.log(`      ${points.length} points`);
  });

  it('followed by another one changes nothing either', async () => {
    const random = createRandom(SEED);
    const endMs = systemClock.monotonicMs() + PAIRS_MS;
    let pairs = 0;
    for (; pairs < PAIRS_MAX && systemClock.monotonicMs() < endMs; pairs += 1) {
      const first = random.integer(points.length);
      // Half of them close by: a crash while the first one is being repaired.
      const apart = random.chance(0.5) ? random.integer(60) : random.integer(points.length);
      const second = points[(first + 1 + apart) % points.length]!;
      await check([points[first]!, second], pairs);
    }
    console.log(`      ${pairs} pairs`);
    expect(pairs).to.be.greaterThan(100);
  });
});

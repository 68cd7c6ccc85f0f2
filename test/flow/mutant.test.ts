/** Every mutant is caught by seeds; the real thing passes the same seeds under the same trouble. */
import { expect } from 'chai';
import { simulate } from './house.ts';
import { MUTANTS } from './mutant.ts';
import { drawScenario } from './scenario.ts';
import { runSeeds } from './seeds.ts';

const SEEDS_MAX = 1_000;
const INTERVAL_MS = 60_000;
const CONTROLS = 5;

describe('a mutant of the simulation', function () {
  this.timeout(300_000);
  const say = (line: string) => console.log(`      ${line}`);

  for (const { name, rule, tune } of MUTANTS) {
    it(`${name} is caught: ${rule}`, async () => {
      const options = { seeds: SEEDS_MAX, first: 1, say, intervalMs: INTERVAL_MS };
      const { violation, runs } = await runSeeds({ ...options, mutant: name });
      expect(violation, 'no seed caught it').to.be.a('string');
      say(`seed ${runs}: ${violation?.slice(0, 100)}`);
      // What the mutant was given to do harm does none to the real thing.
      for (let seed = runs; seed < runs + CONTROLS; seed += 1) {
        const control = await simulate(tune(drawScenario(seed)));
        expect(control.violation, `seed ${seed} without the mutation`).to.equal(null);
      }
    });
  }
});

/**
 * Runs seeds one after another until one fails. In: how many, from which, which mutant. Out: the
 * first failure, or none; a line of progress now and then.
 */
import { systemClock } from '../../src/base/clock.ts';
import { simulate, type Verdict } from './house.ts';
import { MUTANTS } from './mutant.ts';
import { drawScenario } from './scenario.ts';

export const INTERVAL_MS = 15_000;

export interface SeedOptions {
  readonly seeds: number;
  readonly first: number;
  /** '' for the real thing. */
  readonly mutant?: string;
  readonly say: (line: string) => void;
  readonly intervalMs: number;
}

export interface SeedResult {
  readonly seed: number;
  readonly violation: string | null;
  readonly runs: number;
}

export async function runSeeds(options: SeedOptions): Promise<SeedResult> {
  const { seeds, first, mutant = '', say, intervalMs } = options;
  const found = MUTANTS.find(({ name }) => name === mutant);
  const beginMs = systemClock.monotonicMs();
  let saidMs = beginMs;
  let events = 0;
  let virtualMs = 0;
  const progress = (runs: number) => {
    const seconds = (systemClock.monotonicMs() - beginMs) / 1000;
    const hours = virtualMs / 3_600_000;
    say(
      `simulation: ${runs} of ${seeds} seeds, ${events} events, ${hours.toFixed(1)} h simulated in ${seconds.toFixed(0)} s`,
    );
  };
  for (let runs = 1; runs <= seeds; runs += 1) {
    const seed = first + runs - 1;
    const scenario = found?.tune(drawScenario(seed)) ?? drawScenario(seed);
    const verdict: Verdict = await simulate(scenario, found?.mutation);
    events += verdict.events;
    virtualMs += verdict.virtualMs;
    if (verdict.violation !== null) return { seed, violation: verdict.violation, runs };
    if (systemClock.monotonicMs() - saidMs < intervalMs) continue;
    saidMs = systemClock.monotonicMs();
    progress(runs);
  }
  progress(seeds);
  return { seed: 0, violation: null, runs: seeds };
}

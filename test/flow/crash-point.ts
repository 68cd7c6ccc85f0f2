/**
 * Crash points: every door call of a short run without faults has a number, and a process may die
 * before it and after it. In: a scenario. Out: the points, and the verdict of a run in which some
 * of them were fatal, with what a reader of the read model sees.
 */
import { type House, simulate, type Verdict } from './house.ts';
import { viewOf } from './oracle.ts';
import { drawScenario, type Scenario, withoutFaults } from './scenario.ts';

export interface CrashRun {
  readonly verdict: Verdict;
  readonly view: string;
}

/** Two workers, two partitions, a handful of events, standbys, small outputs. */
export const shortScenario = (seed: number): Scenario => ({
  ...withoutFaults(drawScenario(seed)),
  partitions: 2,
  workers: 2,
  standbys: 1,
  devices: 3,
  eventsPerDevice: 3,
  troubleMs: 2_000,
  checkpointIntervalMs: 500,
  chunkMessagesMax: 3,
  outputMax: 3,
  hasPlanChange: false,
});

/** `points` as `<number>b` before the call or `<number>a` after it. */
export async function runWithCrashes(
  scenario: Scenario,
  points: readonly string[],
): Promise<CrashRun> {
  const order = (house: House) => {
    house.scheduler.ordered = new Set(points);
  };
  const verdict = await simulate(scenario, {}, order);
  return { verdict, view: viewOf(verdict.house.readModel.seen().rows) };
}

/** All points of a run, in order. */
export function pointsOf({ points }: Verdict): string[] {
  return Array.from({ length: points }, (_, index) => [`${index + 1}b`, `${index + 1}a`]).flat();
}

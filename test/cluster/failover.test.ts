/** What counts as a failover: the judge of a chaos run, on runs made up by hand. */
import { expect } from 'chai';
import { type FaultRecord, failoversOf } from './check/failover.ts';
import type { FaultKind } from './plan.ts';

const KILL_MS = 60_000;
const END_MS = 90_000;

const fault = (kind: FaultKind, beganAtMs: number, overAtMs: number): FaultRecord => ({
  ...{ kind, beganAtMs, overAtMs, atMs: beganAtMs, durationMs: overAtMs - beganAtMs },
  ...{ target: 0, ownerOf: null, amountMs: 0, error: null },
  partitions: kind === 'worker-kill' ? [3] : null,
});

/** A new fact every 100 ms, but for the gaps. */
function facts(...gaps: readonly (readonly [number, number])[]): number[] {
  const all = Array.from({ length: END_MS / 100 }, (_, each) => each * 100);
  return all.filter((at) => gaps.every(([from, to]) => at <= from || at >= to));
}

const CASES: readonly [string, readonly FaultRecord[], readonly number[], readonly number[]][] = [
  ['the gap around a kill', [], facts([59_900, 60_700]), [800]],
  ['the longest gap that begins soon after', [], facts([60_000, 60_300], [62_000, 63_500]), [1500]],
  ['no gap but the steps between facts', [], facts(), [100]],
  [
    'one after a fault of NATS that the partition has got over',
    [fault('nats-kill', 50_000, 54_000)],
    facts([50_000, 55_000], [60_000, 60_500]),
    [500],
  ],
  [
    'none of a partition that stands still since a fault of NATS',
    [fault('nats-kill', 50_000, 54_000)],
    facts([50_000, 61_000]),
    [],
  ],
  [
    'one of a partition that stands still for no such reason',
    [fault('clickhouse-kill', 50_000, 54_000)],
    facts([58_000, 61_000]),
    [3000],
  ],
  ['none while a fault of NATS is open', [fault('nats-pause', 59_000, 62_000)], facts(), []],
  ['none that is watched for too short', [fault('nats-kill', 62_000, 64_000)], facts(), []],
];

describe('failovers of a chaos run', () => {
  for (const [what, others, times, gaps] of CASES) {
    it(`count ${what}`, () => {
      const faults = [fault('worker-kill', KILL_MS, KILL_MS + 500), ...others];
      const found = failoversOf(faults, new Map([[3, times]]), END_MS);
      expect(found.map(({ gapMs }) => gapMs)).to.deep.equal(gaps);
    });
  }
});

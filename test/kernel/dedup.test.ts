/** Deduplication in the compiled kernel, by table: what each record becomes, in order. */
import { expect } from 'chai';
import type { Kernel } from '../../src/model/doors.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { EventKey } from '../../src/model/record.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

/** Key, event time in seconds before the record, and what the record becomes. */
type Step = readonly [key: EventKey, ageS: number, state: string];

const PLAN = planOf([channelOf(0, 'c')], { idsPerDevice: 3 });
const STATES = ['stored', 'duplicate', 'dedup_unknown', 'rejected'];
const boot = (bootId: number, sequence: number): EventKey => ({
  bootId: BigInt(bootId),
  sequence: BigInt(sequence),
});
const id = (eventId: string): EventKey => ({ eventId });
const even = (from: number, to: number): Step[] => {
  const steps: Step[] = [];
  for (let sequence = from; sequence <= to; sequence += 2)
    steps.push([boot(1, sequence), 0, 'stored']);
  return steps;
};

describe('deduplication', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  /** One record per message, a tick behind each: the ledger row shows what became of it. */
  async function check(steps: readonly Step[], plan: Plan = PLAN): Promise<void> {
    const log = new LogWriter();
    log.plan(plan);
    for (const [key, ageS] of steps) {
      log.at(log.nowMs + 1_000);
      const timeMs = log.nowMs - ageS * 1_000;
      const payload = encodeTelemetry({
        samples: [{ timeMs, readings: [{ metric: 1, number: 1 }] }],
      });
      log.batch([recordOf({ payload, key, receivedAtMs: log.nowMs })]);
      log.tick();
    }
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 },
    });
    const { tables } = await drive(partition, all(log.messages));
    const rows = tables.get('ledger')!;
    const states = rows.map((row, index) =>
      STATES.find((state) => row[state] !== (rows[index - 1]?.[state] ?? 0n)),
    );
    expect(states).to.deep.equal(steps.map(([, , state]) => state));
  }

  it('by boot: knows what it received, in any order', () =>
    check([
      [boot(1, 5), 0, 'stored'],
      [boot(1, 5), 0, 'duplicate'],
      [boot(1, 1), 0, 'stored'],
      [boot(1, 3), 0, 'stored'],
      [boot(1, 2), 0, 'stored'],
      [boot(1, 4), 0, 'stored'],
      [boot(1, 3), 0, 'duplicate'],
      [boot(2, 3), 0, 'stored'],
      [boot(1, 0), 0, 'rejected'],
    ]));

  it('by boot: a live event before a backlog of 40 loses none of it', () =>
    check([
      [boot(1, 41), 0, 'stored'],
      ...Array.from({ length: 40 }, (_, each): Step => [boot(1, each + 1), 40 - each, 'stored']),
      [boot(1, 41), 0, 'duplicate'],
      [boot(1, 20), 0, 'duplicate'],
    ]));

  it('by boot: sixteen intervals are kept; the seventeenth lifts the floor', () =>
    check([
      ...even(2, 32),
      [boot(1, 1), 0, 'stored'],
      [boot(1, 34), 0, 'stored'],
      [boot(1, 36), 0, 'stored'],
      [boot(1, 2), 0, 'dedup_unknown'],
      [boot(1, 1), 0, 'dedup_unknown'],
      [boot(1, 4), 0, 'dedup_unknown'],
      [boot(1, 6), 0, 'duplicate'],
      [boot(1, 5), 0, 'stored'],
    ]));

  it('by boot: the fifth evicts the one longest silent; only older events are unknown then', () =>
    check([
      [boot(1, 1), 10, 'stored'],
      [boot(2, 1), 0, 'stored'],
      [boot(3, 1), 0, 'stored'],
      [boot(4, 1), 0, 'stored'],
      [boot(1, 2), 1, 'stored'],
      [boot(5, 1), 0, 'stored'],
      [boot(2, 1), 6, 'dedup_unknown'],
      [boot(2, 2), 0, 'stored'],
    ]));

  it('by id: the last three, then only what is newer than the forgotten', () =>
    check([
      [id('a'), 0, 'stored'],
      [id('a'), 0, 'duplicate'],
      [id('b'), 0, 'stored'],
      [id('c'), 0, 'stored'],
      [id('a'), 0, 'duplicate'],
      [id('d'), 0, 'stored'],
      [id('a'), 7, 'dedup_unknown'],
      [id('a'), 0, 'stored'],
    ]));

  it('by id: tells ids of all lengths apart, also when the ring grows', () => {
    const names = Array.from({ length: 64 }, (_, each) => 'x'.repeat(each + 1));
    return check(
      [
        ...names.map((name): Step => [id(name), 0, 'stored']),
        ...names.map((name): Step => [id(name), 0, 'duplicate']),
        [id('x'.repeat(65)), 0, 'rejected'],
        [id(''), 0, 'rejected'],
      ],
      { ...PLAN, idsPerDevice: 64 },
    );
  });

  it('by id: forgets by log time when the next one comes', () =>
    check(
      [
        [id('a'), 0, 'stored'],
        [id('b'), 0, 'stored'],
        [id('a'), 0, 'duplicate'],
        [id('c'), 0, 'stored'],
        [id('a'), 4, 'dedup_unknown'],
      ],
      { ...PLAN, dedupHorizonMs: 2_000 },
    ));
});

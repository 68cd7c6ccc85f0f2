/** Rate of change, stuck values, rules between metrics: by table, at the limit and one past it. */
import { expect } from 'chai';
import type { Kernel } from '../../../src/model/doors.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { metricOf } from '../plan-sample.ts';
import { type Member, Story } from '../story.ts';

/** Event second, members, and the status of the record ('' when it is stored). */
type Step = readonly [second: number, members: Record<string, Member>, status: string];

const SUSPECT = 64;
const PARTLY = 4;

describe('a check by state', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  /** Every record comes at second 1,000 and later, with the event second of its step. */
  async function check(channel: Partial<PlanChannel>, steps: readonly Step[]): Promise<void> {
    const story = Story.of(channel);
    steps.forEach(([time, members], index) => void story.send(1_000 + index, members, { time }));
    expect(await story.statuses(kernel)).to.deep.equal(steps.map(([, , status]) => status));
  }
  const metrics = (given: Partial<PlanMetric>, name = 'value') => ({
    metrics: [metricOf(0, name, given)],
  });

  describe('of the rate', () => {
    const RATE = metrics({ maxRatePerSecond: 2 });
    it('accepts the limit and refuses what is beyond it, up and down', () =>
      check(RATE, [
        [100, { value: 10 }, ''],
        [110, { value: 30 }, ''],
        [111, { value: 32.000001 }, 'RATE_EXCEEDED'],
        [112, { value: 34 }, ''],
        [113, { value: 31.999 }, 'RATE_EXCEEDED'],
        [113, { value: 32 }, ''],
      ]));

    it('counts from the latest value, not from the one that was refused', () =>
      check(RATE, [
        [100, { value: 0 }, ''],
        [101, { value: 100 }, 'RATE_EXCEEDED'],
        [150, { value: 100 }, ''],
      ]));

    it('judges neither the first value nor one at or before the latest', () =>
      check(RATE, [
        [100, { value: 1e300 }, ''],
        [100, { value: -1e300 }, ''],
        [99, { value: 7 }, ''],
        [101, { value: -1e300 }, ''],
      ]));

    it('takes integers as doubles and leaves booleans alone', () =>
      check(
        {
          metrics: [
            metricOf(0, 'value', { kind: 'integer', maxRatePerSecond: 1 }),
            metricOf(1, 'flag', { kind: 'boolean', maxRatePerSecond: 0 }),
          ],
        },
        [
          [100, { value: 5, flag: true }, ''],
          [101, { value: 6, flag: false }, ''],
          [102, { value: 8 }, 'RATE_EXCEEDED'],
        ],
      ));

    it('of 0 allows no change at all', () =>
      check(metrics({ maxRatePerSecond: 0 }), [
        [100, { value: 1 }, ''],
        [200, { value: 1 }, ''],
        [300, { value: 1.5 }, 'RATE_EXCEEDED'],
      ]));
  });

  describe('of sameness', () => {
    const STUCK = metrics({ stuckMs: 60_000 });
    it('accepts the limit and refuses one millisecond more', () =>
      check(STUCK, [
        [100, { value: 1 }, ''],
        [130, { value: 1 }, ''],
        [160, { value: 1 }, ''],
        [160.001, { value: 1 }, 'VALUE_STUCK'],
        [161, { value: 2 }, ''],
        [221, { value: 2 }, ''],
        [222, { value: 2 }, 'VALUE_STUCK'],
      ]));

    it('tells −0 from 0, and counts from the first reading that brought the value', () =>
      check(STUCK, [
        [100, { value: 0 }, ''],
        [150, { value: 5 }, ''],
        [151, { value: 0 }, ''],
        [200, { value: 0 }, ''],
        [212, { value: 0 }, 'VALUE_STUCK'],
      ]));

    it('leaves readings alone that are older than the latest', () =>
      check(STUCK, [
        [100, { value: 1 }, ''],
        [300, { value: 1 }, 'VALUE_STUCK'],
        [160, { value: 1 }, ''],
        [99, { value: 1 }, ''],
      ]));

    it('is told of booleans too', () =>
      check(metrics({ kind: 'boolean', stuckMs: 1_000 }), [
        [100, { value: true }, ''],
        [101, { value: true }, ''],
        [102, { value: true }, 'VALUE_STUCK'],
        [103, { value: false }, ''],
      ]));
  });

  describe('between metrics', () => {
    const pair = [metricOf(0, 'a'), metricOf(1, 'b', { kind: 'integer' }), metricOf(2, 'c')];
    const rule = (operator: '<' | '<=' | '=' | '!=', left = 0, right = 1) => ({
      ...{ name: `r${left}${right}`, left, operator, right },
    });
    for (const [operator, broken, kept] of [
      ['<', [2, 2], [1.9, 2]],
      ['<=', [2.1, 2], [2, 2]],
      ['=', [2.1, 2], [2, 2]],
      ['!=', [2, 2], [2.1, 2]],
    ] as const) {
      it(`a ${operator} b holds for ${kept} and not for ${broken}`, () =>
        check({ metrics: pair, rules: [rule(operator)] }, [
          [100, { a: broken[0], b: broken[1] }, 'RULE_BROKEN'],
          [101, { a: kept[0], b: kept[1] }, ''],
          [102, { a: broken[0] }, ''],
        ]));
    }

    it('is judged on what was good before the first rule, and breaks both', async () => {
      const story = Story.of({ metrics: pair, rules: [rule('<', 0, 1), rule('<', 1, 2)] });
      // a < b is broken; b < c is broken too although b is gone by then.
      story.send(100, { a: 9, b: 5, c: 4 }).send(101, { a: 9, b: 5, c: 6 });
      const rows = await story.rows(kernel, 'ch_c', ['presence', 'flags', 'c']);
      expect(rows).to.deep.equal([{ presence: 4n, flags: PARTLY, c: 6 }]);
    });

    it('is not judged when one of them is refused already', async () => {
      const metrics = [metricOf(0, 'a', { max: 10 }), metricOf(1, 'b')];
      const story = Story.of({ metrics, rules: [rule('<')] }).send(100, { a: 11, b: 5 });
      const rows = await story.rows(kernel, 'ch_c', ['presence', 'flags']);
      expect(rows).to.deep.equal([{ presence: 2n, flags: PARTLY }]);
    });
  });

  it('that only suspects stores the readings with a flag', async () => {
    const story = Story.of({
      suspectPolicy: 'accept',
      metrics: [
        metricOf(0, 'a', { maxRatePerSecond: 1 }),
        metricOf(1, 'b', { stuckMs: 1_000 }),
        metricOf(2, 'c'),
      ],
      rules: [{ name: 'order', left: 1, operator: '<=', right: 2 }],
    });
    story.send(100, { a: 0 }).send(101, { a: 5 }).send(102, { a: 5, b: 1 });
    story.send(110, { b: 1 }).send(111, { b: 2, c: 1 }).send(112, { b: 2, c: 3 });
    const rows = await story.rows(kernel, 'ch_c', ['flags']);
    expect(rows.map(({ flags }) => flags)).to.deep.equal([0, SUSPECT, 0, SUSPECT, SUSPECT, 0]);
    expect(await story.statuses(kernel)).to.deep.equal(Array(6).fill(''));
  });
});

/** The six dimensions of quality: what each record adds, and when the row of a minute comes. */
import { expect } from 'chai';
import { MISSING_MAX } from '../../../assembly/shared/abi.ts';
import type { Kernel } from '../../../src/model/doors.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { QUALITY_DIMENSIONS } from '../../../src/model/table.ts';
import { startKernel } from '../build.ts';
import type { TableRow } from '../law.ts';
import { metricOf, planOf } from '../plan-sample.ts';
import { atS, jsonChannel, Story } from '../story.ts';

type Dimension = (typeof QUALITY_DIMENSIONS)[number];
/** 'good/total' of the dimensions that a case is about. */
type Wanted = Partial<Record<Dimension, string>>;

const QUALITY = { quality: true };

describe('quality', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const told = (channel: Partial<PlanChannel> = {}) => Story.of(channel, QUALITY);
  const rowsOf = async (story: Story): Promise<TableRow[]> =>
    (await story.play(kernel)).tables.get('quality_1m') ?? [];

  /** Sums over all minutes and devices. */
  async function check(story: Story, wanted: Wanted): Promise<void> {
    const rows = await rowsOf(story.tick(10_000_000));
    const sum = (column: string) => rows.reduce((all, row) => all + (row[column] as bigint), 0n);
    const got = Object.fromEntries(
      Object.keys(wanted).map((name) => [name, `${sum(`${name}_good`)}/${sum(`${name}_total`)}`]),
    );
    expect(got).to.deep.equal(wanted);
  }

  it('of validity: records that reach the device, and those whose payload can be used', () => {
    const story = told({ eventIdPath: ['id'] })
      .send(0, { value: 1 })
      .send(1, {}, { raw: '{' });
    story.send(2, {}).send(3, { value: 1 }, { channel: 'x' }).send(4, { value: 1, id: '' });
    // Neither of these reaches a device.
    story.send(5, {}, { raw: '' }).send(6, { value: 1 }, { device: 'no id' });
    // Refused readings are of another dimension.
    return check(story.send(7, { value: true }), { validity: '2/6' });
  });

  it('of uniqueness: records with a key, and those that are no duplicate', () => {
    const story = told({ contentDedup: true });
    for (const second of [0, 1]) {
      story.send(second, { value: 1 }, { time: 0, key: { eventId: 'a' } });
      story.send(second, { value: 2 }, { time: 0 });
      story.send(second, { value: 3 }, { time: null });
    }
    return check(story, { uniqueness: '2/4', validity: '6/6', timeliness: '4/4' });
  });

  it('of timeliness: samples with an event time, and those soon enough', () => {
    const metrics = [metricOf(0, 'value', { required: true })];
    const story = told({ metrics, timelyMs: 60_000, maxAgeMs: 600_000, timeRequired: true });
    for (const age of [0, 60, 60.001, 600, 601, -300, -301]) {
      story.send(1_000, { value: 1 }, { time: 1_000 - age });
    }
    story
      .send(1_000, { value: 1 }, { time: null })
      .send(1_000, {}, { raw: '{"time":"x","value":1}' });
    story.send(1_000, { other: 1, value: null }, { raw: `{"time":${atS(1_000)},"value":null}` });
    return check(story, { timeliness: '3/7', completeness: '5/5' });
  });

  it('of accuracy and consistency: by the status of each reading', () => {
    const metrics = [
      metricOf(0, 'value', { max: 10, maxRatePerSecond: 1 }),
      metricOf(1, 'other', { kind: 'integer' }),
      metricOf(2, 'high', { stuckMs: 1_000 }),
    ];
    const rules = [{ name: 'r', left: 1, operator: '<' as const, right: 2 }];
    const story = told({ metrics, rules });
    story.send(100, { value: 1, other: 1, high: 2 });
    story.send(101, { value: 11 }).send(102, { value: 9 }).send(103, { high: 2 });
    story.send(104, { other: 5, high: 4 }).send(105, { other: 1.5 });
    return check(story, { accuracy: '5/8', consistency: '6/9' });
  });

  it('of accuracy and consistency: what is suspect counts as if it were refused', () => {
    const metrics = [metricOf(0, 'a', { maxRatePerSecond: 1 }), metricOf(1, 'b')];
    const rules = [{ name: 'r', left: 0, operator: '<' as const, right: 1 }];
    const story = told({ suspectPolicy: 'accept', metrics, rules });
    story.send(100, { a: 1, b: 2 }).send(101, { a: 9, b: 10 }).send(102, { a: 9.5, b: 3 });
    return check(story, { accuracy: '5/6', consistency: '4/6', completeness: '3/3' });
  });

  it('of completeness: by the rhythm of the samples so far', () => {
    const story = told();
    for (const second of [0, 10, 20, 30, 60, 70, 85, 100]) story.send(second, { value: 1 });
    // 30 → 60: two missing. 70 → 85: by then the cadence is 11 s, so half of it more is none.
    return check(story.send(90, { value: 1 }, { time: 15 }), { completeness: '9/11' });
  });

  it('of completeness: no more than a bound for one gap', () => {
    const story = told().send(0, { value: 1 }).send(1, { value: 1 }).send(9_000, { value: 1 });
    return check(story, { completeness: `3/${3 + MISSING_MAX}` });
  });

  it('of completeness: a sample that lacks what is required counts as missing', () => {
    const metrics = [metricOf(0, 'value', { required: true }), metricOf(1, 'other')];
    const story = told({ metrics }).send(0, { value: 1 }).send(10, { other: 1 });
    return check(story, { completeness: '1/2', accuracy: '1/1', consistency: '1/1' });
  });

  describe('has a row', () => {
    const minutes = (rows: readonly TableRow[]) =>
      rows.map(({ device, minute, validity_total }) => [
        ...[device, (Number(minute) - atS(0)) / 60_000, Number(validity_total)],
      ]);

    it('when a record of a later minute reaches the device', async () => {
      const story = told().send(59, { value: 1 }).send(60, { value: 1 }).send(61, { value: 1 });
      story.send(125, { value: 1 }, { channel: 'x' });
      const rows = await rowsOf(story);
      expect(minutes(rows)).to.deep.equal([
        ['d1', 0, 1],
        ['d1', 1, 2],
      ]);
      expect(rows[1]).to.include({ log_time: atS(125) });
    });

    it('at the first flush point of a later minute, in slot order, and no more', async () => {
      const story = told().send(10, { value: 1 }, { device: 'd2' }).send(20, { value: 1 });
      story.tick(30).tick(61).tick(62).tick(125);
      const outcome = await story.play(kernel);
      expect(minutes(outcome.tables.get('quality_1m')!)).to.deep.equal([
        ['d2', 0, 1],
        ['d1', 0, 1],
      ]);
      expect(outcome.needsTicks).to.equal(false);
    });

    it('only once a minute at flush points: what comes between waits', async () => {
      const story = told().send(10, { value: 1 }).tick(61);
      story.send(70, { value: 1 }).tick(80).tick(119);
      expect(minutes(await rowsOf(story))).to.deep.equal([['d1', 0, 1]]);
      expect((await story.play(kernel)).needsTicks).to.equal(true);
    });

    it('before everything else of the message, with its expiry', async () => {
      const story = Story.of({}, { ...QUALITY, qualityRetentionMs: 3_600_000 });
      const rows = await rowsOf(story.send(10, { value: 1 }).tick(61));
      expect(Number((rows[0]!.version as bigint) & 0xffffffffn)).to.equal(0);
      expect(rows[0]!.expires_at).to.equal(atS(3_600) / 1_000);
    });

    it('of what was counted when a plan stops to count; and none after that', async () => {
      const story = told().send(10, { value: 1 });
      story
        .plan(planOf([jsonChannel()]))
        .send(20, { value: 1 })
        .tick(61)
        .send(70, { value: 1 });
      expect(minutes(await rowsOf(story.tick(200)))).to.deep.equal([['d1', 0, 1]]);
    });

    it('from the plan on that begins to count', async () => {
      const story = Story.of({}).send(10, { value: 1 });
      story
        .plan(planOf([jsonChannel()], QUALITY))
        .send(20, { value: 1 })
        .tick(61);
      expect(minutes(await rowsOf(story))).to.deep.equal([['d1', 0, 1]]);
    });
  });

  it('takes no memory where it is not counted', async () => {
    const used = async (story: Story): Promise<number> => {
      for (let each = 0; each < 64; each += 1) story.send(1, { value: 1 }, { device: `d${each}` });
      const partition = story.open(kernel);
      const { drive } = await import('../drive.ts');
      const { all } = await import('../log-writer.ts');
      await drive(partition, all(story.log.messages));
      return partition.stats().memoryBytesUsed;
    };
    const plain = await used(Story.of({}));
    expect(await used(told())).to.be.greaterThan(plain);
    expect(await used(Story.of({ contentDedup: false, rules: [] }))).to.equal(plain);
  });
});

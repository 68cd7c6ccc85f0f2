/** Deduplication by content: records without a key that say their own time. */
import { expect } from 'chai';
import type { Kernel } from '../../../src/model/doors.ts';
import type { Plan } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { metricOf, planOf } from '../plan-sample.ts';
import { atS, jsonChannel, type Sent, Story } from '../story.ts';

describe('a content', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const channel = { contentDedup: true };
  const told = (plan: Partial<Plan> = {}) => Story.of(channel, plan);
  const states = async (story: Story, second = 5_000_000) => {
    const columns = ['stored', 'duplicate', 'rejected', 'dedup_unknown'];
    return (await story.tick(second).rows(kernel, 'ledger', columns)).at(-1)!;
  };
  const counts = (stored: number, duplicate: number, rejected = 0) => ({
    ...{ stored: BigInt(stored), duplicate: BigInt(duplicate) },
    ...{ rejected: BigInt(rejected), dedup_unknown: 0n },
  });
  const sameTime: Sent = { time: 0 };

  it('that comes again is a duplicate, also later and received otherwise', async () => {
    const story = told().send(0, { value: 1 });
    story
      .send(10, { value: 1 }, sameTime)
      .send(90_000, { value: 2 })
      .send(90_001, { value: 2 }, { time: 90_000 });
    expect(await states(story)).to.deep.equal(counts(2, 2));
  });

  it('differs by every byte, by channel and by device', async () => {
    const plan = planOf([jsonChannel(channel), { ...jsonChannel(channel), id: 1, name: 'e' }]);
    const raw = `{"time":${atS(0)},"value":1}`;
    const story = new Story(plan).send(0, {}, { raw }).send(1, {}, { raw: `${raw} ` });
    story.send(2, {}, { raw: ` ${raw}` }).send(3, {}, { raw, channel: 'e' });
    story.send(4, {}, { raw, device: 'd2' }).send(5, {}, { raw });
    expect(await states(story)).to.deep.equal(counts(5, 1));
  });

  it('is not looked at where the record has a key, or a time is missing', async () => {
    const story = told();
    for (const second of [0, 1]) {
      story.send(second, { value: 1 }, { time: 0, key: { eventId: `e${second}` } });
      story.send(second, { value: 1 }, { time: null });
    }
    expect(await states(story)).to.deep.equal(counts(4, 0));
  });

  it('is remembered only when something of it was stored', async () => {
    const metrics = [metricOf(0, 'value', { max: 1 })];
    const story = Story.of({ ...channel, metrics });
    story.send(0, { value: 2 }).send(1, { value: 2 }, sameTime);
    expect(await states(story)).to.deep.equal(counts(0, 0, 2));
  });

  it('leaves when as many others came as the plan remembers', async () => {
    const story = told({ contentsPerDevice: 20 });
    for (let each = 0; each < 20; each += 1) story.send(each, { value: each });
    story.send(100, { value: 0 }, { time: 0 }).send(101, { value: 19 }, { time: 19 });
    expect(await states(story, 101)).to.deep.equal(counts(20, 2));
    // One more than fits: the oldest is new again, and pushes out the next.
    story.send(102, { value: 100 }).send(103, { value: 0 }, { time: 0 });
    story.send(104, { value: 1 }, { time: 1 }).send(105, { value: 100 }, { time: 102 });
    expect(await states(story)).to.deep.equal(counts(23, 3));
  });

  it('is forgotten behind the horizon when the next one comes', async () => {
    const story = told({ dedupHorizonMs: 60_000 }).send(0, { value: 1 });
    story.send(60, { value: 2 }).send(60, { value: 1 }, { time: 0 });
    story.send(61, { value: 3 }).send(61, { value: 1 }, { time: 0 });
    expect(await states(story)).to.deep.equal(counts(4, 1));
  });

  it('is remembered until the next one at least', async () => {
    const story = told({ contentsPerDevice: 0 }).send(0, { value: 1 });
    story.send(1, { value: 1 }, sameTime).send(2, { value: 2 }).send(3, { value: 1 }, sameTime);
    expect(await states(story)).to.deep.equal(counts(3, 1));
  });
});

/** The clock model of a device: what it learns, and what it makes of times under each policy. */
import { expect } from 'chai';
import {
  CLOCK_BUCKET_MS,
  FLAG_LATE,
  FLAG_TIME_CORRECTED,
  FLAG_UNJUDGED_TIME,
} from '../../../assembly/shared/abi.ts';
import type { Kernel } from '../../../src/model/doors.ts';
import type { ClockPolicy, PlanChannel } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { atS, Story } from '../story.ts';

const BUCKET_S = CLOCK_BUCKET_MS / 1_000;
const MINUTE_S = 60;

describe("a device's clock", function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const policy = (clockPolicy: ClockPolicy, given: Partial<PlanChannel> = {}) => ({
    clockPolicy,
    ...given,
  });
  /** Sends at `second` with a clock that is `ahead` seconds before the log's. */
  const send = (story: Story, second: number, ahead: number) =>
    story.send(second, { value: second }, { time: second + ahead });
  const learned = async (story: Story, second: number) => {
    const columns = ['clock_offset_ms', 'clock_drift_ppm'];
    const row = (await story.tick(second).rows(kernel, 'devices', columns)).at(-1)!;
    return [row.clock_offset_ms, row.clock_drift_ppm];
  };

  it('is unknown until a sample says its own time', async () => {
    const story = Story.of(policy('accept')).send(0, { value: 1 }, { time: null });
    expect(await learned(story, 1)).to.deep.equal([0n, 0]);
  });

  it('is the least difference of one bucket of log time and the one before', async () => {
    const story = Story.of(policy('accept'));
    send(send(story, 0, -5), 10, -2);
    expect(await learned(story, 11)).to.deep.equal([2_000n, 0]);
    send(story, BUCKET_S, -8);
    expect(await learned(story, BUCKET_S + 1)).to.deep.equal([2_000n, 10_000]);
    send(story, 2 * BUCKET_S, -8);
    expect(await learned(story, 2 * BUCKET_S + 1)).to.deep.equal([8_000n, 0]);
  });

  it('begins anew after a bucket without samples', async () => {
    const story = send(Story.of(policy('accept')), 0, 30);
    send(story, 2 * BUCKET_S, -1);
    expect(await learned(story, 2 * BUCKET_S + 1)).to.deep.equal([1_000n, 0]);
  });

  it('learns from samples that are refused for being ahead', async () => {
    const story = send(Story.of(policy('reject')), 0, 301);
    expect(await story.statuses(kernel)).to.deep.equal(['CLOCK_AHEAD']);
    expect(await learned(story, 1)).to.deep.equal([-301_000n, 0]);
  });

  for (const [ahead, status] of [
    [300, ''],
    [300.001, 'CLOCK_AHEAD'],
  ] as const) {
    it(`that is ${ahead} s ahead gives ${status || 'a stored sample'} under reject`, async () => {
      const story = send(Story.of(policy('reject')), 0, ahead);
      expect(await story.statuses(kernel)).to.deep.equal([status]);
    });
  }

  it('that is ahead is accepted with a flag under accept', async () => {
    const story = send(Story.of(policy('accept')), 0, 3_600);
    const rows = await story.rows(kernel, 'ch_c', ['flags']);
    expect(rows).to.deep.equal([{ flags: FLAG_UNJUDGED_TIME }]);
  });

  it('is set back by its offset under correct, and the row keeps what it said', async () => {
    const story = Story.of(policy('correct'));
    send(send(send(story, 0, 290), 100, 290), 200, 280);
    const rows = await story.rows(kernel, 'ch_c', ['event_time', 'device_time', 'flags']);
    expect(rows).to.deep.equal([
      { event_time: atS(0), device_time: atS(290), flags: FLAG_TIME_CORRECTED },
      { event_time: atS(100), device_time: atS(390), flags: FLAG_TIME_CORRECTED },
      { event_time: atS(190), device_time: atS(480), flags: FLAG_TIME_CORRECTED },
    ]);
  });

  it('leaves alone under correct what is not ahead', async () => {
    const story = send(send(Story.of(policy('correct')), 0, 60), 100, -30);
    const rows = await story.rows(kernel, 'ch_c', ['event_time', 'flags']);
    expect(rows.at(-1)).to.deep.equal({ event_time: atS(70), flags: 0 });
  });

  it('that is very wrong makes corrected times too old, and none before 1900', async () => {
    const year = 365 * 24 * 60 * MINUTE_S;
    const story = Story.of(policy('correct', { agePolicy: 'accept' }));
    send(send(story, 0, 250 * year), 1, 1);
    const rows = await story.rows(kernel, 'ch_c', ['event_time', 'flags']);
    expect(rows[1]).to.deep.equal({
      event_time: Date.UTC(1900, 0, 1),
      flags: FLAG_TIME_CORRECTED | FLAG_UNJUDGED_TIME | FLAG_LATE,
    });
    const strict = send(send(Story.of(policy('correct')), 0, 250 * year), 1, 1);
    expect(await strict.statuses(kernel)).to.deep.equal(['', 'TOO_OLD']);
  });
});

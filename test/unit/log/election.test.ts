/** Whoever starts while a stream has no leader waits for it, and not for ever. */
import { expect } from 'chai';
import type { Clock } from '../../../src/base/clock.ts';
import { untilLed } from '../../../src/log/election.ts';
import { OperatingError } from '../../../src/model/error.ts';

/** Waits pass at once, and are counted. */
function quickClock(): Clock & { readonly passedMs: number } {
  let nowMs = 0;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    async wait(durationMs) {
      nowMs += durationMs;
    },
    get passedMs() {
      return nowMs;
    },
  };
}

const silent = () => new OperatingError('NATS_UNREACHABLE', 'no answer within 5000 ms');

describe('until a stream is led', () => {
  it('asks again, more and more seldom, and gives the answer', async () => {
    const clock = quickClock();
    let asked = 0;
    const answer = await untilLed(clock, async () => {
      asked += 1;
      if (asked < 4) throw silent();
      return 'streams';
    });
    expect(answer).to.equal('streams');
    expect(clock.passedMs).to.equal(200 + 400 + 800);
  });

  it('gives up after half a minute with what was said last', async () => {
    const clock = quickClock();
    const error = await untilLed(clock, () => Promise.reject(silent())).catch((cause) => cause);
    expect(error).to.include({ code: 'NATS_UNREACHABLE' });
    expect(clock.passedMs).to.be.within(30_000, 32_000);
  });

  it('does not ask again after any other answer', async () => {
    const clock = quickClock();
    const unsafe = new OperatingError('STREAM_UNSAFE', 'max_age');
    const error = await untilLed(clock, () => Promise.reject(unsafe)).catch((cause) => cause);
    expect(error).to.equal(unsafe);
    expect(clock.passedMs).to.equal(0);
  });
});

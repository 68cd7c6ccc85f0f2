/**
 * Laws that the reference keeps over generated logs: they would hold for any kernel that equals it.
 */
import { expect } from 'chai';
import type { Plan } from '../../src/model/plan.ts';
import { runReference } from './drive.ts';
import { generateStream, type Stream } from './generator.ts';
import { totals } from './law.ts';

const MESSAGES = 120;

describe('laws of a log', () => {
  it('small windows add up to the long ones in count, extremes, first and last', () => {
    let seen = 0;
    for (let seed = 1; seen < 10; seed += 1) {
      const stream = generateStream(seed, MESSAGES);
      if (!isSuited(stream)) continue;
      seen += 1;
      // Long after the end every window has been emitted.
      const { tables } = runReference(finished(stream));
      const short = totals(tables.get('agg_1m') ?? []);
      expect([...totals(tables.get('agg_1h') ?? [])].sort(), `seed ${seed}`).to.deep.equal(
        [...short].sort(),
      );
    }
  }).timeout(120_000);
});

/** Ticks come two seconds apart, so channels with a long idle time would take thousands of them. */
const IDLE_MAX_MS = 30_000;

function isSuited(stream: Stream): boolean {
  const plans = stream.messages.filter(({ subject }) => subject.endsWith('.plan'));
  return plans.every(({ payload }) => {
    const plan = JSON.parse(Buffer.from(payload).toString('utf8')) as Plan;
    return plan.channels.every(
      ({ windows, idleMs }) =>
        idleMs <= IDLE_MAX_MS &&
        ['1m', '1h'].every((name) =>
          windows.some((window) => window.name === name && window.kind === 'tumbling'),
        ),
    );
  });
}

/** The stream and enough ticks for every idle window to fire and every revision to be emitted. */
function finished(stream: Stream): Stream {
  const messages = [...stream.messages];
  for (let tick = 0; tick < 40; tick += 1) {
    const last = messages.at(-1)!;
    const payload = new Uint8Array(0);
    const logTimeNs = last.logTimeNs + 1_900_000_000n;
    messages.push({ ...last, sequence: last.sequence + 1n, logTimeNs, payload });
  }
  return { ...stream, messages };
}

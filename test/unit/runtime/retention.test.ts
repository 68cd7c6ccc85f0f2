import { expect } from 'chai';
import { CHECKPOINTS_RETAINED_MAX } from '../../../src/model/limit.ts';
import { type Checkpoint, NO_CHECKPOINT, takenAtMs } from '../../../src/model/ownership.ts';
import { retained } from '../../../src/runtime/state/retention.ts';

const MINUTE_MS = 60_000;
const START_MS = 1_767_225_600_000;

function at(position: number, atMs: number): Checkpoint {
  const identity = { sequence: `${position}`, logTimeNs: `${atMs}000000`, hash: '' };
  return { ...NO_CHECKPOINT, position: `${position}`, identity, objects: [`o${position}`] };
}

/** A checkpoint every `everyMs`, for as long as said; what is retained beside the newest. */
function after(durationMs: number, everyMs: number, firstSequence = 1n) {
  let history: readonly Checkpoint[] = [];
  let newest = at(1, START_MS);
  for (let step = 1; step * everyMs <= durationMs; step += 1) {
    const nowMs = START_MS + step * everyMs;
    const next = at(step + 1, nowMs);
    history = retained([newest, ...history], nowMs, firstSequence);
    newest = next;
  }
  return { newest, history, ages: history.map((each) => takenAtMs(newest) - takenAtMs(each)) };
}

describe('retention of checkpoints', () => {
  it('keeps the previous one', () => {
    expect(after(10_000, 10_000).history.map(({ position }) => position)).to.deep.equal(['1']);
    expect(after(20_000, 10_000).ages[0]).to.equal(10_000);
  });

  it('has one of about each 10 minutes, and sparser ones back to a week ago', () => {
    const { ages, history } = after(7 * 24 * 60 * MINUTE_MS, MINUTE_MS);
    expect(history.length).to.be.at.most(CHECKPOINTS_RETAINED_MAX);
    for (const [index, age] of ages.entries()) {
      const newer = ages[index - 1] ?? 0;
      // Between two neighbours lies at most 10 minutes or what the newer one's age allows.
      expect(age - newer, `${age / MINUTE_MS} min`).to.be.at.most(
        Math.max(20 * MINUTE_MS, 2 * newer + 20 * MINUTE_MS),
      );
    }
    expect(ages.at(-1)).to.be.at.least(3 * 24 * 60 * MINUTE_MS);
  });

  it('never loses the anchor: the oldest from which all of the log can be applied', () => {
    const { history } = after(30 * 24 * 60 * MINUTE_MS, 10 * MINUTE_MS, 2n);
    expect(history.at(-1)?.position).to.equal('1');
    expect(history.length).to.be.at.most(CHECKPOINTS_RETAINED_MAX);
  });

  it('drops what lies before the first message of the log, and not what ends just there', () => {
    const before = [at(30, START_MS), at(20, START_MS - 1), at(19, START_MS - 2)];
    const kept = retained(before, START_MS + 10_000, 21n).map(({ position }) => position);
    expect(kept).to.deep.equal(['30', '20']);
  });
});

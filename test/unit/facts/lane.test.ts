/** A lane alone: bounds, retries, flushes and keys, decided step by step. */
import { expect } from 'chai';
import type { Clock } from '../../../src/base/clock.ts';
import { Lane, type LaneOptions } from '../../../src/facts/lane.ts';
import { OperatingError } from '../../../src/model/error.ts';

interface Item {
  readonly key: string;
  readonly version: number;
}

/** Time stands still; a wait ends when the test says. */
function makeClock() {
  const waits: (() => void)[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    wait: () => new Promise((resolve) => waits.push(resolve)),
  };
  return { clock, waits };
}

function makeLane(change: Partial<LaneOptions<Item>> = {}) {
  const sending: { readonly item: Item; done(): void; fail(error: Error): void }[] = [];
  const { clock, waits } = makeClock();
  const lane = new Lane<Item>({
    name: 'test',
    inFlightMax: 2,
    heldMax: 4,
    clock,
    send: (item) =>
      new Promise((resolve, reject) => sending.push({ item, done: resolve, fail: reject })),
    ...change,
  });
  return { lane, sending, waits };
}

const item = (version: number, key = `k${version}`): Item => ({ key, version });
/** Lets everything happen that needs no further decision of the test. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function isPending(promise: Promise<unknown>): Promise<boolean> {
  await settle();
  return Promise.race([promise.then(() => false), Promise.resolve(true)]);
}

describe('a lane', () => {
  it('has at most so many on their way and holds at most so many; add waits beyond', async () => {
    const { lane, sending } = makeLane();
    await lane.add([1, 2, 3, 4].map((version) => item(version)));
    expect(sending).to.have.length(2);
    const fifth = lane.add([item(5)]);
    expect(await isPending(fifth)).to.equal(true);
    sending[0]!.done();
    await fifth;
    await settle();
    expect(sending.map(({ item: { version } }) => version)).to.deep.equal([1, 2, 3]);
    expect(lane.counts).to.include({ sent: 1, held: 4 });
  });

  it('is flushed when all that was handed in before is done, in whatever order', async () => {
    const { lane, sending } = makeLane();
    await lane.add([item(1), item(2)]);
    const flushed = lane.flushed();
    await lane.add([item(3)]);
    sending[1]!.done();
    expect(await isPending(flushed)).to.equal(true);
    sending[0]!.done();
    await flushed;
    expect(lane.counts.held).to.equal(1);
    await makeLane().lane.flushed();
  });

  it('sends again after a failure, for as long as it takes', async () => {
    const { lane, sending, waits } = makeLane();
    await lane.add([item(1)]);
    const flushed = lane.flushed();
    for (let attempt = 0; attempt < 5; attempt += 1) {
      sending[attempt]!.fail(new OperatingError('NATS_UNREACHABLE', 'gone'));
      await settle();
      waits[attempt]!();
      await settle();
    }
    expect(await isPending(flushed)).to.equal(true);
    sending[5]!.done();
    await flushed;
    expect(lane.counts).to.include({ sent: 1, retried: 5, refused: 0 });
  });

  it('gives up what can never be sent, says so and goes on', async () => {
    const told: string[] = [];
    const { lane, sending } = makeLane({
      onTrouble: ({ isRefused, error }) => told.push(`${isRefused} ${error.message}`),
    });
    await lane.add([item(1), item(2)]);
    sending[0]!.fail(new OperatingError('RECORD_TOO_LARGE', 'too large'));
    sending[1]!.done();
    await lane.flushed();
    expect(told).to.deep.equal(['true too large']);
    expect(lane.counts).to.include({ sent: 1, refused: 1, held: 0 });
  });

  it('ends waiting calls when it is stopped', async () => {
    const { lane } = makeLane();
    await lane.add([item(1)]);
    const flushed = lane.flushed();
    lane.stop();
    const error = await flushed.catch((reason) => reason);
    expect(error).to.include({ code: 'NATS_UNREACHABLE' });
  });

  describe('with keys', () => {
    const keyed = {
      keyOf: ({ key }: Item) => key,
      isNewer: (left: Item, right: Item) => left.version >= right.version,
    };
    const versions = (sending: { readonly item: Item }[]) =>
      sending.map(({ item: { version } }) => version);

    it('has one of a key on its way and then sends only the newest that waits', async () => {
      const { lane, sending } = makeLane(keyed);
      await lane.add([item(1, 'a'), item(2, 'a'), item(4, 'a'), item(3, 'a')]);
      expect(versions(sending)).to.deep.equal([1]);
      const flushed = lane.flushed();
      sending[0]!.done();
      await settle();
      expect(versions(sending)).to.deep.equal([1, 4]);
      expect(await isPending(flushed)).to.equal(true);
      sending[1]!.done();
      await flushed;
      expect(lane.counts).to.include({ sent: 2, superseded: 2, held: 0 });
    });

    it('does not let a busy key hold up another', async () => {
      const { lane, sending } = makeLane(keyed);
      await lane.add([item(1, 'a'), item(2, 'a'), item(3, 'b')]);
      expect(versions(sending)).to.deep.equal([1, 3]);
    });
  });
});

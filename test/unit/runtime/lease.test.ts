import { expect } from 'chai';
import type { Clock } from '../../../src/base/clock.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { Lease, type LeaseOptions } from '../../../src/runtime/lease.ts';
import { MemoryOwnership } from '../../support/memory-ownership.ts';

/** Time passes when somebody waits for it. */
function steppedClock(): Clock & { advance(ms: number): void } {
  let nowMs = 1_000;
  return {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
    wait: async (ms) => {
      nowMs += ms;
    },
  };
}

function setup(owner = 'a:1', ownership = new MemoryOwnership(), clock = steppedClock()) {
  const options: LeaseOptions = { partition: 0, ownership, clock, owner, semanticsVersion: 1 };
  const claim = () => Lease.claim(options, new AbortController().signal);
  return { ownership, clock, claim };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
  );
}

describe('the lease on a partition', () => {
  it('begins with epoch 1 and nothing applied', async () => {
    const lease = await setup().claim();
    expect(lease.record).to.include({ owner: 'a:1', epoch: 1, position: '0', generation: 1 });
  });

  it('is claimed at once by the same instance, keeping the checkpoint', async () => {
    const { ownership, claim } = setup('a:1');
    await (await claim()).write({ position: '7', planText: 'p' });
    const startedMs = 1_000;
    const { clock, claim: again } = setup('a:2', ownership);
    const lease = await again();
    expect(lease.record).to.include({ owner: 'a:2', epoch: 2, position: '7', planText: 'p' });
    expect(clock.monotonicMs()).to.equal(startedMs);
  });

  it('is claimed from another instance only after its record stood still', async () => {
    const { ownership, claim } = setup('a:1');
    await claim();
    const { clock, claim: other } = setup('b:1', ownership);
    const lease = await other();
    expect(lease.record.owner).to.equal('b:1');
    expect(clock.monotonicMs() - 1_000).to.be.at.least(3_500);
  });

  it('is refused while another instance renews it', async () => {
    const { ownership, claim } = setup('a:1');
    const first = await claim();
    const { clock, claim: other } = setup('b:1', ownership);
    const wait = clock.wait;
    clock.wait = async (ms) => {
      await wait(ms);
      await first.renew();
    };
    expect(await codeOf(other())).to.equal('NOT_OWNER');
  });

  it('is claimed at once when it was released', async () => {
    const { ownership, claim } = setup('a:1');
    await (await claim()).release();
    const { clock, claim: other } = setup('b:1', ownership);
    expect((await other()).record.owner).to.equal('b:1');
    expect(clock.monotonicMs()).to.equal(1_000);
  });

  it('ends for a zombie with its first write after another process claimed', async () => {
    const { ownership, claim } = setup('a:1');
    const zombie = await claim();
    await setup('a:2', ownership).claim();
    expect(await codeOf(zombie.write({ position: '9' }))).to.equal('NOT_OWNER');
    expect(await codeOf(zombie.renew())).to.equal('NOT_OWNER');
    expect(() => zombie.check()).to.throw('not ours');
    expect((await ownership.load(0))?.record.position).to.equal('0');
  });

  it('pauses output after 15 s without a renewal, and not before', async () => {
    const { ownership, clock, claim } = setup();
    const lease = await claim();
    clock.advance(15_000);
    expect(lease.paused).to.equal(false);
    clock.advance(1);
    expect(lease.paused).to.equal(true);
    ownership.fault('unreachable');
    expect(await codeOf(lease.renew())).not.to.equal('none');
    expect(lease.paused).to.equal(true);
    await lease.renew();
    expect(lease.paused).to.equal(false);
  });

  it('goes on after a write whose reply was lost for good', async () => {
    const { ownership, claim } = setup();
    const lease = await claim();
    ownership.fault('replyLost');
    expect(await codeOf(lease.write({ position: '5' }))).to.equal('NATS_UNREACHABLE');
    await lease.write({ position: '6' });
    expect((await ownership.load(0))?.record.position).to.equal('6');
  });

  it('writes one change after the other, each on top of the last', async () => {
    const { ownership, claim } = setup();
    const lease = await claim();
    await Promise.all([
      lease.write({ position: '1' }),
      lease.renew(),
      lease.write({ position: '2' }),
    ]);
    expect((await ownership.load(0))?.record.position).to.equal('2');
    const positions = ownership.written.map(({ record }) => record.position);
    expect(positions).to.deep.equal(['0', '1', '1', '2']);
  });
});

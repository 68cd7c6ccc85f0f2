/** Contract of the door Ownership, over JetStream and in memory. */
import { expect } from 'chai';
import { createOwnership } from '../../src/log/index.ts';
import type { Ownership, OwnershipRecord } from '../../src/model/doors.ts';
import { cleanUp, makeLog } from '../support/log-fixture.ts';
import { MemoryOwnership } from '../support/memory-ownership.ts';

const implementations: { readonly name: string; make(): Promise<Ownership> }[] = [
  {
    name: 'JetStream',
    make: async () => createOwnership({ link: (await makeLog()).link, job: 'core' }),
  },
  { name: 'memory', make: async () => new MemoryOwnership() },
];

export function recordOf(change: Partial<OwnershipRecord> = {}): OwnershipRecord {
  return {
    owner: 'a',
    nonce: 'n1',
    epoch: 1,
    generation: 0,
    position: '9007199254740993',
    identity: { sequence: '7', logTimeNs: '1767225600000000001', hash: '00ff00ff00ff00ff' },
    identities: [],
    objects: ['core.0.0.1.7.0'],
    rootHash: 'abc',
    plan: '0.1.plan.00ff',
    planText: '{"version":1,"é":"✓"}',
    stateGeneration: 1,
    cut: '5',
    history: [],
    semanticsVersion: 1,
    layoutVersion: 2,
    ...change,
  };
}

for (const { name, make } of implementations) {
  describe(`the door to ownership, over ${name}`, () => {
    afterEach(cleanUp);

    it('finds nothing at first, then exactly what was saved', async () => {
      const ownership = await make();
      expect(await ownership.load(0)).to.equal(null);
      const revision = await ownership.save(0, recordOf(), 0n);
      expect(revision).to.be.a('bigint');
      expect(await ownership.load(0)).to.deep.equal({ record: recordOf(), revision });
      expect(await ownership.load(1)).to.equal(null);
    });

    it('lets one of two writers with the same revision through', async () => {
      const ownership = await make();
      const first = (await ownership.save(0, recordOf(), 0n))!;
      const results = await Promise.all(
        ['x', 'y'].map((nonce) => ownership.save(0, recordOf({ nonce, owner: nonce }), first)),
      );
      const won = results.findIndex((revision) => revision !== null);
      expect(results.filter((revision) => revision === null)).to.have.length(1);
      const loaded = (await ownership.load(0))!;
      expect(loaded.record.owner).to.equal(['x', 'y'][won]);
      expect(loaded.revision).to.equal(results[won]);
    });

    it('refuses an old revision, and revision 0 once there is a record', async () => {
      const ownership = await make();
      const first = (await ownership.save(0, recordOf(), 0n))!;
      const second = (await ownership.save(0, recordOf({ nonce: 'n2' }), first))!;
      expect(second > first).to.equal(true);
      expect(await ownership.save(0, recordOf({ nonce: 'n3' }), first)).to.equal(null);
      expect(await ownership.save(0, recordOf({ nonce: 'n4' }), 0n)).to.equal(null);
      expect((await ownership.load(0))!.record.nonce).to.equal('n2');
    });

    it('knows its own write again by the nonce, so that a lost reply can be repeated', async () => {
      const ownership = await make();
      const revision = await ownership.save(0, recordOf(), 0n);
      expect(await ownership.save(0, recordOf(), 0n)).to.equal(revision);
    });

    it('keeps partitions apart: a save in one conflicts with none in another', async () => {
      const ownership = await make();
      await ownership.save(0, recordOf(), 0n);
      expect(await ownership.save(1, recordOf({ nonce: 'm1' }), 0n)).to.be.a('bigint');
    });

    it('keeps each skip once, in the order of the log, also under many saves', async () => {
      const ownership = await make();
      const skips = [
        { partition: 0, sequence: 18_446_744_073_709n, index: 0 },
        { partition: 0, sequence: 9n, index: 10 },
        { partition: 0, sequence: 9n, index: 2 },
      ];
      for (const skip of [...skips, skips[1]!]) await ownership.addSkip(skip);
      await ownership.addSkip({ partition: 1, sequence: 1n, index: 0 });
      let revision = 0n;
      for (let count = 0; count < 40; count += 1) {
        revision = (await ownership.save(0, recordOf({ nonce: `n${count}` }), revision))!;
      }
      expect(await ownership.skips(0)).to.deep.equal([skips[2], skips[1], skips[0]]);
      expect(await ownership.skips(7)).to.deep.equal([]);
      await ownership.dropSkips(0, 9n);
      await ownership.dropSkips(0, 9n);
      expect(await ownership.skips(0)).to.deep.equal(
        skips.filter(({ sequence }) => sequence <= 9n).reverse(),
      );
      expect(await ownership.skips(1)).to.have.lengthOf(1);
      for (const skip of skips) await ownership.addSkip(skip);
      expect(await ownership.skips(0)).to.deep.equal([skips[2], skips[1], skips[0]]);
    });
  });
}

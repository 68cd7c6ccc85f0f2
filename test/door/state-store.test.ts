/** Contract of the door StateStore, over JetStream and in memory. */
import { expect } from 'chai';
import { createStateStore, OBJECT_BYTES_MAX } from '../../src/log/index.ts';
import type { StateStore } from '../../src/model/doors.ts';
import { bytesOf, cleanUp, codeOf, makeLog } from '../support/log-fixture.ts';
import { MemoryStateStore } from '../support/memory-state.ts';

const implementations: { readonly name: string; make(): Promise<StateStore> }[] = [
  { name: 'JetStream', make: async () => createStateStore({ link: (await makeLog()).link }) },
  { name: 'memory', make: async () => new MemoryStateStore() },
];

for (const { name, make } of implementations) {
  describe(`the door to checkpoint chunks, over ${name}`, () => {
    afterEach(cleanUp);

    for (const size of [0, 1, OBJECT_BYTES_MAX - 1, OBJECT_BYTES_MAX]) {
      it(`gives ${size} bytes back as they were`, async () => {
        const store = await make();
        const bytes = Uint8Array.from({ length: size }, (_, index) => (index * 31) & 255);
        await store.save('core.3.0.1.77.0', bytes);
        const loaded = (await store.load('core.3.0.1.77.0'))!;
        expect(Buffer.compare(loaded, bytes)).to.equal(0);
      });
    }

    it('finds nothing under a name that was never written, or was removed', async () => {
      const store = await make();
      await store.save('core.0.0.1.1.0', bytesOf('x'));
      await store.save('core.0.0.1.1.1', bytesOf('y'));
      await store.remove(['core.0.0.1.1.0', 'core.9.9.9.9.9']);
      expect(await store.load('core.0.0.1.1.0')).to.equal(null);
      expect(await store.load('core.1.0.1.1.0')).to.equal(null);
      expect(await store.load('core.0.0.1.1.1')).to.deep.equal(bytesOf('y'));
    });

    it('lists names by prefix, whole tokens or not', async () => {
      const store = await make();
      const names = ['core.0.0.1.5.0', 'core.0.0.1.5.1', 'core.0.0.2.9.0', 'core.10.0.1.5.0'];
      for (const each of names) await store.save(each, bytesOf(each));
      expect(await store.list('core.0.')).to.deep.equal(names.slice(0, 3));
      expect(await store.list('core.0.0.1.')).to.deep.equal(names.slice(0, 2));
      expect(await store.list('core.1')).to.deep.equal([names[3]]);
      expect(await store.list('')).to.deep.equal(names);
      expect(await store.list('other.')).to.deep.equal([]);
    });

    it('is written once: the same bytes change nothing, others are refused', async () => {
      const store = await make();
      await store.save('core.0.0.1.1.0', bytesOf('x'));
      await store.save('core.0.0.1.1.0', bytesOf('x'));
      expect(await codeOf(store.save('core.0.0.1.1.0', bytesOf('y')))).to.equal(
        'CHECKPOINT_CORRUPT',
      );
      expect(await store.load('core.0.0.1.1.0')).to.deep.equal(bytesOf('x'));
    });
  });
}

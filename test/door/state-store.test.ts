/** Contract of the door StateStore, over JetStream and in memory. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { headers } from '@nats-io/transport-node';
import { expect } from 'chai';
import {
  createStateStore,
  OBJECT_BYTES_MAX,
  openStateFolder,
  succeedingStore,
  sweepStateFolder,
} from '../../src/log/index.ts';
import type { StateStore } from '../../src/model/doors.ts';
import { bytesOf, cleanUp, codeOf, makeLog, undoLater } from '../support/log-fixture.ts';
import { MemoryStateStore } from '../support/memory-state.ts';

const implementations: { readonly name: string; make(): Promise<StateStore> }[] = [
  { name: 'JetStream', make: async () => createStateStore({ link: (await makeLog()).link }) },
  { name: 'memory', make: async () => new MemoryStateStore() },
  { name: 'a folder', make: async () => openStateFolder(temporaryFolder()) },
  {
    name: 'a folder that succeeds JetStream',
    make: async () =>
      succeedingStore(
        await openStateFolder(temporaryFolder()),
        createStateStore({ link: (await makeLog()).link }),
      ),
  },
];

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-state-'));
  undoLater(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

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

describe('checkpoint chunks on the stream', () => {
  afterEach(cleanUp);

  const HEX: readonly [string, string, string | null][] = [
    ['the checksum of its bytes', 'Millrace-Crc32', null],
    ['the hash that older versions wrote', 'Millrace-Sha256', null],
    ['the checksum of other bytes', 'Millrace-Crc32', 'CHECKPOINT_CORRUPT'],
    ['the hash of other bytes', 'Millrace-Sha256', 'CHECKPOINT_CORRUPT'],
    ['neither', 'Millrace-Other', 'CHECKPOINT_CORRUPT'],
  ];
  for (const [what, header, code] of HEX) {
    it(`${code === null ? 'are read' : `are ${code}`} with ${what}`, async () => {
      const { link } = await makeLog();
      const bytes = bytesOf('some state');
      const of = what.includes('other bytes') ? bytesOf('some statf') : bytes;
      const sent = headers();
      const isHash = header === 'Millrace-Sha256';
      const checksum = crc32(of).toString(16).padStart(8, '0');
      sent.set(header, isHash ? createHash('sha256').update(of).digest('hex') : checksum);
      await link.request('state.a.1', bytes, { headers: sent });
      const loading = createStateStore({ link }).load('a.1');
      if (code === null) expect(await loading).to.deep.equal(bytes);
      else expect(await codeOf(loading)).to.equal(code);
    });
  }
});

describe('checkpoint chunks in a folder', () => {
  afterEach(cleanUp);

  it('are CHECKPOINT_CORRUPT when a bit is flipped or the end is missing', async () => {
    const folder = temporaryFolder();
    const store = await openStateFolder(folder);
    for (const name of ['a.1', 'a.2', 'a.3'])
      await store.save(name, bytesOf(`the bytes of ${name}`));
    const flipped = readFileSync(join(folder, 'a.1'));
    flipped[40]! ^= 1;
    writeFileSync(join(folder, 'a.1'), flipped);
    writeFileSync(join(folder, 'a.2'), flipped.subarray(0, 20));
    for (const name of ['a.1', 'a.2']) {
      expect(await codeOf(store.load(name)), name).to.equal('CHECKPOINT_CORRUPT');
    }
    expect(await store.load('a.3')).to.deep.equal(bytesOf('the bytes of a.3'));
  });

  it('leave nothing of a write that was cut off: not listed, swept at the start', async () => {
    const all = temporaryFolder();
    const folder = join(all, 'main');
    const store = await openStateFolder(folder);
    await store.save('a.1', bytesOf('x'));
    writeFileSync(join(folder, '.a.2.0b7f.tmp'), 'half');
    expect(await store.list('')).to.deep.equal(['a.1']);
    expect(await store.load('a.2')).to.equal(null);
    await sweepStateFolder(all, 'main');
    expect(readdirSync(folder)).to.deep.equal(['a.1']);
  });

  it('are STATE_FAILED when the folder cannot be used', async () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(await codeOf(openStateFolder(join(file, 'state')))).to.equal('STATE_FAILED');
  });

  it('that were written before the store was changed are read and collected', async () => {
    const before = new MemoryStateStore();
    await before.save('a.1', bytesOf('old'));
    const store = succeedingStore(await openStateFolder(temporaryFolder()), before);
    await store.save('a.2', bytesOf('new'));
    expect(await store.list('a.')).to.deep.equal(['a.1', 'a.2']);
    expect(await store.load('a.1')).to.deep.equal(bytesOf('old'));
    await store.remove(['a.1', 'a.2']);
    expect([await store.list(''), await before.list('')]).to.deep.equal([[], []]);
  });
});

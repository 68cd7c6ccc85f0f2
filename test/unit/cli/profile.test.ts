import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { type CpuProfile, costliest, costText, openProfile } from '../../../src/cli/run/profile.ts';

const node = (id: number, functionName: string, url = '', lineNumber = -1) => ({
  id,
  callFrame: { functionName, url, lineNumber },
});

describe('a CPU profile', () => {
  const profile: CpuProfile = {
    nodes: [
      node(1, '(root)'),
      node(2, '(idle)'),
      node(3, 'fold', 'file:///srv/build/src/wire/chunk.js', 11),
      node(4, '', 'node:internal/x', 0),
      // The same function under another caller.
      node(5, 'fold', 'file:///srv/build/src/wire/chunk.js', 11),
      node(6, 'wasm-function[48]', 'wasm://wasm/0009', 0),
    ],
    samples: [2, 3, 5, 4, 6, 6],
    timeDeltas: [9_000, 2_000, 3_000, 1_000, 1_500, 500],
  };

  it('tells the costliest functions, and leaves idle time out', () => {
    expect(costliest(profile, 10)).to.deep.equal([
      { name: 'fold wire/chunk.js:12', milliseconds: 5, share: 5 / 8 },
      { name: 'wasm-function[48] wasm/0009:1', milliseconds: 2, share: 2 / 8 },
      { name: '(anonymous) node:internal/x:1', milliseconds: 1, share: 1 / 8 },
    ]);
    expect(costliest(profile, 1)).to.have.length(1);
    expect(costliest({ nodes: [] }, 10)).to.deep.equal([]);
    expect(costText(costliest(profile, 1)[0]!)).to.equal(
      ' 62.5 %       5 ms  fold wire/chunk.js:12',
    );
  });

  describe('of this process', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    it('is written once, and tells the same to whoever asks again', async () => {
      const profiling = openProfile(join(folder, 'a.cpuprofile'), systemClock);
      await profiling.start();
      for (let round = 0; round < 50; round += 1) JSON.stringify(profile).repeat(1_000);
      const costs = await profiling.save();
      expect(await profiling.save()).to.equal(costs);
      const written = JSON.parse(readFileSync(profiling.file, 'utf8')) as CpuProfile;
      expect(costliest(written, 10)).to.deep.equal(costs);
    });

    it('refuses a file that cannot be written, and says which and why', () => {
      const file = join(folder, 'nowhere', 'a.cpuprofile');
      expect(() => openProfile(file, systemClock))
        .to.throw(`--profile ${file}: cannot be written (ENOENT`)
        .with.property('code', 'INPUT_INVALID');
    });
  });
});

/** `up --profile`, as a user runs it. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { CpuProfile } from '../../src/cli/run/profile.ts';
import { Instance, millrace } from '../support/instance.ts';

describe('up --profile', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-profile-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('writes what the worker did, in JavaScript and in WASM', async () => {
    const file = join(folder, 'run.cpuprofile');
    const instance = new Instance('--demo', '--profile', file);
    try {
      await instance.start();
      await instance.until('rows of the demo fleet', async () => {
        const [counted] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_truck');
        return Number(counted?.n) > 1_000;
      });
      await instance.stop();
      const { nodes } = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
      const frames = nodes.map(({ callFrame }) => callFrame);
      expect(frames.some(({ functionName }) => functionName.startsWith('wasm-'))).to.equal(true);
      expect(frames.some(({ url }) => url.includes('/log/pull/'))).to.equal(true);
    } finally {
      await instance.dispose();
    }
  });

  it('starts nothing when the file cannot be written', async () => {
    const data = join(folder, 'data');
    const file = join(folder, 'nowhere', 'x');
    const { code, stderr } = await millrace(
      ...['up', '--ports', 'auto', '--data-dir', data, '--profile', file],
    );
    expect(code).to.equal(2);
    expect(stderr).to.contain(`--profile ${file}: cannot be written`);
    expect(existsSync(join(data, 'nats'))).to.equal(false);
  });
});

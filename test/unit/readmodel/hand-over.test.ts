/** Blocks for an engine on this machine: whole in a file while an INSERT names it, then gone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { handOver } from '../../../src/readmodel/hand-over.ts';

describe('blocks that are handed over', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-handover-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const blocks = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, index) => new Uint8Array(bytes).fill(index));

  // One call of the operating system takes 1,024 pieces.
  for (const [count, bytes] of [
    [1, 1],
    [3, 1_000_000],
    [1_024, 10],
    [1_025, 10],
    [2_500, 3],
  ] as const) {
    it(`are in the file: ${count} of ${bytes} B`, async () => {
      const given = blocks(count, bytes);
      let seen = Buffer.alloc(0);
      await handOver(folder, given, async (name) => {
        seen = readFileSync(join(folder, name));
      });
      expect(seen.equals(Buffer.concat(given))).to.equal(true);
      expect(readdirSync(folder)).to.deep.equal([]);
    });
  }

  it('leave nothing behind when the INSERT fails', async () => {
    const send = async () => {
      expect(readdirSync(folder)).to.have.length(1);
      throw new Error('refused');
    };
    const failure = await handOver(folder, blocks(2, 5), send).catch((error: Error) => error);
    expect(String(failure)).to.contain('refused');
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('say what is wrong with the folder', async () => {
    const send = async () => expect.fail('nothing is there to be named');
    const lost = join(folder, 'nowhere');
    const failure = await handOver(lost, blocks(1, 5), send).catch((error: Error) => error);
    expect(failure).to.have.property('code', 'ENOENT');
  });
});

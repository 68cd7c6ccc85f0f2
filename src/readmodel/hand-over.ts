/**
 * Blocks for an engine on this machine: put into its hand-over folder, so that an INSERT names a
 * file instead of carrying it through two processes, which costs as much as storing it. In: blocks,
 * and who sends the name. Invariant: the file is gone when the INSERT has ended, however it did;
 * what a killed process left is removed when the engine starts.
 */
import { randomUUID } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Of one call of the operating system. */
const VECTORS_MAX = 1_024;

export async function handOver(
  folder: string,
  blocks: readonly Uint8Array[],
  send: (name: string) => Promise<void>,
): Promise<void> {
  const name = randomUUID();
  const file = join(folder, name);
  try {
    await writeWhole(file, blocks);
    await send(name);
  } finally {
    await rm(file, { force: true });
  }
}

/** In one call: each await is a round of the event loop, and turns of the kernel lie between. */
async function writeWhole(file: string, blocks: readonly Uint8Array[]): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    let left = blocks;
    while (left.length > 0) {
      const { bytesWritten } = await handle.writev(left.slice(0, VECTORS_MAX));
      left = behind(left, bytesWritten);
    }
  } finally {
    await handle.close();
  }
}

/** What of the blocks follows their first `bytes`. */
function behind(blocks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  const first = blocks.findIndex(({ length }) => {
    if (left < length) return true;
    left -= length;
    return false;
  });
  if (first < 0) return [];
  return [blocks[first]!.subarray(left), ...blocks.slice(first + 1)];
}

#!/usr/bin/env node
/**
 * Measures the figures of the insert spool in README.md on this machine: `node
 * cluster/measure-spool.mjs [folder]` in a built checkout. In: a folder on the disk in question
 * (default: the system's temporary one). Out: three lines; the folder is left as it was.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const built = (path) => import(new URL(`../build/${path}`, import.meta.url).href);
const { nativeBlock } = await built('test/support/native-writer.js');
const { channelTable } = await built('src/model/table.js');
const { TRUCK, truckRow } = await built('test/unit/readmodel/fixture.js');
const { openSpool } = await built('src/readmodel/index.js');

const SAMPLES = 10_000;
const BATCH_BYTES = 4 * 1024 ** 2;
const BATCHES = 64;
const MB = 1e6;

const rows = Array.from({ length: SAMPLES }, (_, sequence) => truckRow({ sequence }));
const block = nativeBlock(channelTable(TRUCK), rows);
console.log(`a sample of three metrics: ${(block.bytes.length / SAMPLES).toFixed(0)} B`);

const folder = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'millrace-spool-'));
try {
  const options = { folder, bytesMax: 2 * BATCHES * BATCH_BYTES };
  const spool = await openSpool(options);
  const bytes = new Uint8Array(BATCH_BYTES);
  const fromMs = performance.now();
  for (let index = 0; index < BATCHES; index += 1) {
    const blocks = [{ table: 'x', partition: 0, rows: 1, bytes }];
    const reach = { after: BigInt(index), position: BigInt(index + 1) };
    await spool.append({ tables: new Map([['x', blocks]]), reaches: new Map([[0, reach]]) });
  }
  const tookMs = performance.now() - fromMs;
  const rate = (BATCHES * BATCH_BYTES) / MB / (tookMs / 1000);
  console.log(
    `fsynced batches of 4 MiB: ${rate.toFixed(0)} MB/s, ${(tookMs / BATCHES).toFixed(0)} ms each`,
  );
  await spool.close();
  const openedMs = performance.now();
  const again = await openSpool(options);
  console.log(`256 MiB checked at a start: ${(performance.now() - openedMs).toFixed(0)} ms`);
  await again.close();
} finally {
  rmSync(folder, { recursive: true });
}

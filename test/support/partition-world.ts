/**
 * One partition with all its doors in memory, and the real kernel: what tests of the runtime drive.
 * In: records that a test sends. Out: rows, facts, troubles. What survives a crash is what the
 * doors hold.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { Semaphore } from '../../src/base/semaphore.ts';
import { loadConfig } from '../../src/config/index.ts';
import type { Kernel } from '../../src/model/doors.ts';
import { compilePlan, planText } from '../../src/registry/index.ts';
import { Partition, type PartitionOptions } from '../../src/runtime/partition.ts';
import { encodeRecordBatch } from '../../src/wire/record-batch.ts';
import { MemoryLog } from './memory-log.ts';
import { MemoryOwnership } from './memory-ownership.ts';
import { MemoryBlockSink, MemoryFactSink } from './memory-sink.ts';
import { MemoryStateStore } from './memory-state.ts';
import { readNativeRows } from './native.ts';

const CONFIG = `
metrics: { temperature: { unit: Cel } }
channels:
  climate:
    time: { path: at, format: ms }
    idle: 2s
    metrics: { temperature: {} }
`;

export class PartitionWorld {
  readonly log = new MemoryLog({
    partitions: 1,
    nowNs: () => BigInt(systemClock.nowMs() + this.aheadMs) * 1_000_000n,
  });
  readonly ownership = new MemoryOwnership();
  readonly stateStore = new MemoryStateStore();
  readonly blocks = new MemoryBlockSink();
  readonly facts = new MemoryFactSink();
  readonly troubles: string[] = [];
  readonly #kernel: Kernel;
  aheadMs = 0;
  #process = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** A new process of the same instance. */
  partition(change: Partial<PartitionOptions> = {}): Partition {
    this.#process += 1;
    return new Partition({
      partition: 0,
      kernel: this.#kernel,
      kernelOptions: { log: 'main', memoryBytes: 64 * 1024 * 1024 },
      ownership: this.ownership,
      stateStore: this.stateStore,
      reader: this.log,
      appender: this.log,
      purger: { purge: async () => 0 },
      logRetentionMs: 0,
      blocks: this.blocks,
      progress: this.blocks,
      facts: this.facts,
      clock: systemClock,
      owner: `here:${this.#process}`,
      semanticsVersion: 1,
      checkpointIntervalMs: 20,
      recoveries: new Semaphore(1),
      company: null,
      onTrouble: (_, error) => this.troubles.push(error.code),
      ...change,
    });
  }

  async plan(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-plan-'));
    writeFileSync(join(folder, 'c.yaml'), CONFIG);
    const { config } = loadConfig({ file: join(folder, 'c.yaml') });
    rmSync(folder, { recursive: true });
    const body = Buffer.from(planText(compilePlan(config, null)));
    await this.log.append({ kind: 'plan', partition: 0, body });
  }

  async send(sequence: number, value: number): Promise<bigint> {
    const body = encodeRecordBatch([
      {
        identity: { tenant: 't', site: 's', device: 'd' },
        channel: 'climate',
        receivedAtMs: systemClock.nowMs(),
        payload: Buffer.from(JSON.stringify({ at: systemClock.nowMs(), temperature: value })),
        key: { bootId: 1n, sequence: BigInt(sequence) },
      },
    ]);
    return this.log.append({ kind: 'batch', partition: 0, body });
  }

  /** Sequence of the last message of the log. */
  get last(): bigint {
    return this.log.messages(0).at(-1)?.sequence ?? 0n;
  }

  /** Rows of the raw table, in the order they were handed in. */
  get samples(): { temperature: number; sequence: bigint; generation: number }[] {
    return this.#rows().map((row) => ({
      temperature: Number(row['temperature']),
      sequence: BigInt(row['sequence'] as bigint),
      generation: Number(row['version']),
    }));
  }

  get temperatures(): number[] {
    return this.#rows().map((row) => Number(row['temperature']));
  }

  #rows() {
    return this.blocks.inserts
      .filter(({ block }) => block.table === 'ch_climate')
      .flatMap(({ block }) => readNativeRows(block.bytes));
  }
}

export async function until(what: string, check: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 20_000;
  while (!check()) {
    if (systemClock.monotonicMs() > endMs) expect.fail(`not in time: ${what}`);
    await systemClock.wait(5);
  }
}

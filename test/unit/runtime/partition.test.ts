import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { createKernel } from '../../../src/kernel/index.ts';
import type { Kernel, LogChunk } from '../../../src/model/doors.ts';
import { OperatingError } from '../../../src/model/error.ts';
import { compilePlan, planText } from '../../../src/registry/index.ts';
import { Partition, type PartitionOptions } from '../../../src/runtime/partition.ts';
import { encodeRecordBatch } from '../../../src/wire/record-batch.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { MemoryOwnership } from '../../support/memory-ownership.ts';
import { MemoryBlockSink, MemoryFactSink } from '../../support/memory-sink.ts';
import { MemoryStateStore } from '../../support/memory-state.ts';
import { readNativeRows } from '../../support/native.ts';

const CONFIG = `
metrics: { temperature: { unit: Cel } }
channels:
  climate:
    time: { path: at, format: ms }
    idle: 2s
    metrics: { temperature: {} }
`;

/** The doors of one partition in memory; what survives a crash is what these hold. */
class World {
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
      facts: this.facts,
      clock: systemClock,
      owner: `here:${this.#process}`,
      semanticsVersion: 1,
      checkpointIntervalMs: 20,
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

  get temperatures(): number[] {
    const rows = this.blocks.inserts
      .filter(({ block }) => block.table === 'ch_climate')
      .flatMap(({ block }) => readNativeRows(block.bytes));
    return rows.map((row) => Number(row['temperature']));
  }
}

async function until(what: string, check: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 20_000;
  while (!check()) {
    if (systemClock.monotonicMs() > endMs) expect.fail(`not in time: ${what}`);
    await systemClock.wait(5);
  }
}

describe('a partition', () => {
  let kernel: Kernel;
  let world: World;
  let running: Partition | null = null;

  before(async () => {
    kernel = await createKernel({ build: 'auto', workers: 0 });
  });
  after(() => kernel.stop());
  beforeEach(async () => {
    world = new World(kernel);
    await world.plan();
  });
  afterEach(async () => {
    await running?.stop();
    running = null;
  });

  function start(change: Partial<PartitionOptions> = {}): Partition {
    running = world.partition(change);
    running.start();
    return running;
  }

  it('turns its log into rows and writes down how far it is', async () => {
    await world.send(1, 20);
    await world.send(2, 21);
    const partition = start();
    await until('a checkpoint', () => partition.status.checkpoint >= 3n);
    expect(world.temperatures).to.deep.equal([20, 21]);
    expect(partition.status).to.include({ phase: 'running', devices: 1, epoch: 1 });
  });

  it('goes on behind its checkpoint in the next process', async () => {
    await world.send(1, 20);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 2n);
    await first.stop();
    await world.send(1, 20); // sent again: state says that it is a duplicate
    await world.send(2, 21);
    const second = start();
    await until('the second record', () => world.temperatures.includes(21));
    expect(world.temperatures).to.deep.equal([20, 21]);
    expect(second.status.epoch).to.equal(2);
  });

  it('writes the same rows again when it died before a checkpoint', async () => {
    await world.send(1, 20);
    const dying = start({ checkpointIntervalMs: 3_600_000 });
    await until('the row', () => world.temperatures.length === 1);
    // Nothing of the process is left but what the doors hold: another one claims and replays.
    const rows = world.blocks.inserts.map(({ block }) => Buffer.from(block.bytes).toString('hex'));
    world.blocks.inserts.length = 0;
    const next = world.partition();
    next.start();
    await until('the row again', () => world.temperatures.length === 1);
    expect(
      world.blocks.inserts
        .slice(0, rows.length)
        .map(({ block }) => Buffer.from(block.bytes).toString('hex')),
    ).to.deep.equal(rows);
    await until('the zombie to end', () => dying.status.phase === 'halted');
    expect(dying.status.error?.code).to.equal('NOT_OWNER');
    await next.stop();
  });

  it('appends ticks while a window waits for time, and none when all is quiet', async () => {
    await world.send(1, 20);
    start();
    const ticks = () =>
      world.log.messages(0).filter(({ subject }) => subject.endsWith('.tick')).length;
    const closed = () => world.facts.facts.some((fact) => fact.kind === 'window');
    await until('the windows to close by idleness', closed);
    expect(ticks()).to.be.at.least(2);
  });

  it('closes in the next process what was open when nothing more is sent', async () => {
    await world.send(1, 20);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 2n);
    await first.stop();
    world.facts.facts.length = 0;
    start();
    await until('the windows to close', () =>
      world.facts.facts.some((fact) => fact.kind === 'window'),
    );
  });

  /** The real kernel, but for a trap at one record, as long as it is not on the skip list. */
  function trapping(sequence: bigint, index: number): Kernel {
    return {
      stop: () => kernel.stop(),
      open(options) {
        const inner = kernel.open(options);
        let isSkipped = false;
        return new Proxy(inner, {
          get(target, name) {
            if (name === 'setSkips') {
              return (skips: Parameters<typeof inner.setSkips>[0]) => {
                isSkipped = skips.some((skip) => skip.sequence === sequence);
                target.setSkips(skips);
              };
            }
            if (name === 'turn') {
              return (chunk: LogChunk) => {
                if (isSkipped || chunk.lastSequence < sequence) return target.turn(chunk);
                const where = { partition: 0, sequence, index };
                throw new OperatingError('KERNEL_TRAPPED', 'trapped', { where });
              };
            }
            const value = Reflect.get(target, name) as unknown;
            return typeof value === 'function' ? value.bind(target) : value;
          },
        });
      },
    };
  }

  it('skips for ever the record that trapped the kernel, and goes on', async () => {
    await world.send(1, 20);
    await world.send(2, 21);
    await world.send(3, 22);
    const partition = start({ kernel: trapping(3n, 0) });
    await until('the record behind it', () => world.temperatures.includes(22));
    expect(world.temperatures).to.deep.equal([20, 22]);
    expect(partition.status.phase).to.equal('running');
    expect(world.troubles).to.deep.equal(['KERNEL_TRAPPED']);
    const [letter] = world.facts.letters;
    expect(letter).to.include({ reason: 'SKIPPED', sequence: 3n, index: 0 });
  });

  it('halts when the kernel trapped at no record', async () => {
    await world.send(1, 20);
    const partition = start({ kernel: trapping(2n, -1) });
    await until('the halt', () => partition.status.phase === 'halted');
    expect(partition.status.error?.code).to.equal('KERNEL_TRAPPED');
  });

  it('halts when the log lost what it has applied', async () => {
    await world.send(1, 20);
    await world.send(2, 21);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 3n);
    await first.stop();
    world.log.loseTail(0, 2n);
    const second = start();
    await until('the halt', () => second.status.phase === 'halted');
    expect(second.status.error?.code).to.equal('LOG_TAIL_LOST');
  });

  it('notices that other messages stand where those it applied stood', async () => {
    await world.send(1, 20);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 2n);
    await first.stop();
    world.log.loseTail(0, 1n);
    for (let sequence = 1; sequence < 9; sequence += 1) await world.send(sequence, 30);
    const second = start();
    await until('the halt', () => second.status.phase === 'halted');
    expect(second.status.error?.code).to.equal('LOG_TAIL_LOST');
    expect(world.temperatures).to.deep.equal([20]);
  });

  it('halts when the log was purged beyond its checkpoint, and skips nothing', async () => {
    await world.send(1, 20);
    await world.send(2, 21);
    world.log.purge(0, 3n);
    const partition = start();
    await until('the halt', () => partition.status.phase === 'halted');
    expect(partition.status.error?.code).to.equal('LOG_PURGED');
  });

  async function withoutState(): Promise<Partition> {
    await world.send(1, 20);
    await world.send(2, 21);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 3n);
    await first.stop();
    await world.stateStore.remove(await world.stateStore.list(''));
    return world.partition();
  }

  it('replays the whole log when a state object is missing', async () => {
    running = await withoutState();
    world.blocks.inserts.length = 0;
    running.start();
    await world.send(2, 21);
    await world.send(3, 22);
    await until('the third record', () => world.temperatures.includes(22));
    expect(world.temperatures).to.deep.equal([20, 21, 22]);
  });

  it('halts when a state object is missing and the log was purged', async () => {
    running = await withoutState();
    world.log.purge(0, 2n);
    running.start();
    await until('the halt', () => running?.status.phase === 'halted');
    expect(running.status.error?.code).to.equal('CHECKPOINT_CORRUPT');
  });

  it('waits before a turn whose stamps are more than a minute ahead of its clock', async () => {
    world.aheadMs = 61_000;
    await world.send(1, 20);
    start();
    await until('the trouble', () => world.troubles.includes('CLOCK_BEHIND_LOG'));
    expect(world.temperatures).to.deep.equal([]);
  });

  it('keeps its place when a checkpoint could not be written, and writes the next', async () => {
    const partition = start();
    await world.send(1, 20);
    await until('the first', () => partition.status.checkpoint >= 2n);
    world.ownership.fault('unreachable');
    await world.send(2, 21);
    await until('the next', () => partition.status.checkpoint >= 3n);
    expect(world.temperatures).to.deep.equal([20, 21]);
  });
});

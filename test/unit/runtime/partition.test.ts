import { expect } from 'chai';
import { createKernel } from '../../../src/kernel/index.ts';
import type { Kernel, LogChunk } from '../../../src/model/doors.ts';
import { OperatingError } from '../../../src/model/error.ts';
import type { Partition, PartitionOptions } from '../../../src/runtime/partition.ts';
import { PartitionWorld, until } from '../../support/partition-world.ts';

describe('a partition', () => {
  let kernel: Kernel;
  let world: PartitionWorld;
  let running: Partition | null = null;

  before(async () => {
    kernel = await createKernel({ build: 'auto', workers: 0 });
  });
  after(() => kernel.stop());
  beforeEach(async () => {
    world = new PartitionWorld(kernel);
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

  it('writes all rows again when the read model has lost some', async () => {
    await world.send(1, 20);
    await world.send(2, 21);
    const first = start();
    await until('a checkpoint', () => first.status.checkpoint >= 3n);
    await first.stop();
    const begun: bigint[] = [];
    const progress = {
      beginGeneration: async () => {},
      reached: async () => 2n,
      begin: (_: number, position: bigint) => void begun.push(position),
    };
    await world.send(3, 22);
    const second = start({ progress });
    await until('a checkpoint', () => second.status.checkpoint >= 4n);
    expect(world.temperatures).to.deep.equal([20, 21, 20, 21, 22]);
    expect(begun).to.deep.equal([0n]);
    expect(world.troubles).to.deep.equal(['READMODEL_BEHIND']);
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

  it('claims again, and restores, what was left to whoever claims it', async () => {
    await world.send(1, 20);
    const partition = start();
    await until('a checkpoint', () => partition.status.checkpoint >= 2n);
    world.ownership.steal(0, (record) => ({
      ...record!,
      ...{ owner: '', nonce: 'handed over', epoch: record!.epoch + 1, generation: 7 },
      ...{ position: '0', identity: null, identities: [], objects: [], planText: '' },
    }));
    await until('the next generation', () => partition.status.generation === 7);
    await until('the log again', () => partition.status.checkpoint >= 2n);
    expect(world.temperatures).to.deep.equal([20, 20]);
    await world.send(2, 21);
    await until('the next row', () => world.temperatures.includes(21));
    expect(partition.status.phase).to.equal('running');
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

  it('goes on while a checkpoint is slow, says what it waits for, and ends it', async () => {
    const told: string[] = [];
    const onTrouble = (_: number, { code, message }: OperatingError) => {
      told.push(`${code} ${message}`);
    };
    const partition = start({ checkpointSlowMs: 50, onTrouble });
    world.stateStore.hold();
    await world.send(1, 20);
    await until('it is told', () => told.length > 0);
    await world.send(2, 21);
    await until('turns go on', () => world.temperatures.length === 2);
    expect(partition.status.checkpoint).to.equal(0n);
    expect(told[0]).to.match(/^CHECKPOINT_SLOW .*waits for the store of its state objects;/);
    world.stateStore.release();
    await until('the checkpoint', () => partition.status.checkpoint >= 3n);
    expect(told.filter((each) => !each.startsWith('CHECKPOINT_SLOW'))).to.deep.equal([]);
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

import { expect } from 'chai';
import { createKernel } from '../../../src/kernel/index.ts';
import type { Kernel, OwnershipRecord } from '../../../src/model/doors.ts';
import { checkpointsOf } from '../../../src/model/ownership.ts';
import type { Partition, PartitionOptions } from '../../../src/runtime/partition.ts';
import { PartitionWorld, until } from '../../support/partition-world.ts';

describe('recovery of a partition', () => {
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

  const record = async (): Promise<OwnershipRecord> => (await world.ownership.load(0))!.record;

  /** Runs until a checkpoint stands behind what was sent, then stops. */
  async function run(change: Partial<PartitionOptions> = {}): Promise<void> {
    const partition = start(change);
    const { last } = world;
    await until(`a checkpoint at ${last}`, () => partition.status.checkpoint >= last);
    await partition.stop();
  }

  /** Three checkpoints behind one record each; windows are closed by no tick in between. */
  async function threeCheckpoints(): Promise<void> {
    for (let sequence = 1; sequence <= 3; sequence += 1) {
      await world.send(sequence, 19 + sequence);
      await run();
    }
  }

  /** What readers of the raw table see: the newest generation, nothing above a cut of another. */
  function visible(): number[] {
    const cuts = world.blocks.generations;
    return [
      ...new Set(
        world.samples
          .filter(
            ({ generation, sequence }) =>
              !cuts.some((each) => each.generation > generation && each.cut < sequence),
          )
          .map(({ temperature }) => temperature),
      ),
    ];
  }

  it('goes back to an older checkpoint when an object of the newest is missing', async () => {
    await threeCheckpoints();
    const { objects, position, history } = await record();
    await world.stateStore.remove(objects.slice(-1));
    expect(history.length).to.be.at.least(1);
    world.log.purge(0, 2n); // the beginning is gone: only a checkpoint can help
    await world.send(4, 23);
    world.blocks.inserts.length = 0;
    const partition = start();
    await until('the record behind', () => world.temperatures.includes(23));
    expect(world.troubles).to.include('CHECKPOINT_CORRUPT');
    expect(partition.status.generation).to.equal(1);
    // Replayed from the older one: what lies between was written again, under the same versions.
    expect(BigInt(history[0]!.position) < BigInt(position)).to.equal(true);
    expect(world.temperatures).to.deep.equal([22, 23]);
    await until('a checkpoint that can be read', () => partition.status.checkpoint >= world.last);
  });

  it('halts when no retained checkpoint can be read and the log was purged', async () => {
    await threeCheckpoints();
    for (const { objects } of checkpointsOf(await record())) {
      world.stateStore.corrupt(objects[0]!);
    }
    world.log.purge(0, 2n);
    const partition = start();
    await until('the halt', () => partition.status.phase === 'halted');
    expect(partition.status.error?.code).to.equal('CHECKPOINT_CORRUPT');
  });

  it('restores the plan of a checkpoint from its object', async () => {
    await world.send(1, 20);
    await run();
    const { plan, planText } = await record();
    expect(planText).to.equal('');
    expect(world.stateStore.names).to.include(plan);
    world.log.purge(0, 3n);
    await world.send(2, 21);
    start();
    await until('the next record', () => world.temperatures.includes(21));
  });

  it('reads a record that holds its plan itself, as older versions wrote it', async () => {
    await world.send(1, 20);
    await run();
    const { plan } = await record();
    const planText = Buffer.from((await world.stateStore.load(plan))!).toString();
    world.ownership.steal(0, (found) => ({
      ...found!,
      nonce: 'older',
      plan: '',
      planText,
      history: [],
      layoutVersion: 1,
    }));
    world.log.purge(0, 3n);
    await world.send(2, 21);
    await run();
    expect(world.temperatures).to.deep.equal([20, 21]);
    expect(await record()).to.include({ layoutVersion: 2, planText: '' });
  });

  it('goes on in a new generation behind a lost tail, and counts nothing twice', async () => {
    await threeCheckpoints();
    world.log.loseTail(0, 3n); // of 2 plan, 2, 3, 4 the last is lost
    await world.send(3, 22); // the device sends it again
    await world.send(4, 23);
    const partition = start();
    await until('the new record', () => world.temperatures.includes(23));
    expect(partition.status.generation).to.equal(2);
    expect(world.blocks.generations).to.deep.include({ partition: 0, generation: 2, cut: 3n });
    expect(world.troubles).to.include('LOG_TAIL_LOST');
    expect(visible()).to.deep.equal([20, 21, 22, 23]);
    await until('a checkpoint', () => partition.status.checkpoint >= 5n);
    expect((await record()).cut).to.equal(null);
    await partition.stop();
    await world.send(5, 24);
    world.blocks.generations.length = 0;
    await run();
    expect(world.blocks.generations).to.deep.equal([]);
    expect(world.temperatures.slice(-1)).to.deep.equal([24]);
  });

  it('begins anew when all checkpoints lie in the tail that was lost', async () => {
    await world.send(1, 20);
    await run();
    world.log.loseTail(0, 1n);
    for (let sequence = 1; sequence < 9; sequence += 1) await world.send(sequence, 29 + sequence);
    const partition = start();
    await until('the last record', () => world.temperatures.includes(37));
    expect(partition.status.generation).to.equal(2);
    expect(world.blocks.generations).to.deep.include({ partition: 0, generation: 2, cut: 0n });
    expect(visible()).to.deep.equal([30, 31, 32, 33, 34, 35, 36, 37]);
  });

  it('notices a lost tail while it runs, above its newest checkpoint', async () => {
    await world.send(1, 20);
    await run();
    await world.send(2, 21);
    const partition = start({ checkpointIntervalMs: 3_600_000 });
    await until('the record', () => world.temperatures.includes(21));
    world.log.loseTail(0, 2n);
    await world.send(2, 21);
    world.log.disturb(0);
    await until('the new generation', () => partition.status.generation === 2);
    await until('it runs', () => partition.status.phase === 'running');
    await until('the resent record', () => world.samples.some((row) => row.generation === 2));
    expect(visible()).to.deep.equal([20, 21]);
  });

  it('halts when the log is another one altogether', async () => {
    await world.send(1, 20);
    await run();
    const far = `${64 * 1024 + 1}`;
    world.ownership.steal(0, (found) => ({
      ...found!,
      nonce: 'far',
      position: far,
      identity: { sequence: far, logTimeNs: '1', hash: 'ff' },
      identities: [{ sequence: '2', logTimeNs: '1', hash: 'ff' }],
      history: [],
    }));
    const partition = start();
    await until('the halt', () => partition.status.phase === 'halted');
    expect(partition.status.error?.code).to.equal('LOG_TAIL_LOST');
  });

  it('computes again what the read model has lost', async () => {
    await threeCheckpoints();
    world.blocks.reach = 3n; // ClickHouse was restored from an older copy
    world.blocks.inserts.length = 0;
    const partition = start();
    await until('the rows', () => world.temperatures.includes(22));
    expect(world.temperatures).to.deep.equal([22]);
    expect(partition.status.generation).to.equal(1);
  });

  it('computes all anew under newer semantics while the log has its beginning', async () => {
    await world.send(1, 20);
    await run({ semanticsVersion: 1 });
    world.blocks.inserts.length = 0;
    await run({ semanticsVersion: 1 });
    expect(world.temperatures).to.deep.equal([]);
    await world.send(2, 21);
    await run({ semanticsVersion: 2 });
    expect(world.temperatures).to.deep.equal([20, 21]);
    expect(await record()).to.include({ generation: 2, semanticsVersion: 2 });
  });

  it('halts under newer semantics when the log was purged, under older ones at once', async () => {
    await world.send(1, 20);
    await run({ semanticsVersion: 2 });
    const before = await record();
    const older = start({ semanticsVersion: 1 });
    await until('the halt', () => older.status.phase === 'halted');
    expect(older.status.error?.code).to.equal('CHECKPOINT_INCOMPATIBLE');
    expect(await record()).to.deep.equal(before); // not even claimed
    world.log.purge(0, 2n);
    const newer = start({ semanticsVersion: 3 });
    await until('the halt', () => newer.status.phase === 'halted');
    expect(newer.status.error?.code).to.equal('CHECKPOINT_INCOMPATIBLE');
  });
});

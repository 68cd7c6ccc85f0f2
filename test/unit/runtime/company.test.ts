import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { loadConfig } from '../../../src/config/index.ts';
import { createKernel } from '../../../src/kernel/index.ts';
import type { Kernel, MemberStatus } from '../../../src/model/doors.ts';
import { versionNumber } from '../../../src/model/fact.ts';
import { compilePlan, planText } from '../../../src/registry/index.ts';
import { createRuntime, type Runtime } from '../../../src/runtime/index.ts';
import { encodeRecordBatch } from '../../../src/wire/record-batch.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { MemoryHub } from '../../support/memory-membership.ts';
import { MemoryOwnership } from '../../support/memory-ownership.ts';
import { MemoryBlockSink, MemoryFactSink } from '../../support/memory-sink.ts';
import { MemoryStateStore } from '../../support/memory-state.ts';
import { readNativeRows } from '../../support/native.ts';

const PARTITIONS = 4;
const CONFIG = `
shadows: { interval: 0s }
metrics: { temperature: { unit: Cel } }
channels:
  climate:
    time: { path: at, format: ms }
    idle: 2s
    metrics: { temperature: {} }
`;

interface Worker {
  readonly runtime: Runtime;
  readonly blocks: MemoryBlockSink;
  readonly facts: MemoryFactSink;
  readonly troubles: string[];
}

/** What the workers of one log share. */
class World {
  readonly log = new MemoryLog({
    partitions: PARTITIONS,
    nowNs: () => BigInt(systemClock.nowMs()) * 1_000_000n,
  });
  readonly ownership = new MemoryOwnership();
  readonly stateStore = new MemoryStateStore();
  readonly hub = new MemoryHub(systemClock);
  readonly #kernel: Kernel;
  readonly workers = new Map<string, Worker>();

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  start(id: string, checkpointIntervalMs = 50): Worker {
    const blocks = new MemoryBlockSink();
    const facts = new MemoryFactSink();
    const troubles: string[] = [];
    const self = { id, process: 'p', startedAtMs: 0, version: '1', semanticsVersion: 1 };
    const runtime = createRuntime({
      partitions: PARTITIONS,
      kernel: this.#kernel,
      kernelOptions: { log: 'main', memoryBytes: 48 * 1024 * 1024 },
      ownership: this.ownership,
      stateStore: this.stateStore,
      reader: this.log,
      appender: this.log,
      purger: { purge: async () => 0 },
      logRetentionMs: 0,
      blocks,
      facts,
      clock: systemClock,
      owner: `${id}:p`,
      semanticsVersion: 1,
      checkpointIntervalMs,
      onTrouble: (_, error) => troubles.push(error.code),
      company: { membership: this.hub.join(id), self, standbys: 1 },
    });
    runtime.start();
    const worker = { runtime, blocks, facts, troubles };
    this.workers.set(id, worker);
    return worker;
  }

  async plan(): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-plan-'));
    writeFileSync(join(folder, 'c.yaml'), CONFIG);
    const { config } = loadConfig({ file: join(folder, 'c.yaml') });
    rmSync(folder, { recursive: true });
    const body = Buffer.from(planText(compilePlan(config, null)));
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      await this.log.append({ kind: 'plan', partition, body });
    }
  }

  async send(partition: number, sequence: number): Promise<void> {
    const body = encodeRecordBatch([
      {
        identity: { tenant: 't', site: 's', device: `d${partition}` },
        channel: 'climate',
        receivedAtMs: systemClock.nowMs(),
        payload: Buffer.from(JSON.stringify({ at: systemClock.nowMs(), temperature: sequence })),
        key: { bootId: 1n, sequence: BigInt(sequence) },
      },
    ]);
    await this.log.append({ kind: 'batch', partition, body });
  }

  owns(id: string): number[] {
    const status = this.workers.get(id)?.runtime.status ?? [];
    return status.filter(({ phase }) => phase === 'running').map(({ partition }) => partition);
  }

  follows(id: string): number[] {
    const status = this.workers.get(id)?.runtime.status ?? [];
    return status.filter(({ phase }) => phase === 'following').map(({ partition }) => partition);
  }
}

/** Temperatures of a worker's rows, as often as it wrote them. */
function temperatures({ blocks }: Worker): number[] {
  return blocks.inserts
    .filter(({ block }) => block.table === 'ch_climate')
    .flatMap(({ block }) => readNativeRows(block.bytes))
    .map((row) => Number(row['temperature']));
}

/** Of a partition's only device: each fact by its version. */
function versions({ facts }: Worker, partition: number): bigint[] {
  return facts.facts
    .filter(({ identity }) => identity.device === `d${partition}`)
    .map(({ version }) => versionNumber(version));
}

async function until(what: string, check: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 30_000;
  while (!check()) {
    if (systemClock.monotonicMs() > endMs) expect.fail(`not in time: ${what}`);
    await systemClock.wait(5);
  }
}

/** Everything it applied is on its subjects, and it says so. */
function isTold({ runtime }: Worker, partition: number): boolean {
  const { position, published } = runtime.status[partition]!;
  return published?.identity.sequence === `${position}`;
}

function isFollowing(owner: Worker, standby: Worker, partition: number): boolean {
  const position = (worker: Worker) => worker.runtime.status[partition]!.position;
  return position(standby) >= position(owner);
}

function withOtherHashes(status: MemberStatus): MemberStatus {
  const owns = status.owns.map((each) => {
    const { published } = each;
    if (!published) return each;
    return { ...each, published: { ...published, identity: { ...published.identity, hash: '0' } } };
  });
  return { ...status, owns };
}

describe('workers of one log', () => {
  let kernel: Kernel;
  let world: World;

  before(async () => {
    kernel = await createKernel({ build: 'auto', workers: 0 });
  });
  after(() => kernel.stop());
  beforeEach(async () => {
    world = new World(kernel);
    await world.plan();
  });
  afterEach(async () => {
    for (const { runtime } of world.workers.values()) await runtime.stop();
  });

  async function startTwo(): Promise<{ a: Worker; b: Worker }> {
    const a = world.start('a');
    const b = world.start('b');
    await until('each owns two and follows two', () =>
      ['a', 'b'].every((id) => world.owns(id).length === 2 && world.follows(id).length === 2),
    );
    return { a, b };
  }

  it('share the partitions, and each follows those of the other', async () => {
    await startTwo();
    expect([...world.owns('a'), ...world.owns('b')].sort()).to.deep.equal([0, 1, 2, 3]);
    expect(world.follows('a').sort()).to.deep.equal(world.owns('b').sort());
  });

  it('take over what a silent one left, with what it had in flight', async () => {
    const { a, b } = await startTwo();
    const [partition] = world.owns('a') as [number];
    await world.send(partition, 1);
    await until('a has written it', () => temperatures(a).includes(1));
    // Held back: the insert of the second is never acknowledged, so no checkpoint covers it.
    a.blocks.gate.hold();
    await world.send(partition, 2);
    await until('a has it in flight', () => temperatures(a).includes(2));
    world.hub.silence('a');
    await until('b owns all', () => world.owns('b').length === PARTITIONS);
    await until('b has written what was in flight', () => temperatures(b).includes(2));
    await world.send(partition, 3);
    await until('b goes on', () => temperatures(b).includes(3));
    a.blocks.gate.release();
    await until('a knows that it is no owner', () => world.owns('a').length === 0);
    world.hub.speak('a');
    await world.send(partition, 4);
    await until('somebody goes on', () => [a, b].some((each) => temperatures(each).includes(4)));
    expect([...a.troubles, ...b.troubles]).to.deep.equal([]);
    // No alarm, but it is counted that the zombie was refused, once per partition.
    expect(a.runtime.troubleCounts).to.deep.equal({ NOT_OWNER: 2 });
    expect(b.runtime.troubleCounts).to.deep.equal({});
  });

  const TOLD: readonly [string, (status: MemberStatus) => MemberStatus, boolean, boolean][] = [
    ['told are on their subjects', (status) => status, false, false],
    ['did not know to be on their subjects', (status) => status, true, true],
    ['told of a message that the log no longer holds', withOtherHashes, false, true],
  ];
  for (const [what, retell, isHeld, isAgain] of TOLD) {
    it(`${isAgain ? 'publish again' : 'leave out'} facts that a silent one ${what}`, async () => {
      world.hub.retell = retell;
      const { a, b } = await startTwo();
      const [partition] = world.owns('a') as [number];
      a.blocks.gate.hold(); // no checkpoint covers anything from here on
      await world.send(partition, 1);
      await until('a has published it', () => versions(a, partition).length > 0);
      if (isHeld) a.facts.gate.hold();
      const before = versions(a, partition).length;
      await world.send(partition, 2);
      await until('a has published both', () => versions(a, partition).length > before);
      await until('b has heard of it', () => isHeld || isTold(a, partition));
      await until('b stands where a stands', () => isFollowing(a, b, partition));
      const last = versions(a, partition).at(-1)!;
      world.hub.silence('a');
      await until('b owns all', () => world.owns('b').length === PARTITIONS);
      await until('b has written both', () => temperatures(b).includes(2));
      await world.send(partition, 3);
      await until('b goes on', () => versions(b, partition).some((each) => each > last));
      expect(versions(b, partition).includes(last)).to.equal(isAgain);
      a.blocks.gate.release();
      a.facts.gate.release();
    });
  }

  it('hand partitions over to one who comes, without a gap in what is written', async () => {
    const a = world.start('a');
    await until('a owns all', () => world.owns('a').length === PARTITIONS);
    const b = world.start('b');
    let sequence = 0;
    const sending = (async () => {
      while (world.owns('b').length < 2) {
        sequence += 1;
        for (let partition = 0; partition < PARTITIONS; partition += 1) {
          await world.send(partition, sequence);
        }
        await systemClock.wait(20);
      }
    })();
    await until('b has its share', () => world.owns('b').length === 2);
    await sending;
    const seen = () => new Set([...temperatures(a), ...temperatures(b)]);
    await until('all is written', () => seen().size === sequence);
  });

  it('give everything away before one stops', async () => {
    const { a } = await startTwo();
    await a.runtime.stop();
    await until('b owns all', () => world.owns('b').length === PARTITIONS);
    const owners = world.ownership.written.filter(({ record }) => record.owner === '');
    expect(owners.length).to.be.at.least(2);
  });

  it('keep a partition where an operator pinned it', async () => {
    await startTwo();
    const [partition] = world.owns('a') as [number];
    world.hub.pinned = new Map([[partition, 'b']]);
    await until('b owns it', () => world.owns('b').includes(partition));
  });
});

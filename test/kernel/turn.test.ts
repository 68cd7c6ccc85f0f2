/** Turns: how they end, how they go on, what stops them, and where they run. */
import { expect } from 'chai';
import { createMemory, loadKernel } from '../../src/kernel/binary.ts';
import { createKernel } from '../../src/kernel/index.ts';
import { WasmPartition } from '../../src/kernel/partition.ts';
import { runTurn } from '../../src/kernel/worker.ts';
import type { Kernel, PartitionKernel, TurnOutput } from '../../src/model/doors.ts';
import { isOperatingError } from '../../src/model/error.ts';
import type { Plan } from '../../src/model/plan.ts';
import { BUILDS, startKernel } from './build.ts';
import { difference, drive, GENERATION, lines, Outcome } from './drive.ts';
import { generateStream } from './generator.ts';
import { all, always, cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, HOUR_WINDOW, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const MIB = 1024 * 1024;
const OPTIONS = { log: LOG, partition: PARTITION, generation: GENERATION };
const METRICS = Array.from({ length: 64 }, (_, ordinal) => metricOf(ordinal, `metric_${ordinal}`));
const WIDE = planOf([
  channelOf(0, 'c', { metrics: METRICS, windows: [MINUTE_WINDOW, HOUR_WINDOW], idleMs: 5_000 }),
]);

const rowsOf = (outcome: Outcome, table: string) => outcome.tables.get(table) ?? [];

/** One record of one sample with a value for each of the first `metrics` metrics. */
function payload(timeMs: number, metrics = 1): Uint8Array {
  const readings = Array.from({ length: metrics }, (_, each) => ({
    metric: each + 1,
    number: each + timeMs / 7,
  }));
  return encodeTelemetry({ samples: [{ timeMs, readings }] });
}

/** Fills one window of every device with all metrics; then silence, so that all fire at once. */
function burst(log: LogWriter, devices: number): void {
  for (let device = 0; device < devices; device += 1) {
    log.at(log.nowMs + 1);
    const bytes = payload(log.nowMs, METRICS.length);
    log.batch([recordOf({ device: `d${device}`, payload: bytes, receivedAtMs: log.nowMs })]);
  }
  silence(log, 6);
}

/** Ticks, one a second: a longer step would be a gap, after which idle times count anew. */
function silence(log: LogWriter, seconds: number): void {
  for (let second = 0; second < seconds; second += 1) log.at(log.nowMs + 1_000).tick();
}

describe('a turn', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const open = (memoryBytes = 64 * MIB): PartitionKernel =>
    kernel.open({ ...OPTIONS, memoryBytes });

  it('stops at a plan record, which is applied, and goes on once the plan is in use', async () => {
    const log = new LogWriter();
    log.tick();
    log.plan(WIDE);
    log.tick();
    const partition = open();
    const [chunk] = all(log.messages);
    const stopped = await partition.turn(chunk!);
    expect([stopped.status, stopped.position]).to.deep.equal(['plan', 2n]);
    partition.usePlan(JSON.stringify(WIDE));
    const rest = await partition.resume();
    expect([rest.status, rest.position]).to.deep.equal(['done', 3n]);
  });

  it('gives a plan another hash in the state when another plan came before it', async () => {
    const hashes = [];
    for (const plans of [[WIDE], [WIDE, WIDE]]) {
      const log = new LogWriter();
      if (plans.length === 1) log.tick();
      for (const plan of plans) log.plan(plan);
      hashes.push((await drive(open(), all(log.messages))).stateHash);
    }
    expect(hashes[0]).to.not.equal(hashes[1]);
  });

  it('ignores messages that are applied already, also in the middle of a chunk', async () => {
    const log = new LogWriter();
    log.plan(WIDE);
    burst(log, 3);
    const once = await drive(open(), all(log.messages));
    const partition = open();
    const twice = await drive(partition, all(log.messages.slice(0, 3)));
    await drive(partition, all(log.messages), twice);
    expect(difference(lines(twice), lines(once))).to.equal('');
    expect(twice.stateHash).to.equal(once.stateHash);
  });

  it('stops when an output region is full and goes on without a difference', async () => {
    const log = new LogWriter();
    log.plan(WIDE);
    burst(log, 700);
    const partition = open();
    const outcome = new Outcome();
    const statuses: string[] = [];
    for (const chunk of all(log.messages)) {
      let turn: TurnOutput = await partition.turn(chunk);
      for (; ; turn = await partition.resume()) {
        statuses.push(turn.status);
        for (const fact of turn.facts) outcome.facts.push(fact);
        if (turn.status === 'done') break;
        if (turn.status === 'plan') partition.usePlan(JSON.stringify(WIDE));
      }
    }
    expect(statuses.filter((status) => status === 'more').length).to.be.greaterThan(2);
    const windows = outcome.facts.filter((fact) => fact.kind === 'window');
    expect(windows.length).to.equal(1400);
    const ordinals = outcome.facts.map(({ version }) => `${version.sequence}.${version.ordinal}`);
    expect(new Set(ordinals).size).to.equal(ordinals.length);
    const cutUp = await drive(open(), cut(log.messages, always(9)));
    expect(cutUp.stateHash).to.equal(partition.stateHash());
    expect(cutUp.facts).to.deep.equal(outcome.facts);
  });

  it('refuses a checkpoint while a message is half applied or a plan is awaited', async () => {
    const log = new LogWriter();
    log.plan(WIDE);
    const partition = open();
    await partition.turn(all(log.messages)[0]!);
    expect(() => partition.exportState('all')).to.throw('waits for its plan');
    expect(() => partition.stateHash()).to.throw('waits for its plan');
  });

  it('needs ticks while windows, shadows or the ledger wait, and not after them', async () => {
    const log = new LogWriter();
    log.plan(WIDE);
    log
      .at(log.nowMs + 1)
      .batch([recordOf({ payload: payload(log.nowMs), receivedAtMs: log.nowMs })]);
    const partition = open();
    const needsTicksFrom = async (from: number) =>
      (await drive(partition, all(log.messages.slice(from)))).needsTicks;
    expect(await needsTicksFrom(0)).to.equal(true);
    silence(log, 1);
    expect(await needsTicksFrom(2), 'windows are unfired').to.equal(true);
    silence(log, 5);
    expect(await needsTicksFrom(3), 'all fired, published, counted').to.equal(false);
  });

  it('ends with MEMORY_FULL, not a trap, when the memory is used up', async () => {
    const partition = open(26 * MIB);
    const log = new LogWriter();
    const roomy: Plan = { ...WIDE, devicesMax: 1_000_000 };
    log.plan(roomy);
    burst(log, 1600);
    const failure = await drive(partition, cut(log.messages, always(50))).catch((error) => error);
    expect(isOperatingError(failure, 'MEMORY_FULL'), String(failure)).to.equal(true);
    expect(partition.stats().devices).to.be.greaterThan(50);
  });

  it('says that the memory is too small for a partition at all', () => {
    expect(() => open(8 * MIB)).to.throw('too few');
  });
});

describe('a trap', () => {
  it('of the kernel is an error with the place, and the memory is not used again', async () => {
    const pool = { run: async () => ({ trap: 'unreachable' }), stop: async () => {} };
    const options = { ...OPTIONS, memoryBytes: 64 * MIB };
    const partition = new WasmPartition(loadKernel('simd'), pool, options);
    const log = new LogWriter();
    log.tick();
    const failure = await partition.turn(all(log.messages)[0]!).catch((error) => error);
    expect(isOperatingError(failure, 'KERNEL_TRAPPED')).to.equal(true);
    expect(failure.where).to.include({ partition: PARTITION, sequence: 0n });
    expect(() => partition.stateHash()).to.throw('broken');
  });

  it('is caught where the turn runs', () => {
    // A memory that ends below the input regions: the first load is out of bounds.
    const memory = createMemory(5);
    const result = runTurn(loadKernel('simd'), { memory, chunk: { region: 0, bytes: 64 } });
    expect(result).to.have.property('trap').that.includes('out of bounds');
  });
});

describe('turns in worker threads', function () {
  this.timeout(120_000);
  it('give the same as turns in this thread, for several partitions side by side', async () => {
    const inline = await startKernel('simd');
    const pooled = await createKernel({ build: 'simd', workers: 2 });
    try {
      const streams = [1, 2, 3, 4].map((seed) => generateStream(seed, 60));
      const run = async (kernel: Kernel, stream: (typeof streams)[number], partition: number) => {
        const opened = kernel.open({ ...OPTIONS, partition, memoryBytes: 64 * MIB });
        opened.setSkips(stream.skips.map((skip) => ({ ...skip, partition })));
        return drive(opened, cut(stream.messages, always(20)));
      };
      const [here, there] = await Promise.all(
        [inline, pooled].map((kernel) =>
          Promise.all(streams.map((stream, partition) => run(kernel, stream, partition))),
        ),
      );
      for (const [index, wanted] of here!.entries()) {
        expect(difference(lines(there![index]!), lines(wanted))).to.equal('');
        expect(there![index]!.stateHash).to.equal(wanted.stateHash);
      }
    } finally {
      await pooled.stop();
      await inline.stop();
    }
  });
});

describe('a wide burst', function () {
  this.timeout(60_000);
  it('gives the same bytes of state in every build', async () => {
    const log = new LogWriter();
    log.plan(WIDE);
    burst(log, 20);
    const hashes = new Set<string>();
    for (const build of BUILDS) {
      const kernel = await startKernel(build);
      const partition = kernel.open({ ...OPTIONS, memoryBytes: 64 * MIB });
      const outcome = await drive(partition, all(log.messages));
      expect(rowsOf(outcome, 'agg_1m').length).to.equal(20);
      hashes.add(outcome.stateHash);
      await kernel.stop();
    }
    expect(hashes.size).to.equal(1);
  });
});

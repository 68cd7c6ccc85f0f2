/**
 * State: out of a partition and into another, whole or in parts, and its hash. What the
 * differential test shows for random logs is shown here at the edges: large devices, lost chunks,
 * marks.
 */
import { expect } from 'chai';
import { EXPORT_CHUNK_BYTES } from '../../assembly/shared/control.ts';
import type { Kernel, PartitionKernel } from '../../src/model/doors.ts';
import { isOperatingError } from '../../src/model/error.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import {
  channelOf,
  HOUR_WINDOW,
  MINUTE_MS,
  MINUTE_WINDOW,
  metricOf,
  planOf,
} from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const METRICS = Array.from({ length: 64 }, (_, ordinal) => metricOf(ordinal, `m${ordinal}`));
const PLAN = planOf([
  channelOf(0, 'c', {
    metrics: METRICS,
    windows: [MINUTE_WINDOW, HOUR_WINDOW],
    outOfOrderMs: 24 * 60 * MINUTE_MS,
  }),
]);

describe('state', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const open = (): PartitionKernel =>
    kernel.open({ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 });

  /** Every device has 64 open windows of a minute with one metric each: some 400 KiB a device. */
  function bigDevices(count: number): LogWriter {
    const log = new LogWriter();
    log.plan(PLAN);
    for (let device = 0; device < count; device += 1) {
      const samples = Array.from({ length: 64 }, (_, each) => ({
        timeMs: log.nowMs - each * MINUTE_MS,
        readings: [{ metric: 1, number: each }],
      }));
      log.at(log.nowMs + 1);
      const payload = encodeTelemetry({ samples });
      log.batch([recordOf({ device: `d${device}`, payload, receivedAtMs: log.nowMs })]);
    }
    return log;
  }

  function restore(chunks: readonly Uint8Array[], hash: string): PartitionKernel {
    const fresh = open();
    for (const chunk of chunks) fresh.importState(chunk);
    fresh.importDone(hash);
    fresh.usePlan(JSON.stringify(PLAN));
    return fresh;
  }

  it('goes on in a later generation when it is restored into one', async () => {
    const log = bigDevices(2);
    log.at(log.nowMs + 100 * MINUTE_MS).tick();
    const partition = open();
    await drive(partition, all(log.messages.slice(0, -1)));
    const chunks = [...partition.exportState('all')];
    const later = kernel.open({
      log: LOG,
      partition: PARTITION,
      generation: GENERATION + 1,
      memoryBytes: 64 << 20,
    });
    for (const chunk of chunks) later.importState(chunk);
    later.importDone(partition.stateHash());
    later.usePlan(JSON.stringify(PLAN));
    const { facts } = await drive(later, all(log.messages.slice(-1)));
    expect(facts.length).to.be.greaterThan(0);
    for (const { version } of facts) expect(version.generation).to.equal(GENERATION + 1);
  });

  it('of devices larger than a chunk crosses in several', async () => {
    const log = bigDevices(3);
    const partition = open();
    await drive(partition, all(log.messages));
    const chunks = [...partition.exportState('all')];
    expect(chunks.length).to.be.greaterThan(2);
    for (const chunk of chunks) expect(chunk.length).to.be.at.most(EXPORT_CHUNK_BYTES);
    const fresh = restore(chunks, partition.stateHash());
    expect(fresh.position).to.equal(partition.position);
    expect(fresh.stats().devices).to.equal(3);
    log.at(log.nowMs + 1).tick();
    const rest = all(log.messages.slice(-1));
    expect((await drive(fresh, rest)).stateHash).to.equal((await drive(partition, rest)).stateHash);
  });

  it('that lacks a chunk, or has a damaged one, is CHECKPOINT_CORRUPT', async () => {
    const partition = open();
    await drive(partition, all(bigDevices(3).messages));
    const chunks = [...partition.exportState('all')];
    const hash = partition.stateHash();
    const damaged = chunks.map((chunk, index) => {
      const copy = chunk.slice();
      if (index === 1) copy[5000]! ^= 1;
      return copy;
    });
    const cases: [string, readonly Uint8Array[]][] = [
      ['no last chunk', chunks.slice(0, -1)],
      ['no first chunk', chunks.slice(1)],
      ['no middle chunk', [chunks[0]!, ...chunks.slice(2)]],
      ['a flipped bit', damaged],
      ['a cut chunk', [chunks[0]!.subarray(0, 100), ...chunks.slice(1)]],
      ['no chunk', []],
      ['another file', [new Uint8Array(64)]],
    ];
    for (const [name, given] of cases) {
      let failure: unknown;
      try {
        restore(given, hash);
      } catch (error) {
        failure = error;
      }
      expect(isOperatingError(failure, 'CHECKPOINT_CORRUPT'), `${name}: ${failure}`).to.equal(true);
    }
  });

  it('exports what changed since the last export that was acknowledged', async () => {
    const log = bigDevices(3);
    const partition = open();
    await drive(partition, all(log.messages));
    const bytes = () =>
      [...partition.exportState('changed')].reduce((sum, { length }) => sum + length, 0);
    const everything = bytes();
    partition.exportDone(false);
    expect(bytes(), 'not acknowledged').to.equal(everything);
    partition.exportDone(true);
    const nothing = bytes();
    partition.exportDone(true);
    expect(nothing).to.be.lessThan(2_000);
    log.at(log.nowMs + 1);
    const payload = encodeTelemetry({
      samples: [{ timeMs: log.nowMs, readings: [{ metric: 1, number: 1 }] }],
    });
    log.batch([recordOf({ device: 'd1', payload, receivedAtMs: log.nowMs })]);
    await drive(partition, all(log.messages.slice(-1)));
    const one = bytes();
    expect(one)
      .to.be.greaterThan(everything / 4)
      .and.lessThan(everything / 2);
  });

  it('keeps apart what was exported and what changes while the export is written', async () => {
    const log = bigDevices(1);
    const partition = open();
    await drive(partition, all(log.messages));
    const hash = partition.stateHash();
    const chunks = partition.exportState('all');
    log.at(log.nowMs + 1).tick();
    await drive(partition, all(log.messages.slice(-1)));
    expect(partition.stateHash()).to.not.equal(hash);
    expect(restore([...chunks], hash).stateHash()).to.equal(hash);
  });

  it('differs when anything in it differs, and not by where it lies', async () => {
    const [log, other] = [bigDevices(3), bigDevices(3)];
    other.at(other.nowMs + 1);
    log.at(log.nowMs + 1);
    const sample = (number: number) =>
      encodeTelemetry({ samples: [{ timeMs: log.nowMs, readings: [{ metric: 64, number }] }] });
    const to = { device: 'd0', receivedAtMs: log.nowMs };
    log.batch([recordOf({ ...to, payload: sample(1) })]);
    other.batch([recordOf({ ...to, payload: sample(Number.EPSILON + 1) })]);
    const [one, two] = [open(), open()];
    const hash = (await drive(one, all(log.messages))).stateHash;
    expect((await drive(two, all(other.messages))).stateHash).to.not.equal(hash);
    // Imported, blocks lie elsewhere and have no room to spare.
    expect(restore([...one.exportState('all')], hash).stateHash()).to.equal(hash);
  });
});

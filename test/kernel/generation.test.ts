/**
 * A state that goes on in a later generation emits again what the older one may have written from
 * above the cut, under versions of its own; everything else goes on as if nothing had happened.
 */
import { expect } from 'chai';
import type { Kernel, PartitionKernel } from '../../src/model/doors.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, MINUTE_MS, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const PLAN = planOf([
  channelOf(0, 'c', {
    metrics: [metricOf(0, 'm'), metricOf(1, 'n')],
    windows: [MINUTE_WINDOW],
    outOfOrderMs: 0,
    latenessMs: 10 * MINUTE_MS,
  }),
]);

describe('a later generation', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const open = (generation: number): PartitionKernel =>
    kernel.open({ log: LOG, partition: PARTITION, generation, memoryBytes: 64 << 20 });

  function send(log: LogWriter, timeMs: number, number: number): void {
    const samples = [{ timeMs, readings: [{ metric: 1, number }] }];
    const payload = encodeTelemetry({ samples });
    log.batch([recordOf({ device: 'd', payload, receivedAtMs: log.nowMs })]);
  }

  /** One minute closed and still held for what comes late, the next one open. */
  async function closedMinute() {
    const log = new LogWriter();
    log.plan(PLAN);
    const startMs = Math.ceil(log.nowMs / MINUTE_MS) * MINUTE_MS;
    log.at(startMs + 1_000);
    send(log, startMs + 500, 1);
    log.at(startMs + MINUTE_MS + 30_000);
    send(log, startMs + MINUTE_MS + 20_000, 2);
    send(log, startMs + 700, 3); // late: the minute stays for its lateness
    log.at(log.nowMs + 1_000).tick();
    const partition = open(GENERATION);
    await drive(partition, all(log.messages));
    return { log, partition };
  }

  async function restored(partition: PartitionKernel, generation: number) {
    const chunks = [...partition.exportState('all')];
    const fresh = open(generation);
    for (const chunk of chunks) fresh.importState(chunk);
    fresh.importDone(partition.stateHash());
    fresh.usePlan(JSON.stringify(PLAN));
    return fresh;
  }

  it('emits again at the first tick what is held, with its own versions', async () => {
    const { log, partition } = await closedMinute();
    const later = await restored(partition, GENERATION + 1);
    const from = log.messages.length;
    log.at(log.nowMs + 100).tick();
    const { facts, rows } = await tick(later, log, from);
    expect(facts).to.include('window');
    expect(rows).to.include.members(['agg_1m', 'devices', 'ledger']);
  });

  it('emits nothing again when the generation is the state’s own', async () => {
    const { log, partition } = await closedMinute();
    const same = await restored(partition, GENERATION);
    const from = log.messages.length;
    log.at(log.nowMs + 100).tick();
    const { facts, rows } = await tick(same, log, from);
    expect(facts).not.to.include('window');
    expect(rows).not.to.include('agg_1m');
  });

  it('repeats once, and is a state like any other afterwards', async () => {
    const { log, partition } = await closedMinute();
    const later = await restored(partition, GENERATION + 1);
    const from = log.messages.length;
    log.at(log.nowMs + 100).tick();
    await tick(later, log, from);
    const again = await restored(later, GENERATION + 1);
    log.at(log.nowMs + 100).tick();
    const { rows } = await tick(again, log, from + 1);
    expect(rows).not.to.include('agg_1m');
    await tick(later, log, from + 1);
    expect(again.stateHash()).to.equal(later.stateHash());
  });

  async function tick(partition: PartitionKernel, log: LogWriter, from: number) {
    const facts: string[] = [];
    const rows: string[] = [];
    for (const chunk of all(log.messages.slice(from))) {
      const output = await partition.turn(chunk);
      expect(output.status).to.equal('done');
      facts.push(...output.facts.map(({ kind }) => kind));
      rows.push(...output.blocks.map(({ table }) => table));
    }
    return { facts, rows };
  }
});

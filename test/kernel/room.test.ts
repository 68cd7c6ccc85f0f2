/**
 * How much memory a fleet takes over time. In: devices that send every ten seconds. Out: bytes per
 * device: what they take from their first record on they take while minutes and hours close, too,
 * and after their state has come from a checkpoint.
 */
import { expect } from 'chai';
import type { PartitionKernel } from '../../src/model/doors.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import {
  channelOf,
  HOUR_MS,
  HOUR_WINDOW,
  MINUTE_MS,
  MINUTE_WINDOW,
  metricOf,
  planOf,
} from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const DEVICES = 40;
const CADENCE_MS = 10_000;
const METRICS = [0, 1, 2, 3].map((ordinal) => metricOf(ordinal, `m${ordinal}`));
const PLAN = planOf([
  channelOf(0, 'c', {
    metrics: METRICS,
    windows: [MINUTE_WINDOW, HOUR_WINDOW],
    outOfOrderMs: 5_000,
    latenessMs: MINUTE_MS,
  }),
]);
/** A device of this plan, ids of some ten characters, in 1.5 GiB for a million of them. */
const BYTES_PER_DEVICE_MAX = 1_510;
const OPTIONS = { log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 };

/** Everyone's records, spread over ten seconds, with a tick a second. */
function send(log: LogWriter, step: number, lateMs: readonly number[] = []): void {
  for (let device = 0; device < DEVICES; device += 1) {
    const timeMs = log.nowMs + CADENCE_MS / DEVICES;
    const readings = METRICS.map(({ ordinal }) => ({ metric: ordinal + 1, number: step }));
    const times = [timeMs, ...lateMs.map((late) => timeMs - late)];
    const payload = encodeTelemetry({ samples: times.map((at) => ({ timeMs: at, readings })) });
    const key = { bootId: 1n, sequence: BigInt(step + 1) };
    log.at(timeMs);
    log.batch([recordOf({ device: `device-${100 + device}`, payload, key, receivedAtMs: timeMs })]);
    if (device % 4 === 3) log.tick();
  }
}

describe('the memory of a fleet', function () {
  this.timeout(60_000);

  it('is the same from the first records on, while an hour closes, and restored', async () => {
    const kernel = await startKernel('simd');
    const log = new LogWriter();
    log.plan(PLAN);
    let sent = 0;
    const pass = async (partition: PartitionKernel) => {
      const rest = log.messages.slice(sent);
      sent = log.messages.length;
      let most = 0;
      for (const message of rest) {
        await drive(partition, all([message]));
        most = Math.max(most, partition.stats().memoryBytesUsed);
      }
      return most;
    };
    let partition = kernel.open(OPTIONS);
    await pass(partition);
    const empty = partition.stats().memoryBytesUsed;
    log.at(log.nowMs + HOUR_MS - 2 * MINUTE_MS);
    send(log, 0);
    const first = await pass(partition);
    expect((first - empty) / DEVICES).to.be.within(1_000, BYTES_PER_DEVICE_MAX);
    // In the middle of a minute, and while an hour closes: half of the devices hold two cells.
    const restarts = [9, 13];
    for (let step = 1; step < (4 * MINUTE_MS) / CADENCE_MS; step += 1) {
      send(log, step);
      if (restarts.includes(step)) partition = restored(kernel.open(OPTIONS), partition);
      expect(await pass(partition), `step ${step}`).to.equal(first);
    }
    await kernel.stop();
  });

  it('is more while late samples open older windows, and is given back', async () => {
    const kernel = await startKernel('simd');
    const log = new LogWriter();
    log.plan(PLAN);
    const partition = kernel.open(OPTIONS);
    const used: number[] = [];
    let sent = 0;
    for (let step = 0; step < (4 * MINUTE_MS) / CADENCE_MS; step += 1) {
      send(log, step, step === 12 ? [5 * MINUTE_MS, 6 * MINUTE_MS] : []);
      for (const message of log.messages.slice(sent)) {
        await drive(partition, all([message]));
        used.push(partition.stats().memoryBytesUsed);
      }
      sent = log.messages.length;
    }
    const before = used[used.length >> 2]!;
    expect(Math.max(...used), 'with older windows').to.be.greaterThan(before);
    expect(used.at(-1), 'afterwards').to.equal(before);
    await kernel.stop();
  });

  function restored(fresh: PartitionKernel, from: PartitionKernel): PartitionKernel {
    for (const chunk of from.exportState('all')) fresh.importState(chunk);
    from.exportDone(true);
    fresh.importDone(from.stateHash());
    fresh.usePlan(JSON.stringify(PLAN));
    from.close();
    return fresh;
  }
});

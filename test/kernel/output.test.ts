/**
 * A turn whose rows do not fit the output regions stops and goes on, also in the middle of a tick
 * that closes many windows; and a state of several chunks is taken up whole. The kernel is compared
 * with itself, one message a turn, which never fills a region.
 */
import { expect } from 'chai';
import type { Kernel, PartitionKernel } from '../../src/model/doors.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import { startKernel } from './build.ts';
import { difference, drive, GENERATION, lines } from './drive.ts';
import { all, always, cut, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import {
  channelOf,
  HOUR_WINDOW,
  MINUTE_MS,
  MINUTE_WINDOW,
  metricOf,
  planOf,
} from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const METRICS = 64;
const DEVICES = 120;
const MINUTES = 9;
const MEMORY_BYTES = 128 * 1024 * 1024;

/** Devices with windows in nine minutes each, which one tick closes, revises and shows. */
function wideLog(): readonly LogMessage[] {
  const metrics = Array.from({ length: METRICS }, (_, ordinal) => metricOf(ordinal, `m${ordinal}`));
  const windows = [MINUTE_WINDOW, HOUR_WINDOW];
  const channel = channelOf(0, 'c', {
    metrics,
    windows,
    outOfOrderMs: 10 * MINUTE_MS,
    idleMs: 1000,
  });
  const log = new LogWriter();
  log.plan(planOf([channel]));
  for (let device = 0; device < DEVICES; device += 1) {
    const records: DeviceRecord[] = Array.from({ length: MINUTES }, (_, minute) => {
      const timeMs = START_MS - minute * MINUTE_MS;
      const readings = metrics.map(({ ordinal }) => ({
        metric: ordinal + 1,
        number: device + minute,
      }));
      const payload = encodeTelemetry({ samples: [{ timeMs, readings }] });
      return recordOf({ device: `d${device}`, payload, receivedAtMs: START_MS });
    });
    log.batch(records);
  }
  log.at(START_MS + 1000).tick();
  return log.messages;
}

/** One chunk of very many small samples. */
function longLog(): readonly LogMessage[] {
  const log = new LogWriter();
  const metrics = Array.from({ length: 20 }, (_, ordinal) => metricOf(ordinal, `m${ordinal}`));
  log.plan(planOf([channelOf(0, 'c', { metrics, windows: [] })]));
  for (let batch = 0; batch < 150; batch += 1) {
    const samples = Array.from({ length: 270 }, (_, place) => ({
      timeMs: START_MS + place,
      readings: [{ metric: 1, number: batch }],
    }));
    log.batch([recordOf({ payload: encodeTelemetry({ samples }), receivedAtMs: START_MS })]);
  }
  return log.messages;
}

describe('kernel output and state beyond one region', function () {
  this.timeout(120_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('simd');
  });
  after(() => kernel.stop());

  const open = (): PartitionKernel =>
    kernel.open({
      log: LOG,
      partition: PARTITION,
      generation: GENERATION,
      memoryBytes: MEMORY_BYTES,
    });

  const logs = [
    ['a tick that closes many windows', wideLog],
    ['very many samples', longLog],
  ] as const;
  for (const [title, tell] of logs) {
    it(`comes in parts: ${title}`, async () => {
      const messages = tell();
      const [whole, single] = [open(), open()];
      const got = await drive(whole, all(messages));
      const wanted = await drive(single, cut(messages, always(1)));
      expect(got.parts, 'turns that stopped for want of room').to.be.greaterThan(0);
      expect(difference(lines(got), lines(wanted))).to.equal('');
      expect(got.stateHash).to.equal(wanted.stateHash);
    });
  }

  it('takes up a state of several chunks', async () => {
    const messages = wideLog();
    const [kernel, fresh] = [open(), open()];
    await drive(kernel, all(messages.slice(0, -1)));
    const chunks = [...kernel.exportState('all')].map((chunk) => chunk.slice());
    kernel.exportDone(true);
    expect(chunks.length).to.be.greaterThan(1);
    for (const chunk of chunks) fresh.importState(chunk);
    fresh.usePlan(Buffer.from(messages[0]!.payload).toString('utf8'));
    fresh.importDone(kernel.stateHash());
    const rest = all(messages.slice(-1));
    const [wanted, got] = [await drive(kernel, rest), await drive(fresh, rest)];
    expect(difference(lines(got), lines(wanted))).to.equal('');
    expect(got.stateHash).to.equal(wanted.stateHash);
  });

  it('refuses a state whose hash is another, or that lacks a chunk', async () => {
    const kernel = open();
    await drive(kernel, all(wideLog()));
    const chunks = [...kernel.exportState('all')].map((chunk) => chunk.slice());
    const restore = (parts: readonly Uint8Array[], hash: string) => () => {
      const fresh = open();
      for (const part of parts) fresh.importState(part);
      fresh.importDone(hash);
    };
    const hash = kernel.stateHash();
    expect(restore(chunks, '0'.repeat(16)))
      .to.throw()
      .with.property('code', 'CHECKPOINT_CORRUPT');
    expect(restore(chunks.slice(1), hash))
      .to.throw()
      .with.property('code', 'CHECKPOINT_CORRUPT');
    expect(restore(chunks, hash)).to.not.throw();
  });
});

/**
 * What the registry says a device costs, against what the kernel takes for it. In: a truck fleet
 * that runs for fifteen minutes. Out: bytes per device.
 */
import { assert } from 'chai';
import { exampleFile, loadConfig } from '../../src/config/index.ts';
import { createKernel } from '../../src/kernel/index.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { DeviceRecord, EventKey } from '../../src/model/record.ts';
import { compilePlan, pricePlan } from '../../src/registry/index.ts';
import { drive } from './drive.ts';
import { cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { encodeTelemetry } from './telemetry.ts';

const DEVICES = 40;
/** As trucks report. */
const CADENCE_MS = 10_000;
const { config } = loadConfig({ file: exampleFile('trucks') });

interface Fleet {
  readonly plan: Plan;
  readonly reports: number;
  readonly key: (device: number, report: number) => EventKey;
}

function* forever<T>(value: T) {
  for (;;) yield value;
}

function fleetLog({ plan, reports, key }: Fleet): LogWriter {
  const log = new LogWriter();
  log.plan(plan);
  for (let step = 0; step * plan.channels.length < reports; step += 1) {
    const timeMs = log.nowMs;
    for (const [place, channel] of plan.channels.entries()) {
      const readings = channel.metrics.map(({ kind, ordinal }) =>
        kind === 'integer'
          ? { metric: ordinal + 1, integer: 1n }
          : { metric: ordinal + 1, number: 0.5 },
      );
      const payload = encodeTelemetry({ samples: [{ timeMs, readings }] });
      const records = Array.from(
        { length: DEVICES },
        (_, device): DeviceRecord =>
          recordOf({
            device: `truck_${device}`,
            channel: channel.name,
            payload,
            key: key(device, step * plan.channels.length + place + 1),
            receivedAtMs: timeMs,
          }),
      );
      log.at(timeMs + 100).batch(records);
    }
    for (let wait = 1000; wait < CADENCE_MS; wait += 1000) log.at(timeMs + wait).tick();
    log.at(timeMs + CADENCE_MS);
  }
  return log;
}

async function bytesPerDevice(fleet: Fleet): Promise<number> {
  const kernel = await createKernel({ build: 'auto', workers: 0 });
  const { memoryBytes } = config.kernel;
  const partition = kernel.open({ log: LOG, partition: PARTITION, generation: 1, memoryBytes });
  try {
    const before = partition.stats().memoryBytesUsed;
    await drive(partition, cut(fleetLog(fleet).messages, forever(200)));
    const { devices, memoryBytesUsed } = partition.stats();
    assert.strictEqual(devices, DEVICES);
    return (memoryBytesUsed - before) / devices;
  } finally {
    partition.close();
    await kernel.stop();
  }
}

describe('The price of a device', () => {
  // Sketches fill with what is measured: a fleet of one value would say nothing about them.
  const compiled = compilePlan(config, null);
  const full: Plan = {
    ...compiled,
    channels: compiled.channels.map((channel) => ({
      ...channel,
      windows: channel.windows.map((window) => ({ ...window, sketch: false })),
    })),
  };

  it('is what the kernel takes for a truck with (boot, sequence), within 15 %', async () => {
    const key = (_: number, report: number) => ({ bootId: 1n, sequence: BigInt(report) });
    const taken = await bytesPerDevice({ plan: full, reports: 180, key });
    const { bytesPerDevice: priced } = pricePlan(full, config.kernel.memoryBytes);
    assert.closeTo(priced / taken, 1, 0.15, `priced ${priced}, taken ${taken}`);
  });

  it('is what the kernel takes for a truck with event ids, within 15 %', async () => {
    const plan = { ...full, idsPerDevice: 128 };
    const key = (device: number, report: number) => ({
      eventId: `00000000-0000-0000-${1000 + device}-${String(report).padStart(12, '0')}`,
    });
    const taken = await bytesPerDevice({ plan, reports: 400, key });
    const price = pricePlan(plan, config.kernel.memoryBytes);
    const priced = price.bytesPerDevice + price.eventIdBytes;
    assert.closeTo(priced / taken, 1, 0.15, `priced ${priced}, taken ${taken}`);
  });
});

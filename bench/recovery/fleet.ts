/**
 * A partition with a fleet of small devices for the recovery bench: one metric, a window of a
 * minute, boots. In: how many devices. Out: the kernel, and chunks of log in which some of them
 * report. Used by the cases of bench/recovery only.
 */
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel, LogChunk, PartitionKernel } from '../../src/model/doors.ts';
import { drive } from '../../test/kernel/drive.ts';
import { always, cut, LOG, LogWriter, recordOf } from '../../test/kernel/log-writer.ts';
import { channelOf, planOf } from '../../test/kernel/plan-sample.ts';
import { encodeTelemetry } from '../../test/kernel/telemetry.ts';

const BATCH_RECORDS = 100;
const MESSAGES_PER_CHUNK = 10;
/** Spreads the devices of a chunk over memory, as fleets do; prime to every size used here. */
const STRIDE = 7_919;
export const FLEET_PLAN = planOf([channelOf(0, 'c')], { devicesMax: 2_000_000 });

export class Fleet {
  readonly log = new LogWriter();
  #step = 0;

  private constructor(
    readonly kernel: Kernel,
    readonly partition: PartitionKernel,
    readonly devices: number,
  ) {}

  static async open(devices: number): Promise<Fleet> {
    const kernel = await createKernel({ build: 'auto', workers: 0 });
    const memoryBytes = memoryFor(devices);
    const partition = kernel.open({ log: LOG, partition: 0, generation: 1, memoryBytes });
    const fleet = new Fleet(kernel, partition, devices);
    fleet.log.plan(FLEET_PLAN);
    await drive(partition, fleet.report(0, devices));
    return fleet;
  }

  /** One record each of `count` devices from the `first` on, then a tick: cut into chunks. */
  report(first: number, count: number): LogChunk[] {
    const { log } = this;
    this.#step += 1;
    log.at(log.nowMs + 1_000);
    for (let i = 0; i < count; i += BATCH_RECORDS) {
      const records = Array.from({ length: Math.min(BATCH_RECORDS, count - i) }, (_, j) => {
        const device = (((first + i + j) % this.devices) * STRIDE) % this.devices;
        const readings = [{ metric: 1, number: device }];
        const payload = encodeTelemetry({ samples: [{ timeMs: log.nowMs, readings }] });
        const key = { bootId: 1n, sequence: BigInt(this.#step) };
        return recordOf({ device: `d${device}`, payload, key, receivedAtMs: log.nowMs });
      });
      log.batch(records);
    }
    log.tick();
    const chunks = cut(log.messages, always(MESSAGES_PER_CHUNK));
    log.messages.length = 0;
    return chunks;
  }
}

export const memoryFor = (devices: number): number => (64 + Math.ceil(devices / 512)) * 2 ** 20;

export const bytesOf = (chunks: readonly Uint8Array[]): number =>
  chunks.reduce((sum, { length }) => sum + length, 0);

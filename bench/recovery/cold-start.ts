/**
 * A cold start: from state objects in stream STATE of a real nats-server to the first turn of every
 * partition. In: how many partitions and devices. Out: wall and processor time. All partitions have
 * the same devices: what is loaded are objects of their own all the same.
 */
import { systemClock } from '../../src/base/clock.ts';
import { Semaphore } from '../../src/base/semaphore.ts';
import {
  createLogReader,
  createNatsConnection,
  createOwnership,
  createStateStore,
  ensureStreams,
} from '../../src/log/index.ts';
import type { LogChunk, OwnershipRecord } from '../../src/model/doors.ts';
import { RECOVERIES_MAX, SEMANTICS_VERSION } from '../../src/model/limit.ts';
import { NEW_RECORD } from '../../src/runtime/lease.ts';
import { recover } from '../../src/runtime/recovery.ts';
import { objectName } from '../../src/runtime/state/increment.ts';
import { LOG } from '../../test/kernel/log-writer.ts';
import { startServer } from '../../test/support/nats-server.ts';
import { treeCpuSeconds } from '../measurement.ts';
import { bytesOf, FLEET_PLAN, Fleet, memoryFor } from './fleet.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

export async function coldStartCase(partitions: number, devices: number) {
  const fleet = await Fleet.open(Math.round(devices / partitions));
  const chunks = [...fleet.partition.exportState('all')];
  const rootHash = fleet.partition.stateHash();
  const [first] = fleet.report(0, 1_000);
  const server = await startServer({ storeBytesMax: 6 * GIB });
  try {
    const url = server.url;
    const link = await createNatsConnection({ url, name: 'bench', onStatus: () => {} });
    await ensureStreams(link, {
      ...{ logId: LOG, partitions, logBytesMax: 64 * MIB, checkpointBytesMax: 16 * MIB },
      ...{ stateBytesMax: 4 * GIB, factBytesMax: 16 * MIB, deadLetterBytesMax: 16 * MIB },
      shadowBytesMax: 16 * MIB,
    });
    const stateStore = createStateStore({ link });
    const records: OwnershipRecord[] = [];
    for (let partition = 0; partition < partitions; partition += 1) {
      const objects = chunks.map((_, n) =>
        objectName(`${partition}.1.1.1`, { slice: 0, of: 1 }, 1, n),
      );
      await Promise.all(objects.map((name, n) => stateStore.save(name, chunks[n]!)));
      records.push(recordOf(objects, rootHash, fleet.partition.position));
    }
    const doors = {
      kernel: fleet.kernel,
      kernelOptions: { log: LOG, memoryBytes: memoryFor(devices / partitions) },
      ownership: createOwnership({ link, job: 'core' }),
      stateStore,
      reader: createLogReader({ link, logId: LOG }),
      semanticsVersion: SEMANTICS_VERSION,
      onTrouble: (_: number, error: Error) => {
        throw error;
      },
    };
    const recoveries = new Semaphore(RECOVERIES_MAX);
    const cpu = treeCpuSeconds(process.pid);
    const startMs = systemClock.monotonicMs();
    await Promise.all(
      records.map((record, partition) =>
        recoveries.run(async () => {
          const { kernel } = await recover({ ...doors, partition }, record);
          await kernel.turn(first as LogChunk);
          kernel.close();
        }),
      ),
    );
    const wallSeconds = (systemClock.monotonicMs() - startMs) / 1_000;
    const cpuSeconds = treeCpuSeconds(process.pid) - cpu;
    await link.close();
    return {
      ...{ partitions, devices, objects: chunks.length * partitions },
      stateBytes: bytesOf(chunks) * partitions,
      wallSeconds: Number(wallSeconds.toFixed(2)),
      cpuSeconds: Number(cpuSeconds.toFixed(2)),
    };
  } finally {
    await server.stop();
  }
}

function recordOf(objects: readonly string[], rootHash: string, position: bigint): OwnershipRecord {
  return {
    ...NEW_RECORD,
    ...{ owner: '', nonce: '', epoch: 1, position: `${position}`, objects, rootHash },
    ...{ planText: JSON.stringify(FLEET_PLAN), semanticsVersion: SEMANTICS_VERSION },
  };
}

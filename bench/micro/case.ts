/**
 * The cases of the micro bench. In: full size or small. Out: cases that prepare a round (not
 * measured) and run it (measured); state is that of one partition with a fleet of small devices.
 */
import protobuf from 'protobufjs/minimal.js';
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel, LogChunk, PartitionKernel } from '../../src/model/doors.ts';
import { chunkMessages } from '../../src/wire/chunk.ts';
import { drive } from '../../test/kernel/drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf } from '../../test/kernel/log-writer.ts';
import { channelOf, planOf } from '../../test/kernel/plan-sample.ts';
import { encodeTelemetry } from '../../test/kernel/telemetry.ts';

export interface MicroCase {
  readonly name: string;
  readonly subject: string;
  /** Measured events of one round. */
  readonly events: number;
  /** Makes a round ready; what it gives back is measured. */
  prepare(): () => Promise<void> | void;
  result(): string;
  stop(): Promise<void>;
}

const MEMORY_BYTES = 128 * 1024 * 1024;
const BATCH_RECORDS = 100;
const MESSAGES_PER_CHUNK = 32;
const NO_BYTES = new Uint8Array(0);
const nameOf = (index: number): string => `device-${index}`;

interface Bed {
  readonly kernel: Kernel;
  readonly partition: PartitionKernel;
  readonly log: LogWriter;
}

/** A partition that knows `devices` devices. */
async function bedOf(devices: number, workers: number): Promise<Bed> {
  const kernel = await createKernel({ build: 'auto', workers });
  const options = { log: LOG, partition: PARTITION, generation: 1, memoryBytes: MEMORY_BYTES };
  const partition = kernel.open(options);
  const log = new LogWriter();
  log.plan(planOf([channelOf(0, 'c')], { devicesMax: 1_000_000, deadLettersPerDeviceMinute: 0 }));
  const payload = encodeTelemetry({ samples: [{ readings: [{ metric: 1, number: 1 }] }] });
  for (let i = 0; i < devices; i += BATCH_RECORDS) {
    const some = Array.from({ length: Math.min(BATCH_RECORDS, devices - i) }, (_, j) =>
      recordOf({ device: nameOf(i + j), payload, receivedAtMs: log.nowMs }),
    );
    log.batch(some);
  }
  log.tick();
  await drive(partition, cut(log.messages, always(MESSAGES_PER_CHUNK)));
  log.messages.length = 0;
  return { kernel, partition, log };
}

/** Batches of records whose payload is empty (framing) or whose channel is unknown (lookup). */
function batchesOf(log: LogWriter, records: number, channel: string): LogChunk[] {
  const payload = channel === 'c' ? NO_BYTES : Uint8Array.of(1);
  for (let i = 0; i < records; i += BATCH_RECORDS) {
    log.batch(
      Array.from({ length: BATCH_RECORDS }, (_, j) => {
        const device = nameOf(((i + j) * 7919) % records);
        return recordOf({ device, channel, payload, receivedAtMs: log.nowMs });
      }),
    );
  }
  const chunks = cut(log.messages, always(MESSAGES_PER_CHUNK));
  log.messages.length = 0;
  return chunks;
}

function recordCase(name: string, bed: Bed, records: number): MicroCase {
  let seen = 0n;
  return {
    ...{ name, subject: 'millrace', events: records },
    prepare: () => {
      const chunks = batchesOf(bed.log, records, name === 'framing' ? 'c' : 'nobody');
      return async () => {
        await drive(bed.partition, chunks);
        seen = bed.partition.position;
      };
    },
    result: () => (seen > 0n ? `${records}` : 'nothing'),
    stop: async () => {},
  };
}

/** The same by protobufjs' reader and, for the look-up, a Map by the identity's text. */
function peerCase(name: string, records: number): MicroCase {
  const known = new Map(Array.from({ length: records }, (_, i) => [`t1/s1/${nameOf(i)}`, i]));
  const log = new LogWriter();
  let found = 0;
  return {
    ...{ name, subject: 'protobufjs', events: records },
    prepare: () => {
      const chunks = batchesOf(log, records, name === 'framing' ? 'c' : 'nobody');
      const bodies = chunks.flatMap((chunk) => [...chunkMessages(chunk)].map((m) => m.payload));
      return () => {
        found = 0;
        for (const body of bodies) {
          for (const identity of identitiesOf(body)) {
            found += name === 'framing' || known.has(identity) ? 1 : 0;
          }
        }
      };
    },
    result: () => `${found}`,
    stop: async () => {},
  };
}

function identitiesOf(body: Uint8Array): string[] {
  const reader = protobuf.Reader.create(body);
  const identities: string[] = [];
  while (reader.pos < reader.len) {
    reader.uint32();
    const end = reader.uint32() + reader.pos;
    const fields = ['', '', ''];
    while (reader.pos < end) {
      const tag = reader.uint32();
      if (tag >> 3 <= 3) fields[(tag >> 3) - 1] = reader.string();
      else reader.skipType(tag & 7);
    }
    identities.push(fields.join('/'));
  }
  return identities;
}

function turnCase(name: string, bed: Bed, turns: number): MicroCase {
  return {
    ...{ name, subject: 'millrace', events: turns },
    prepare: () => {
      for (let i = 0; i < turns; i++) bed.log.append('ctl', NO_BYTES);
      const chunks = cut(bed.log.messages, always(1));
      bed.log.messages.length = 0;
      return async () => {
        for (const chunk of chunks) await bed.partition.turn(chunk);
      };
    },
    result: () => `${turns}`,
    stop: () => bed.kernel.stop(),
  };
}

function stateCases(bed: Bed, devices: number): MicroCase[] {
  const chunks: Uint8Array[] = [];
  let hash = '';
  const common = { subject: 'millrace', events: devices, stop: async () => {} };
  const exported = () => {
    chunks.length = 0;
    chunks.push(...bed.partition.exportState('all'));
    bed.partition.exportDone(true);
  };
  return [
    {
      ...{ ...common, name: 'export' },
      prepare: () => exported,
      result: () => `${chunks.reduce((sum, chunk) => sum + chunk.length, 0)}`,
    },
    {
      ...{ ...common, name: 'import' },
      prepare: () => {
        if (chunks.length === 0) exported();
        const root = bed.partition.stateHash();
        const options = { log: LOG, partition: PARTITION, generation: 1 };
        const fresh = bed.kernel.open({ ...options, memoryBytes: MEMORY_BYTES });
        return () => {
          for (const chunk of chunks) fresh.importState(chunk);
          fresh.importDone(root);
          fresh.close();
        };
      },
      result: () => `${chunks.length > 0}`,
    },
    {
      ...{ ...common, name: 'hash' },
      prepare: () => () => {
        hash = bed.partition.stateHash();
      },
      result: () => hash,
    },
  ];
}

export async function microCases(small: boolean): Promise<readonly MicroCase[]> {
  const devices = small ? 1_000 : 20_000;
  const turns = small ? 50 : 2_000;
  const fleet = await bedOf(devices, 0);
  const still = await bedOf(devices, 0);
  return [
    recordCase('framing', fleet, devices),
    peerCase('framing', devices),
    recordCase('lookup', fleet, devices),
    peerCase('lookup', devices),
    turnCase('turn-inline', await bedOf(0, 0), turns),
    turnCase('turn-worker', await bedOf(0, 1), turns),
    ...stateCases(still, devices),
  ];
}

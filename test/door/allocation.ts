/**
 * What JavaScript allocates per event from the socket's bytes to finished blocks. Run as a process
 * of its own, so that what other code has taught V8 does not count. In: the bare protocol of many
 * single-event messages. Out: a line of JSON. The heap profiler counts every byte that is
 * allocated, also what is collected at once.
 */
import { Session } from 'node:inspector/promises';
import { systemClock } from '../../src/base/clock.ts';
import { Intake } from '../../src/log/pull/intake.ts';
import { WireScanner } from '../../src/log/pull/wire-scanner.ts';
import type { PartitionKernel } from '../../src/model/doors.ts';
import { applyChunk } from '../../src/runtime/drive.ts';
import { startKernel } from '../kernel/build.ts';
import { channelOf, planOf } from '../kernel/plan-sample.ts';
import { encodeTelemetry } from '../kernel/telemetry.ts';

const MESSAGES = 40_000;
const ROUNDS = 12;
const DEVICES = 100;
const START_MS = Date.UTC(2026, 0, 1);
const PIECE_BYTES = 65_536;

interface Node {
  readonly selfSize: number;
  readonly children: readonly Node[];
}

function sizeOf(node: Node): number {
  return node.children.reduce((sum, child) => sum + sizeOf(child), node.selfSize);
}

async function allocatedBytes(work: () => Promise<void>): Promise<number> {
  const session = new Session();
  session.connect();
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: 1_024,
    includeObjectsCollectedByMajorGC: true,
    includeObjectsCollectedByMinorGC: true,
  });
  await work();
  const { profile } = await session.post('HeapProfiler.stopSampling');
  session.disconnect();
  return sizeOf(profile.head);
}

/** Messages as nats-server delivers them, from sequence `first` on. */
function wireBytes(first: number, count: number): Buffer {
  const pieces: Buffer[] = [];
  for (let sequence = first; sequence < first + count; sequence += 1) {
    const timeMs = START_MS + sequence;
    const payload = encodeTelemetry({
      samples: [{ timeMs, readings: [{ metric: 1, number: 1 }] }],
    });
    const subject = `log.test.3.iot.t.s.d${sequence % DEVICES}.t.c`;
    const reply = `$JS.ACK.LOG_test_3.reader.1.${sequence}.1.${BigInt(timeMs) * 1_000_000n}.0`;
    pieces.push(Buffer.from(`MSG ${subject} 1 ${reply} ${payload.length}\r\n`));
    pieces.push(Buffer.from(payload));
    pieces.push(Buffer.from('\r\n'));
  }
  return Buffer.concat(pieces);
}

/** Reads the bytes in pieces as a socket brings them, and applies chunk by chunk. */
async function fold(partition: PartitionKernel, intake: Intake, bytes: Buffer): Promise<number> {
  let rows = 0;
  const scanner = new WireScanner({
    message: (message) => {
      message.readPosition();
      intake.offerRaw(message);
    },
    line: () => {},
  });
  const buffer = Buffer.alloc(2 * PIECE_BYTES);
  let rest = 0;
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const end = rest + bytes.copy(buffer, rest, at, Math.min(at + PIECE_BYTES, bytes.length));
    const done = scanner.scan(buffer, end);
    buffer.copyWithin(0, done, end);
    rest = end - done;
    if (intake.roomBytes > 2 << 20) continue;
    rows += await applyNext(partition, intake);
  }
  while (partition.position + 1n < intake.next) rows += await applyNext(partition, intake);
  return rows;
}

async function applyNext(partition: PartitionKernel, intake: Intake): Promise<number> {
  const chunk = await intake.take();
  let rows = 0;
  await applyChunk(partition, chunk!, '', async ({ blocks }) => {
    for (const block of blocks) rows += block.rows;
  });
  return rows;
}

export interface Allocation {
  readonly messages: number;
  readonly rows: number;
  /** Per message, of the way through the house: the least of several rounds. */
  readonly bytes: number;
  /** Per message, where each makes one small object: what the measurement would see. */
  readonly bytesOfObject: number;
}

async function measure(): Promise<Allocation> {
  const kernel = await startKernel('simd');
  const memoryBytes = 128 * 1024 * 1024;
  const partition = kernel.open({ log: 'test', partition: 3, generation: 1, memoryBytes });
  // A fact of every device at every flush point is not what is counted here.
  const quiet = { publishShadows: false };
  partition.usePlan(JSON.stringify(planOf([channelOf(0, 'c', { windows: [] })], quiet)));
  const intake = new Intake(1n, systemClock);
  // What code and tables need is made in the first rounds; a busy machine compiles late.
  let [first, rows, least] = [1, 0, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round += 1, first += MESSAGES) {
    const bytes = wireBytes(first, MESSAGES);
    const allocated = await allocatedBytes(async () => {
      rows += await fold(partition, intake, bytes);
    });
    least = Math.min(least, allocated / MESSAGES);
  }
  const messages = Number(partition.position);
  const kept: object[] = [];
  const byObjects = await allocatedBytes(async () => {
    for (let index = 0; index < MESSAGES; index += 1) kept.push({ index });
  });
  partition.close();
  await kernel.stop();
  return { messages, rows, bytes: least, bytesOfObject: byObjects / kept.length };
}

process.stdout.write(`${JSON.stringify(await measure())}\n`);

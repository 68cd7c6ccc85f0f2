/**
 * One partition's log, and what a kernel makes of it however it is cut. In: a configuration,
 * records, a kernel. Out: state hash, rows per table, facts and dead letters as sorted lines, to be
 * compared.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import type { Kernel, LogChunk, PartitionKernel } from '../../src/model/doors.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import { compilePlan, planText } from '../../src/registry/index.ts';
import { ChunkWriter, chunkMessages, type LogMessage } from '../../src/wire/chunk.ts';
import { encodeRecord } from '../../src/wire/record-batch.ts';
import { readNativeRows } from './native.ts';

const START_MS = Date.UTC(2026, 10, 22);
const NS_PER_MS = 1_000_000n;
/** Log time between two messages; every TICK_MESSAGES-th is a tick. */
const STEP_MS = 40;
const TICK_MESSAGES = 25;
const MEMORY_BYTES = 256 * 1024 * 1024;
const NO_HEADERS = new Uint8Array(0);

export function planOf(yaml: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-cut-'));
  try {
    const file = join(folder, 'millrace.yaml');
    writeFileSync(file, yaml);
    return planText(compilePlan(loadConfig({ file }).config, null));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A plan, then record batches with ticks between them, then silence until all windows closed. */
export function logOf(plan: string, records: Iterable<DeviceRecord>, perBatch: number) {
  const messages: LogMessage[] = [];
  const append = (kind: string, payload: Uint8Array) => {
    const sequence = BigInt(messages.length + 1);
    const logTimeNs = BigInt(START_MS + messages.length * STEP_MS) * NS_PER_MS;
    const subject = `log.main.0.${kind}`;
    messages.push({ sequence, logTimeNs, subject, headers: NO_HEADERS, payload });
    if (messages.length % TICK_MESSAGES === 0) append('tick', NO_HEADERS);
  };
  append('plan', Buffer.from(plan));
  let batch: Uint8Array[] = [];
  for (const record of records) {
    batch.push(encodeRecord({ ...record, receivedAtMs: START_MS }));
    if (batch.length < perBatch) continue;
    append('batch', Buffer.concat(batch));
    batch = [];
  }
  if (batch.length > 0) append('batch', Buffer.concat(batch));
  for (let tick = 0; tick < 200; tick += 1) append('tick', NO_HEADERS);
  return messages;
}

export const START_OF_LOG_MS = START_MS;

/** `sizes` gives the number of messages of the next chunk, again and again. */
export function* cut(messages: readonly LogMessage[], size: () => number): Generator<LogChunk> {
  let at = 0;
  while (at < messages.length) {
    const writer = new ChunkWriter();
    const end = Math.min(messages.length, at + size());
    while (at < end && writer.append(messages[at])) at += 1;
    yield writer.take();
  }
}

export class Outcome {
  stateHash = '';
  readonly #lines: string[] = [];

  get digest(): string {
    const hash = createHash('sha256');
    for (const line of this.#lines.sort()) hash.update(line).update('\n');
    return `${this.#lines.length} lines ${hash.digest('hex').slice(0, 16)} state ${this.stateHash}`;
  }

  get count(): number {
    return this.#lines.length;
  }

  add(kind: string, value: unknown): void {
    this.#lines.push(
      `${kind} ${JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}` : inner))}`,
    );
  }
}

export const openKernel = (kernel: Kernel): PartitionKernel =>
  kernel.open({ log: 'main', partition: 0, generation: 1, memoryBytes: MEMORY_BYTES });

export async function apply(
  partition: PartitionKernel,
  chunks: Iterable<LogChunk>,
  outcome: Outcome,
): Promise<void> {
  for (const chunk of chunks) {
    let output = await partition.turn(chunk);
    for (;;) {
      for (const { table, bytes } of output.blocks) {
        for (const row of readNativeRows(bytes)) outcome.add(table, row);
      }
      for (const fact of output.facts) outcome.add('fact', fact);
      for (const letter of output.deadLetters) outcome.add('letter', letter);
      if (output.status === 'done') break;
      if (output.status === 'plan') partition.usePlan(planAt(chunk, output.position));
      output = await partition.resume();
    }
  }
  outcome.stateHash = partition.stateHash();
}

function planAt(chunk: LogChunk, sequence: bigint): string {
  for (const message of chunkMessages(chunk)) {
    if (message.sequence === sequence) return Buffer.from(message.payload).toString('utf8');
  }
  throw new Error(`no plan at ${sequence}`);
}

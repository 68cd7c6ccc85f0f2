/**
 * Computes a stretch of a partition's log anew: the same kernel over the same messages, without
 * owning the partition. In: a kernel that stands before the stretch, the log, where to end. Out:
 * outputs in log order, and a halt at each position that somebody wants to look at.
 *
 * Chunks are cut so that a turn ends exactly at each halt; where turns end changes no result
 * (ARCHITECTURE law 3).
 */
import { assert } from '../base/assert.ts';
import type { LogChunk, LogReader, PartitionKernel, TurnOutput } from '../model/doors.ts';
import { ENTRY_BYTES_AT, ENTRY_SEQUENCE_AT } from '../model/limit.ts';
import { chunkMessages, type LogMessage, lastAndLatest, messageAt } from '../wire/chunk.ts';

export interface Recomputation {
  readonly partition: number;
  readonly kernel: PartitionKernel;
  readonly reader: LogReader;
  /** Last sequence to apply; the log must hold it. */
  readonly to: bigint;
  /** Positions in ascending order where `onHalt` is called; those not stood at exactly are left. */
  readonly halts: readonly bigint[];
  readonly onHalt: (position: bigint) => Promise<void> | void;
  readonly onOutput: (output: TurnOutput) => Promise<void>;
  /** Before the kernel uses a plan of the log: tables for its rows. */
  readonly onPlan: (planText: string) => Promise<void>;
  readonly onProgress?: (position: bigint) => void;
}

export interface Recomputed {
  readonly messages: number;
  /** Messages between first and last that the log does not hold. */
  readonly gapMessages: bigint;
  readonly planText: string;
  readonly lastMessage: LogMessage | null;
}

type Growing = { -readonly [Key in keyof Recomputed]: Recomputed[Key] };

export async function recompute(
  options: Recomputation,
  planBefore: string,
  signal: AbortSignal,
): Promise<Recomputed> {
  const { kernel, reader, partition, to } = options;
  const ends = [...options.halts.filter((halt) => halt > kernel.position && halt < to), to];
  const done: Growing = {
    messages: 0,
    gapMessages: 0n,
    planText: planBefore,
    lastMessage: null,
  };
  await haltAt(options, kernel.position);
  if (kernel.position >= to) return done;
  for await (const chunk of reader.read(partition, kernel.position + 1n, signal)) {
    for (const piece of cutAt(chunk, ends)) {
      if (piece.firstSequence > to) return done;
      done.gapMessages += piece.firstSequence - kernel.position - 1n;
      await turn(options, piece, done);
      options.onProgress?.(kernel.position);
      await haltAt(options, kernel.position);
      if (kernel.position >= to) return done;
      signal.throwIfAborted();
    }
  }
  signal.throwIfAborted();
  return done;
}

async function haltAt(options: Recomputation, position: bigint): Promise<void> {
  if (options.halts.includes(position)) await options.onHalt(position);
}

async function turn(
  { kernel, onOutput, onPlan }: Recomputation,
  piece: LogChunk,
  done: Growing,
): Promise<void> {
  let output = await kernel.turn(piece);
  for (;;) {
    await onOutput(output);
    if (output.status === 'done') break;
    if (output.status === 'plan') {
      done.planText = planAt(piece, output.position);
      await onPlan(done.planText);
      kernel.usePlan(done.planText);
    }
    output = await kernel.resume();
  }
  done.messages += piece.count;
  done.lastMessage = messageAt(piece, lastAndLatest(piece).last);
}

function planAt(chunk: LogChunk, sequence: bigint): string {
  for (const message of chunkMessages(chunk)) {
    if (message.sequence === sequence) return Buffer.from(message.payload).toString('utf8');
  }
  throw new RangeError(`bug: the turn stopped at ${sequence}, which its chunk does not hold`);
}

/** The chunk in pieces none of which lies on both sides of an end. Views into the same bytes. */
export function cutAt(chunk: LogChunk, ends: readonly bigint[]): LogChunk[] {
  const within = ends.filter((end) => end >= chunk.firstSequence && end < chunk.lastSequence);
  if (within.length === 0) return [chunk];
  const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
  const pieces: LogChunk[] = [];
  let [from, count, first, last] = [0, 0, chunk.firstSequence, chunk.firstSequence];
  for (let at = 0; at < chunk.bytes.length; at += view.getUint32(at + ENTRY_BYTES_AT, true)) {
    const sequence = view.getBigUint64(at + ENTRY_SEQUENCE_AT, true);
    if (count > 0 && within.some((end) => last <= end && sequence > end)) {
      const bytes = chunk.bytes.subarray(from, at);
      pieces.push({ bytes, count, firstSequence: first, lastSequence: last });
      [from, count, first] = [at, 0, sequence];
    }
    count += 1;
    last = sequence;
  }
  assert(count > 0, 'a cut leaves no empty piece');
  const bytes = chunk.bytes.subarray(from);
  pieces.push({ bytes, count, firstSequence: first, lastSequence: last });
  return pieces;
}

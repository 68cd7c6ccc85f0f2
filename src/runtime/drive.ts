/**
 * Drives one partition: chunks of its log into turns, outputs to the sinks. In: a restored kernel
 * and its lease. Out: rows, facts and dead letters, in log order. Nothing here decides a result:
 * chunks may be cut anywhere, clocks may only stop the loop, never change what it writes.
 */
import type { Clock } from '../base/clock.ts';
import type { Mutex } from '../base/mutex.ts';
import type {
  BlockSink,
  FactSink,
  LogChunk,
  LogIdentity,
  LogReader,
  PartitionKernel,
  TurnOutput,
} from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { LOG_AHEAD_MAX_MS } from '../model/limit.ts';
import { chunkMessages, type LogMessage } from '../wire/chunk.ts';
import { messageIdentity } from '../wire/identity.ts';
import type { Lease } from './lease.ts';

const PAUSE_POLL_MS = 200;

export interface DriveOptions {
  readonly partition: number;
  readonly kernel: PartitionKernel;
  readonly lease: Lease;
  readonly reader: LogReader;
  readonly blocks: BlockSink;
  readonly facts: FactSink;
  readonly clock: Clock;
  /** Held during a turn with all its outputs: between turns others may look at the kernel. */
  readonly boundary: Mutex;
  /** Called after each turn's outputs were handed over. */
  readonly onTurn: (progress: Progress) => void;
}

export interface Progress {
  readonly identity: LogIdentity;
  readonly planText: string;
  readonly needsTicks: boolean;
  readonly logTimeMs: number;
}

/** Ends when the signal aborts (between two turns), or rejects with what stopped it. */
export async function drive(options: DriveOptions, signal: AbortSignal): Promise<void> {
  const { kernel, lease, reader, partition } = options;
  let planText = lease.record.planText;
  for await (const chunk of reader.read(partition, kernel.position + 1n, signal)) {
    if (signal.aborted) return;
    await mayProceed(options, chunk, signal);
    planText = await options.boundary.run(() => turn(options, chunk, planText));
  }
}

async function turn(options: DriveOptions, chunk: LogChunk, planBefore: string): Promise<string> {
  const { kernel } = options;
  const last = lastMessage(chunk);
  let planText = planBefore;
  let output = await kernel.turn(chunk);
  for (;;) {
    await emit(options, output);
    if (output.status === 'done') break;
    if (output.status === 'plan') {
      planText = planTextAt(chunk, output.position);
      kernel.usePlan(planText);
    }
    output = await kernel.resume();
  }
  options.onTurn({
    identity: messageIdentity(last),
    planText,
    needsTicks: output.needsTicks,
    logTimeMs: Number(last.logTimeNs / 1_000_000n),
  });
  return planText;
}

async function emit(options: DriveOptions, output: TurnOutput): Promise<void> {
  const { facts, blocks, partition } = options;
  if (output.facts.length > 0) await facts.publish(output.facts);
  if (output.deadLetters.length > 0) await facts.deadLetters(output.deadLetters);
  await blocks.insert(partition, output.blocks, output.position);
}

/** Waits while output is paused; halts when log stamps run ahead of our clock. */
async function mayProceed(
  { lease, clock, partition }: DriveOptions,
  chunk: LogChunk,
  signal: AbortSignal,
): Promise<void> {
  lease.check();
  while (lease.paused) {
    await clock.wait(PAUSE_POLL_MS, signal);
    lease.check();
  }
  const last = lastMessage(chunk);
  const aheadMs = Number(last.logTimeNs / 1_000_000n) - clock.nowMs();
  if (aheadMs > LOG_AHEAD_MAX_MS) {
    throw new OperatingError(
      'CLOCK_BEHIND_LOG',
      `partition ${partition}: message ${last.sequence} is stamped ${aheadMs} ms ahead of this machine's clock, at most ${LOG_AHEAD_MAX_MS} ms are allowed; correct the clock`,
      { where: { partition, sequence: last.sequence } },
    );
  }
}

function lastMessage(chunk: LogChunk): LogMessage {
  let last: LogMessage | undefined;
  for (const message of chunkMessages(chunk)) last = message;
  if (!last) throw new RangeError('bug: a chunk without entries');
  return last;
}

function planTextAt(chunk: LogChunk, sequence: bigint): string {
  for (const message of chunkMessages(chunk)) {
    if (message.sequence === sequence) return Buffer.from(message.payload).toString('utf8');
  }
  throw new RangeError(`bug: the turn stopped at ${sequence}, which its chunk does not hold`);
}

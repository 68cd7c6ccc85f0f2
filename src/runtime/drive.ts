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
import { chunkMessages, lastAndLatest, messageAt } from '../wire/chunk.ts';
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
  /** The plan in force at the kernel's position. */
  readonly planText: string;
  /** Outputs of a standby that no checkpoint covers: they go first. */
  readonly backlog: readonly TurnOutput[];
  /** Called with null before each turn, and after it when its outputs were handed over. */
  readonly onTurn: (progress: Progress | null) => void;
}

export interface Progress {
  readonly identity: LogIdentity;
  readonly planText: string;
  readonly needsTicks: boolean;
  readonly logTimeMs: number;
}

/** Ends when the signal aborts (between two turns), or rejects with what stopped it. */
export async function drive(options: DriveOptions, signal: AbortSignal): Promise<void> {
  const { kernel, reader, partition, boundary } = options;
  let { planText } = options;
  const give = (output: TurnOutput) => emit(options, output);
  // All of it, whatever aborts, and no checkpoint between: the kernel already stands behind it, so
  // a checkpoint now would cover rows that no sink has been given.
  await boundary.run(async () => {
    for (const output of options.backlog) {
      await whenAllowed(options);
      await give(output);
    }
  });
  for await (const chunk of reader.read(partition, kernel.position + 1n, signal)) {
    await whenAllowed(options, signal);
    if (signal.aborted) return;
    checkClock(options, chunk);
    // Paused for long, we may no longer be who purges: then somebody else applied what is gone.
    if (chunk.firstSequence > kernel.position + 1n) await options.lease.renew();
    await checkGap(options, chunk);
    const progress = await boundary.run(async () => {
      options.onTurn(null);
      const applied = await applyChunk(kernel, chunk, planText, give);
      options.onTurn(applied);
      return applied;
    });
    planText = progress.planText;
  }
}

/**
 * Before a chunk: what lies between it and the kernel's position was deleted message by message,
 * or it was purged. What was purged was never applied here, and must not be passed over.
 */
export async function checkGap(
  options: Pick<DriveOptions, 'partition' | 'kernel' | 'reader'>,
  chunk: LogChunk,
): Promise<void> {
  const { partition, kernel, reader } = options;
  const { position } = kernel;
  if (chunk.firstSequence === position + 1n) return;
  const { firstSequence } = await reader.state(partition);
  if (firstSequence <= position + 1n) return;
  throw new OperatingError(
    'LOG_PURGED',
    `partition ${partition}: the log was purged up to ${firstSequence} while only ${position} was applied here`,
    { where: { partition, position, first: firstSequence } },
  );
}

/** One turn, from its first output to its last; each is given on before the next is made. */
export async function applyChunk(
  kernel: PartitionKernel,
  chunk: LogChunk,
  planBefore: string,
  give: (output: TurnOutput) => Promise<void>,
): Promise<Progress> {
  const last = messageAt(chunk, lastAndLatest(chunk).last);
  let planText = planBefore;
  let output = await kernel.turn(chunk);
  for (;;) {
    await give(output);
    if (output.status === 'done') break;
    if (output.status === 'plan') {
      planText = planTextAt(chunk, output.position);
      kernel.usePlan(planText);
    }
    output = await kernel.resume();
  }
  return {
    identity: messageIdentity(last),
    planText,
    needsTicks: output.needsTicks,
    logTimeMs: Number(last.logTimeNs / 1_000_000n),
  };
}

async function emit(options: DriveOptions, output: TurnOutput): Promise<void> {
  const { facts, blocks, partition } = options;
  if (output.facts.length > 0) await facts.publish(output.facts);
  if (output.deadLetters.length > 0) await facts.deadLetters(output.deadLetters);
  await blocks.insert(partition, output.blocks, output.position);
}

/** Waits while output is paused: the record has been unreachable for too long. */
async function whenAllowed({ lease, clock }: DriveOptions, signal?: AbortSignal): Promise<void> {
  lease.check();
  while (lease.paused && !signal?.aborted) {
    await clock.wait(PAUSE_POLL_MS, signal).catch(() => {});
    lease.check();
  }
}

/** Log stamps ahead of our clock halt us: a wall clock may stop a turn, never change a result. */
export function checkClock(
  { clock, partition }: Pick<DriveOptions, 'clock' | 'partition'>,
  chunk: LogChunk,
): void {
  // Not always the last one: a stream's next leader may have another clock.
  const latest = messageAt(chunk, lastAndLatest(chunk).latest);
  const aheadMs = Number(latest.logTimeNs / 1_000_000n) - clock.nowMs();
  if (aheadMs <= LOG_AHEAD_MAX_MS) return;
  throw new OperatingError(
    'CLOCK_BEHIND_LOG',
    `partition ${partition}: message ${latest.sequence} is stamped ${aheadMs} ms ahead of this machine's clock, at most ${LOG_AHEAD_MAX_MS} ms are allowed; correct the clock`,
    { where: { partition, sequence: latest.sequence } },
  );
}

function planTextAt(chunk: LogChunk, sequence: bigint): string {
  for (const message of chunkMessages(chunk)) {
    if (message.sequence === sequence) return Buffer.from(message.payload).toString('utf8');
  }
  throw new RangeError(`bug: the turn stopped at ${sequence}, which its chunk does not hold`);
}

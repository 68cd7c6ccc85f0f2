/**
 * From a claimed lease to a kernel that may run. In: the lease, what a standby kept. Out: a kernel
 * and the plan in force; the takeover, if it still holds. Decides whether a new generation begins:
 *
 *   the log lost its tail            from the newest checkpoint that is still of this log
 *   the state is of older semantics  from the log's beginning, while it is there
 *
 * Invariant: the row of a generation in `generations` is durable before anything of it is run.
 */
import type { Clock } from '../../base/clock.ts';
import type { Semaphore } from '../../base/semaphore.ts';
import type { BlockProgress, OwnershipRecord } from '../../model/doors.ts';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import { RENEW_INTERVAL_MS } from '../../model/limit.ts';
import type { Succession } from '../company/candidacy.ts';
import type { Takeover } from '../company/standby.ts';
import type { Lease } from '../lease.ts';
import { type RecoveryOptions, type Restored, recover } from '../recovery.ts';
import { fromBeginning, nextGeneration } from './tail-loss.ts';

export interface BeginningOptions extends RecoveryOptions {
  readonly clock: Clock;
  /** Restores at once, of all partitions of the process. */
  readonly recoveries: Semaphore;
  /** Absent: the read model does not say how far it is. */
  readonly progress?: BlockProgress;
}

export interface Beginning extends Restored {
  readonly takeover: Takeover | null;
}

/** `lostTailIn`: a reader saw the log of this generation lose its tail. */
export async function begin(
  options: BeginningOptions,
  { lease, takeover }: Succession,
  lostTailIn: number | null,
): Promise<Beginning> {
  return whileRenewing(options.clock, lease, async () => {
    try {
      if (lostTailIn === lease.record.generation) await loseTail(options, lease);
      if (takeover && takeover.generation === lease.record.generation) {
        await enterGeneration(options, lease.record);
        options.progress?.begin(options.partition, BigInt(lease.record.position));
        return { ...takeover, takeover };
      }
    } catch (error) {
      takeover?.kernel.close();
      throw error;
    }
    takeover?.kernel.close();
    return { ...(await restore(options, lease)), takeover: null };
  });
}

async function restore(options: BeginningOptions, lease: Lease): Promise<Restored> {
  try {
    return await attempt(options, lease);
  } catch (error) {
    if (isOperatingError(error, 'LOG_TAIL_LOST')) await loseTail(options, lease);
    else if (isOperatingError(error, 'CHECKPOINT_INCOMPATIBLE')) {
      await startAnew(options, lease, error);
    } else throw error;
    return attempt(options, lease);
  }
}

async function attempt(options: BeginningOptions, lease: Lease): Promise<Restored> {
  const { record } = lease;
  await enterGeneration(options, record);
  const reached = await reachOf(options, record);
  const restored = await options.recoveries.run(() => recover(options, record, reached));
  const { position } = restored.kernel;
  if (reached !== null && reached < BigInt(record.position)) {
    options.onTrouble(options.partition, behindError(options.partition, reached, record, position));
  }
  options.progress?.begin(options.partition, position);
  return restored;
}

/** Told also where it repairs itself: ClickHouse was restored from an older copy, or emptied. */
function behindError(
  partition: number,
  reached: bigint,
  { position: checkpoint }: OwnershipRecord,
  from: bigint,
): OperatingError {
  const whatNow =
    from <= reached
      ? `the log is replayed from ${from + 1n} on`
      : `the log is replayed from ${from + 1n} on, what is missing before cannot be computed ` +
        'here: `millrace verify` lists it, docs/operations.md says how to repair it';
  return new OperatingError(
    'READMODEL_BEHIND',
    `partition ${partition}: ClickHouse holds rows up to ${reached} of the log, the checkpoint ` +
      `counts on those up to ${checkpoint}: it was restored from an older copy, emptied, or rows ` +
      `lie in the spool of a worker that is gone; ${whatNow}`,
    { where: { partition, reached, checkpoint, from } },
  );
}

/** The row of the record's generation, when it may be missing. */
async function enterGeneration(
  { progress, partition }: BeginningOptions,
  { cut, generation }: OwnershipRecord,
): Promise<void> {
  if (cut !== null) await progress?.beginGeneration(partition, generation, BigInt(cut));
}

/** Up to where rows are stored; null: not known, or told by the beginning of the generation. */
async function reachOf(
  { progress, partition }: BeginningOptions,
  { cut }: OwnershipRecord,
): Promise<bigint | null> {
  if (!progress || cut !== null) return null;
  try {
    return await progress.reached(partition);
  } catch (error) {
    // It is away: nothing can be said now, and alerts and the spool need not wait for it.
    if (isOperatingError(error, 'CLICKHOUSE_UNREACHABLE')) return null;
    throw error;
  }
}

async function loseTail(
  { reader, ownership, partition, onTrouble }: BeginningOptions,
  lease: Lease,
) {
  const { record } = lease;
  const change = await nextGeneration(reader, partition, record);
  // Other messages stand where lost ones were skipped. Whoever was deposed must not touch them.
  await lease.renew();
  await ownership.dropSkips(partition, BigInt(change.position ?? 0));
  await lease.write(change);
  onTrouble(
    partition,
    new OperatingError(
      'LOG_TAIL_LOST',
      `partition ${partition}: the log lost its tail. Generation ${change.generation} goes on ` +
        `behind message ${change.position}; rows of what was lost after it count no more`,
      { where: { partition, generation: change.generation ?? 0, cut: change.position ?? '0' } },
    ),
  );
}

async function startAnew(
  { reader, partition, onTrouble, semanticsVersion }: BeginningOptions,
  lease: Lease,
  cause: OperatingError,
): Promise<void> {
  const { firstSequence } = await reader.state(partition);
  if (firstSequence > 1n) throw cause;
  onTrouble(
    partition,
    new OperatingError(
      'CHECKPOINT_INCOMPATIBLE',
      `partition ${partition}: its state is of semantics ${lease.record.semanticsVersion}, this ` +
        `version has ${semanticsVersion}: everything is computed anew from the log's beginning`,
      { cause, where: { partition } },
    ),
  );
  await lease.write({ ...fromBeginning(lease.record), semanticsVersion });
}

/** A restore may last longer than others wait for a renewal. */
async function whileRenewing<T>(clock: Clock, lease: Lease, work: () => Promise<T>): Promise<T> {
  const ended = new AbortController();
  const renewing = (async () => {
    while (!ended.signal.aborted) {
      await clock.wait(RENEW_INTERVAL_MS, ended.signal).catch(() => {});
      // Unreachable: the tenure sees what has become of it.
      if (!ended.signal.aborted) await lease.renew().catch(() => {});
    }
  })();
  try {
    return await work();
  } finally {
    ended.abort();
    await renewing;
  }
}

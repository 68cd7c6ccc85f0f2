/**
 * Keeps a partition's log within its retention. It is purged only below a retained checkpoint that
 * has been durable for PURGE_AFTER_MS, and exactly there: so the oldest checkpoint from which the
 * rest of the log can be applied (the anchor) is always one that is retained. When the log is
 * nearly full retention yields, durability does not.
 */
import type { Clock } from '../base/clock.ts';
import type { LogPurger, LogReader } from '../model/doors.ts';
import { LOG_YIELD_SHARE, PURGE_AFTER_MS } from '../model/limit.ts';
import { type Checkpoint, checkpointsOf, takenAtMs } from '../model/ownership.ts';
import type { Lease } from './lease.ts';

export interface JanitorOptions {
  readonly partition: number;
  readonly lease: Lease;
  readonly purger: LogPurger;
  readonly reader: LogReader;
  readonly clock: Clock;
  /** 0: the log is kept until it is nearly full. */
  readonly logRetentionMs: number;
}

export class Janitor {
  readonly #options: JanitorOptions;
  /** Since when each retained position is known to be durable, on our own clock. */
  #durableSince = new Map<string, number>();

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  async clean(): Promise<void> {
    const { partition, purger, reader, clock, logRetentionMs } = this.#options;
    const { bytes, bytesMax, firstSequence } = await reader.state(partition);
    const ripe = this.#ripe().filter(({ position }) => BigInt(position) >= firstSequence);
    const isFull = bytes >= bytesMax * LOG_YIELD_SHARE;
    if (!isFull && logRetentionMs === 0) return;
    const beforeMs = clock.nowMs() - (isFull ? 0 : logRetentionMs);
    const below = ripe.find((checkpoint) => takenAtMs(checkpoint) < beforeMs);
    if (below) await purger.purge(partition, BigInt(below.position) + 1n, beforeMs);
  }

  /** Retained checkpoints that have been durable long enough, newest first. */
  #ripe(): readonly Checkpoint[] {
    const { clock, lease } = this.#options;
    const nowMs = clock.monotonicMs();
    const retained = checkpointsOf(lease.record);
    const known = this.#durableSince;
    this.#durableSince = new Map(
      retained.map(({ position }) => [position, known.get(position) ?? nowMs]),
    );
    return retained.filter(
      ({ position }) => nowMs - (this.#durableSince.get(position) ?? nowMs) >= PURGE_AFTER_MS,
    );
  }
}

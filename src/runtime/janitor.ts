/**
 * Keeps a partition's log within its retention: remembers when which position became durable, and
 * purges what is older than the retention below a position that has been durable long enough. When
 * the log is nearly full retention yields, the durable position does not.
 */
import type { Clock } from '../base/clock.ts';
import type { LogPurger, LogReader } from '../model/doors.ts';
import { LOG_FULL_SHARE, PURGE_AFTER_MS } from '../model/limit.ts';

export interface JanitorOptions {
  readonly partition: number;
  readonly purger: LogPurger;
  readonly reader: LogReader;
  readonly clock: Clock;
  /** 0: the log is kept until it is nearly full. */
  readonly logRetentionMs: number;
}

export class Janitor {
  readonly #options: JanitorOptions;
  /** Checkpoints not yet old enough, oldest first; one per purge interval is enough. */
  #pending: { position: bigint; atMs: number }[] = [];
  #durable = 0n;

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  /** A checkpoint at `position` was acknowledged now. */
  checkpointed(position: bigint): void {
    this.#pending.push({ position, atMs: this.#options.clock.monotonicMs() });
  }

  async clean(): Promise<void> {
    const { partition, purger, reader, clock, logRetentionMs } = this.#options;
    const oldEnoughMs = clock.monotonicMs() - PURGE_AFTER_MS;
    const ripe = this.#pending.filter(({ atMs }) => atMs <= oldEnoughMs);
    this.#pending = this.#pending.slice(ripe.length);
    this.#durable = ripe.at(-1)?.position ?? this.#durable;
    if (this.#durable === 0n) return;
    const { bytes, bytesMax } = await reader.state(partition);
    const isFull = bytes > bytesMax * LOG_FULL_SHARE;
    if (!isFull && logRetentionMs === 0) return;
    const beforeMs = clock.nowMs() - (isFull ? 0 : logRetentionMs);
    await purger.purge(partition, this.#durable + 1n, beforeMs);
  }
}

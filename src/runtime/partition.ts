/**
 * One partition of the log under supervision: claim → recover → drive, with renewals, ticks and
 * checkpoints beside the loop. Trouble of the environment that passes ends an attempt and starts
 * the next from the checkpoint; trouble that does not pass halts the partition with its error,
 * loudly.
 *
 *   idle ─► claiming ─► recovering ─► running ─► stopped
 *               ▲                        │
 *               └──── waiting ◄── error ─┴─► halted
 */
import { type Backoff, createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { Mutex } from '../base/mutex.ts';
import type {
  BlockSink,
  FactSink,
  LogAppender,
  LogPurger,
  PartitionKernel,
} from '../model/doors.ts';
import { isOperatingError, type OperatingError } from '../model/error.ts';
import {
  PURGE_INTERVAL_MS,
  RENEW_INTERVAL_MS,
  SKIPS_PER_HOUR_MAX,
  TICK_INTERVAL_MS,
} from '../model/limit.ts';
import { Checkpointer } from './checkpoint.ts';
import { drive, type Progress } from './drive.ts';
import { Janitor } from './janitor.ts';
import { Lease } from './lease.ts';
import { type RecoveryOptions, recover } from './recovery.ts';

const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5000;
const HOUR_MS = 3_600_000;

export interface PartitionOptions extends RecoveryOptions {
  readonly owner: string;
  readonly semanticsVersion: number;
  readonly appender: LogAppender;
  readonly purger: LogPurger;
  readonly logRetentionMs: number;
  readonly blocks: BlockSink;
  readonly facts: FactSink;
  readonly clock: Clock;
  readonly checkpointIntervalMs: number;
  readonly onTrouble: (partition: number, error: OperatingError) => void;
}

export type PartitionPhase =
  | 'idle'
  | 'claiming'
  | 'recovering'
  | 'running'
  | 'waiting'
  | 'halted'
  | 'stopped';

export interface PartitionStatus {
  readonly partition: number;
  readonly phase: PartitionPhase;
  readonly position: bigint;
  readonly checkpoint: bigint;
  readonly generation: number;
  readonly epoch: number;
  readonly devices: number;
  readonly memoryBytesUsed: number;
  readonly error: OperatingError | null;
}

interface Checkpointing {
  readonly kernel: PartitionKernel;
  readonly lease: Lease;
  readonly boundary: Mutex;
  readonly checkpointer: Checkpointer;
  readonly janitor: Janitor;
}

export class Partition {
  readonly #options: PartitionOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff = createBackoff(RESTART_FIRST_MS, RESTART_MAX_MS);
  #phase: PartitionPhase = 'idle';
  #error: OperatingError | null = null;
  #kernel: PartitionKernel | null = null;
  #lease: Lease | null = null;
  #progress: Progress | null = null;
  #skippedAtMs: number[] = [];
  #running: Promise<void> | null = null;

  constructor(options: PartitionOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#supervise();
  }

  /** Finishes the turn in flight, takes a last checkpoint and releases the partition. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  get status(): PartitionStatus {
    const stats = this.#kernel?.stats();
    const record = this.#lease?.record;
    return {
      partition: this.#options.partition,
      phase: this.#phase,
      position: this.#kernel?.position ?? BigInt(record?.position ?? 0),
      checkpoint: BigInt(record?.position ?? 0),
      generation: record?.generation ?? 0,
      epoch: record?.epoch ?? 0,
      devices: stats?.devices ?? 0,
      memoryBytesUsed: stats?.memoryBytesUsed ?? 0,
      error: this.#error,
    };
  }

  async #supervise(): Promise<void> {
    while (!this.#stop.signal.aborted && this.#phase !== 'halted') {
      try {
        await this.#attempt();
      } catch (error) {
        if (!this.#stop.signal.aborted) await this.#recoverFrom(error);
      }
    }
    if (this.#phase !== 'halted') this.#phase = 'stopped';
  }

  async #attempt(): Promise<void> {
    const { partition, ownership, clock, owner, semanticsVersion } = this.#options;
    this.#phase = 'claiming';
    const leaseOptions = { partition, ownership, clock, owner, semanticsVersion };
    this.#lease = await Lease.claim(leaseOptions, this.#stop.signal);
    this.#phase = 'recovering';
    this.#kernel = await recover(this.#options, this.#lease.record);
    try {
      await this.#drive(this.#kernel, this.#lease);
    } finally {
      this.#kernel.close();
      this.#kernel = null;
      this.#progress = null;
    }
  }

  /** The loop and its three companions; the first to fail ends them all. */
  async #drive(kernel: PartitionKernel, lease: Lease): Promise<void> {
    const { clock } = this.#options;
    const ended = new AbortController();
    const signal = AbortSignal.any([this.#stop.signal, ended.signal]);
    const checkpointer = new Checkpointer({ ...this.#options, lease });
    const every = async (intervalMs: number, act: () => Promise<void>) => {
      while (!signal.aborted) {
        await clock.wait(intervalMs, signal).catch(() => {});
        if (!signal.aborted) await act();
      }
    };
    const boundary = new Mutex();
    const janitor = new Janitor(this.#options);
    const checkpointing = { kernel, lease, boundary, checkpointer, janitor };
    const checkpoint = () => this.#checkpoint(checkpointing);
    const loop = drive(
      { ...this.#options, kernel, lease, boundary, onTurn: (turn) => this.#turned(turn) },
      signal,
    );
    const parts = [
      loop,
      every(RENEW_INTERVAL_MS, () => this.#renew(lease)),
      every(TICK_INTERVAL_MS, () => this.#tick()),
      every(this.#options.checkpointIntervalMs, checkpoint),
      every(PURGE_INTERVAL_MS, () => this.#clean(janitor)),
    ];
    this.#phase = 'running';
    const failure = await Promise.all(parts).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    ended.abort();
    await Promise.allSettled(parts);
    if (failure) throw failure.error;
    await checkpoint();
    await lease.release();
  }

  /** Capture and clearing of marks lie between turns; storing and waiting run beside them. */
  async #checkpoint(parts: Checkpointing): Promise<void> {
    const { kernel, lease, boundary, checkpointer } = parts;
    const capture = await boundary.run(() => {
      if (!this.#progress || kernel.position <= BigInt(lease.record.position)) return null;
      return checkpointer.capture(kernel, this.#progress);
    });
    if (!capture) return;
    let acknowledged = false;
    try {
      await checkpointer.commit(capture);
      acknowledged = true;
      parts.janitor.checkpointed(capture.position);
    } catch (error) {
      // Trouble that passes: the log is kept, the next interval tries again with the same marks.
      if (!isOperatingError(error) || error.retry === 'never') throw error;
      this.#options.onTrouble(this.#options.partition, error);
    } finally {
      await boundary.run(() => kernel.exportDone(acknowledged));
    }
  }

  #turned(progress: Progress): void {
    this.#progress = progress;
    this.#backoff.reset();
    this.#error = null;
  }

  /** An unreachable record is not the end: the loop pauses by itself when it lasts. */
  async #renew(lease: Lease): Promise<void> {
    try {
      await lease.renew();
    } catch (error) {
      if (isOperatingError(error, 'NOT_OWNER') || !isOperatingError(error)) throw error;
    }
  }

  /** Closing by time is part of the log: the tick is a message like any other. */
  async #tick(): Promise<void> {
    const { clock, appender, partition } = this.#options;
    const progress = this.#progress;
    // Restored, and no turn yet: whether something waits for time is known after one tick.
    const isDue = progress
      ? progress.needsTicks && clock.nowMs() - progress.logTimeMs >= TICK_INTERVAL_MS / 2
      : this.#lease?.record.position !== '0';
    if (!isDue) return;
    try {
      await appender.append({ kind: 'tick', partition, body: new Uint8Array(0) });
    } catch (error) {
      if (!isOperatingError(error)) throw error; // the next second tries again
    }
  }

  async #clean(janitor: Janitor): Promise<void> {
    try {
      await janitor.clean();
    } catch (error) {
      if (!isOperatingError(error)) throw error; // the next minute tries again
    }
  }

  async #recoverFrom(cause: unknown): Promise<void> {
    const { partition, clock, onTrouble } = this.#options;
    if (!isOperatingError(cause)) throw cause;
    this.#error = cause;
    onTrouble(partition, cause);
    const maySkip = cause.code !== 'KERNEL_TRAPPED' || (await this.#trySkip(cause));
    if (cause.retry === 'never' || !maySkip) {
      this.#phase = 'halted';
      return;
    }
    this.#phase = 'waiting';
    await clock.wait(this.#backoff.nextMs(), this.#stop.signal).catch(() => {});
  }

  /**
   * The record that trapped the kernel is never applied again, in any replay. False when no record
   * can be named (a timer, a flush point), or when there were too many: then only a halt is honest.
   */
  async #trySkip(trap: OperatingError): Promise<boolean> {
    const { partition, ownership, clock } = this.#options;
    const index = Number(trap.where['index'] ?? -1);
    const nowMs = clock.monotonicMs();
    this.#skippedAtMs = [...this.#skippedAtMs.filter((atMs) => nowMs - atMs < HOUR_MS), nowMs];
    if (index < 0 || this.#skippedAtMs.length > SKIPS_PER_HOUR_MAX) return false;
    const sequence = BigInt(trap.where['sequence'] ?? 0);
    await ownership.addSkip({ partition, sequence, index });
    return true;
  }
}

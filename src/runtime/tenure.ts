/**
 * One ownership of one partition, from the claim to the release: the loop, and beside it renewals,
 * ticks, checkpoints and the janitor. In: a lease, a kernel that stands at its position, what a
 * standby kept. Out: settles when it was stopped or handed over, rejects with what ended it.
 */
import type { Clock } from '../base/clock.ts';
import { Mutex } from '../base/mutex.ts';
import type {
  BlockSink,
  FactSink,
  LogAppender,
  LogIdentity,
  LogPurger,
  LogReader,
  PartitionKernel,
  Published,
  Receipt,
  StateStore,
} from '../model/doors.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';
import {
  CHECKPOINT_SLOW_MS,
  OWNERSHIP_PAUSE_MS,
  PURGE_INTERVAL_MS,
  RENEW_INTERVAL_MS,
  TICK_INTERVAL_MS,
} from '../model/limit.ts';
import { storedIdentity } from '../model/ownership.ts';
import { Checkpointer } from './checkpoint.ts';
import type { Takeover } from './company/standby.ts';
import { drive, type Progress } from './drive.ts';
import { Janitor } from './janitor.ts';
import type { Lease } from './lease.ts';

/** Turns whose facts are on their way, at most: behind a longer queue the ends say enough. */
const RECEIPTS_MAX = 64;

export interface TenureDoors {
  readonly partition: number;
  readonly stateStore: StateStore;
  readonly reader: LogReader;
  readonly appender: LogAppender;
  readonly purger: LogPurger;
  readonly logRetentionMs: number;
  readonly blocks: BlockSink;
  readonly facts: FactSink;
  readonly clock: Clock;
  readonly checkpointIntervalMs: number;
  /** Default CHECKPOINT_SLOW_MS. */
  readonly checkpointSlowMs?: number;
  readonly semanticsVersion: number;
  readonly onTrouble: (partition: number, error: OperatingError) => void;
}

export interface TenureOptions extends TenureDoors {
  readonly lease: Lease;
  readonly kernel: PartitionKernel;
  /** In force at the kernel's position. */
  readonly planText: string;
  /** Whether it was restored from the checkpoint that the record names first. */
  readonly isNewest: boolean;
  /** Null after a cold start. */
  readonly takeover: Takeover | null;
  readonly onTurn: () => void;
}

export class Tenure {
  readonly #options: TenureOptions;
  readonly #boundary = new Mutex();
  readonly #checkpointer: Checkpointer;
  readonly #janitor: Janitor;
  readonly #handOver = new AbortController();
  #progress: Progress | null;
  /** A turn that failed half-way left a kernel of which no checkpoint may be taken. */
  #isWithinTurn = false;
  #ended: Promise<void> | null = null;
  /** Turns whose facts may not be acknowledged yet, in log order. */
  readonly #handedIn: { readonly identity: LogIdentity; readonly receipt: Receipt }[] = [];
  #published: LogIdentity | null = null;
  #checkpointing: Promise<unknown> = Promise.resolve();
  /** When the checkpoint under way began; null: none is, or it was told. */
  #captureAtMs: number | null = null;

  constructor(options: TenureOptions) {
    this.#options = options;
    this.#progress = options.takeover?.progress ?? null;
    this.#checkpointer = new Checkpointer({ ...options, boundary: this.#boundary });
    this.#janitor = new Janitor(options);
  }

  /** Once. With the signal it takes a last checkpoint; both ends release the partition. */
  run(signal: AbortSignal): Promise<void> {
    this.#ended = this.#run(signal);
    return this.#ended;
  }

  /** Up to where all facts of this tenure, and of what it took over, are on their subjects. */
  get published(): Published | null {
    while (this.#handedIn[0]?.receipt.isAcknowledged) {
      this.#published = this.#handedIn.shift()!.identity;
    }
    if (!this.#published) return null;
    const { generation } = this.#options.lease.record;
    return { generation, identity: storedIdentity(this.#published) };
  }

  /**
   * Gives the partition to a standby that is warm: a checkpoint while the loop goes on, so that
   * little is left to repeat, then the end of the loop and the release. True once it is released.
   */
  async handOver(): Promise<boolean> {
    if (!this.#ended) return false;
    try {
      await this.#checkpoint();
      this.#handOver.abort();
      await this.#ended;
      return true;
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      return false; // who asked finds out from the record
    }
  }

  /** The first of loop and companions to fail ends them all. */
  async #run(stop: AbortSignal): Promise<void> {
    const { clock, lease, kernel, takeover } = this.#options;
    const ended = new AbortController();
    const { signal } = ended;
    const end = () => ended.abort();
    for (const each of [stop, this.#handOver.signal]) {
      each.addEventListener('abort', end, { once: true });
      if (each.aborted) end();
    }
    const every = async (intervalMs: number, act: () => Promise<unknown>) => {
      while (!signal.aborted) {
        await clock.wait(intervalMs, signal).catch(() => {});
        if (!signal.aborted) await act();
      }
    };
    const loop = drive(
      {
        ...this.#options,
        kernel,
        lease,
        boundary: this.#boundary,
        backlog: takeover?.backlog ?? [],
        onTurn: (progress) => this.#turned(progress),
      },
      signal,
    );
    const parts = [
      loop,
      every(RENEW_INTERVAL_MS, () => this.#renew()),
      every(RENEW_INTERVAL_MS, async () => this.#watchCheckpoint()),
      every(TICK_INTERVAL_MS, () => this.#tick()),
      every(this.#options.checkpointIntervalMs, () => this.#checkpoint()),
      every(PURGE_INTERVAL_MS, () => this.#clean()),
    ];
    const failure = await Promise.all(parts).then(
      () => null,
      (error: unknown) => ({ error }),
    );
    end();
    stop.removeEventListener('abort', end);
    await Promise.allSettled([...parts, this.#checkpointing]);
    if (failure) throw failure.error;
    // Whoever asked for a hand-over holds the outputs since the last checkpoint itself.
    if (stop.aborted) await this.#checkpoint();
    await lease.release();
  }

  /** One at a time: a hand-over may ask for one while the interval's is under way. */
  #checkpoint(): Promise<void> {
    const next = this.#checkpointing.then(() => this.#takeCheckpoint());
    this.#checkpointing = next.catch(() => {});
    return next;
  }

  /** Capture and clearing of marks lie between turns; storing and waiting run beside them. */
  async #takeCheckpoint(): Promise<void> {
    const { kernel, lease, partition, onTrouble } = this.#options;
    const capture = await this.#boundary.run(() => {
      if (this.#isWithinTurn || !this.#progress) return null;
      if (kernel.position <= BigInt(lease.record.position)) return null;
      return this.#checkpointer.capture(kernel, this.#progress);
    });
    if (!capture) return;
    let acknowledged = false;
    this.#captureAtMs = this.#options.clock.monotonicMs();
    try {
      await this.#checkpointer.commit(capture);
      acknowledged = true;
    } catch (error) {
      // Trouble that passes: the log is kept, the next interval tries again with the same marks.
      if (!isOperatingError(error) || error.retry === 'never') throw error;
      onTrouble(partition, error);
    } finally {
      this.#captureAtMs = null;
      await this.#boundary.run(() => kernel.exportDone(acknowledged));
    }
  }

  /** Told once of each that lasts. */
  #watchCheckpoint(): void {
    const { clock, partition, onTrouble, lease } = this.#options;
    const limitMs = this.#options.checkpointSlowMs ?? CHECKPOINT_SLOW_MS;
    if (this.#captureAtMs === null || clock.monotonicMs() - this.#captureAtMs < limitMs) return;
    this.#captureAtMs = null;
    onTrouble(
      partition,
      new OperatingError(
        'CHECKPOINT_SLOW',
        `partition ${partition}: a checkpoint has been under way for more than ` +
          `${limitMs / 1000} s and waits for ${this.#checkpointer.waitsFor}; the last one stands ` +
          `at ${lease.record.position}, the log keeps what follows`,
        { where: { partition, position: lease.record.position } },
      ),
    );
  }

  #turned(progress: Progress | null): void {
    this.#isWithinTurn = progress === null;
    if (!progress) return;
    this.#progress = progress;
    if (this.#handedIn.length === RECEIPTS_MAX) this.#handedIn.pop();
    const receipt = this.#options.facts.receipt();
    this.#handedIn.push({ identity: progress.identity, receipt });
    this.#options.onTurn();
  }

  /** An unreachable record is not the end: the loop pauses by itself when it lasts, and says so. */
  async #renew(): Promise<void> {
    const { lease, partition, onTrouble } = this.#options;
    try {
      await lease.renew();
    } catch (error) {
      if (isOperatingError(error, 'NOT_OWNER') || !isOperatingError(error)) throw error;
      if (lease.paused) onTrouble(partition, pausedError(partition, error));
    }
  }

  /** Closing by time is part of the log: the tick is a message like any other. */
  async #tick(): Promise<void> {
    const { clock, appender, partition, lease } = this.#options;
    const progress = this.#progress;
    // Restored, and no turn yet: whether something waits for time is known after one tick.
    const isDue = progress
      ? progress.needsTicks && clock.nowMs() - progress.logTimeMs >= TICK_INTERVAL_MS / 2
      : lease.record.position !== '0';
    if (!isDue) return;
    try {
      await appender.append({ kind: 'tick', partition, body: new Uint8Array(0) });
    } catch (error) {
      if (!isOperatingError(error)) throw error; // the next second tries again
    }
  }

  async #clean(): Promise<void> {
    try {
      await this.#janitor.clean();
    } catch (error) {
      if (!isOperatingError(error)) throw error; // the next minute tries again
    }
  }
}

function pausedError(partition: number, cause: OperatingError): OperatingError {
  return new OperatingError(
    'OWNERSHIP_UNREACHABLE',
    `partition ${partition} pauses: its ownership record could not be renewed for ` +
      `${OWNERSHIP_PAUSE_MS / 1000} s (${cause.message})`,
    { cause, where: { partition } },
  );
}

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
import type { Semaphore } from '../base/semaphore.ts';
import type { PartitionKernel, Published } from '../model/doors.ts';
import { isOperatingError, type OperatingError } from '../model/error.ts';
import { SKIPS_PER_HOUR_MAX } from '../model/limit.ts';
import { Candidacy, type Succession } from './company/candidacy.ts';
import type { Cluster } from './company/cluster.ts';
import { Lease } from './lease.ts';
import { type BeginningOptions, begin } from './restart/beginning.ts';
import { Tenure, type TenureDoors } from './tenure.ts';

const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5000;
const HOUR_MS = 3_600_000;

export interface PartitionOptions extends BeginningOptions, TenureDoors {
  readonly owner: string;
  /** Somebody else owns the partition by now, and nothing of ours was written since. */
  readonly onFenced?: (partition: number, error: OperatingError) => void;
  /** Null: this process is alone with the log. */
  readonly company: Company | null;
}

/** The other workers of the same log. */
export interface Company {
  readonly cluster: Cluster;
  readonly moves: Semaphore;
  readonly requestHandOver: (member: string, partition: number) => Promise<boolean>;
}

export type PartitionPhase =
  | 'idle'
  | 'following'
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
  /** Up to where all facts are on their subjects; null: not known, or not the owner. */
  readonly published: Published | null;
  readonly error: OperatingError | null;
}

export class Partition {
  readonly #options: PartitionOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff = createBackoff(RESTART_FIRST_MS, RESTART_MAX_MS);
  #phase: PartitionPhase = 'idle';
  #error: OperatingError | null = null;
  #kernel: PartitionKernel | null = null;
  #lease: Lease | null = null;
  #tenure: Tenure | null = null;
  #candidacy: Candidacy | null = null;
  #skippedAtMs: number[] = [];
  /** Generation whose log was seen to lose its tail. */
  #lostTailIn: number | null = null;
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

  /** Gives the partition to whoever stands by for it; false when it is not ours to give. */
  handOver(): Promise<boolean> {
    return this.#tenure?.handOver() ?? Promise.resolve(false);
  }

  get status(): PartitionStatus {
    const stats = this.#kernel?.stats();
    const record = this.#lease?.record;
    const followed = this.#candidacy?.followed ?? null;
    return {
      partition: this.#options.partition,
      phase: followed === null ? this.#phase : 'following',
      position: this.#kernel?.position ?? followed ?? BigInt(record?.position ?? 0),
      checkpoint: BigInt(record?.position ?? 0),
      generation: record?.generation ?? 0,
      epoch: record?.epoch ?? 0,
      devices: stats?.devices ?? 0,
      memoryBytesUsed: stats?.memoryBytesUsed ?? 0,
      published: this.#tenure?.published ?? null,
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
    this.#phase = 'claiming';
    const succession = await this.#succeed();
    if (!succession) return;
    const { lease } = succession;
    this.#lease = lease;
    this.#phase = 'recovering';
    const lostTailIn = succession.lostTailIn ?? this.#lostTailIn;
    const beginning = await begin(this.#options, succession, lostTailIn).catch((error) =>
      this.#throwUnlessDeposed(error),
    );
    if (!beginning) return;
    const { kernel } = beginning;
    this.#lostTailIn = null;
    this.#kernel = kernel;
    try {
      const onTurn = () => this.#turned();
      this.#tenure = new Tenure({ ...this.#options, ...beginning, lease, onTurn });
      this.#phase = 'running';
      await this.#tenure.run(this.#stop.signal);
    } catch (error) {
      if (isOperatingError(error, 'LOG_TAIL_LOST')) this.#lostTailIn = lease.record.generation;
      await this.#throwUnlessDeposed(error);
    } finally {
      this.#tenure = null;
      this.#kernel = null;
      kernel.close();
    }
  }

  async #succeed(): Promise<Succession | null> {
    const { company } = this.#options;
    if (!company) {
      const lease = await Lease.claim(this.#options, this.#stop.signal);
      return { lease, takeover: null, lostTailIn: null };
    }
    this.#candidacy = new Candidacy({ ...this.#options, ...company });
    try {
      return await this.#candidacy.stand(this.#stop.signal);
    } finally {
      this.#candidacy = null;
    }
  }

  #turned(): void {
    this.#backoff.reset();
    this.#error = null;
  }

  async #recoverFrom(cause: unknown): Promise<void> {
    const { partition, clock, onTrouble } = this.#options;
    if (!isOperatingError(cause)) throw cause;
    this.#error = cause;
    onTrouble(partition, cause);
    const maySkip = cause.code !== 'KERNEL_TRAPPED' || (await this.#trySkip(cause));
    // Seen while it ran: the next attempt goes on in a new generation.
    const isTailLoss = cause.code === 'LOG_TAIL_LOST' && this.#phase === 'running';
    if ((cause.retry === 'never' && !isTailLoss) || !maySkip) {
      this.#phase = 'halted';
      return;
    }
    this.#phase = 'waiting';
    await clock.wait(this.#backoff.nextMs(), this.#stop.signal).catch(() => {});
  }

  /**
   * Deposed: among others this is how a partition moves on; alone, whoever holds the record now is
   * a mistake to be told, unless it was left for anybody to claim (promotion, savepoint).
   */
  async #throwUnlessDeposed(error: unknown): Promise<void> {
    if (!isOperatingError(error, 'NOT_OWNER')) throw error;
    if (!this.#options.company && !(await this.#isVacant())) throw error;
    this.#options.onFenced?.(this.#options.partition, error as OperatingError);
  }

  async #isVacant(): Promise<boolean> {
    const { ownership, partition } = this.#options;
    const found = await ownership.load(partition).catch((error: unknown) => {
      if (isOperatingError(error)) return null;
      throw error;
    });
    return found?.record.owner === '';
  }

  /**
   * The record that trapped the kernel is never applied again, in any replay. False when no record
   * can be named (a timer, a flush point), or when there were too many: then only a halt is honest.
   */
  async #trySkip(trap: OperatingError): Promise<boolean> {
    const { partition, ownership, clock, onTrouble } = this.#options;
    const index = Number(trap.where['index'] ?? -1);
    const nowMs = clock.monotonicMs();
    this.#skippedAtMs = [...this.#skippedAtMs.filter((atMs) => nowMs - atMs < HOUR_MS), nowMs];
    if (index < 0 || this.#skippedAtMs.length > SKIPS_PER_HOUR_MAX) return false;
    const sequence = BigInt(trap.where['sequence'] ?? 0);
    try {
      await ownership.addSkip({ partition, sequence, index });
    } catch (error) {
      if (!isOperatingError(error) || error.retry === 'never') throw error;
      this.#skippedAtMs.pop(); // not written: the record traps again, and is tried again
      onTrouble(partition, error);
    }
    return true;
  }
}

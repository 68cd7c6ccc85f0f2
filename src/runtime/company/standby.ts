/**
 * A hot standby of one partition: follows checkpoint and log as the owner does, and keeps its
 * outputs instead of giving them to the sinks, until a checkpoint covers them. In: a record. Out,
 * at a takeover: a kernel, and everything the dead owner may have had in flight. Continuing from
 * its own position alone would lose exactly that.
 */
import type { Clock } from '../../base/clock.ts';
import type { OwnershipRecord, PartitionKernel, TurnOutput } from '../../model/doors.ts';
import { STANDBY_BYTES_MAX } from '../../model/limit.ts';
import { applyChunk, checkClock, checkGap, type Progress } from '../drive.ts';
import { type RecoveryOptions, type Restored, recover } from '../recovery.ts';

const ROOM_POLL_MS = 20;
/** What a fact or dead letter takes beside its blocks, about: they are objects, not bytes. */
const FACT_BYTES = 512;

export interface StandbyOptions extends RecoveryOptions {
  readonly clock: Clock;
}

export class Standby {
  readonly #options: StandbyOptions;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #kept: TurnOutput[] = [];
  #keptBytes = 0;
  #progress: Progress | null = null;
  #planText: string;
  #failure: { readonly error: unknown } | null = null;
  readonly #restored: Restored;
  readonly kernel: PartitionKernel;
  readonly generation: number;

  private constructor(options: StandbyOptions, restored: Restored, record: OwnershipRecord) {
    this.#options = options;
    this.#restored = restored;
    this.kernel = restored.kernel;
    this.generation = record.generation;
    this.#planText = restored.planText;
    this.#following = this.#follow().catch((error: unknown) => {
      this.#failure = { error };
    });
  }

  /** Restores the record's state and begins to follow. Whoever opens it closes it, or takes it. */
  static async open(options: StandbyOptions, record: OwnershipRecord): Promise<Standby> {
    return new Standby(options, await recover(options, record), record);
  }

  get position(): bigint {
    return this.kernel.position;
  }

  /** Throws what ended the following, if anything did. */
  check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** A checkpoint stands at `position`: outputs up to it are durable elsewhere. */
  covered(position: bigint): void {
    const kept = this.#kept.filter((output) => reachesBeyond(output, position));
    this.#keptBytes = kept.reduce((bytes, output) => bytes + bytesOf(output), 0);
    this.#kept = kept;
  }

  /**
   * Ends the following after the turn in flight. The kernel now belongs to the caller, with the
   * outputs that no checkpoint covers, in log order.
   */
  async takeOver(): Promise<Takeover> {
    await this.#end();
    this.check();
    const { kernel, generation } = this;
    const planText = this.#planText;
    const { isNewest } = this.#restored;
    const given = { kernel, generation, planText, isNewest };
    return { ...given, backlog: this.#kept, progress: this.#progress };
  }

  async close(): Promise<void> {
    await this.#end();
    this.kernel.close();
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    await this.#following;
  }

  async #follow(): Promise<void> {
    const { reader, partition, clock } = this.#options;
    const { signal } = this.#stop;
    for await (const chunk of reader.read(partition, this.kernel.position + 1n, signal)) {
      while (this.#keptBytes > STANDBY_BYTES_MAX && !signal.aborted) {
        await clock.wait(ROOM_POLL_MS, signal).catch(() => {});
      }
      if (signal.aborted) return;
      checkClock(this.#options, chunk);
      await checkGap({ ...this.#options, kernel: this.kernel }, chunk);
      const keep = async (output: TurnOutput) => this.#keep(output);
      this.#progress = await applyChunk(this.kernel, chunk, this.#planText, keep);
      this.#planText = this.#progress.planText;
    }
  }

  #keep(output: TurnOutput): void {
    const bytes = bytesOf(output);
    if (bytes === 0) return;
    this.#kept.push(output);
    this.#keptBytes += bytes;
  }
}

export interface Takeover {
  readonly kernel: PartitionKernel;
  readonly generation: number;
  readonly backlog: readonly TurnOutput[];
  /** Null when nothing was applied since the restore. */
  readonly progress: Progress | null;
  readonly planText: string;
  readonly isNewest: boolean;
}

/** Facts of the messages up to `position` are on their subjects: only their rows are left. */
export function withoutPublished(backlog: readonly TurnOutput[], position: bigint): TurnOutput[] {
  return backlog.map((output) =>
    reachesBeyond(output, position) ? output : { ...output, facts: [], deadLetters: [] },
  );
}

/** One that ended within a turn holds parts of the message after its position. */
const reachesBeyond = ({ status, position }: TurnOutput, covered: bigint): boolean =>
  status === 'done' ? position > covered : position >= covered;

function bytesOf({ blocks, facts, deadLetters }: TurnOutput): number {
  const blockBytes = blocks.reduce((bytes, block) => bytes + block.bytes.length, 0);
  return blockBytes + (facts.length + deadLetters.length) * FACT_BYTES;
}

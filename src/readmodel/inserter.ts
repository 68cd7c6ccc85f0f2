/**
 * The combined inserter: collects the blocks of all partitions and stores them together. In: blocks
 * of turns, with the position each turn reached. Out: rows in ClickHouse, in the order of flushes.
 *
 *   insert ──▶ collecting ──every flushMs, at flushBytes, or asked──▶ spool/line.ts ──▶ stored
 *
 * One batch is put into the line while the next collects. Invariants: bytes held ≤ bufferBytesMax
 * plus one turn per partition plus the one batch being shipped (insert resolves only when there is
 * room); a partition counts as flushed only when all it handed in is stored, or, where the spool
 * covers checkpoints, on disk; while ClickHouse is away nothing is dropped.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { Gate } from '../base/gate.ts';
import type { Block, BlockProgress, BlockSink } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import type { Batch, PartitionBlock, Reach } from './batch.ts';
import type { Connection } from './connection.ts';
import type { Refusal } from './refused/refusal.ts';
import { createShipper, type Shipper } from './shipment.ts';
import { Line } from './spool/line.ts';
import type { Spool } from './spool/spool.ts';
import { readVisible, Visibility, writeGeneration } from './visibility.ts';

/** How long blocks wait for company: fewer, larger inserts against age of what is seen. */
const FLUSH_MS = 500;
/** Nor longer than this when ClickHouse is busy: what it cannot take then goes into the spool. */
const FLUSH_MS_MAX = 3_000;
/** Bytes of Native blocks that are sent at once without waiting longer. */
const FLUSH_BYTES = 16 * 1024 ** 2;
/** Bytes of Native blocks held in memory before turns have to wait. */
const BUFFER_BYTES_MAX = 64 * 1024 ** 2;
/** An insert takes less unless ClickHouse is in trouble; a checkpoint waits no longer than this. */
const SPILL_AFTER_MS = 2_000;

export interface InserterOptions {
  readonly connection: Connection;
  readonly database: string;
  readonly log: string;
  readonly cluster?: string | null;
  readonly clock: Clock;
  readonly deadLetterRetentionMs?: () => number;
  readonly flushMs?: number;
  readonly flushBytes?: number;
  readonly bufferBytesMax?: number;
  /** Where batches wait when ClickHouse does not take them. */
  readonly spool?: Spool | null;
  /**
   * What a batch in the spool is good for. `checkpoints`: it counts as flushed. Right only while
   * no other process ever goes on from the checkpoint: the spool lies on this machine, and until it
   * is read again its rows are missing. `turns`: it only frees memory, so that turns and facts go
   * on; checkpoints wait for ClickHouse. Default `turns`.
   */
  readonly spoolCovers?: 'checkpoints' | 'turns';
  readonly spillAfterMs?: number;
  /** A row became a dead letter; called after its row in `dead_letters` is stored. */
  readonly onRefused?: (refusal: Refusal) => void;
  /** What ClickHouse says while inserts are repeated; null when they go on. */
  readonly onTrouble?: (error: OperatingError | null) => void;
}

export interface InserterStats {
  readonly rows: number;
  readonly bytes: number;
  readonly inserts: number;
  readonly retries: number;
  readonly refusedRows: number;
  readonly bufferedBytes: number;
  /** Batches on disk that are not stored yet, and the disk they take. */
  readonly spooledBatches: number;
  readonly spooledBytes: number;
  /** How often the spool took nothing more in: full, or its disk in trouble. */
  readonly spoolRefusals: number;
  /** Age of the oldest block that is not stored yet; 0 when all is stored. */
  readonly lagMs: number;
  /** The error that inserts are being repeated for, else null. */
  readonly trouble: OperatingError | null;
}

export interface Inserter extends BlockSink, BlockProgress {
  stats(): InserterStats;
  /**
   * Stores what is held, at most for `deadlineMs`, then gives up; what is left comes from the log.
   */
  stop(deadlineMs: number): Promise<void>;
}

interface Collecting extends Batch {
  readonly tables: Map<string, PartitionBlock[]>;
  readonly reaches: Map<number, Reach>;
  bytes: number;
  sinceMs: number;
}

export function createInserter(options: InserterOptions): Inserter {
  return new CombinedInserter(options);
}

class CombinedInserter implements Inserter {
  readonly #options: InserterOptions;
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #flushBytes: number;
  readonly #bufferBytesMax: number;
  readonly #coversCheckpoints: boolean;
  readonly #spool: Spool | null;
  readonly #onTrouble: (error: OperatingError | null) => void;
  readonly #visibility: Visibility;
  readonly #shipper: Shipper;
  readonly #line: Line;
  readonly #abort = new AbortController();
  readonly #gate = new Gate();
  readonly #running: Promise<unknown>;
  /** Partition → number of the last batch that holds something of it. */
  readonly #lastBatch = new Map<number, number>();
  /** Partition → last position it handed in, since it was claimed. */
  readonly #handed = new Map<number, bigint>();
  /** Partitions that have begun anew and handed nothing in since. */
  readonly #begun = new Set<number>();
  #collecting = emptyBatch();
  #collectingNumber = 1;
  /** On its way into the line. */
  #leaving: Collecting | null = null;
  #isAsked = false;
  #isStopping = false;
  #trouble: OperatingError | null = null;
  #failure: unknown = null;

  constructor(options: InserterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#flushMs = options.flushMs ?? FLUSH_MS;
    this.#flushBytes = options.flushBytes ?? FLUSH_BYTES;
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
    this.#spool = options.spool ?? null;
    this.#coversCheckpoints = options.spoolCovers === 'checkpoints';
    this.#visibility = new Visibility(() => readVisible(options));
    this.#shipper = createShipper({
      ...options,
      visibility: this.#visibility,
      deadLetterRetentionMs: options.deadLetterRetentionMs ?? (() => 0),
      onRefused: options.onRefused ?? (() => undefined),
      onTrouble: (error) => this.#noteTrouble(error),
    });
    this.#line = new Line({
      shipper: this.#shipper,
      spool: this.#spool,
      clock: this.#clock,
      spillAfterMs: options.spillAfterMs ?? SPILL_AFTER_MS,
      onChange: () => this.#gate.open(),
      onTrouble: this.#onTrouble,
      signal: this.#abort.signal,
    });
    const parts = [this.#run(), this.#line.run()];
    for (const part of parts) {
      part.catch((error: unknown) => {
        this.#failure ??= error;
        this.#abort.abort(error);
        this.#gate.open();
      });
    }
    this.#running = Promise.allSettled(parts);
  }

  async insert(partition: number, blocks: readonly Block[], position: bigint): Promise<void> {
    this.#throwIfEnded();
    this.#visibility.throwIfBehind(partition);
    if (this.#isStopping) throw stoppedError(this.#trouble);
    const batch = this.#collecting;
    if (batch.reaches.size === 0) batch.sinceMs = this.#clock.monotonicMs();
    addBlocks(batch, partition, blocks);
    batch.reaches.set(partition, this.#reach(partition, position));
    this.#handed.set(partition, position);
    this.#lastBatch.set(partition, this.#collectingNumber);
    this.#gate.open();
    while (this.#heldBytes() >= this.#bufferBytesMax) {
      await this.#gate.passed;
      this.#throwIfEnded();
    }
  }

  async flushed(partition: number): Promise<void> {
    const number = this.#lastBatch.get(partition) ?? 0;
    if (number === this.#collectingNumber) this.#ask();
    while (number > (this.#coversCheckpoints ? this.#line.secured : this.#line.stored)) {
      this.#throwIfEnded();
      await this.#gate.passed;
    }
    this.#visibility.throwIfBehind(partition);
  }

  begin(partition: number, position: bigint): void {
    this.#handed.set(partition, position);
    this.#begun.add(partition);
  }

  /** What is on its way counts: it is stored before anything that is handed in from now on. */
  async reached(partition: number): Promise<bigint> {
    this.#handed.delete(partition);
    const leaving: Batch['reaches'][] = this.#leaving === null ? [] : [this.#leaving.reaches];
    const inLine = this.#line.reaches().filter((reaches) => !leaving.includes(reaches));
    return this.#visibility.reached(partition, [...inLine, ...leaving, this.#collecting.reaches]);
  }

  /** Rows of the older generation that are on their way are stored first: `visible` covers them. */
  async beginGeneration(partition: number, generation: number, cut: bigint): Promise<void> {
    this.#handed.delete(partition);
    while (this.#isOnTheWay(partition)) {
      this.#ask();
      await this.#gate.passed;
      this.#throwIfEnded();
    }
    await writeGeneration(this.#options, { partition, generation, cut });
    this.#visibility.doubt();
    await this.#visibility.reached(partition, []);
  }

  #isOnTheWay(partition: number): boolean {
    const batches = [this.#collecting.reaches, ...this.#line.reaches()];
    if (this.#leaving) batches.push(this.#leaving.reaches);
    return batches.some((reaches) => reaches.has(partition));
  }

  stats(): InserterStats {
    const oldest = this.#leaving ?? this.#collecting;
    const isEmpty = oldest.reaches.size === 0;
    const sinceMs = this.#line.sinceMs ?? (isEmpty ? null : oldest.sinceMs);
    return {
      ...this.#shipper.counts,
      bufferedBytes: this.#heldBytes(),
      spooledBatches: this.#spool?.records ?? 0,
      spooledBytes: this.#spool?.bytes ?? 0,
      spoolRefusals: this.#line.refusals,
      lagMs: sinceMs === null ? 0 : this.#clock.monotonicMs() - sinceMs,
      trouble: this.#trouble,
    };
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    this.#gate.open();
    const over = new AbortController();
    const deadline = this.#clock.wait(deadlineMs, over.signal).then(
      () => this.#abort.abort(stoppedError(this.#trouble)),
      () => undefined,
    );
    await this.#running;
    over.abort();
    await deadline;
    this.#gate.open();
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      if (this.#collecting.reaches.size === 0) {
        if (this.#isStopping) break;
        await this.#gate.passed;
        continue;
      }
      const waitMs = this.#waitMs();
      if (waitMs > 0) await this.#gate.passedWithin(waitMs, this.#clock);
      else await this.#putCollected();
    }
    this.#line.close();
  }

  /**
   * How long the batch still collects. A busy ClickHouse gets fewer and larger inserts: it pays per
   * insert, and whoever asks again while it is behind only makes it slower.
   */
  #waitMs(): number {
    const { bytes, sinceMs } = this.#collecting;
    if (this.#isStopping || bytes >= this.#flushBytes) return 0;
    const nowMs = this.#clock.monotonicMs();
    const dueMs = sinceMs + (this.#isAsked ? 0 : this.#flushMs);
    const lastMs = sinceMs + Math.max(this.#flushMs, FLUSH_MS_MAX);
    return Math.min(Math.max(dueMs, this.#line.restsUntilMs), lastMs) - nowMs;
  }

  /** Opens the gate once: partitions that wait and ask in turns would wake each other for ever. */
  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#gate.open();
  }

  async #putCollected(): Promise<void> {
    const number = this.#collectingNumber;
    const batch = this.#collecting;
    this.#leaving = batch;
    this.#collecting = emptyBatch();
    this.#collectingNumber += 1;
    this.#isAsked = false;
    await this.#line.put(batch, { number, sinceMs: batch.sinceMs });
    this.#leaving = null;
    this.#gate.open();
  }

  /** A partition that goes back to a checkpoint hands in lower positions than before. */
  #reach(partition: number, position: bigint): Reach {
    const handed = this.#handed.get(partition) ?? null;
    const goesOn = handed !== null && position >= handed;
    const isNew = this.#begun.delete(partition);
    const sameBatch = isNew ? undefined : this.#collecting.reaches.get(partition);
    if (goesOn && sameBatch !== undefined) return { after: sameBatch.after, position };
    return { after: goesOn ? handed : null, position };
  }

  #heldBytes(): number {
    return this.#collecting.bytes + (this.#leaving?.bytes ?? 0);
  }

  #noteTrouble(error: OperatingError | null): void {
    const isNew = error?.message !== this.#trouble?.message;
    this.#trouble = error;
    if (isNew) this.#onTrouble(error);
  }

  #throwIfEnded(): void {
    if (this.#failure === null) return;
    throw this.#isStopping ? stoppedError(this.#trouble) : this.#failure;
  }
}

function emptyBatch(): Collecting {
  return { tables: new Map(), reaches: new Map(), bytes: 0, sinceMs: 0 };
}

function addBlocks(batch: Collecting, partition: number, blocks: readonly Block[]): void {
  for (const block of blocks) {
    assert(block.rows > 0, `a block of ${block.table} without rows`);
    const ofTable = batch.tables.get(block.table) ?? [];
    ofTable.push({ ...block, partition });
    batch.tables.set(block.table, ofTable);
    batch.bytes += block.bytes.length;
  }
}

function stoppedError(trouble: OperatingError | null): OperatingError {
  const why = trouble === null ? '' : ` while ClickHouse was away: ${trouble.message}`;
  const text = `the inserter was stopped${why}; what it held is read from the log again`;
  return new OperatingError('CLICKHOUSE_UNREACHABLE', text, { cause: trouble ?? undefined });
}

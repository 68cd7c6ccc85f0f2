/**
 * The combined inserter: collects the blocks of all partitions and stores them together. In: blocks
 * of turns, with the position each turn reached. Out: rows in ClickHouse, in the order of flushes.
 *
 *   insert ──▶ collecting ──every flushMs, at flushBytes, or asked──▶ in flight ──▶ stored
 *
 * One batch is in flight while the next collects. Invariants: bytes held ≤ bufferBytesMax plus one
 * turn per partition (insert resolves only when there is room); a partition counts as flushed only
 * when all it handed in is stored; while ClickHouse is away nothing is dropped.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Block, BlockSink } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import type { Connection } from './connection.ts';
import type { Refusal } from './refusal.ts';
import { createShipper, type PartitionBlock, type Shipper } from './shipment.ts';

/** How long blocks wait for company: fewer, larger inserts against age of what is seen. */
const FLUSH_MS = 500;
/** Bytes of Native blocks that are sent at once without waiting longer. */
const FLUSH_BYTES = 16 * 1024 ** 2;
/** Bytes of Native blocks held in memory before turns have to wait. */
const BUFFER_BYTES_MAX = 64 * 1024 ** 2;

export interface InserterOptions {
  readonly connection: Connection;
  readonly database: string;
  readonly log: string;
  readonly clock: Clock;
  readonly deadLetterRetentionMs?: () => number;
  readonly flushMs?: number;
  readonly flushBytes?: number;
  readonly bufferBytesMax?: number;
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
  /** Age of the oldest block that is not stored yet; 0 when all is stored. */
  readonly lagMs: number;
  /** The error that inserts are being repeated for, else null. */
  readonly trouble: OperatingError | null;
}

export interface Inserter extends BlockSink {
  stats(): InserterStats;
  /**
   * Stores what is held, at most for `deadlineMs`, then gives up; what is left comes from the log.
   */
  stop(deadlineMs: number): Promise<void>;
}

interface Collecting {
  readonly tables: Map<string, PartitionBlock[]>;
  readonly positions: Map<number, bigint>;
  bytes: number;
  sinceMs: number;
}

export function createInserter(options: InserterOptions): Inserter {
  return new CombinedInserter(options);
}

class CombinedInserter implements Inserter {
  readonly #clock: Clock;
  readonly #flushMs: number;
  readonly #flushBytes: number;
  readonly #bufferBytesMax: number;
  readonly #onTrouble: (error: OperatingError | null) => void;
  readonly #shipper: Shipper;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  /** Partition → number of the last batch that holds something of it. */
  readonly #lastBatch = new Map<number, number>();
  #collecting = emptyBatch();
  #collectingNumber = 1;
  #storedNumber = 0;
  #inFlight: Collecting | null = null;
  #isAsked = false;
  #isStopping = false;
  #trouble: OperatingError | null = null;
  #failure: unknown = null;
  /** Cuts the wait for company short. */
  #urgency = new AbortController();
  /** Opens when something changed that somebody may wait for. */
  #gate = createGate();

  constructor(options: InserterOptions) {
    this.#clock = options.clock;
    this.#flushMs = options.flushMs ?? FLUSH_MS;
    this.#flushBytes = options.flushBytes ?? FLUSH_BYTES;
    this.#bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
    this.#onTrouble = options.onTrouble ?? (() => undefined);
    this.#shipper = createShipper({
      ...options,
      deadLetterRetentionMs: options.deadLetterRetentionMs ?? (() => 0),
      onRefused: options.onRefused ?? (() => undefined),
      onTrouble: (error) => this.#noteTrouble(error),
    });
    this.#running = this.#run().catch((error: unknown) => {
      this.#failure = error;
      this.#announce();
    });
  }

  async insert(partition: number, blocks: readonly Block[], position: bigint): Promise<void> {
    this.#throwIfEnded();
    if (this.#isStopping) throw stoppedError(this.#trouble);
    const batch = this.#collecting;
    if (batch.positions.size === 0) batch.sinceMs = this.#clock.monotonicMs();
    addTo(batch, partition, blocks, position);
    this.#lastBatch.set(partition, this.#collectingNumber);
    this.#announce();
    if (batch.bytes >= this.#flushBytes) this.#urgency.abort();
    while (this.#heldBytes() >= this.#bufferBytesMax) {
      await this.#gate.passed;
      this.#throwIfEnded();
    }
  }

  async flushed(partition: number): Promise<void> {
    const number = this.#lastBatch.get(partition) ?? 0;
    if (number === this.#collectingNumber) {
      this.#isAsked = true;
      this.#urgency.abort();
    }
    while (number > this.#storedNumber) {
      this.#throwIfEnded();
      await this.#gate.passed;
    }
  }

  stats(): InserterStats {
    const oldest = this.#inFlight ?? this.#collecting;
    const isEmpty = oldest.positions.size === 0;
    return {
      ...this.#shipper.counts,
      bufferedBytes: this.#heldBytes(),
      lagMs: isEmpty ? 0 : this.#clock.monotonicMs() - oldest.sinceMs,
      trouble: this.#trouble,
    };
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    this.#urgency.abort();
    this.#announce();
    const over = new AbortController();
    const deadline = this.#clock.wait(deadlineMs, over.signal).then(
      () => this.#abort.abort(stoppedError(this.#trouble)),
      () => undefined,
    );
    await this.#running;
    over.abort();
    await deadline;
    this.#announce();
  }

  async #run(): Promise<void> {
    for (;;) {
      if (this.#collecting.positions.size === 0) {
        if (this.#isStopping) return;
        await this.#gate.passed;
      } else if (this.#isDue()) {
        await this.#shipCollected();
      } else {
        this.#urgency = new AbortController();
        const waitMs = this.#collecting.sinceMs + this.#flushMs - this.#clock.monotonicMs();
        await this.#clock.wait(Math.max(0, waitMs), this.#urgency.signal).catch(() => undefined);
      }
    }
  }

  #isDue(): boolean {
    const { bytes, sinceMs } = this.#collecting;
    if (this.#isAsked || this.#isStopping || bytes >= this.#flushBytes) return true;
    return this.#clock.monotonicMs() - sinceMs >= this.#flushMs;
  }

  async #shipCollected(): Promise<void> {
    const number = this.#collectingNumber;
    const batch = this.#collecting;
    this.#inFlight = batch;
    this.#collecting = emptyBatch();
    this.#collectingNumber += 1;
    this.#isAsked = false;
    await this.#shipper.ship(batch, this.#abort.signal);
    this.#inFlight = null;
    this.#storedNumber = number;
    this.#announce();
  }

  #heldBytes(): number {
    return this.#collecting.bytes + (this.#inFlight?.bytes ?? 0);
  }

  #noteTrouble(error: OperatingError | null): void {
    const isNew = error?.message !== this.#trouble?.message;
    this.#trouble = error;
    if (isNew) this.#onTrouble(error);
  }

  #announce(): void {
    this.#gate.open();
    this.#gate = createGate();
  }

  #throwIfEnded(): void {
    if (this.#failure === null) return;
    throw this.#abort.signal.aborted ? stoppedError(this.#trouble) : this.#failure;
  }
}

function emptyBatch(): Collecting {
  return { tables: new Map(), positions: new Map(), bytes: 0, sinceMs: 0 };
}

function addTo(
  batch: Collecting,
  partition: number,
  blocks: readonly Block[],
  position: bigint,
): void {
  for (const block of blocks) {
    assert(block.rows > 0, `a block of ${block.table} without rows`);
    const ofTable = batch.tables.get(block.table) ?? [];
    ofTable.push({ ...block, partition });
    batch.tables.set(block.table, ofTable);
    batch.bytes += block.bytes.length;
  }
  batch.positions.set(partition, position);
}

function stoppedError(trouble: OperatingError | null): OperatingError {
  const why = trouble === null ? '' : ` while ClickHouse was away: ${trouble.message}`;
  const text = `the inserter was stopped${why}; what it held is read from the log again`;
  return new OperatingError('CLICKHOUSE_UNREACHABLE', text, { cause: trouble ?? undefined });
}

function createGate(): { readonly passed: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

/**
 * The combined inserter: collects the blocks of all partitions and stores them together. In: blocks of
 * turns, with the position each turn reached. Out: rows in ClickHouse, in the order of flushes.
 *
 *   insert ──▶ collecting ──every flushMs, at flushBytes, or asked──▶ in flight ──▶ stored
 *
 * One batch is in flight while the next collects. Invariants: bytes held ≤ bufferBytesMax plus one turn
 * per partition (insert resolves only when there is room); a partition counts as flushed only
 * when all it handed in is stored; while ClickHouse is away nothing is dropped.
 */
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { BlockSink } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import type { Connection } from './connection.ts';
import type { Refusal } from './refusal.ts';
import { type Batch, createShipper, type PartitionBlock } from './shipment.ts';

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
  /** Stores what is held, at most for `deadlineMs`, then gives up; what is left comes from the log. */
  stop(deadlineMs: number): Promise<void>;
}

interface Collecting {
  readonly tables: Map<string, PartitionBlock[]>;
  readonly positions: Map<number, bigint>;
  bytes: number;
  sinceMs: number;
}

export function createInserter(options: InserterOptions): Inserter {
  const { clock } = options;
  const flushMs = options.flushMs ?? FLUSH_MS;
  const flushBytes = options.flushBytes ?? FLUSH_BYTES;
  const bufferBytesMax = options.bufferBytesMax ?? BUFFER_BYTES_MAX;
  let trouble: OperatingError | null = null;
  const shipper = createShipper({
    ...options,
    deadLetterRetentionMs: options.deadLetterRetentionMs ?? (() => 0),
    onRefused: options.onRefused ?? (() => undefined),
    onTrouble: (error) => {
      const changed = error?.message !== trouble?.message;
      trouble = error;
      if (changed) options.onTrouble?.(error);
    },
  });

  let collecting = emptyBatch();
  let collectingNumber = 1;
  let storedNumber = 0;
  let inFlightBytes = 0;
  let inFlightSinceMs = 0;
  let asked = false;
  let stopping = false;
  let failure: unknown = null;
  /** Partition → number of the last batch that holds something of it. */
  const lastBatch = new Map<number, number>();
  const abort = new AbortController();
  let urgency = new AbortController();
  let gate = createGate();

  const announce = (): void => {
    gate.open();
    gate = createGate();
  };
  const hurry = (): void => urgency.abort();
  const heldBytes = (): number => collecting.bytes + inFlightBytes;
  const isDue = (): boolean =>
    asked ||
    stopping ||
    collecting.bytes >= flushBytes ||
    clock.monotonicMs() - collecting.sinceMs >= flushMs;

  const shipCollected = async (): Promise<void> => {
    const batch: Batch = collecting;
    const number = collectingNumber;
    inFlightBytes = collecting.bytes;
    inFlightSinceMs = collecting.sinceMs;
    collecting = emptyBatch();
    collectingNumber += 1;
    asked = false;
    await shipper.ship(batch, abort.signal);
    inFlightBytes = 0;
    storedNumber = number;
    announce();
  };

  const run = async (): Promise<void> => {
    for (;;) {
      if (collecting.positions.size === 0) {
        if (stopping) return;
        await gate.passed;
      } else if (!isDue()) {
        urgency = new AbortController();
        const waitMs = collecting.sinceMs + flushMs - clock.monotonicMs();
        await clock.wait(Math.max(0, waitMs), urgency.signal).catch(() => undefined);
      } else {
        await shipCollected();
      }
    }
  };
  const running = run().catch((error: unknown) => {
    failure = error;
    announce();
  });

  const throwIfEnded = (): void => {
    if (failure !== null) throw abort.signal.aborted ? stoppedError(trouble) : failure;
  };

  return {
    async insert(partition, blocks, position) {
      throwIfEnded();
      if (stopping) throw stoppedError(trouble);
      if (collecting.positions.size === 0) collecting.sinceMs = clock.monotonicMs();
      addTo(collecting, partition, blocks, position);
      lastBatch.set(partition, collectingNumber);
      announce();
      if (collecting.bytes >= flushBytes) hurry();
      while (heldBytes() >= bufferBytesMax) {
        await gate.passed;
        throwIfEnded();
      }
    },
    async flushed(partition) {
      const number = lastBatch.get(partition) ?? 0;
      if (number > storedNumber && number === collectingNumber) {
        asked = true;
        hurry();
      }
      while (number > storedNumber) {
        throwIfEnded();
        await gate.passed;
      }
    },
    stats() {
      const sinceMs = inFlightBytes > 0 ? inFlightSinceMs : collecting.sinceMs;
      const holds = inFlightBytes > 0 || collecting.positions.size > 0;
      return {
        ...shipper.counts,
        bufferedBytes: heldBytes(),
        lagMs: holds ? clock.monotonicMs() - sinceMs : 0,
        trouble,
      };
    },
    async stop(deadlineMs) {
      stopping = true;
      hurry();
      announce();
      const over = new AbortController();
      const deadline = clock.wait(deadlineMs, over.signal).then(
        () => abort.abort(stoppedError(trouble)),
        () => undefined,
      );
      await running;
      over.abort();
      await deadline;
      announce();
    },
  };
}

function emptyBatch(): Collecting {
  return { tables: new Map(), positions: new Map(), bytes: 0, sinceMs: 0 };
}

function addTo(
  batch: Collecting,
  partition: number,
  blocks: Parameters<BlockSink['insert']>[1],
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

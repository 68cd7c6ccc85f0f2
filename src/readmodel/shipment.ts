/**
 * Stores a batch. In: blocks by table, how far they reach. Out: rows in ClickHouse and, after all
 * of them, a row of `visible` per partition, unless there is a gap before (visibility.ts).
 *
 * One INSERT per table, several tables at a time. An INSERT that fails is
 *   refused for its data → halved down to the row, which becomes a dead letter; the rest is stored
 *   anything else       → sent again, the same bytes under the same token, until it is stored
 * The token names an attempt, never a range of the log: what is written again after a restore or a
 * repair comes under new tokens and is never mistaken for a duplicate.
 */
import { randomUUID } from 'node:crypto';
import { createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { isOperatingError, type OperatingError } from '../model/error.ts';
import { DEAD_LETTERS, VISIBLE } from '../model/table.ts';
import type { Batch, PartitionBlock } from './batch.ts';
import { type Connection, clickHouseCode, isRefusedData } from './connection.ts';
import { nativeRow, parseNative, sliceNative } from './refused/native-split.ts';
import { createRefusal, type Refusal, refusalRow } from './refused/refusal.ts';
import { qualified } from './sql.ts';
import type { Visibility } from './visibility.ts';

const RETRY_FIRST_MS = 100;
const RETRY_WAIT_MS_MAX = 5_000;
/** INSERTs at a time; each fsyncs a part per table partition. */
const TABLES_AT_A_TIME = 4;

export interface ShipmentOptions {
  readonly connection: Connection;
  readonly database: string;
  readonly log: string;
  readonly clock: Clock;
  readonly visibility: Visibility;
  /** How long dead letters are kept, in milliseconds of log time; 0 = for ever. */
  readonly deadLetterRetentionMs: () => number;
  readonly onRefused: (refusal: Refusal) => void;
  /** Each failed attempt that will be repeated; null when one succeeded again. */
  readonly onTrouble: (error: OperatingError | null) => void;
}

export interface ShipmentCounts {
  rows: number;
  bytes: number;
  inserts: number;
  retries: number;
  refusedRows: number;
}

export interface Shipper {
  /** Resolves when everything is stored; rejects only when the signal aborts, or for a bug. */
  ship(batch: Batch, signal: AbortSignal): Promise<void>;
  readonly counts: Readonly<ShipmentCounts>;
}

export function createShipper(options: ShipmentOptions): Shipper {
  return new BatchShipper(options);
}

class BatchShipper implements Shipper {
  readonly counts: ShipmentCounts = { rows: 0, bytes: 0, inserts: 0, retries: 0, refusedRows: 0 };
  readonly #options: ShipmentOptions;
  /** Differs in every start of the process. */
  readonly #start = randomUUID();
  #attempts = 0;

  constructor(options: ShipmentOptions) {
    this.#options = options;
  }

  async ship(batch: Batch, signal: AbortSignal): Promise<void> {
    const queue = [...batch.tables];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next; next = queue.shift()) {
        await this.#store(next[0], next[1], signal);
      }
    };
    const workers = Array.from({ length: Math.min(TABLES_AT_A_TIME, queue.length) }, worker);
    // All have ended before an error goes on: nothing is written behind the caller's back.
    for (const result of await Promise.allSettled(workers)) {
      if (result.status === 'rejected') throw result.reason;
    }
    await this.#makeVisible(batch, signal);
  }

  async #makeVisible(batch: Batch, signal: AbortSignal): Promise<void> {
    const { log, visibility } = this.#options;
    await this.#persist(() => visibility.refresh(), signal);
    if (visibility.hasGap(batch.reaches)) {
      // Another worker may have had the partition since: what it wrote is not known here yet.
      visibility.doubt();
      await this.#persist(() => visibility.refresh(), signal);
    }
    const positions = visibility.admit(batch.reaches);
    if (positions.size === 0) return;
    const rows = [...positions].map(([partition, sequence]) => ({
      log,
      partition,
      sequence: `${sequence}`,
      is_deleted: 0,
    }));
    await this.#storeRows(VISIBLE.name, rows, signal);
    visibility.written(positions);
  }

  async #store(
    table: string,
    blocks: readonly PartitionBlock[],
    signal: AbortSignal,
  ): Promise<void> {
    const { connection, database } = this.#options;
    const insert = {
      table: qualified(database, table),
      blocks: blocks.map((block) => block.bytes),
      token: `${this.#start}:${this.#attempts++}`,
      signal,
    };
    try {
      await this.#persist(() => connection.insertNative(insert), signal);
    } catch (error) {
      if (signal.aborted || !isRefusedData(error)) throw error;
      for (const half of halves(blocks)) await this.#store(table, half, signal);
      if (blocks.length === 1 && blocks[0]!.rows === 1) {
        await this.#refuse(blocks[0]!, error, signal);
      }
      return;
    }
    this.counts.inserts += 1;
    for (const block of blocks) {
      this.counts.rows += block.rows;
      this.counts.bytes += block.bytes.length;
    }
  }

  /** Runs until it succeeds or its data is refused. */
  async #persist(work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, onTrouble, visibility } = this.#options;
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_WAIT_MS_MAX);
    for (;;) {
      try {
        await work();
        onTrouble(null);
        return;
      } catch (error) {
        if (signal.aborted || isRefusedData(error)) throw error;
        this.counts.retries += 1;
        if (isOperatingError(error, 'CLICKHOUSE_UNREACHABLE')) visibility.doubt();
        onTrouble(error as OperatingError);
        await clock.wait(backoff.nextMs(), signal);
      }
    }
  }

  async #refuse(block: PartitionBlock, error: unknown, signal: AbortSignal): Promise<void> {
    const { log, deadLetterRetentionMs, onRefused } = this.#options;
    const refusal = createRefusal({
      table: block.table,
      partition: block.partition,
      row: nativeRow(parseNative(block.bytes), 0),
      bytes: block.bytes.length,
      code: clickHouseCode(error),
      message: (error as Error).message,
    });
    this.counts.refusedRows += 1;
    const row = refusalRow(refusal, log, deadLetterRetentionMs());
    await this.#storeRows(DEAD_LETTERS.name, [row], signal);
    onRefused(refusal);
  }

  async #storeRows(table: string, rows: readonly object[], signal: AbortSignal): Promise<void> {
    const { connection, database } = this.#options;
    const name = qualified(database, table);
    await this.#persist(() => connection.insertRows(name, rows, signal), signal);
  }
}

/** Two halves of several blocks, or of the rows of one; nothing for a single row. */
function halves(blocks: readonly PartitionBlock[]): PartitionBlock[][] {
  if (blocks.length > 1) {
    const middle = blocks.length >> 1;
    return [blocks.slice(0, middle), blocks.slice(middle)];
  }
  const block = blocks[0]!;
  if (block.rows < 2) return [];
  const parsed = parseNative(block.bytes);
  const middle = block.rows >> 1;
  const half = (from: number, to: number): PartitionBlock[] => [
    { ...block, rows: to - from, bytes: sliceNative(parsed, from, to) },
  ];
  return [half(0, middle), half(middle, block.rows)];
}

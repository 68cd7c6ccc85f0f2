/**
 * The door of query: questions about the read models. In: where ClickHouse is and who asks. Out:
 * rows, streams, the state of the books. Never writes (invariant 10).
 */
import type { Readable } from 'node:stream';
import { type Clock, systemClock } from '../base/clock.ts';
import {
  askDeadLetters,
  askLedger,
  askLedgerByPartition,
  askVisible,
  type DeadLetterFilter,
  type DeadLetterRow,
  type LedgerSummary,
  type PartitionLedger,
  waitVisible,
} from './account.ts';
import { createAsker, type Endpoint, type Parameters, type StreamOptions } from './ask.ts';

export type { DeadLetterFilter, DeadLetterRow, LedgerSummary, PartitionLedger } from './account.ts';
export type { Endpoint, Parameters, StreamOptions } from './ask.ts';

export interface Query {
  /** All rows as objects; 64-bit integers are strings. For results that fit in memory. */
  rows<T>(sql: string, parameters?: Parameters, signal?: AbortSignal): Promise<T[]>;
  /** Bytes in any format, as ClickHouse sends them; to be read to their end or destroyed. */
  stream(sql: string, options?: StreamOptions): Promise<Readable>;
  /** Rejects with CLICKHOUSE_UNREACHABLE when nobody answers. */
  ping(): Promise<void>;
  visible(partition: number): Promise<bigint>;
  /** True once everything up to `sequence` can be seen, false when `deadlineMs` passed. */
  waitVisible(partition: number, sequence: bigint, deadlineMs: number): Promise<boolean>;
  ledgerSummary(): Promise<LedgerSummary>;
  ledgerByPartition(): Promise<PartitionLedger[]>;
  deadLetters(filter?: DeadLetterFilter): Promise<DeadLetterRow[]>;
  /** Letters of one log message, or of one record in it. */
  findDeadLetters(partition: number, sequence: bigint, index?: number): Promise<DeadLetterRow[]>;
  close(): Promise<void>;
}

export function createQuery(endpoint: Endpoint, clock: Clock = systemClock): Query {
  const asker = createAsker(endpoint);
  return {
    rows: (sql, parameters, signal) => asker.rows(sql, parameters, signal),
    stream: (sql, options) => asker.stream(sql, options),
    ping: () => asker.ping(),
    visible: (partition) => askVisible(asker, partition),
    waitVisible: (partition, sequence, deadlineMs) =>
      waitVisible(asker, { partition, sequence, deadlineMs, clock }),
    ledgerSummary: () => askLedger(asker),
    ledgerByPartition: () => askLedgerByPartition(asker),
    deadLetters: (filter = {}) => askDeadLetters(asker, filter),
    findDeadLetters: (partition, sequence, index) =>
      askDeadLetters(asker, { partition, sequence, ...(index === undefined ? {} : { index }) }),
    close: () => asker.close(),
  };
}

/**
 * The read model's door. In: where ClickHouse is, which log fills it, the kernel's blocks. Out:
 * tables, views and rows. Knows nothing of sockets, payloads or who asks.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { PlanTables } from '../model/doors.ts';
import { createConnection } from './connection.ts';
import { createInserter, type Inserter, type InserterOptions } from './inserter.ts';
import { createMigration } from './migration.ts';

export type { Inserter, InserterStats } from './inserter.ts';
export type { Refusal } from './refusal.ts';

/** Ctrl-C stops everything within 10 s; what is not stored by then is read from the log again. */
const STOP_MS = 4_000;

export interface ReadModelOptions
  extends Pick<
    InserterOptions,
    'flushMs' | 'flushBytes' | 'bufferBytesMax' | 'onRefused' | 'onTrouble'
  > {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Log id: one database holds the rows of one log. */
  readonly log: string;
  readonly clock?: Clock;
}

export interface ReadModel extends PlanTables {
  /** Creates database, tables and views; CLICKHOUSE_UNREACHABLE may be tried again. */
  start(): Promise<void>;
  readonly sink: Inserter;
  /** Stores what is held, at most for `deadlineMs`, and closes the connection. */
  stop(deadlineMs?: number): Promise<void>;
}

export function createReadModel(options: ReadModelOptions): ReadModel {
  const connection = createConnection(options);
  const { database, log } = options;
  const migration = createMigration(connection, { database, log, cluster: null });
  const clock = options.clock ?? systemClock;
  let retentionMs = 0;
  const deadLetterRetentionMs = (): number => retentionMs;
  const sink = createInserter({ ...options, connection, clock, deadLetterRetentionMs });
  return {
    sink,
    start: () => migration.start(),
    async prepare(plan) {
      retentionMs = plan.deadLetterRetentionMs;
      await migration.prepare(plan);
    },
    async stop(deadlineMs = STOP_MS) {
      await sink.stop(deadlineMs);
      await connection.close();
    },
  };
}

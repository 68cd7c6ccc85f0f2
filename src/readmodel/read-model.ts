/**
 * The read model as a whole. In: where ClickHouse is, which log fills it, the kernel's blocks. Out:
 * tables, views and rows.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { PlanTables } from '../model/doors.ts';
import { createConnection } from './connection.ts';
import { createInserter, type Inserter, type InserterOptions } from './inserter.ts';
import { createMigration } from './migration.ts';

/** Ctrl-C stops everything within 10 s; what is not stored by then is read from the log again. */
const STOP_MS = 4_000;

export interface ReadModelOptions
  extends Pick<
    InserterOptions,
    | 'flushMs'
    | 'flushBytes'
    | 'bufferBytesMax'
    | 'spool'
    | 'spoolCovers'
    | 'onRefused'
    | 'onTrouble'
  > {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Log id: one database holds the rows of one log. */
  readonly log: string;
  /** Name of a ClickHouse cluster on which tables are made; null or absent: a single server. */
  readonly cluster?: string | null;
  /** As in ConnectionOptions. */
  readonly handOverFolder?: string | null;
  readonly clock?: Clock;
}

export interface ReadModel extends PlanTables {
  /** Creates database, tables and views; CLICKHOUSE_UNREACHABLE may be tried again. */
  start(): Promise<void>;
  readonly sink: Inserter;
  /** Stores what is held, at most for `deadlineMs`; closes the connection and the spool. */
  stop(deadlineMs?: number): Promise<void>;
}

export function createReadModel(options: ReadModelOptions): ReadModel {
  const { database, log, cluster = null } = options;
  const connection = createConnection({ ...options, cluster });
  const migration = createMigration(connection, { database, log, cluster });
  const clock = options.clock ?? systemClock;
  let retentionMs = 0;
  const deadLetterRetentionMs = (): number => retentionMs;
  const sink = createInserter({ ...options, cluster, connection, clock, deadLetterRetentionMs });
  return {
    sink,
    start: () => migration.start(),
    async prepare(plan) {
      retentionMs = plan.deadLetterRetentionMs;
      await migration.prepare(plan);
    },
    async stop(deadlineMs = STOP_MS) {
      await sink.stop(deadlineMs);
      await options.spool?.close();
      await connection.close();
    },
  };
}

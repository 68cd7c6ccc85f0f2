/**
 * The way to ClickHouse: one client, three kinds of requests, errors named. In: address and
 * account, statements, Native bytes. Out: rows, or an OperatingError. It never retries; whoever
 * asks decides.
 */
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ClickHouseError, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { OperatingError } from '../model/error.ts';
import { handOver } from './hand-over.ts';

/** The server may be busy with merges or other inserts; a retry of the same bytes is harmless. */
const REQUEST_MS_MAX = 120_000;
/** Sockets at a time: the inserter's tables and a statement or two. */
const CONNECTIONS_MAX = 8;
/** Bytes of a statement; a view over 256 channels of 64 metrics is some megabytes. */
const STATEMENT_BYTES_MAX = 64 * 1024 ** 2;

export interface ConnectionOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  /** Name of a ClickHouse cluster that statements and inserts are for; null: a single server. */
  readonly cluster?: string | null;
  /** Of an engine on this machine: blocks are put there. Null or absent: they are sent. */
  readonly handOverFolder?: string | null;
}

/**
 * On a cluster an insert is acknowledged when the rows lie on most replicas of their shard, and a
 * statement when every server ran it.
 */
const CLUSTER_SETTINGS = {
  distributed_foreground_insert: 1,
  insert_quorum: 'auto',
  distributed_ddl_task_timeout: 100,
} as const;

/** The same row again may be meant: what it said may have been deleted since. */
const ROW_SETTINGS = { async_insert: 0, insert_deduplicate: 0, wait_end_of_query: 1 } as const;

const NATIVE_SETTINGS = {
  async_insert: 0,
  insert_deduplicate: 1,
  // Versions of a row that meet in one insert are told apart by the views, as those of two are;
  // finding them here costs a quarter of an insert.
  optimize_on_insert: 0,
  // A fleet back with months of backlog touches many partitions of a table at once.
  max_partitions_per_insert_block: '0',
  // A column that the table lacks is waited for, never dropped.
  input_format_skip_unknown_fields: 0,
  wait_end_of_query: 1,
} as const;

export interface NativeInsert {
  /** Qualified and quoted name. */
  readonly table: string;
  readonly blocks: readonly Uint8Array[];
  /** Names the attempt; kept for retries of the same bytes. */
  readonly token: string;
  readonly signal?: AbortSignal;
}

export interface Connection {
  readonly url: string;
  /** One statement that gives no rows. */
  command(sql: string, parameters?: Record<string, unknown>): Promise<void>;
  rows<T>(sql: string, parameters?: Record<string, unknown>): Promise<T[]>;
  /** A few rows as objects; 64-bit numbers as strings. */
  insertRows(table: string, rows: readonly object[], signal?: AbortSignal): Promise<void>;
  insertNative(insert: NativeInsert): Promise<void>;
  close(): Promise<void>;
}

export function createConnection(options: ConnectionOptions): Connection {
  const client = createClient({
    url: options.url,
    username: options.user,
    password: options.password,
    request_timeout: REQUEST_MS_MAX,
    max_open_connections: CONNECTIONS_MAX,
    compression: { request: false, response: false },
    log: { level: ClickHouseLogLevel.OFF },
  });
  const ofCluster = (options.cluster ?? null) === null ? {} : CLUSTER_SETTINGS;
  const settings = {
    ...ofCluster,
    max_query_size: `${STATEMENT_BYTES_MAX}`,
    wait_end_of_query: 1 as const,
  };
  const named = <T>(work: Promise<T>, what: string): Promise<T> =>
    work.catch((error: unknown) => {
      throw operatingError(error, what, options.url);
    });
  return {
    url: options.url,
    async command(sql, parameters) {
      const request = { query: sql, clickhouse_settings: settings, query_params: parameters };
      await named(client.command(request), sql.slice(0, 120));
    },
    rows<T>(sql: string, parameters?: Record<string, unknown>) {
      const query = async () => {
        const reply = await client.query({
          query: sql,
          query_params: parameters,
          format: 'JSONEachRow',
          clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
        });
        return reply.json<T>();
      };
      return named(query(), sql.slice(0, 120));
    },
    async insertRows(table, rows, signal) {
      const request = client.insert({
        table,
        values: rows,
        format: 'JSONEachRow',
        abort_signal: signal,
        clickhouse_settings: { ...ofCluster, ...ROW_SETTINGS },
      });
      await named(request, `INSERT INTO ${table}`);
    },
    async insertNative(insert) {
      const query = `INSERT INTO ${insert.table} FORMAT Native`;
      const send = async (blocks: readonly Uint8Array[], file: object) => {
        const own = { ...file, insert_deduplication_token: insert.token };
        const reply = await client.exec({
          query,
          values: Readable.from(blocks, { objectMode: false }),
          abort_signal: insert.signal,
          clickhouse_settings: { ...ofCluster, ...NATIVE_SETTINGS, ...own },
        });
        reply.stream.resume();
        await finished(reply.stream);
      };
      const { handOverFolder: folder } = options;
      const sendName = (name: string) => send([], { millrace_file: name });
      const work = folder ? handOver(folder, insert.blocks, sendName) : send(insert.blocks, {});
      await named(work, query);
    },
    close: () => client.close(),
  };
}

function operatingError(error: unknown, what: string, url: string): OperatingError {
  if (error instanceof ClickHouseError) {
    const code = clickHouseCode(error);
    const text = `ClickHouse refused "${what}" with code ${code} ${error.type}: ${error.message}`;
    const name = code === NOT_ENOUGH_SPACE ? 'DISK_FULL' : 'CLICKHOUSE_REFUSED';
    return new OperatingError(name, text, { cause: error, where: { url, code } });
  }
  const why = error instanceof Error ? error.message : String(error);
  if ((error as NodeJS.ErrnoException).code === 'ENOSPC') {
    const text = `no room on the disk for "${what}": ${why}`;
    return new OperatingError('DISK_FULL', text, { cause: error, where: { url } });
  }
  const text = `ClickHouse at ${url} did not answer "${what}": ${why}`;
  return new OperatingError('CLICKHOUSE_UNREACHABLE', text, { cause: error, where: { url } });
}

const NOT_ENOUGH_SPACE = 243;

/** ClickHouse's own error number, or 0 when the server never answered. */
export function clickHouseCode(error: unknown): number {
  if (error instanceof OperatingError) return clickHouseCode(error.cause);
  return error instanceof ClickHouseError ? Number(error.code) || 0 : 0;
}

/**
 * Codes that the same bytes would meet again: about values, not about the server, the schema or
 * rights. Everything else is waited for: a good row must never become a dead letter because a table
 * is missing or a disk is full. (117 INCORRECT_DATA is not here: a missing column gives it too.)
 */
const DATA_CODES: ReadonlySet<number> = new Set([
  6, // CANNOT_PARSE_TEXT
  26, // CANNOT_PARSE_QUOTED_STRING
  27, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
  32, // ATTEMPT_TO_READ_AFTER_EOF
  33, // CANNOT_READ_ALL_DATA
  38, // CANNOT_PARSE_DATE
  41, // CANNOT_PARSE_DATETIME
  69, // ARGUMENT_OUT_OF_BOUND
  72, // CANNOT_PARSE_NUMBER
  128, // TOO_LARGE_ARRAY_SIZE
  131, // TOO_LARGE_STRING_SIZE
  190, // SIZES_OF_ARRAYS_DONT_MATCH
  321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
  349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
  407, // DECIMAL_OVERFLOW
  469, // VIOLATED_CONSTRAINT
]);

export function isRefusedData(error: unknown): boolean {
  return DATA_CODES.has(clickHouseCode(error));
}

/**
 * The one place that touches the native addon. In: a data folder and SQL. Out: bytes, counts and
 * parsed errors. One native connection serves one request at a time (SET, USE, roles, parameters
 * and temporary tables are per connection; statements on one connection run one after the other,
 * those on different connections in parallel).
 *
 * Invariant: a connection is never closed while a statement runs on it (that aborts the engine for
 * the whole process); `close` waits. The addon's raw insert is never called: it cuts data at the
 * first blank line and runs the rest as SQL.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { parseEngineError } from './http/status.ts';

/** Opaque handle of the addon. */
type NativeHandle = { readonly __native: unique symbol };

interface NativeResult {
  readonly bytes: Buffer;
  readonly elapsed: number;
  readonly rowsRead: number;
  readonly bytesRead: number;
}

interface NativeAddon {
  CreateConnection(path: string, args?: readonly string[]): NativeHandle | undefined;
  CloseConnection(connection: NativeHandle): void;
  QueryAsyncConnection(c: NativeHandle, sql: string, format: string): Promise<NativeResult>;
  DurableClassifyAsync(c: NativeHandle, sql: string, database: string): Promise<Classification>;
}

export interface Classification {
  readonly statementCount: number;
  /** 0 reads; 1 writes data or definitions; 2 access control; 3 control; 4 empty. */
  readonly queryClass: number;
}

/** The class of statements that only read. */
export const CLASS_READ = 0;

export interface RunResult {
  readonly bytes: Buffer;
  readonly elapsedMs: number;
  /** Rows of the result; for INSERT … FROM INFILE the rows in the file. */
  readonly rows: number;
  readonly rowBytes: number;
}

export interface Connection {
  run(sql: string, format?: string): Promise<RunResult>;
  classify(sql: string): Promise<Classification>;
  /** Closes as soon as nothing runs on it; resolves then. */
  close(): Promise<void>;
}

export interface Chdb {
  connect(): Connection;
  /** Stops the statement that runs with this `log_comment`, if it has begun. */
  kill(logComment: string): Promise<void>;
  /** Closes every connection; none may be opened afterwards. */
  close(): Promise<void>;
}

export function openChdb(dataPath: string, configFile: string): Chdb {
  const require = createRequire(import.meta.url);
  const loader = join(dirname(require.resolve('chdb/package.json')), 'dist', 'loader.js');
  const addon = (require(loader) as { loadNative(): NativeAddon }).loadNative();
  const open = new Set<Connection>();
  let closed = false;

  const connect = (args?: readonly string[]): Connection => {
    assert(!closed, 'a connection was asked for after close');
    const handle = addon.CreateConnection(dataPath, args);
    if (!handle) throw new Error(`chDB did not open ${dataPath}; its log says why`);
    const connection = wrap(addon, handle, () => open.delete(connection));
    open.add(connection);
    return connection;
  };
  const control = connect([`--config-file=${configFile}`]);
  return {
    connect: () => connect(),
    async kill(logComment) {
      const id = quote(logComment);
      await control.run(`KILL QUERY WHERE Settings['log_comment'] = ${id} ASYNC`, 'Null');
    },
    async close() {
      closed = true;
      await control.run('KILL QUERY WHERE 1 ASYNC').catch(() => {}); // or they end by themselves
      const others = [...open].filter((connection) => connection !== control);
      await Promise.all(others.map((connection) => connection.close()));
      await control.close();
    },
  };
}

function wrap(addon: NativeAddon, handle: NativeHandle, onClosed: () => void): Connection {
  let running: Promise<unknown> = Promise.resolve();
  let closing: Promise<void> | undefined;
  const track = async <T>(start: () => Promise<T>): Promise<T> => {
    assert(!closing, 'a statement was sent on a closed connection');
    const result = start();
    running = Promise.allSettled([running, result]);
    try {
      return await result;
    } catch (error) {
      throw parseEngineError(error instanceof Error ? error.message : String(error));
    }
  };
  return {
    async run(sql, format = 'Null') {
      const result = await track(() => addon.QueryAsyncConnection(handle, sql, format));
      return {
        bytes: result.bytes,
        elapsedMs: result.elapsed * 1000,
        rows: result.rowsRead,
        rowBytes: result.bytesRead,
      };
    },
    classify: (sql) => track(() => addon.DurableClassifyAsync(handle, sql, 'default')),
    close() {
      closing ??= running.then(() => {
        addon.CloseConnection(handle);
        onClosed();
      });
      return closing;
    },
  };
}

/** A string literal of ClickHouse SQL. */
export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

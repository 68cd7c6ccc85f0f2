/**
 * What ran: the last queries in a ring, and all of them as JSON lines in a file of bounded size.
 * (chDB has no `system.query_log`.) In: one entry per finished query. Out: `recent()`.
 * Invariant: at most RECENT_MAX entries in memory and two files of FILE_BYTES_MAX; a full disk
 * never fails a query.
 */
import { createWriteStream, renameSync, statSync, type WriteStream } from 'node:fs';

/** Entries kept in memory: a screenful of dashboards. */
const RECENT_MAX = 1000;
/** Bytes per file before it becomes `<file>.1`. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** Characters of a statement kept. */
export const LOGGED_SQL_CHARS_MAX = 2000;

export interface QueryEntry {
  readonly time: string;
  readonly user: string;
  readonly queryId: string;
  readonly query: string;
  readonly status: number;
  readonly exceptionCode: number;
  readonly exception: string;
  readonly durationMs: number;
  readonly resultRows: number;
  readonly writtenRows: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

export interface QueryLog {
  add(entry: QueryEntry): void;
  /** Oldest first. */
  recent(): readonly QueryEntry[];
  close(): void;
}

export function createQueryLog(file: string | undefined): QueryLog {
  const ring: QueryEntry[] = [];
  let next = 0;
  let bytes = 0;
  let stream: WriteStream | undefined;

  const open = (path: string): void => {
    bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    stream = createWriteStream(path, { flags: 'a' });
    stream.on('error', () => {
      stream = undefined; // a full disk: the ring still works, queries go on
    });
  };
  const rotate = (path: string): void => {
    stream?.end();
    renameSync(path, `${path}.1`);
    open(path);
  };
  if (file) open(file);
  return {
    add(entry) {
      if (ring.length < RECENT_MAX) ring.push(entry);
      else ring[next] = entry;
      next = (next + 1) % RECENT_MAX;
      if (!file || !stream) return;
      const line = `${JSON.stringify(entry)}\n`;
      bytes += Buffer.byteLength(line);
      stream.write(line);
      if (bytes > FILE_BYTES_MAX) rotate(file);
    },
    recent: () =>
      ring.length < RECENT_MAX ? [...ring] : [...ring.slice(next), ...ring.slice(0, next)],
    close: () => stream?.end(),
  };
}

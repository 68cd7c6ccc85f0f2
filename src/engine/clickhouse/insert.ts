/**
 * INSERT with data: the body goes to a temporary file, then the engine reads that file. In: the
 * head of the statement and the data. Out: the statement to run. Invariants: memory does not grow
 * with the body; every insert carries a deduplication token (with a deduplication window and no
 * token, the engine would drop an insert whose content equals an earlier one); nothing is inserted
 * unless the whole body has arrived.
 */
import { randomUUID } from 'node:crypto';
import { createWriteStream, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { quote } from './chdb.ts';
import { createFrameDecompressor } from './codec/compressed-frame.ts';
import { toUtf8 } from './guard.ts';
import { createDecoder, infileCompression } from './http/encoding.ts';
import type { QueryRequest } from './http/request.ts';
import { ClickHouseError } from './http/status.ts';
import { type InsertHead, readInsert, readStatement } from './statement.ts';

/** Bytes of a statement without data; ClickHouse's own limit is `max_query_size`, 256 KiB. */
const STATEMENT_BYTES_MAX = 16 * 1024 * 1024;

/** What a request wants to run. */
export type Incoming =
  | { readonly shape: 'statement'; readonly sql: string }
  | { readonly shape: 'insert'; readonly head: InsertHead; readonly data: InsertData };

export interface InsertData {
  /** Data that came with the statement. */
  readonly first: Buffer;
  readonly rest: AsyncIterable<Buffer> | undefined;
  /** Set when `rest` is encoded and the engine is to decode it. */
  readonly compression: string | undefined;
}

/** Takes statement and data apart. `sql` in the result is latin1, one character a byte. */
export async function readIncoming(request: QueryRequest): Promise<Incoming> {
  if (request.urlQuery !== undefined) {
    const sql = Buffer.from(request.urlQuery, 'utf8').toString('latin1');
    if (readStatement(sql).kind === 'insert') {
      const shape = readInsert(`${sql}\n`, true);
      if (typeof shape === 'object') return insertFromUrl(request, sql, shape);
    }
    const more = await readAll(decoded(request));
    return statementOf(more.length > 0 ? `${sql}\n${more.toString('latin1')}` : sql);
  }
  const body = decoded(request)[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const read = await readHead(body);
  if (typeof read.shape !== 'object') return statementOf(read.sql);
  const first = Buffer.from(read.sql.slice(read.shape.dataAt), 'latin1');
  const rest = read.ended ? undefined : { [Symbol.asyncIterator]: () => body };
  const data = { first, rest, compression: undefined };
  return { shape: 'insert', head: read.shape, data };
}

function insertFromUrl(request: QueryRequest, sql: string, head: InsertHead): Incoming {
  const first = Buffer.from(sql.slice(head.dataAt), 'latin1');
  const compression = request.bodyFramed ? undefined : infileCompression(request.bodyEncoding);
  const asIs = compression !== undefined && first.toString('latin1').trim() === '';
  if (!asIs)
    return {
      shape: 'insert',
      head,
      data: { first, rest: decoded(request), compression: undefined },
    };
  const data = { first: Buffer.alloc(0), rest: request.body, compression };
  return { shape: 'insert', head, data };
}

function statementOf(sql: string): Incoming {
  if (readInsertInfile(sql)) {
    throw new ClickHouseError(
      'UNKNOWN_TYPE_OF_QUERY',
      'Query has infile and was send directly to server: files of the client cannot be read here',
    );
  }
  return { shape: 'statement', sql };
}

function readInsertInfile(sql: string): boolean {
  return readStatement(sql).kind === 'insert' && readInsert(sql, true) === 'infile';
}

/** The body behind its encodings. */
function decoded(request: QueryRequest): AsyncIterable<Buffer> {
  const decoder = createDecoder(request.bodyEncoding);
  if (decoder === undefined) {
    throw new ClickHouseError(
      'NOT_IMPLEMENTED',
      `Content-Encoding '${request.bodyEncoding}' cannot be read here with the statement in the ` +
        'body: put the INSERT into the URL parameter `query`, or send gzip, deflate, br or lz4',
    );
  }
  let stream: Readable = request.body;
  if (decoder !== 'plain') stream = chain(stream, decoder);
  if (request.bodyFramed) stream = chain(stream, createFrameDecompressor());
  return stream;
}

/** Like `pipe`, but an error of the source reaches the reader of the result. */
function chain(source: Readable, next: Transform): Transform {
  next.on('error', () => {}); // its reader sees it, or has stopped reading
  source.on('error', (error) => next.destroy(error));
  source.on('close', () => {
    if (!source.readableEnded) next.destroy(new Error('the request body was cut off'));
  });
  return source.pipe(next);
}

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > STATEMENT_BYTES_MAX) throw tooLarge();
  }
  return Buffer.concat(chunks, bytes);
}

function tooLarge(): ClickHouseError {
  const text = `The statement is longer than ${STATEMENT_BYTES_MAX} bytes`;
  return new ClickHouseError('QUERY_IS_TOO_LARGE', text);
}

/** Reads until the data of an INSERT begins, or to the end of any other statement. */
async function readHead(
  body: AsyncIterator<Buffer>,
): Promise<{ sql: string; ended: boolean; shape: ReturnType<typeof readInsert> | undefined }> {
  let sql = '';
  let lookAt = 0;
  for (;;) {
    const { value, done } = await body.next();
    if (!done) sql += value.toString('latin1');
    const ended = done === true;
    // Looking again only at twice the size keeps the work linear.
    if (ended || sql.length >= lookAt) {
      lookAt = 2 * sql.length;
      const insert = isInsert(sql, ended);
      const shape = insert ? readInsert(sql, ended) : undefined;
      if (ended || typeof shape === 'object') return { sql, ended, shape };
    }
    if (sql.length > STATEMENT_BYTES_MAX) throw tooLarge();
  }
}

/** Comments may come first, so the first word decides, wherever it is. */
function isInsert(sql: string, ended: boolean): boolean {
  return readStatement(ended ? sql : sql.slice(0, 65_536)).kind === 'insert';
}

export interface PreparedInsert {
  readonly sql: string;
  readonly bytes: number;
  remove(): Promise<void>;
}

/** Writes the data to `file`, a path relative to the engine's working folder, without quotes. */
export async function prepareInsert(
  head: InsertHead,
  data: InsertData,
  file: string,
  token: string | undefined,
): Promise<PreparedInsert> {
  let bytes = 0;
  const remove = () => rm(file, { force: true });
  try {
    await pipeline(async function* () {
      bytes += data.first.length;
      if (data.first.length > 0) yield data.first;
      if (!data.rest) return;
      for await (const chunk of data.rest) {
        bytes += chunk.length;
        yield chunk;
      }
    }, createWriteStream(file));
  } catch (error) {
    await remove();
    throw error;
  }
  return { sql: insertSql(head, data, file, token), bytes, remove };
}

/** The same of data that its sender has put into `file`, and will take away. */
export function handedOverInsert(
  head: InsertHead,
  file: string,
  token: string | undefined,
): PreparedInsert {
  const data = { first: Buffer.alloc(0), rest: undefined, compression: undefined };
  let bytes: number;
  try {
    bytes = statSync(file).size;
  } catch {
    const text = `millrace_file '${basename(file)}' is not in the hand-over folder`;
    throw new ClickHouseError('FILE_DOESNT_EXIST', text);
  }
  return { sql: insertSql(head, data, file, token), bytes, remove: async () => {} };
}

function insertSql(
  head: InsertHead,
  data: InsertData,
  file: string,
  token: string | undefined,
): string {
  const settings = toUtf8(head.settings);
  const own = /(^|,)\s*insert_deduplication_token\s*=/i.test(settings);
  const all = [
    ...(settings === '' ? [] : [settings]),
    ...(own ? [] : [`insert_deduplication_token = ${quote(token || randomUUID())}`]),
    'async_insert = 0', // an answer means: written
    "storage_file_read_method = 'pread'", // mapped, the file would count as memory of the process
  ];
  const compression = data.compression ? ` COMPRESSION '${data.compression}'` : '';
  return (
    // Line breaks, because the text before may end with a comment.
    `${toUtf8(head.target)}\nFROM INFILE ${quote(file)}${compression} ` +
    `SETTINGS ${all.join('\n, ')} FORMAT ${head.format}`
  );
}

/**
 * One answer: headers as ClickHouse sends them, the body through frames and encoding, and errors
 * before or after the first byte. In: chunks. Out: an HTTP response. Invariants: the status line is
 * sent once; an answer that broke off never looks complete: its last bytes are the exception and
 * the connection closes without the final chunk.
 */
import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Readable, Transform, Writable } from 'node:stream';
import { createFrameCompressor } from '../codec/compressed-frame.ts';
import { NativeRewriter, rewriteNative } from '../codec/native-block.ts';
import type { QueryRequest } from './request.ts';
import {
  type ClickHouseError,
  type EngineError,
  errorText,
  httpStatus,
  toClickHouseError,
} from './status.ts';

export interface Summary {
  readonly readRows: number;
  readonly readBytes: number;
  readonly writtenRows: number;
  readonly writtenBytes: number;
  readonly resultRows: number;
  readonly elapsedMs: number;
}

export const EMPTY_SUMMARY: Summary = {
  readRows: 0,
  readBytes: 0,
  writtenRows: 0,
  writtenBytes: 0,
  resultRows: 0,
  elapsedMs: 0,
};

export interface ServerIdentity {
  readonly version: string;
  readonly timezone: string;
}

export class Reply {
  readonly #response: ServerResponse;
  readonly #request: QueryRequest | undefined;
  readonly #identity: ServerIdentity;
  readonly #tag = randomBytes(8).toString('hex');
  #format = '';
  #encodedByEngine = false;
  #sink: Writable | undefined;
  status = 0;
  exceptionCode = 0;
  exception = '';

  constructor(
    response: ServerResponse,
    request: QueryRequest | undefined,
    identity: ServerIdentity,
  ) {
    this.#response = response;
    this.#request = request;
    this.#identity = identity;
  }

  get begun(): boolean {
    return this.#sink !== undefined;
  }

  set format(name: string) {
    this.#format = name;
  }

  /**
   * The compression the engine is to apply because Node cannot; the answer is then taken for
   * compressed. Frames inside it would be ours, so with those it stays plain.
   */
  encodeByEngine(): string | undefined {
    const encoding = this.#request?.encoding;
    if (!encoding || encoding.create || this.#request?.framed) return undefined;
    this.#encodedByEngine = true;
    return encoding.name;
  }

  /** Sends the head. `length` may be given when nothing transforms the body. */
  begin(summary: Summary, length?: number): Writable {
    const transforms = this.#transforms();
    const headers: Record<string, string | number> = {
      ...this.#commonHeaders(),
      'Content-Type': contentType(this.#format),
      'X-ClickHouse-Summary': summaryText(summary),
    };
    if (this.#format) headers['X-ClickHouse-Format'] = this.#format;
    const encoding = this.#request?.encoding;
    const encoded = encoding?.create !== undefined || this.#encodedByEngine;
    if (encoding && encoded) headers['Content-Encoding'] = encoding.name;
    if (length !== undefined && !encoded && transforms.length === 0) {
      headers['Content-Length'] = length;
    } else headers['X-ClickHouse-Exception-Tag'] = this.#tag;
    this.status = 200;
    this.#response.writeHead(200, headers);
    this.#sink = this.#chain(transforms);
    return this.#sink;
  }

  /** The whole answer at once. */
  finish(body: Buffer, summary: Summary): void {
    const revision = this.#nativeRevision();
    const whole = revision > 0 ? rewriteNative(body, revision) : body;
    this.#rewritten = true;
    const sink = this.begin(summary, whole.length);
    sink.end(whole);
  }

  /** Calls back when the connection closes, whoever closed it. */
  onGone(callback: () => void): void {
    this.#response.once('close', callback);
  }

  /** Ends an answer that was begun. */
  end(): void {
    this.#sink?.end();
  }

  /** Before the first byte: status and text. After it: the exception trailer, then a cut. */
  fail(error: ClickHouseError | EngineError): void {
    const text = errorText(error, this.#identity.version);
    this.exceptionCode = error.code;
    this.exception = text.trimEnd();
    if (this.#response.destroyed) return;
    if (this.#sink) {
      this.#trail(text);
      return;
    }
    this.status = httpStatus(error.code);
    const headers: Record<string, string | number> = {
      ...this.#commonHeaders(),
      'Content-Type': 'text/plain; charset=UTF-8',
      'Content-Length': Buffer.byteLength(text),
      'X-ClickHouse-Exception-Code': error.code,
      'X-ClickHouse-Summary': summaryText(EMPTY_SUMMARY),
    };
    if (this.status === 401) {
      headers['WWW-Authenticate'] = 'Basic realm="ClickHouse server HTTP API"';
    }
    this.#response.writeHead(this.status, headers);
    this.#response.end(text);
  }

  #trail(text: string): void {
    const message = text.endsWith('\n') ? text : `${text}\n`;
    const bytes = Buffer.byteLength(message);
    const marker = '\r\n__exception__\r\n';
    const trailer = `${marker}${this.#tag}\r\n${message}${bytes} ${this.#tag}${marker}`;
    const response = this.#response;
    const cut = () => setImmediate(() => response.socket?.end());
    if (this.#sink === response) response.write(trailer, cut);
    else {
      // The transforms still flush into the response; only its end is missing.
      this.#last?.unpipe(response);
      this.#last?.on('data', (chunk: Buffer) => response.write(chunk));
      this.#last?.on('end', cut);
      if (this.#native) this.#native.passing = true;
      this.#sink?.end(trailer);
    }
  }

  #last: Readable | undefined;
  #native: NativeRewriter | undefined;
  #rewritten = false;

  /** 0 when the engine's own Native, or another format, is what the client reads. */
  #nativeRevision(): number {
    return this.#format === 'Native' ? (this.#request?.protocolRevision ?? 0) : 0;
  }

  #transforms(): Transform[] {
    const request = this.#request;
    const transforms: Transform[] = [];
    const revision = this.#nativeRevision();
    if (revision > 0 && !this.#rewritten) {
      this.#native = new NativeRewriter(revision);
      transforms.push(this.#native);
    }
    if (request?.framed) transforms.push(createFrameCompressor());
    const encoder = request?.encoding?.create?.(request.zlibLevel);
    if (encoder) transforms.push(encoder);
    return transforms;
  }

  /** A block that cannot be rewritten: as late as this the client can only see the cut. */
  #transformFailed(error: Error): void {
    this.exceptionCode = toClickHouseError(error).code;
    this.exception = error.message;
    this.#response.destroy();
  }

  #chain(transforms: Transform[]): Writable {
    if (transforms.length === 0) return this.#response;
    for (const [i, transform] of transforms.entries()) {
      transform.on('error', (error) => this.#transformFailed(error));
      if (i > 0) transforms[i - 1]!.pipe(transform);
    }
    this.#last = transforms.at(-1)!;
    this.#last.pipe(this.#response);
    return transforms[0]!;
  }

  #commonHeaders(): Record<string, string | number> {
    return {
      'X-ClickHouse-Server-Display-Name': 'millrace',
      'X-ClickHouse-Timezone':
        this.#request?.settings.get('session_timezone') || this.#identity.timezone,
      ...(this.#request ? { 'X-ClickHouse-Query-Id': this.#request.queryId } : {}),
      'Access-Control-Expose-Headers':
        'X-ClickHouse-Query-Id,X-ClickHouse-Summary,X-ClickHouse-Server-Display-Name,' +
        'X-ClickHouse-Format,X-ClickHouse-Timezone,X-ClickHouse-Exception-Code,' +
        'X-ClickHouse-Exception-Tag',
    };
  }
}

function summaryText(summary: Summary): string {
  return JSON.stringify({
    read_rows: String(summary.readRows),
    read_bytes: String(summary.readBytes),
    written_rows: String(summary.writtenRows),
    written_bytes: String(summary.writtenBytes),
    total_rows_to_read: '0',
    result_rows: String(summary.resultRows),
    result_bytes: String(summary.readBytes),
    elapsed_ns: String(Math.round(summary.elapsedMs * 1e6)),
  });
}

function contentType(format: string): string {
  if (/^JSON(Compact)?(Strings)?EachRow/i.test(format))
    return 'application/x-ndjson; charset=UTF-8';
  if (/^JSON|GeoJSON/i.test(format)) return 'application/json; charset=UTF-8';
  if (/^(TSV|TabSeparated)/i.test(format)) return 'text/tab-separated-values; charset=UTF-8';
  if (/^CSV/i.test(format)) {
    return `text/csv; charset=UTF-8; header=${/WithNames/i.test(format) ? 'present' : 'absent'}`;
  }
  if (/^XML$/i.test(format)) return 'application/xml; charset=UTF-8';
  if (
    /^(Native|RowBinary|Parquet|Arrow|ORC|Avro|MsgPack|BSON|Npy|Protobuf|CapnProto)/i.test(format)
  ) {
    return 'application/octet-stream';
  }
  return 'text/plain; charset=UTF-8';
}

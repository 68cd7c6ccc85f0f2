/**
 * The HTTP face of the engine on loopback: routes, errors and the query log. In: requests. Out:
 * answers. Invariant: every request gets exactly one answer; an error of ours never ends the
 * process.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Clock } from '../../../base/clock.ts';
import type { Execution, Trace } from '../execution.ts';
import { readForm } from './form.ts';
import { LOGGED_SQL_CHARS_MAX, type QueryLog } from './query-log.ts';
import { EMPTY_SUMMARY, Reply, type ServerIdentity } from './reply.ts';
import { authenticate, type QueryRequest, readRequest, type UsersOptions } from './request.ts';
import { ClickHouseError, toClickHouseError } from './status.ts';

/** As long as ClickHouse's `http_max_uri_size`: statements may be in the URL. */
const HEADER_BYTES_MAX = 1024 * 1024;
const KEEP_ALIVE_MS = 30_000;

export interface ServerOptions {
  readonly users: UsersOptions;
  readonly identity: ServerIdentity;
  readonly execution: Execution;
  readonly log: QueryLog;
  readonly clock: Clock;
  /** Bound to this machine alone: then nobody has reason to call it by another name. */
  readonly loopback: boolean;
  /** The engine's default of `enable_http_compression`. */
  readonly compressByDefault: boolean;
}

export function createQueryServer(options: ServerOptions): Server {
  const server = createServer(
    { maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: 0, keepAliveTimeout: KEEP_ALIVE_MS },
    (request, response) => {
      response.on('error', () => {}); // a client that has gone
      request.on('error', () => {});
      void route(options, request, response);
    },
  );
  return server;
}

async function route(
  options: ServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (isForeign(message, options.loopback)) return refuseForeign(options, response);
  const url = new URL(message.url ?? '/', 'http://localhost');
  const reading = message.method === 'GET' || message.method === 'HEAD';
  if (reading && (url.pathname === '/ping' || url.pathname === '/replicas_status')) {
    return plain(response, 200, 'Ok.\n');
  }
  if (reading && url.pathname === '/' && !url.searchParams.has('query')) {
    return plain(response, 200, 'Ok.\n');
  }
  if (message.method === 'OPTIONS') return plain(response, 204, '');
  if (reading && url.pathname === '/queries') return sendQueries(options, message, response, url);
  if (url.pathname !== '/' || !['GET', 'HEAD', 'POST', 'PUT'].includes(message.method ?? '')) {
    const text =
      `There is no handle ${url.pathname}\n\nUse / or /ping for health checks.\n` +
      'Send queries from your program with POST method or GET /?query=...\n';
    return plain(response, 404, text);
  }
  await answer(options, message, response, url);
}

const LOCAL_NAME = /^(localhost|[\w-]+\.localhost|[\d.]+|\[[\da-f:.]+\])(:\d+)?$/i;

/**
 * A web page of another site, in a browser on this machine, may send a POST here, or get here by a
 * name of its own that resolves to loopback. The administrator's password may be empty, so neither
 * may do anything.
 */
function isForeign({ headers }: IncomingMessage, loopback: boolean): boolean {
  const { origin, host = '' } = headers;
  if (origin !== undefined && origin !== `http://${host}`) return true;
  return loopback && host !== '' && !LOCAL_NAME.test(host);
}

function refuseForeign(options: ServerOptions, response: ServerResponse): void {
  const text = 'Requests from web pages of other origins are not allowed';
  new Reply(response, undefined, options.identity).fail(new ClickHouseError('ACCESS_DENIED', text));
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=UTF-8',
    'X-ClickHouse-Server-Display-Name': 'millrace',
  });
  response.end(text);
}

/** The last queries, as JSON lines; for the administrator. */
function sendQueries(
  options: ServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
  url: URL,
): void {
  const reply = new Reply(response, undefined, options.identity);
  try {
    if (authenticate(message, url.searchParams, options.users).role !== 'admin') {
      throw new ClickHouseError('ACCESS_DENIED', 'Only the administrator may read the query log');
    }
    reply.format = 'JSONEachRow';
    const lines = options.log.recent().map((entry) => `${JSON.stringify(entry)}\n`);
    reply.finish(Buffer.from(lines.join('')), EMPTY_SUMMARY);
  } catch (error) {
    reply.fail(toClickHouseError(error));
  }
}

async function answer(
  options: ServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<void> {
  const beganMs = options.clock.monotonicMs();
  let request: QueryRequest | undefined;
  let reply = new Reply(response, undefined, options.identity);
  const trace: Trace = { sql: '', summary: EMPTY_SUMMARY, requestBytes: 0 };
  try {
    request = readRequest(message, url, options.users, options.compressByDefault);
    reply = new Reply(response, request, options.identity);
    request = await readForm(request);
    await options.execution.run({ request, response, reply, trace });
  } catch (error) {
    reply.fail(toClickHouseError(error));
    message.resume(); // whatever of the body is still to come
  }
  options.log.add({
    time: new Date(options.clock.nowMs()).toISOString(),
    user: request?.user ?? '',
    queryId: request?.queryId ?? '',
    query: (trace.sql || request?.urlQuery || '').slice(0, LOGGED_SQL_CHARS_MAX),
    status: reply.status,
    exceptionCode: reply.exceptionCode,
    exception: reply.exception.slice(0, LOGGED_SQL_CHARS_MAX),
    durationMs: Math.round(options.clock.monotonicMs() - beganMs),
    resultRows: trace.summary.resultRows,
    writtenRows: trace.summary.writtenRows,
    requestBytes: trace.requestBytes,
    responseBytes: response.socket?.bytesWritten ?? 0,
  });
}

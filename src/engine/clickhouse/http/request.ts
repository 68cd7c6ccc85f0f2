/**
 * Reads one HTTP request as ClickHouse does. In: URL, headers, body. Out: who asks, what with which
 * settings and parameters, and how the answer is to be encoded. Parameters of the URL that are not
 * reserved are settings. Invariant: nothing here trusts a name or value; settings are checked again
 * by guard.ts (for the read-only user) and by the engine.
 */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { chooseEncoding, type Encoding } from './encoding.ts';
import { ClickHouseError } from './status.ts';

export interface UserOptions {
  readonly name: string;
  readonly password: string;
}

export interface UsersOptions {
  /** May do everything but stop the engine. */
  readonly admin: UserOptions;
  /** May only read. */
  readonly readOnly: UserOptions;
}

export type Role = 'admin' | 'readOnly';

export interface Session {
  readonly id: string;
  readonly timeoutMs: number;
  /** Fail when the session does not exist yet. */
  readonly check: boolean;
  readonly close: boolean;
}

export interface QueryRequest {
  readonly role: Role;
  readonly user: string;
  /** GET and HEAD must not change anything. */
  readonly readOnlyMethod: boolean;
  readonly urlQuery: string | undefined;
  readonly database: string;
  readonly defaultFormat: string;
  readonly queryId: string;
  readonly session: Session | undefined;
  readonly roles: readonly string[];
  readonly settings: ReadonlyMap<string, string>;
  readonly parameters: ReadonlyMap<string, string>;
  readonly encoding: Encoding | undefined;
  readonly zlibLevel: number | undefined;
  /** `compress=1`: the answer in ClickHouse's own frames. */
  readonly framed: boolean;
  /** `decompress=1`: the body in ClickHouse's own frames. */
  readonly bodyFramed: boolean;
  readonly bodyEncoding: string;
  readonly waitEndOfQuery: boolean;
  /** `client_protocol_version`: changes the Native format; 0 when absent. */
  readonly protocolRevision: number;
  readonly contentType: string;
  readonly body: Readable;
  /** `millrace_file`: data of an INSERT that lies in the hand-over folder, by its name there. */
  readonly handedOver: string | undefined;
}

const RESERVED = new Set([
  'query',
  'user',
  'password',
  'database',
  'default_format',
  'query_id',
  'quota_key',
  'stacktrace',
  'role',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
  'compress',
  'decompress',
  'buffer_size',
  'wait_end_of_query',
  'client_protocol_version',
  'enable_http_compression',
  'http_zlib_compression_level',
  'http_wait_end_of_query',
  'log_comment',
  'millrace_file',
]);

const SESSION_TIMEOUT_DEFAULT_S = 60;
const SESSION_TIMEOUT_MAX_S = 3600;
/** A name, never a path. */
const FILE_NAME = /^[A-Za-z0-9-]{1,64}$/;
const SETTING_NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/** `compressByDefault`: what the engine's `enable_http_compression` is. */
export function readRequest(
  message: IncomingMessage,
  url: URL,
  users: UsersOptions,
  compressByDefault: boolean,
): QueryRequest {
  const query = url.searchParams;
  const who = authenticate(message, query, users);
  const header = (name: string) => single(message.headers[name]);
  const compress = flag(query.get('enable_http_compression'), compressByDefault);
  const waits = query.get('wait_end_of_query') ?? query.get('http_wait_end_of_query');
  const queryId = query.get('query_id') || header('x-clickhouse-query-id') || randomUUID();
  const level = query.get('http_zlib_compression_level');
  return {
    ...who,
    readOnlyMethod: message.method !== 'POST' && message.method !== 'PUT',
    urlQuery: query.has('query') ? query.getAll('query').join('') : undefined,
    database: header('x-clickhouse-database') ?? query.get('database') ?? '',
    defaultFormat: formatName(header('x-clickhouse-format') ?? query.get('default_format') ?? ''),
    queryId: queryId.replace(/[^\x20-\x7e]/g, ''),
    session: readSession(query),
    roles: query.getAll('role'),
    ...readSettings(query),
    encoding: compress ? chooseEncoding(single(message.headers['accept-encoding'])) : undefined,
    zlibLevel: level === null ? undefined : Math.min(9, Math.max(1, Number(level) || 1)),
    framed: flag(query.get('compress'), false),
    bodyFramed: flag(query.get('decompress'), false),
    bodyEncoding: (header('content-encoding') ?? '').trim().toLowerCase(),
    waitEndOfQuery: flag(waits, false),
    protocolRevision: Number(query.get('client_protocol_version') ?? 0) || 0,
    contentType: header('content-type') ?? '',
    body: message,
    handedOver: fileName(query.get('millrace_file')),
  };
}

function fileName(name: string | null): string | undefined {
  if (name === null) return undefined;
  if (FILE_NAME.test(name)) return name;
  throw new ClickHouseError('BAD_ARGUMENTS', `millrace_file '${name}' is not the name of a file`);
}

function readSettings(query: URLSearchParams): Pick<QueryRequest, 'settings' | 'parameters'> {
  const settings = new Map<string, string>();
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    if (name === '' || RESERVED.has(name)) continue;
    addNamed(name, value, settings, parameters);
  }
  return { settings, parameters };
}

/** A setting or a `param_…`; also for the fields of a form. */
export function addNamed(
  name: string,
  value: string,
  settings: Map<string, string>,
  parameters: Map<string, string>,
): void {
  const text = name.startsWith('param_') ? name.slice('param_'.length) : name;
  if (!SETTING_NAME.test(text)) {
    throw new ClickHouseError('UNKNOWN_SETTING', `Unknown setting '${name}'`);
  }
  if (name.startsWith('param_')) parameters.set(text, value);
  else settings.set(name, value);
}

/** It becomes part of a statement: a name and nothing else. */
function formatName(name: string): string {
  if (/^\w*$/.test(name)) return name;
  throw new ClickHouseError('UNKNOWN_FORMAT', `Unknown format ${name}`);
}

function flag(value: string | null, otherwise: boolean): boolean {
  if (value === null || value === '') return otherwise;
  return value === '1' || value.toLowerCase() === 'true';
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function readSession(query: URLSearchParams): Session | undefined {
  const id = query.get('session_id');
  if (id === null) return undefined;
  if (id === '') {
    const text = 'Session id query parameter was provided, but it was empty';
    throw new ClickHouseError('SESSION_ID_EMPTY', text);
  }
  const seconds = Number(query.get('session_timeout') ?? SESSION_TIMEOUT_DEFAULT_S);
  if (!(seconds >= 0 && seconds <= SESSION_TIMEOUT_MAX_S)) {
    const given = query.get('session_timeout');
    const text = `Invalid session timeout: '${given}' (0 to ${SESSION_TIMEOUT_MAX_S} seconds)`;
    throw new ClickHouseError('INVALID_SESSION_TIMEOUT', text);
  }
  return {
    id,
    timeoutMs: seconds * 1000,
    check: flag(query.get('session_check'), false),
    close: flag(query.get('close_session'), false),
  };
}

/** By header, then basic auth, then URL; throws with ClickHouse's own codes. */
export function authenticate(
  message: IncomingMessage,
  query: URLSearchParams,
  users: UsersOptions,
): { role: Role; user: string } {
  const { name, password } = credentials(message, query);
  for (const role of ['admin', 'readOnly'] as const) {
    if (users[role].name === name && same(users[role].password, password))
      return { role, user: name };
  }
  const known = users.admin.name === name || users.readOnly.name === name;
  const why = 'password is incorrect, or there is no user with such name';
  const text = `${name}: Authentication failed: ${why}`;
  throw new ClickHouseError(
    known && password === '' ? 'REQUIRED_PASSWORD' : 'AUTHENTICATION_FAILED',
    text,
  );
}

function credentials(
  message: IncomingMessage,
  query: URLSearchParams,
): { name: string; password: string } {
  const name = single(message.headers['x-clickhouse-user']);
  const key = single(message.headers['x-clickhouse-key']);
  if (name !== undefined || key !== undefined) {
    return { name: name ?? 'default', password: key ?? '' };
  }
  const basic = /^Basic\s+(.+)$/i.exec(message.headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const decoded = Buffer.from(basic, 'base64').toString('utf8');
    const colon = decoded.indexOf(':');
    if (colon < 0) return { name: decoded, password: '' };
    return { name: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
  }
  return { name: query.get('user') ?? 'default', password: query.get('password') ?? '' };
}

/** Compares without telling by its duration how much was right. */
function same(expected: string, given: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(expected), digest(given));
}

/**
 * The life of one query: admit → read statement and data → connect → settings → guard → run →
 * answer → release. In: a parsed request. Out: an answer and what the query log wants to know.
 * Invariants: at most `concurrentQueriesMax` run; whatever happens the connection is released, the
 * temporary file removed and the FIFO given back; a client that has gone ends its query by KILL.
 */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type Chdb, CLASS_READ, type Connection, quote } from './chdb.ts';
import { ADMIN_ROLE } from './configuration.ts';
import { allowSetting, guard, syntaxError, toUtf8 } from './guard.ts';
import { EMPTY_SUMMARY, type Reply, type Summary } from './http/reply.ts';
import type { QueryRequest } from './http/request.ts';
import { CLICKHOUSE_CODES, ClickHouseError, EngineError } from './http/status.ts';
import { handedOverInsert, type Incoming, prepareInsert, readIncoming } from './insert.ts';
import { type FifoPool, sendStreamed, sendWhole } from './result.ts';
import type { Lease, SessionStore } from './session.ts';
import { readStatement, type Statement } from './statement.ts';

/** Answers of statements that do not stream (KILL, BACKUP …) are refused beyond this. */
const BUFFERED_BYTES_MAX = 64 * 1024 * 1024;
/** A KILL may come before the statement has begun: it is repeated at this pace until it ended. */
const KILL_AGAIN_MS = 200;
const KILL_TRIES_MAX = 150;

export interface ExecutionOptions {
  readonly chdb: Chdb;
  readonly sessions: SessionStore;
  readonly fifos: FifoPool;
  readonly concurrentQueriesMax: number;
  /** Where a process of this machine may put the data of an INSERT instead of sending it. */
  readonly handOverFolder: string;
  readonly wait: (durationMs: number) => Promise<void>;
}

/** What the query log wants to know; filled while the query goes on. */
export interface Trace {
  sql: string;
  summary: Summary;
  requestBytes: number;
}

interface Task {
  readonly options: ExecutionOptions;
  readonly running: ReadonlyMap<string, string>;
  readonly request: QueryRequest;
  readonly reply: Reply;
  readonly trace: Trace;
  /** The `log_comment` by which the statement is found and killed. */
  readonly id: string;
  readonly gone: () => boolean;
  /** Set when the statement only reads: it ends when its client has gone. */
  reads: boolean;
}

export interface ExecutionTask {
  readonly request: QueryRequest;
  readonly response: ServerResponse;
  readonly reply: Reply;
  readonly trace: Trace;
}

export interface Execution {
  /** Answers through `reply`, or throws before the answer began or after it broke off. */
  run(task: ExecutionTask): Promise<void>;
  readonly running: number;
}

export function createExecution(options: ExecutionOptions): Execution {
  /** Running queries: query id → `log_comment`. */
  const running = new Map<string, string>();
  return {
    get running() {
      return running.size;
    },
    async run({ request, response, reply, trace }) {
      admit(request, running, options.concurrentQueriesMax);
      const id = `${randomUUID()}/${request.queryId}`;
      running.set(request.queryId, id);
      const gone = () => response.destroyed && !response.writableFinished;
      const task: Task = { options, running, request, reply, trace, id, gone, reads: false };
      let ended = false;
      const onClose = () => void killUntil(task, () => ended);
      response.once('close', onClose);
      try {
        await perform(task);
      } finally {
        ended = true;
        response.off('close', onClose);
        running.delete(request.queryId);
      }
    },
  };
}

function admit(
  { queryId }: QueryRequest,
  running: ReadonlyMap<string, string>,
  countMax: number,
): void {
  if (running.size >= countMax) {
    const text = `Too many simultaneous queries. Maximum: ${countMax}`;
    throw new ClickHouseError('TOO_MANY_SIMULTANEOUS_QUERIES', text);
  }
  if (running.has(queryId)) {
    const text = `Query with id = ${queryId} is already running`;
    throw new ClickHouseError('QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', text);
  }
}

/** Ends a query whose client has gone; what writes goes on to its end, as on a server. */
async function killUntil(task: Task, ended: () => boolean): Promise<void> {
  const { chdb, wait } = task.options;
  for (let tries = 0; tries < KILL_TRIES_MAX && !ended(); tries++) {
    if (task.reads) await chdb.kill(task.id).catch(() => {}); // a stopping engine refuses
    await wait(KILL_AGAIN_MS);
  }
}

async function perform(task: Task): Promise<void> {
  const incoming = await readIncoming(task.request);
  task.trace.sql = toUtf8(
    incoming.shape === 'statement'
      ? incoming.sql
      : `${incoming.head.target} FORMAT ${incoming.head.format}`,
  );
  const lease = await task.options.sessions.lease(task.request);
  try {
    const restore = await prepareConnection(lease, task);
    try {
      if (incoming.shape === 'insert') await runInsert(task, lease.connection, incoming);
      else await runStatement(task, lease.connection, readStatement(incoming.sql));
    } finally {
      await restore();
    }
  } finally {
    await lease.release();
  }
}

/** Applies roles, database, settings and parameters; gives back how to undo that in a session. */
async function prepareConnection(lease: Lease, task: Task): Promise<() => Promise<void>> {
  const { connection } = lease;
  const { request } = task;
  const readOnly = request.role === 'readOnly';
  if (request.roles.length > 0) await setRoles(connection, request);
  const settings = [...request.settings].filter(([name, value]) =>
    readOnly ? allowSetting(name, value) : name !== 'readonly' || value !== '',
  );
  const restore = lease.kept ? await remember(connection, settings) : async () => {};
  if (request.database) await connection.run(`USE ${identifier(request.database)}`);
  const parameters = [...request.parameters].map(([name, value]) => [`param_${name}`, value]);
  const values = [...settings, ...parameters, ['log_comment', task.id]];
  if (readOnly) values.push(['readonly', '1']);
  await connection.run(
    `SET ${values.map(([name, value]) => `${name} = ${quote(value!)}`).join(', ')}`,
  );
  return restore;
}

async function setRoles(connection: Connection, request: QueryRequest): Promise<void> {
  if (request.role === 'readOnly') {
    const text = `Role ${request.roles[0]} should be granted to set as current`;
    throw new ClickHouseError('ACCESS_DENIED', text);
  }
  const roles = request.roles.map(identifier).join(', ');
  await connection.run(`SET ROLE ${roles === '' ? ADMIN_ROLE : roles}`);
}

/** A session keeps its own SETs, not those of one request's URL. */
async function remember(
  connection: Connection,
  settings: readonly (readonly [string, string])[],
): Promise<() => Promise<void>> {
  if (settings.length === 0) return async () => {};
  const names = settings.map(([name]) => quote(name)).join(', ');
  const before = await connection.run(
    `SELECT name, value FROM system.settings WHERE changed AND name IN (${names})`,
    'JSONCompactEachRow',
  );
  const rows = before.bytes.toString('utf8').split('\n').filter(Boolean);
  const values = new Map(rows.map((row) => JSON.parse(row) as [string, string]));
  const undo = settings.map(([name]) => {
    const value = values.get(name);
    return `${name} = ${value === undefined ? 'DEFAULT' : quote(value)}`;
  });
  return async () => {
    // A session that made itself readonly refuses.
    await connection.run(`SET ${undo.join(', ')}`).catch(() => {});
  };
}

function identifier(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

async function runStatement(
  task: Task,
  connection: Connection,
  statement: Statement,
): Promise<void> {
  const { trace } = task;
  trace.requestBytes = statement.sql.length;
  await check(task, connection, statement);
  task.reads = statement.kind === 'rows' || statement.kind === 'show';
  trace.summary =
    statement.kind === 'rows'
      ? await runRows(task, connection, statement)
      : await runOther(task, connection, statement);
}

/** Refuses what a server refuses, and what would end the engine. */
async function check(task: Task, connection: Connection, statement: Statement): Promise<void> {
  const { request } = task;
  if (statement.kind === 'empty') throw new ClickHouseError('EMPTY_QUERY', 'Empty query');
  if (statement.multiple) {
    const at = statement.end + 1;
    const text = `Syntax error (Multi-statements are not allowed): failed at position ${at}`;
    throw new ClickHouseError('SYNTAX_ERROR', `${text} (end of query)`);
  }
  if (request.role === 'readOnly') return guard(connection, statement, request.user);
  const words = statement.tokens.filter((token) => token.depth === 0).map((token) => token.upper);
  if (words.some((word, i) => word === 'INTO' && words[i + 1] === 'OUTFILE')) {
    throw new ClickHouseError('INTO_OUTFILE_NOT_ALLOWED', 'INTO OUTFILE is not allowed');
  }
  if (words[0] === 'SYSTEM' && (words[1] === 'SHUTDOWN' || words[1] === 'KILL')) {
    const text = 'SYSTEM SHUTDOWN and SYSTEM KILL are not allowed here: use `millrace stop`';
    throw new ClickHouseError('ACCESS_DENIED', text);
  }
  if (request.readOnlyMethod) await checkReads(connection, statement, request);
}

/** As a server does: GET only reads (and may SET for itself). */
async function checkReads(
  connection: Connection,
  statement: Statement,
  request: QueryRequest,
): Promise<void> {
  const first = statement.tokens[0]?.upper;
  if (first === 'SET' || first === 'USE') return;
  const { queryClass } = await connection.classify(toUtf8(statement.sql));
  if (queryClass === CLASS_READ) return;
  throw readOnlyMethod(request.user);
}

function readOnlyMethod(user: string): ClickHouseError {
  return new ClickHouseError(
    'READONLY',
    `${user}: Cannot execute query in readonly mode. For queries over HTTP, method GET implies ` +
      'readonly. You should use method POST for modifying queries',
  );
}

async function runRows(task: Task, connection: Connection, statement: Statement): Promise<Summary> {
  const { request, reply, gone } = task;
  const format = statement.format ?? (request.defaultFormat || 'TabSeparated');
  reply.format = format;
  const byEngine = reply.encodeByEngine();
  const run = { connection, statement, format, compression: byEngine, reply, gone };
  if (request.waitEndOfQuery) return sendWhole(run, `out-${randomUUID()}`);
  const { fifos } = task.options;
  const fifo = fifos.take();
  try {
    return await sendStreamed(run, fifo);
  } catch (error) {
    // The engine's own words are about a text with our INTO OUTFILE in it.
    const syntax = error instanceof EngineError && error.code === CLICKHOUSE_CODES.SYNTAX_ERROR;
    throw syntax ? await syntaxError(connection, toUtf8(statement.sql)) : error;
  } finally {
    fifos.give(fifo);
  }
}

/** SHOW, DDL, SET, SYSTEM, KILL, INSERT … SELECT: no result or a small one. */
async function runOther(
  task: Task,
  connection: Connection,
  statement: Statement,
): Promise<Summary> {
  const { request, reply } = task;
  const format = statement.format ?? (request.defaultFormat || 'TabSeparated');
  if (statement.kind === 'insert' && !request.settings.has('insert_deduplication_token')) {
    await connection.run(`SET insert_deduplication_token = ${quote(randomUUID())}`);
  }
  const sql = byQueryId(statement, task.running) ?? toUtf8(statement.sql.slice(0, statement.end));
  const result = await connection.run(sql, format);
  if (result.bytes.length > BUFFERED_BYTES_MAX) {
    const text = `The answer has ${result.bytes.length} bytes, more than ${BUFFERED_BYTES_MAX}`;
    throw new ClickHouseError('TOO_MANY_ROWS_OR_BYTES', text);
  }
  const summary = { ...EMPTY_SUMMARY, elapsedMs: result.elapsedMs };
  if (result.bytes.length > 0) reply.format = format;
  if (!task.gone()) reply.finish(result.bytes, summary);
  return summary;
}

const KILL_BY_ID =
  /^\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*'((?:[^'\\]|\\.)*)'\s*(SYNC|ASYNC|TEST)?\s*$/i;

/** The engine has ids of its own: a KILL by the id that a client gave is sent by ours. */
function byQueryId(statement: Statement, active: ReadonlyMap<string, string>): string | undefined {
  const match = KILL_BY_ID.exec(statement.body);
  const id = match && active.get(match[1]!);
  if (!match || !id) return undefined;
  return `KILL QUERY WHERE Settings['log_comment'] = ${quote(id)} ${match[2] ?? ''}`;
}

async function runInsert(
  task: Task,
  connection: Connection,
  incoming: Extract<Incoming, { shape: 'insert' }>,
): Promise<void> {
  const { request, reply, trace } = task;
  if (request.role === 'readOnly') {
    const text = `${request.user}: Cannot execute query in readonly mode`;
    throw new ClickHouseError('READONLY', text);
  }
  if (request.readOnlyMethod) throw readOnlyMethod(request.user);
  const token = request.settings.get('insert_deduplication_token');
  const { head, data } = incoming;
  const insert =
    request.handedOver === undefined
      ? await prepareInsert(head, data, `insert-${randomUUID()}`, token)
      : handedOverInsert(head, join(task.options.handOverFolder, request.handedOver), token);
  trace.requestBytes = insert.bytes;
  try {
    const result = await connection.run(insert.sql);
    trace.summary = {
      ...EMPTY_SUMMARY,
      readRows: result.rows,
      readBytes: result.rowBytes,
      writtenRows: result.rows,
      writtenBytes: result.rowBytes,
      resultRows: result.rows,
      elapsedMs: result.elapsedMs,
    };
    if (!task.gone()) reply.finish(Buffer.alloc(0), trace.summary);
  } finally {
    await insert.remove();
  }
}

/**
 * The embedded ClickHouse as its owner sees it: a child process that answers ClickHouse's HTTP
 * protocol on loopback. In: where its data lies, port, users, limits. Out: an address. It starts the
 * child, restarts it with back-off when it dies, and stops it by pid.
 *
 *   stopped ──start──▶ starting ──ready──▶ running ──stop──▶ stopped
 *                          ▲                  │ died
 *                          └──── back-off ◀───┘   (RESTARTS_MAX in a row: failed)
 *
 * Invariants: at most one child; a child whose parent is gone ends by itself; the port stays the
 * same over restarts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../../base/assert.ts';
import { createBackoff } from '../../base/backoff.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { siblingModule } from '../../base/sibling.ts';
import { OperatingError } from '../../model/error.ts';
import type { Begin, FromChild, FromParent } from './child.ts';
import type { UsersOptions } from './http/request.ts';

/** Loading half a gigabyte of library from a cold disk, plus the parts of many tables. */
const READY_MS_MAX = 120_000;
/** A child whose parent was killed ends within this, and frees port and data folder. */
const LEFTOVER_MS_MAX = 8_000;
const LEFTOVER_LOOK_MS = 200;
const STOP_MS_DEFAULT = 8_000;
const RESTART_FIRST_MS = 200;
const RESTART_WAIT_MS_MAX = 10_000;
/** Deaths in a row before the engine is given up. */
const RESTARTS_MAX = 5;
/** A child that lived so long starts the count anew. */
const STABLE_MS = 60_000;
/** Characters of the log shown in an error. */
const LOG_TAIL_CHARS = 1_500;
const MEMORY_BYTES_DEFAULT = 2 * 1024 ** 3;
/** Queries at a time; each takes a thread and a FIFO. Dashboards ask dozens at once. */
const CONCURRENT_QUERIES_DEFAULT = 64;
/** Threads beyond one per query: files of inserts and results, compression. */
const SPARE_THREADS = 16;

export interface ClickHouseEngineOptions {
  /** Folder of its own; made when missing. */
  readonly dataDir: string;
  readonly port: number | 'auto';
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly users: UsersOptions;
  /** Cap on what the engine allocates, in bytes; default 2 GiB. */
  readonly memoryBytesMax?: number;
  /** Queries at a time; default 64. */
  readonly concurrentQueriesMax?: number;
  /** Where relative paths of `file()` start; default `<dataDir>/user_files`. */
  readonly userFilesPath?: string;
  /** Output of the child; default `<dataDir>/engine.log`. */
  readonly logFile?: string;
  /** One JSON line a query, two files of 8 MiB; false: none. Default `<dataDir>/queries.ndjson`. */
  readonly queryLogFile?: string | false;
  readonly clock?: Clock;
  /** Called once when the engine keeps dying and is given up. */
  readonly onFailed?: (error: OperatingError) => void;
  /** Called after each restart. */
  readonly onRestarted?: (address: ClickHouseAddress) => void;
}

export interface ClickHouseAddress {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly readOnlyUser: string;
  readonly readOnlyPassword: string;
  readonly version: string;
  readonly pid: number;
}

export interface ClickHouseEngine {
  start(): Promise<ClickHouseAddress>;
  /** Kills after `deadlineMs` (default 8 s). */
  stop(deadlineMs?: number): Promise<void>;
  /** The address, or null while it is not running. */
  findAddress(): ClickHouseAddress | null;
}

export function createClickHouseEngine(options: ClickHouseEngineOptions): ClickHouseEngine {
  const clock = options.clock ?? systemClock;
  const settled = settle(options);
  let state: 'stopped' | 'starting' | 'running' | 'stopping' | 'failed' = 'stopped';
  let child: ChildProcess | undefined;
  let address: ClickHouseAddress | null = null;
  let port = options.port === 'auto' ? 0 : options.port;
  let deaths = 0;
  let readyAtMs = 0;
  const backoff = createBackoff(RESTART_FIRST_MS, RESTART_WAIT_MS_MAX);

  const launch = async (): Promise<ClickHouseAddress> => {
    const logBytes = sizeOf(settled.logFile);
    const started = spawnChild(settled);
    child = started;
    const ready = await waitReady(started, { ...settled.begin, port }, settled.logFile, logBytes);
    port = ready.port;
    writeFileSync(settled.pidFile, `${started.pid}\n`);
    readyAtMs = clock.monotonicMs();
    state = 'running';
    address = addressOf(settled, ready, started.pid!);
    started.once('exit', (code, signal) => void onDeath(`exit ${code ?? signal}`));
    return address;
  };

  const onDeath = async (why: string): Promise<void> => {
    address = null;
    if (state !== 'running') return;
    state = 'starting';
    if (clock.monotonicMs() - readyAtMs > STABLE_MS) {
      deaths = 0;
      backoff.reset();
    }
    let last: unknown = why;
    for (deaths++; deaths <= RESTARTS_MAX; deaths++) {
      await clock.wait(backoff.nextMs());
      if (state !== 'starting') return;
      try {
        options.onRestarted?.(await launch());
        return;
      } catch (error) {
        last = error;
      }
    }
    if (state !== 'starting') return;
    state = 'failed';
    const text = `ClickHouse died ${RESTARTS_MAX} times in a row (${why}); see ${settled.logFile}`;
    const where = { dataDir: settled.begin.dataDir, log: settled.logFile };
    options.onFailed?.(new OperatingError('CLICKHOUSE_FAILED', text, { cause: last, where }));
  };

  /** A child left by a killed parent holds port and data folder a little longer. */
  const launchPatiently = async (): Promise<ClickHouseAddress> => {
    const until = clock.monotonicMs() + LEFTOVER_MS_MAX;
    for (;;) {
      try {
        if (port !== 0) await requireFreePort(settled.begin.host, port);
        return await launch();
      } catch (error) {
        const again = error instanceof OperatingError && mayBeLeftover(error, settled);
        if (!again || clock.monotonicMs() > until || state !== 'starting') throw error;
        await clock.wait(LEFTOVER_LOOK_MS);
      }
    }
  };

  return {
    async start() {
      assert(state === 'stopped' || state === 'failed', `start() while ${state}`);
      state = 'starting';
      try {
        mkdirSync(settled.begin.dataDir, { recursive: true });
        mkdirSync(dirname(settled.logFile), { recursive: true });
        return await launchPatiently();
      } catch (error) {
        state = 'stopped';
        throw error;
      }
    },
    async stop(deadlineMs = STOP_MS_DEFAULT) {
      state = 'stopping';
      address = null;
      if (child) await stopChild(child, deadlineMs, clock);
      child = undefined;
      state = 'stopped';
    },
    findAddress: () => address,
  };
}

interface Settled {
  readonly begin: Begin;
  readonly logFile: string;
  readonly pidFile: string;
}

function settle(options: ClickHouseEngineOptions): Settled {
  const dataDir = resolve(options.dataDir);
  const queryLog = options.queryLogFile ?? join(dataDir, 'queries.ndjson');
  return {
    logFile: resolve(options.logFile ?? join(dataDir, 'engine.log')),
    pidFile: join(dataDir, 'engine.pid'),
    begin: {
      type: 'begin',
      dataDir,
      host: options.host ?? '127.0.0.1',
      port: 0,
      users: options.users,
      memoryBytesMax: options.memoryBytesMax ?? MEMORY_BYTES_DEFAULT,
      userFilesPath: resolve(options.userFilesPath ?? join(dataDir, 'user_files')),
      concurrentQueriesMax: options.concurrentQueriesMax ?? CONCURRENT_QUERIES_DEFAULT,
      queryLogFile: queryLog === false ? undefined : resolve(queryLog),
    },
  };
}

function addressOf(
  settled: Settled,
  ready: { port: number; version: string },
  pid: number,
): ClickHouseAddress {
  const { host, users } = settled.begin;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${ready.port}`,
    host,
    port: ready.port,
    user: users.admin.name,
    password: users.admin.password,
    readOnlyUser: users.readOnly.name,
    readOnlyPassword: users.readOnly.password,
    version: ready.version,
    pid,
  };
}

function spawnChild(settled: Settled): ChildProcess {
  const log = openSync(settled.logFile, 'a');
  try {
    const url = siblingModule(import.meta.url, './child');
    const typescript = url.pathname.endsWith('.ts');
    const threads = settled.begin.concurrentQueriesMax + SPARE_THREADS;
    const child = fork(fileURLToPath(url), [], {
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'json',
      execArgv: typescript ? ['--import', 'tsx'] : [],
      // Nothing of our own environment: what the engine can reach must not find credentials in it.
      env: { UV_THREADPOOL_SIZE: String(threads), TZ: 'UTC', PATH: '/usr/local/bin:/usr/bin:/bin' },
      ...(typescript ? { cwd: dirname(fileURLToPath(url)) } : {}),
    });
    return child;
  } finally {
    closeSync(log);
  }
}

function waitReady(
  child: ChildProcess,
  begin: Begin,
  logFile: string,
  logBytes: number,
): Promise<{ port: number; version: string }> {
  return new Promise((done, fail) => {
    const where = { dataDir: begin.dataDir, port: begin.port, log: logFile };
    const failWith = (text: string, portBusy = false): void => {
      cleanUp();
      child.kill('SIGKILL');
      const tail = readFrom(logFile, logBytes).slice(-LOG_TAIL_CHARS).trim();
      if (portBusy) fail(portBusyError(begin.host, begin.port));
      else fail(new OperatingError('CLICKHOUSE_FAILED', explain(text, tail, begin), { where }));
    };
    const onMessage = (message: FromChild): void => {
      if (message.type === 'failed') {
        failWith(message.text, message.portBusy);
        return;
      }
      cleanUp();
      done({ port: message.port, version: message.version });
    };
    const onExit = (code: number | null, signal: string | null) =>
      failWith(`the process ended (${code ?? signal}) before it was ready`);
    const onError = (error: Error) => failWith(error.message);
    const timer = setTimeout(() => failWith(`not ready after ${READY_MS_MAX} ms`), READY_MS_MAX);
    const cleanUp = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
    };
    child.on('message', onMessage);
    child.once('exit', onExit);
    child.on('error', onError);
    child.send(begin satisfies FromParent, () => {});
  });
}

const LOCKED = /Cannot lock file|Another server instance|already running|CANNOT_OPEN_FILE/i;

function explain(text: string, logTail: string, begin: Begin): string {
  if (LOCKED.test(logTail)) {
    return (
      `Another process holds the ClickHouse data folder ${begin.dataDir}. Stop it (its pid may be ` +
      `in engine.pid there), or use another data folder. It said: ${logTail}`
    );
  }
  return `ClickHouse did not start on ${begin.dataDir}: ${text}. Its log ends with: ${logTail}`;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function readFrom(file: string, bytes: number): string {
  try {
    return readFileSync(file).subarray(bytes).toString('utf8');
  } catch {
    return '(no log)';
  }
}

function portBusyError(host: string, port: number): OperatingError {
  const text =
    `Port ${port} on ${host} is taken by another process. Stop it, choose another port for ` +
    'ClickHouse, or start with `--ports auto`.';
  return new OperatingError('PORT_BUSY', text, { where: { host, port } });
}

function requireFreePort(host: string, port: number): Promise<void> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'EADDRINUSE' ? portBusyError(host, port) : error),
    );
    probe.listen(port, host, () => probe.close(() => done()));
  });
}

/** Only the child of a killed parent is worth waiting for: it ends by itself. */
function mayBeLeftover(error: OperatingError, settled: Settled): boolean {
  if (error.code !== 'PORT_BUSY' && !LOCKED.test(error.message)) return false;
  const pid = Number.parseInt(readFrom(settled.pidFile, 0), 10);
  return pid > 0 && isAlive(pid);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

async function stopChild(child: ChildProcess, deadlineMs: number, clock: Clock): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const given = new AbortController();
  if (child.connected) child.send({ type: 'stop' } satisfies FromParent, () => {});
  else child.kill('SIGTERM');
  const tooLong = clock.wait(deadlineMs, given.signal).then(
    () => child.kill('SIGKILL'),
    () => {}, // it ended in time
  );
  await ended;
  given.abort();
  await tooLong;
}

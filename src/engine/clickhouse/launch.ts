/**
 * Starts and ends the one process of the engine. In: settled options. Out: a child that is ready,
 * or an error that says what to do. Invariant: a child that did not become ready is killed when the
 * error is thrown; the pid file names the last child that was ready.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../base/clock.ts';
import { siblingModule } from '../../base/sibling.ts';
import { OperatingError } from '../../model/error.ts';
import type { Begin, FromChild, FromParent } from './child.ts';

/** Loading half a gigabyte of library from a cold disk, plus the parts of many tables. */
const READY_MS_MAX = 120_000;
/** Characters of the log shown in an error. */
const LOG_TAIL_CHARS = 1_500;
/** Threads beyond one per query: files of inserts and results, compression. */
const SPARE_THREADS = 16;

export interface Settled {
  /** What the child is told; the port is filled in at each start. */
  readonly begin: Begin;
  readonly logFile: string;
  readonly pidFile: string;
}

export interface Launched {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  readonly version: string;
}

/** `port` 0 takes any free one. */
export async function launch(
  settled: Settled,
  port: number,
  onSpawn: (child: ChildProcess) => void,
): Promise<Launched> {
  const begin = { ...settled.begin, port };
  if (port !== 0) await requireFreePort(begin.host, port);
  const logBytes = statSync(settled.logFile, { throwIfNoEntry: false })?.size ?? 0;
  const child = spawnChild(settled);
  onSpawn(child);
  const outcome = await firstWord(child, begin);
  if (outcome.type === 'failed') {
    child.kill('SIGKILL');
    if (outcome.portBusy) throw portBusyError(begin.host, port);
    const tail = readFrom(settled.logFile, logBytes).slice(-LOG_TAIL_CHARS).trim();
    const where = { dataDir: begin.dataDir, port, log: settled.logFile };
    throw new OperatingError('CLICKHOUSE_FAILED', explain(outcome.text, tail, begin), { where });
  }
  writeFileSync(settled.pidFile, `${child.pid}\n`);
  return { child, pid: child.pid!, port: outcome.port, version: outcome.version };
}

/** What the child says first, or how it ended without a word. */
function firstWord(child: ChildProcess, begin: Begin): Promise<FromChild> {
  return new Promise((resolve) => {
    const fail = (text: string) => settle({ type: 'failed', portBusy: false, text });
    const settle = (message: FromChild): void => {
      clearTimeout(timer);
      child.off('message', settle);
      resolve(message);
    };
    const timer = setTimeout(() => fail(`not ready after ${READY_MS_MAX} ms`), READY_MS_MAX);
    child.on('message', settle);
    child.once('exit', (code, signal) => fail(`the process ended (${code ?? signal})`));
    child.on('error', (error) => fail(error.message));
    child.send(begin satisfies FromParent, () => {}); // if it fails, 'exit' follows
  });
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

const LOCKED = /Cannot lock file|Another server instance|already running|CANNOT_OPEN_FILE/i;

function explain(text: string, logTail: string, begin: Begin): string {
  if (LOCKED.test(logTail)) {
    return (
      `Another process holds the ClickHouse data folder ${begin.dataDir}. Stop it (engine.pid` +
      ` there may name it), or use another data folder. It said: ${logTail}`
    );
  }
  return `ClickHouse did not start on ${begin.dataDir}: ${text}. Its log ends with: ${logTail}`;
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
export function mayBeLeftover(error: unknown, settled: Settled): boolean {
  if (!(error instanceof OperatingError)) return false;
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

/** Asks it to end; kills it after `deadlineMs`. */
export async function stopChild(
  child: ChildProcess,
  deadlineMs: number,
  clock: Clock,
): Promise<void> {
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

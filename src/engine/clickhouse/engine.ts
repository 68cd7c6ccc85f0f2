/**
 * The embedded ClickHouse as its owner sees it: a child process that answers ClickHouse's HTTP
 * protocol on loopback. In: where its data lies, port, users, limits. Out: an address. It starts
 * the child, restarts it with back-off when it dies, and stops it by pid.
 *
 *   stopped ──start──▶ starting ──ready──▶ running ──stop──▶ stopped
 *                          ▲                  │ died
 *                          └──── back-off ◀───┘   (RESTARTS_MAX in a row: failed)
 *
 * Invariants: at most one child; a child whose parent is gone ends by itself; the port stays the
 * same over restarts.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { assert } from '../../base/assert.ts';
import { type Backoff, createBackoff } from '../../base/backoff.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';
import type { UsersOptions } from './http/request.ts';
import { type Launched, launch, mayBeLeftover, type Settled, stopChild } from './launch.ts';

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
const MEMORY_BYTES_DEFAULT = 2 * 1024 ** 3;
/** Queries at a time; each takes a thread and a FIFO. Dashboards ask dozens at once. */
const CONCURRENT_QUERIES_DEFAULT = 64;

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
  /** Where a process of this machine may put the data of an INSERT. */
  readonly handOverFolder: string;
}

export interface ClickHouseEngine {
  start(): Promise<ClickHouseAddress>;
  /** Kills after `deadlineMs` (default 8 s). */
  stop(deadlineMs?: number): Promise<void>;
  /** The address, or null while it is not running. */
  findAddress(): ClickHouseAddress | null;
}

type State = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

export function createClickHouseEngine(options: ClickHouseEngineOptions): ClickHouseEngine {
  return new Supervisor(options);
}

class Supervisor implements ClickHouseEngine {
  readonly #options: ClickHouseEngineOptions;
  readonly #settled: Settled;
  readonly #clock: Clock;
  readonly #backoff: Backoff = createBackoff(RESTART_FIRST_MS, RESTART_WAIT_MS_MAX);
  #state: State = 'stopped';
  #child: ChildProcess | undefined;
  #address: ClickHouseAddress | null = null;
  #port: number;
  #deaths = 0;
  #readyAtMs = 0;

  constructor(options: ClickHouseEngineOptions) {
    this.#options = options;
    this.#settled = settle(options);
    this.#clock = options.clock ?? systemClock;
    this.#port = options.port === 'auto' ? 0 : options.port;
  }

  async start(): Promise<ClickHouseAddress> {
    assert(this.#state === 'stopped' || this.#state === 'failed', `start() while ${this.#state}`);
    this.#state = 'starting';
    this.#deaths = 0;
    this.#backoff.reset();
    try {
      mkdirSync(this.#settled.begin.dataDir, { recursive: true });
      mkdirSync(dirname(this.#settled.logFile), { recursive: true });
      return await this.#launchPatiently();
    } catch (error) {
      if (this.#state === 'starting') this.#state = 'stopped';
      throw error;
    }
  }

  async stop(deadlineMs = STOP_MS_DEFAULT): Promise<void> {
    this.#state = 'stopping';
    this.#address = null;
    if (this.#child) await stopChild(this.#child, deadlineMs, this.#clock);
    this.#child = undefined;
    this.#state = 'stopped';
  }

  findAddress(): ClickHouseAddress | null {
    return this.#address;
  }

  async #launch(): Promise<ClickHouseAddress> {
    const launched = await launch(this.#settled, this.#port, (child) => {
      this.#child = child;
    });
    if (this.#state !== 'starting') {
      launched.child.kill('SIGKILL');
      throw new OperatingError('CLICKHOUSE_FAILED', 'ClickHouse was stopped while it started');
    }
    this.#port = launched.port;
    this.#readyAtMs = this.#clock.monotonicMs();
    this.#state = 'running';
    this.#address = addressOf(this.#settled, launched);
    launched.child.once('exit', (code, signal) => void this.#onDeath(`exit ${code ?? signal}`));
    return this.#address;
  }

  /** A child left by a killed parent holds port and data folder a little longer. */
  async #launchPatiently(): Promise<ClickHouseAddress> {
    const until = this.#clock.monotonicMs() + LEFTOVER_MS_MAX;
    for (;;) {
      try {
        return await this.#launch();
      } catch (error) {
        const late = this.#clock.monotonicMs() > until || this.#state !== 'starting';
        if (late || !mayBeLeftover(error, this.#settled)) throw error;
        await this.#clock.wait(LEFTOVER_LOOK_MS);
      }
    }
  }

  async #onDeath(why: string): Promise<void> {
    this.#address = null;
    if (this.#state !== 'running') return;
    this.#state = 'starting';
    if (this.#clock.monotonicMs() - this.#readyAtMs > STABLE_MS) {
      this.#deaths = 0;
      this.#backoff.reset();
    }
    let last: unknown = why;
    for (this.#deaths++; this.#deaths <= RESTARTS_MAX; this.#deaths++) {
      await this.#clock.wait(this.#backoff.nextMs());
      if (this.#isStopped()) return;
      try {
        // Not inside the call: where nobody listens its arguments are never evaluated.
        const address = await this.#launch();
        this.#options.onRestarted?.(address);
        return;
      } catch (error) {
        last = error;
      }
    }
    if (!this.#isStopped()) this.#giveUp(why, last);
  }

  /** stop() may have been called during any wait. */
  #isStopped(): boolean {
    return this.#state !== 'starting';
  }

  #giveUp(why: string, cause: unknown): void {
    this.#state = 'failed';
    const { logFile, begin } = this.#settled;
    const text = `ClickHouse died ${RESTARTS_MAX} times in a row (${why}); see ${logFile}`;
    const where = { dataDir: begin.dataDir, log: logFile };
    this.#options.onFailed?.(new OperatingError('CLICKHOUSE_FAILED', text, { cause, where }));
  }
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
      handOverFolder: join(dataDir, 'handover'),
      userFilesPath: resolve(options.userFilesPath ?? join(dataDir, 'user_files')),
      concurrentQueriesMax: options.concurrentQueriesMax ?? CONCURRENT_QUERIES_DEFAULT,
      queryLogFile: queryLog === false ? undefined : resolve(queryLog),
    },
  };
}

function addressOf(settled: Settled, launched: Launched): ClickHouseAddress {
  const { host, users } = settled.begin;
  const { port, version, pid } = launched;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    host,
    port,
    user: users.admin.name,
    password: users.admin.password,
    readOnlyUser: users.readOnly.name,
    readOnlyPassword: users.readOnly.password,
    version,
    pid,
    handOverFolder: settled.begin.handOverFolder,
  };
}

/**
 * The embedded NATS server, kept alive. In: binary, folder, ports, the log's shape. Out: an address
 * that stays the same while the engine runs (only `pid` changes). Invariants: one server per
 * folder; after RESTARTS_MAX deaths without a healthy minute between them `onFailed` is called once
 * and it stays down.
 *
 *            start()                     died                         too many deaths
 *   idle ───────────────► running ───────────────► waiting (back-off) ───────────────► failed
 *     ▲                      │  ▲──────── healthy again ─────┘                             │
 *     └──────── stop() ──────┴──────────────────────────────────────────────────────────◄──┘
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { assert } from '../../base/assert.ts';
import { createBackoff } from '../../base/backoff.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { OperatingError } from '../../model/error.ts';
import {
  type ChildOptions,
  failedError,
  type NatsChild,
  spawnNatsServer,
  waitUntilReady,
} from './child.ts';
import { findProgram } from './command.ts';
import { LOOPBACK, loadPassword, NATS_USER, serverConfigText } from './config.ts';
import { claimFolder, endProcess, releaseFolder } from './leftover.ts';
import { choosePorts, isAuto, type PortChoice } from './port.ts';
import { watchStore } from './store-watch.ts';

const RESTART_FIRST_MS = 100;
const RESTART_MAX_MS = 5_000;
/** 0.1 + 0.2 + … ≈ 11 s of trying: long enough for a hiccup, short enough for a person. */
const RESTARTS_MAX = 8;
/** A server that lived this long was healthy: its death counts as the first again. */
const HEALTHY_AFTER_MS = 60_000;
/** How often free ports are chosen anew when another process took one in between. */
const PORT_TRIES_MAX = 3;

export interface NatsAddress {
  readonly url: string;
  readonly monitorUrl: string;
  readonly websocketUrl: string;
  readonly user: string;
  readonly password: string;
  readonly pid: number;
}

export interface NatsEngineOptions {
  /** Path of a nats-server binary, from findNatsServer. */
  readonly binary: string;
  /** The engine's own folder: store, log, password, generated configuration. */
  readonly folder: string;
  readonly port: PortChoice;
  readonly monitorPort: PortChoice;
  readonly websocketPort: PortChoice;
  /** Web origins whose pages may connect over WebSocket; default none. */
  readonly websocketOrigins?: readonly string[];
  readonly storeBytesMax: number;
  /** True: fsync before each acknowledgement. Default false. */
  readonly syncAlways?: boolean;
  readonly logId: string;
  readonly partitionCount: number;
  /** The value of PATH. */
  readonly searchPath: string;
  readonly say?: (line: string) => void;
  /** For the waits between restarts; default the system's. */
  readonly clock?: Clock;
  /** DISK_FULL, each time the store can no longer be written. */
  readonly onTrouble?: (error: OperatingError) => void;
  /** Called once when the server keeps dying and is not started again. */
  readonly onFailed?: (error: OperatingError) => void;
}

export interface NatsEngine {
  start(): Promise<NatsAddress>;
  /** SIGTERM, SIGKILL after 5 s; resolves when the process is gone. May be called at any time. */
  stop(): Promise<void>;
  /** Null while it does not run. */
  readonly address: NatsAddress | null;
}

interface Life {
  readonly child: NatsChild;
  readonly options: ChildOptions;
  readonly address: NatsAddress;
}

export function createNatsEngine(options: NatsEngineOptions): NatsEngine {
  const say = options.say ?? (() => {});
  const clock = options.clock ?? systemClock;
  const files = engineFiles(options.folder);
  const stopping = new AbortController();
  let life: Life | null = null;
  let starting: Promise<NatsAddress> | null = null;
  let watching: Promise<void> | null = null;
  let stopped: Promise<void> | null = null;
  let isClaimed = false;

  function start(): Promise<NatsAddress> {
    assert(starting === null, 'an engine is started once');
    starting = startOnce();
    return starting;
  }

  async function startOnce(): Promise<NatsAddress> {
    mkdirSync(files.storeFolder, { recursive: true });
    await claimFolder(files, say);
    isClaimed = true;
    try {
      const first = await firstLife(options, files, (spawned) => {
        life = spawned;
        // Stopped while it was looking for ports: let the wait for readiness fail at once.
        if (stopping.signal.aborted) void endProcess(spawned.child.pid);
      });
      watching = Promise.all([watch(first), watchDisk(first)]).then(() => {});
      return first.address;
    } catch (error) {
      life = null;
      throw error;
    }
  }

  function watchDisk({ options: { monitorPort } }: Life): Promise<void> {
    return watchStore(
      {
        monitorPort,
        storeFolder: files.storeFolder,
        clock,
        onStuck: (error) => options.onTrouble?.(error),
        async restart() {
          say('nats-server: there is room on the disk again; starting it anew');
          if (life) await endProcess(life.child.pid);
        },
      },
      stopping.signal,
    );
  }

  async function watch(first: Life): Promise<void> {
    const backoff = createBackoff(RESTART_FIRST_MS, RESTART_MAX_MS);
    let deaths = 0;
    let bornMs = clock.monotonicMs();
    let current = first;
    while (true) {
      const how = await current.child.ended;
      life = null;
      if (stopping.signal.aborted) return;
      if (clock.monotonicMs() - bornMs > HEALTHY_AFTER_MS) {
        deaths = 0;
        backoff.reset();
      }
      deaths += 1;
      if (deaths > RESTARTS_MAX) return options.onFailed?.(failedError(how, current.options));
      const waitMs = backoff.nextMs();
      say(`nats-server ${how}; starting it again in ${waitMs} ms (try ${deaths}/${RESTARTS_MAX})`);
      await clock.wait(waitMs, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
      bornMs = clock.monotonicMs();
      current = await revive(current);
    }
  }

  /** Same ports, same files. A life that never becomes ready ends, and is seen by the watch. */
  async function revive(before: Life): Promise<Life> {
    const child = spawnNatsServer(before.options);
    const next = { ...before, child, address: { ...before.address, pid: child.pid } };
    life = next;
    try {
      await waitUntilReady(child, before.options);
      say(`nats-server runs again as process ${child.pid}`);
    } catch {
      await endProcess(child.pid);
    }
    return next;
  }

  function stop(): Promise<void> {
    stopped ??= stopOnce();
    return stopped;
  }

  async function stopOnce(): Promise<void> {
    stopping.abort();
    if (starting === null) return;
    if (life) await endProcess(life.child.pid);
    // Whatever is spawned from here on ends at once, and nothing is started after it.
    await starting.catch(() => {});
    if (life) await endProcess(life.child.pid);
    await watching;
    if (isClaimed) releaseFolder(files);
  }

  return {
    start,
    stop,
    get address() {
      return life?.address ?? null;
    },
  };
}

/** Ends a server that a killed Millrace left in the folder; ALREADY_RUNNING when that one lives. */
export async function endLeftover(folder: string): Promise<void> {
  const files = engineFiles(folder);
  if (!existsSync(files.pidFile)) return;
  await claimFolder(files, () => {});
  releaseFolder(files);
}

function engineFiles(folder: string) {
  const base = resolve(folder);
  return {
    storeFolder: join(base, 'store'),
    configFile: join(base, 'nats-server.conf'),
    pidFile: join(base, 'nats-server.pid'),
    ownerFile: join(base, 'owner.json'),
    logFile: join(base, 'nats-server.log'),
    crashFile: join(base, 'nats-server.crash.log'),
    passwordFile: join(base, 'password'),
  };
}

type Files = ReturnType<typeof engineFiles>;

async function firstLife(
  options: NatsEngineOptions,
  files: Files,
  onSpawned: (life: Life) => void,
): Promise<Life> {
  const requests = [
    { setting: 'nats.port', port: options.port },
    { setting: 'nats.monitorPort', port: options.monitorPort },
    { setting: 'nats.websocketPort', port: options.websocketPort },
  ];
  const tries = requests.some(({ port }) => isAuto(port)) ? PORT_TRIES_MAX : 1;
  for (let attempt = 1; ; attempt += 1) {
    const [port, monitorPort, websocketPort] = await choosePorts(requests);
    const ports = { port: port!, monitorPort: monitorPort!, websocketPort: websocketPort! };
    const life = spawnLife(options, files, ports);
    onSpawned(life);
    try {
      await waitUntilReady(life.child, life.options);
      return life;
    } catch (error) {
      await endProcess(life.child.pid);
      if (attempt === tries || !/address already in use/.test(String(error))) throw error;
    }
  }
}

function spawnLife(
  options: NatsEngineOptions,
  files: Files,
  ports: { readonly port: number; readonly monitorPort: number; readonly websocketPort: number },
): Life {
  const password = loadPassword(files.passwordFile);
  const text = serverConfigText({
    ...files,
    ...ports,
    password,
    websocketOrigins: options.websocketOrigins ?? [],
    storeBytesMax: options.storeBytesMax,
    syncAlways: options.syncAlways ?? false,
    logId: options.logId,
    partitionCount: options.partitionCount,
  });
  rmSync(files.configFile, { force: true });
  writeFileSync(files.configFile, text, { mode: 0o600 });
  const isLinux = process.platform === 'linux';
  const childOptions = {
    ...files,
    ...ports,
    binary: options.binary,
    setpriv: isLinux ? findProgram('setpriv', options.searchPath) : null,
  };
  const child = spawnNatsServer(childOptions);
  return { child, options: childOptions, address: addressOf(ports, password, child.pid) };
}

function addressOf(
  ports: { readonly port: number; readonly monitorPort: number; readonly websocketPort: number },
  password: string,
  pid: number,
): NatsAddress {
  return {
    url: `nats://${LOOPBACK}:${ports.port}`,
    monitorUrl: `http://${LOOPBACK}:${ports.monitorPort}`,
    websocketUrl: `ws://${LOOPBACK}:${ports.websocketPort}`,
    user: NATS_USER,
    password,
    pid,
  };
}

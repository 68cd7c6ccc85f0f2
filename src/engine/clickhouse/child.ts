/**
 * The process that holds the engine: started by engine.ts, talks to it by IPC. In: one `Begin`
 * message, then `stop`. Out: `ready` or `failed`. It goes into its own working folder before it
 * loads the engine (a `config.xml` in the current folder would be read silently).
 *
 * Invariants: all connections are closed before the process ends (otherwise it may crash); when the
 * channel to the parent closes, the process ends by itself, so that a killed parent leaves nothing
 * behind that holds the data folder or the port.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { type Chdb, openChdb } from './chdb.ts';
import { configXml, usersXml } from './configuration.ts';
import { createExecution } from './execution.ts';
import { createQueryLog } from './http/query-log.ts';
import type { UsersOptions } from './http/request.ts';
import { createQueryServer } from './http/server.ts';
import { createFifoPool } from './result.ts';
import { createSessionStore } from './session.ts';

export interface Begin {
  readonly type: 'begin';
  readonly dataDir: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly users: UsersOptions;
  readonly memoryBytesMax: number;
  readonly userFilesPath: string;
  readonly handOverFolder: string;
  readonly concurrentQueriesMax: number;
  readonly queryLogFile: string | undefined;
}

export type FromParent = Begin | { readonly type: 'stop' };

export type FromChild =
  | { readonly type: 'ready'; readonly port: number; readonly version: string }
  | { readonly type: 'failed'; readonly portBusy: boolean; readonly text: string };

/** Time for running queries to be killed and connections to close before the process just ends. */
const CLOSE_MS_MAX = 5_000;
const SWEEP_EVERY_MS = 5_000;

interface Running {
  stop(): Promise<void>;
}

function tell(message: FromChild): void {
  if (process.connected) process.send?.(message, () => {});
}

async function begin(options: Begin): Promise<Running> {
  const work = join(options.dataDir, 'work');
  rmSync(work, { recursive: true, force: true }); // what a killed process left
  mkdirSync(work, { recursive: true });
  mkdirSync(join(options.dataDir, 'tmp'), { recursive: true });
  mkdirSync(options.userFilesPath, { recursive: true });
  process.chdir(work);
  const chdb = openChdb(join(options.dataDir, 'store'), writeConfiguration(options));
  const identity = await readIdentity(chdb);
  const sessions = createSessionStore(chdb, systemClock);
  const { handOverFolder } = options;
  // What a killed process left there is nobody's: the data folder is ours by now.
  rmSync(handOverFolder, { recursive: true, force: true });
  mkdirSync(handOverFolder, { recursive: true });
  const { concurrentQueriesMax } = options;
  const execution = createExecution({
    chdb,
    sessions,
    fifos: await createFifoPool(concurrentQueriesMax),
    concurrentQueriesMax,
    handOverFolder,
    wait: (durationMs) => systemClock.wait(durationMs),
  });
  const log = createQueryLog(options.queryLogFile);
  const { users } = options;
  const { compressByDefault } = identity;
  const server = createQueryServer({
    users,
    identity,
    execution,
    log,
    clock: systemClock,
    loopback: /^(127\.|::1$|localhost$)/.test(options.host),
    compressByDefault,
  });
  const port = await listen(server, options);
  const sweep = setInterval(() => sessions.sweep(), SWEEP_EVERY_MS);
  tell({ type: 'ready', port, version: identity.version });
  return {
    async stop() {
      clearInterval(sweep);
      server.close();
      server.closeAllConnections(); // running queries are killed as for any client that has gone
      log.close();
      await chdb.close();
    },
  };
}

function writeConfiguration(options: Begin): string {
  const folder = join(options.dataDir, 'config');
  mkdirSync(folder, { recursive: true });
  const usersFile = join(folder, 'users.xml');
  const configFile = join(folder, 'config.xml');
  writeFileSync(usersFile, usersXml());
  const { memoryBytesMax, userFilesPath } = options;
  const temporaryPath = join(options.dataDir, 'tmp');
  writeFileSync(configFile, configXml({ memoryBytesMax, userFilesPath, temporaryPath, usersFile }));
  return configFile;
}

async function readIdentity(
  chdb: Chdb,
): Promise<{ version: string; timezone: string; compressByDefault: boolean }> {
  const connection = chdb.connect();
  const sql = "SELECT version(), timezone(), toString(getSetting('enable_http_compression'))";
  const result = await connection.run(sql, 'JSONCompactEachRow');
  await connection.close();
  const row = JSON.parse(result.bytes.toString('utf8')) as [string, string, string];
  return { version: row[0], timezone: row[1], compressByDefault: /^(1|true)$/.test(row[2]) };
}

function listen(server: ReturnType<typeof createQueryServer>, options: Begin): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

let running: Promise<Running> | undefined;
let stopping = false;

async function end(): Promise<void> {
  if (stopping) return;
  stopping = true;
  // Whatever hangs in the engine must not keep the data folder locked.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), CLOSE_MS_MAX).unref();
  try {
    await (await running)?.stop();
  } catch (error) {
    console.error(`stop: ${String(error)}`);
  }
  process.exit(0);
}

function onMessage(message: FromParent): void {
  if (message.type === 'stop') return void end();
  running = begin(message);
  running.catch((error: NodeJS.ErrnoException) => {
    console.error(error.stack ?? String(error));
    tell({ type: 'failed', portBusy: error.code === 'EADDRINUSE', text: error.message });
    process.exitCode = 1;
    process.disconnect?.();
  });
}

process.on('message', onMessage);
process.on('disconnect', () => void end());
process.on('SIGTERM', () => void end());
process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the parent decides when to stop

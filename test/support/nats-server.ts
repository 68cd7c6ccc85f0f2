/**
 * A real nats-server for tests: own folder, free port, killed by pid. In: what a test wants
 * different. Out: address, `kill` (SIGKILL) and `restart` on the same port and folder, `stop`. The
 * server must be stopped in `after`/`afterEach`, also when the test failed; `stopServers` stops
 * what is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import { environment } from '../../src/config/environment.ts';
import { findNatsServer } from '../../src/engine/nats/index.ts';

const READY_MS = 20_000;
const POLL_MS = 10;

export interface TestServerOptions {
  /** Limit of the file store; default 2 GiB. */
  readonly storeBytesMax?: number;
  /** Configuration lines put at the end, e.g. mappings. */
  readonly extra?: string;
}

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly pid: number;
  kill(signal?: NodeJS.Signals): Promise<void>;
  restart(): Promise<void>;
  /** Stops and continues the process, as a machine that hangs. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const running = new Set<TestServer>();

export async function stopServers(): Promise<void> {
  for (const server of [...running]) await server.stop();
}

let found: Promise<string> | null = null;
function binaryPath(): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  const root = here.replace(/([\\/]build)?[\\/]test[\\/]support$/, '');
  found ??= findNatsServer({
    ...(environment.natsServer ? { explicitPath: environment.natsServer } : {}),
    searchPath: environment.searchPath,
    toolsFolder: join(root, '.tools/nats-server'),
    say: () => {},
  }).then(({ path }) => path);
  return found;
}

export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const binary = await binaryPath();
  const folder = mkdtempSync(join(tmpdir(), 'millrace-log-'));
  const port = await freePort();
  const configFile = join(folder, 'server.conf');
  writeFileSync(configFile, configText(folder, port, options));
  let child: ChildProcess | null = null;

  async function launch(): Promise<void> {
    const log = join(folder, 'server.log');
    const spawned = spawn(binary, ['-c', configFile, '-l', log], { stdio: 'ignore' });
    child = spawned;
    await waitUntilReady(port, spawned);
  }

  async function kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const current = child;
    child = null;
    if (!current || current.exitCode !== null || current.signalCode !== null) return;
    const gone = once(current, 'exit');
    current.kill(signal);
    await gone;
  }

  const server: TestServer = {
    url: `nats://127.0.0.1:${port}`,
    port,
    folder,
    kill,
    get pid() {
      return child?.pid ?? 0;
    },
    async restart() {
      await kill();
      await launch();
    },
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async stop() {
      running.delete(server);
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  running.add(server);
  await launch();
  return server;
}

function configText(folder: string, port: number, options: TestServerOptions): string {
  return `server_name: test
listen: "127.0.0.1:${port}"
jetstream {
  store_dir: ${JSON.stringify(join(folder, 'store'))}
  max_file_store: ${options.storeBytesMax ?? 2_147_483_648}
  max_memory_store: 67108864
}
${options.extra ?? ''}
`;
}

async function freePort(): Promise<number> {
  const holder: Server = createServer();
  holder.listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as { port: number };
  holder.close();
  await once(holder, 'close');
  return port;
}

async function waitUntilReady(port: number, child: ChildProcess): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + READY_MS;
  while (!(await answers(port))) {
    if (child.exitCode !== null) throw new Error(`nats-server ended with ${child.exitCode}`);
    if (systemClock.monotonicMs() > deadlineMs) throw new Error('nats-server did not become ready');
    await systemClock.wait(POLL_MS);
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const answer = (isUp: boolean) => {
      socket.destroy();
      resolve(isUp);
    };
    socket.once('data', (data) => answer(data.toString().startsWith('INFO ')));
    socket.once('error', () => answer(false));
  });
}

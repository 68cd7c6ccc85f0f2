/**
 * A real embedded ClickHouse for tests: own temporary folder, free port, child ended by pid. In:
 * nothing. Out: address and both accounts, `pause` (the engine is away: its child is stopped, the
 * port is kept) and `resume`, `crash`, `stop`. Start one per suite in `before`, stop it in `after`;
 * `stopClickHouses` stops what is left.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClickHouseEngine,
  type ClickHouseEngineOptions,
  createClickHouseEngine,
} from '../../src/engine/clickhouse/engine.ts';

/** First load of half a gigabyte of library, on a busy machine. */
export const CLICKHOUSE_START_MS = 120_000;

export interface Account {
  readonly user: string;
  readonly password: string;
}

export interface TestClickHouse {
  readonly url: string;
  readonly admin: Account;
  readonly readOnly: Account;
  readonly folder: string;
  readonly handOverFolder: string;
  /** Stops the engine; its data stays. */
  pause(): Promise<void>;
  /** Starts it again on the same port and data. */
  resume(): Promise<void>;
  /** Kills the engine's process hard (SIGKILL) and starts it again. */
  crash(): Promise<void>;
  stop(): Promise<void>;
}

const ADMIN = { user: 'default', password: 'write' };
const READ_ONLY = { user: 'reader', password: 'read' };
const running = new Set<TestClickHouse>();

export async function stopClickHouses(): Promise<void> {
  for (const clickHouse of [...running]) await clickHouse.stop();
}

export async function startClickHouse(): Promise<TestClickHouse> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-clickhouse-'));
  const options = (port: number | 'auto'): ClickHouseEngineOptions => ({
    dataDir: join(folder, 'data'),
    port,
    users: {
      admin: { name: ADMIN.user, password: ADMIN.password },
      readOnly: { name: READ_ONLY.user, password: READ_ONLY.password },
    },
  });
  let engine: ClickHouseEngine = createClickHouseEngine(options('auto'));
  const first = await engine.start().catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const clickHouse: TestClickHouse = {
    url: first.url,
    admin: ADMIN,
    readOnly: READ_ONLY,
    folder,
    handOverFolder: first.handOverFolder,
    pause: () => engine.stop(),
    async resume() {
      engine = createClickHouseEngine(options(first.port));
      await engine.start();
    },
    async crash() {
      const address = engine.findAddress();
      if (address !== null) process.kill(address.pid, 'SIGKILL');
      await engine.stop();
      await clickHouse.resume();
    },
    async stop() {
      running.delete(clickHouse);
      await engine.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  running.add(clickHouse);
  return clickHouse;
}

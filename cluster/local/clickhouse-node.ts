/**
 * The ClickHouse of a local cluster: the embedded engine in a process of its own, shared by all
 * workers as a server would be. In: folder and port. Out: an endpoint; `kill` is kill -9, and
 * nothing comes back before `start`.
 */
import { systemClock } from '../../src/base/clock.ts';
import { isAlive } from '../../src/base/process.ts';
import {
  type ClickHouseEngine,
  createClickHouseEngine,
} from '../../src/engine/clickhouse/index.ts';
import { LOOPBACK } from './port.ts';

export interface ClickHouseNodeOptions {
  readonly folder: string;
  readonly port: number;
  readonly memoryBytesMax: number;
}

export const CLICKHOUSE_USER = 'default';
const READ_ONLY = { name: 'analyst', password: 'analyst' };
const STOP_MS_MAX = 8_000;
const GONE_POLL_MS = 20;

export class ClickHouseNode {
  readonly url: string;
  readonly #options: ClickHouseNodeOptions;
  #engine: ClickHouseEngine | null = null;

  constructor(options: ClickHouseNodeOptions) {
    this.#options = options;
    this.url = `http://${LOOPBACK}:${options.port}`;
    process.on('exit', () => {
      const pid = this.#engine?.findAddress()?.pid;
      if (pid !== undefined && isAlive(pid)) process.kill(pid, 'SIGKILL');
    });
  }

  async start(): Promise<void> {
    this.#engine = createClickHouseEngine({
      dataDir: this.#options.folder,
      port: this.#options.port,
      users: { admin: { name: CLICKHOUSE_USER, password: '' }, readOnly: READ_ONLY },
      memoryBytesMax: this.#options.memoryBytesMax,
    });
    await this.#engine.start();
  }

  async kill(): Promise<void> {
    const engine = this.#engine;
    const pid = engine?.findAddress()?.pid;
    this.#engine = null;
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await engine?.stop(0); // it would start another one
    while (pid !== undefined && isAlive(pid)) await systemClock.wait(GONE_POLL_MS);
  }

  async stop(): Promise<void> {
    await this.#engine?.stop(STOP_MS_MAX);
    this.#engine = null;
  }
}

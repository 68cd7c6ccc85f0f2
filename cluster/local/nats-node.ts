/**
 * One nats-server of a local cluster: its folder, its configuration, its process. In: ports and the
 * routes to its peers. Out: a server that answers on loopback. Clients are not told of the other
 * servers' addresses (`no_advertise`): they use those they were given, which a test may lead
 * through proxies.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { OperatingError } from '../../src/model/error.ts';
import type { Launch, Managed } from './owned-process.ts';
import { LOOPBACK } from './port.ts';

export interface NatsNodeOptions {
  readonly name: string;
  readonly binary: string;
  readonly folder: string;
  /** Default: `store` in the folder. */
  readonly storeFolder?: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly routePort: number;
  /** host:port under which peers that hear of this server look for it. */
  readonly advertise: string;
  /** host:port of each peer. */
  readonly routes: readonly string[];
  readonly storeBytesMax: number;
  readonly syncAlways: boolean;
  readonly launch: Launch;
  readonly onDeath?: (how: string) => void;
}

const READY_MS_MAX = 60_000;
const POLL_MS = 100;
const HEALTH_TIMEOUT_MS = 1_000;
const STOP_MS_MAX = 5_000;

export class NatsNode {
  readonly name: string;
  readonly url: string;
  readonly process: Managed;
  readonly #options: NatsNodeOptions;

  constructor(options: NatsNodeOptions) {
    this.#options = options;
    this.name = options.name;
    this.url = `nats://${LOOPBACK}:${options.port}`;
    mkdirSync(options.folder, { recursive: true });
    const configFile = join(options.folder, 'server.conf');
    writeFileSync(configFile, configText(options));
    this.process = options.launch({
      name: options.name,
      program: options.binary,
      args: ['-c', configFile],
      logFile: join(options.folder, 'server.log'),
      ...(options.onDeath ? { onDeath: options.onDeath } : {}),
    });
  }

  start(): void {
    this.process.start();
  }

  stop(): Promise<void> {
    return this.process.stop(STOP_MS_MAX);
  }

  /** Its own word: connected to its peers, all its streams recovered and up to date. */
  isHealthy(): Promise<boolean> {
    return new Promise((resolve) => {
      const url = `http://${LOOPBACK}:${this.#options.monitorPort}/healthz`;
      const request = get(url, { timeout: HEALTH_TIMEOUT_MS, agent: false }, (reply) => {
        reply.resume();
        resolve(reply.statusCode === 200);
      });
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(false));
    });
  }

  async untilHealthy(withinMs = READY_MS_MAX): Promise<void> {
    const endMs = systemClock.monotonicMs() + withinMs;
    while (!(await this.isHealthy())) {
      if (systemClock.monotonicMs() > endMs) {
        throw new OperatingError(
          'NATS_UNREACHABLE',
          `${this.name} at ${this.url} was not healthy within ${withinMs} ms: see ` +
            join(this.#options.folder, 'server.log'),
        );
      }
      await systemClock.wait(POLL_MS);
    }
  }
}

function configText(options: NatsNodeOptions): string {
  const quote = (text: string) => JSON.stringify(text);
  const store = options.storeFolder ?? join(options.folder, 'store');
  const routes = options.routes.map((route) => quote(`nats-route://${route}`)).join(', ');
  return `# Written at each start; changes are lost.
server_name: ${options.name}
listen: ${quote(`${LOOPBACK}:${options.port}`)}
http: ${quote(`${LOOPBACK}:${options.monitorPort}`)}
max_payload: 1048576
ping_interval: "10s"
ping_max: 2
jetstream {
  store_dir: ${quote(store)}
  max_memory_store: 268435456
  max_file_store: ${options.storeBytesMax}
${options.syncAlways ? '  sync_interval: always\n' : ''}}
cluster {
  name: millrace
  listen: ${quote(`${LOOPBACK}:${options.routePort}`)}
  advertise: ${quote(options.advertise)}
  no_advertise: true
  routes: [${routes}]
}
`;
}

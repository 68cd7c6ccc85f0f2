/**
 * A whole cluster on one machine: three nats-servers with three copies of every stream, one
 * ClickHouse, n workers; every one a process of its own, all on loopback.
 *
 *   worker-1 … worker-n ──► nats-1 ⇄ nats-2 ⇄ nats-3      worker-1 … worker-n ──► ClickHouse
 *
 * `Wiring` says under which addresses they find each other: directly, or through a test's proxies.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { OperatingError } from '../../src/model/error.ts';
import { ClickHouseNode } from './clickhouse-node.ts';
import { NatsNode } from './nats-node.ts';
import { type Launch, launchHere } from './owned-process.ts';
import { LOOPBACK } from './port.ts';
import { Worker } from './worker.ts';

export const NATS_COUNT = 3;
/** Of each: client, monitoring, routes. Then one for ClickHouse. */
export const PORT_COUNT = 3 * NATS_COUNT + 1;
const UP_MS_MAX = 120_000;
const POLL_MS = 100;
const CLICKHOUSE_BYTES_MAX = 4 * 1024 ** 3;
/** Reserved, not taken: the sum of all streams' limits must fit into 90 % of it. */
const STORE_BYTES_MAX = 16 * 1024 ** 3;

export interface Wiring {
  /** URLs of nats-1 … as a worker is told. */
  natsUrls(worker: string, direct: readonly string[]): readonly string[];
  clickhouseUrl(worker: string, direct: string): string;
  /** host:port of server `to` as server `from` is told. */
  route(from: number, to: number, direct: string): string;
  /** host:port of a server as the others hear of it. */
  advertise(server: number, direct: string): string;
}

export const DIRECT: Wiring = {
  natsUrls: (_, direct) => direct,
  clickhouseUrl: (_, direct) => direct,
  route: (_from, _to, direct) => direct,
  advertise: (_, direct) => direct,
};

export interface LocalClusterOptions {
  readonly folder: string;
  readonly natsServer: string;
  readonly configFile: string;
  /** PORT_COUNT of them. */
  readonly ports: readonly number[];
  readonly syncAlways?: boolean;
  readonly wiring?: Wiring;
  /** Where a server keeps its streams, when not in the folder. */
  readonly storeFolder?: (server: number) => string | undefined;
  readonly dataFolder?: (worker: string) => string | undefined;
  readonly environment?: (worker: string) => Readonly<Record<string, string>>;
  /** Servers and workers; default: processes of this machine. ClickHouse always is one. */
  readonly launch?: Launch;
  /** A process that ended by itself. */
  readonly onDeath?: (name: string, how: string) => void;
}

export class LocalCluster {
  readonly nats: readonly NatsNode[];
  readonly clickhouse: ClickHouseNode;
  readonly workers = new Map<string, Worker>();
  readonly #options: LocalClusterOptions;

  constructor(options: LocalClusterOptions) {
    this.#options = options;
    mkdirSync(options.folder, { recursive: true });
    this.nats = Array.from({ length: NATS_COUNT }, (_, server) => this.#natsNode(server));
    this.clickhouse = new ClickHouseNode({
      folder: join(options.folder, 'clickhouse'),
      port: options.ports[3 * NATS_COUNT],
      memoryBytesMax: CLICKHOUSE_BYTES_MAX,
    });
  }

  get natsUrls(): string[] {
    return this.nats.map(({ url }) => url);
  }

  /** Engines first; the first worker makes streams and tables, the others join. */
  async start(workers: number): Promise<void> {
    for (const node of this.nats) node.start();
    await Promise.all([this.clickhouse.start(), ...this.nats.map((node) => node.untilHealthy())]);
    for (let number = 1; number <= workers; number += 1) await this.addWorker(`worker-${number}`);
  }

  async addWorker(name: string): Promise<Worker> {
    const { folder, configFile, dataFolder, environment, onDeath } = this.#options;
    const wiring = this.#options.wiring ?? DIRECT;
    const data = dataFolder?.(name);
    const worker = new Worker({
      name,
      folder: join(folder, name),
      ...(data === undefined ? {} : { dataFolder: data }),
      configFile,
      natsUrls: wiring.natsUrls(name, this.natsUrls),
      clickhouseUrl: wiring.clickhouseUrl(name, this.clickhouse.url),
      replicas: NATS_COUNT,
      ...(environment ? { environment: environment(name) } : {}),
      launch: this.#options.launch ?? launchHere,
      onDeath: (how) => onDeath?.(name, how),
    });
    this.workers.set(name, worker);
    worker.start();
    await untilUp(worker);
    return worker;
  }

  /** An orderly end of one worker: it hands its partitions over first. */
  async removeWorker(name: string): Promise<void> {
    await this.workers.get(name)?.stop();
    this.workers.delete(name);
  }

  /** First the workers, then what they write to. */
  async stop(): Promise<void> {
    await Promise.all([...this.workers.values()].map((worker) => worker.stop()));
    await Promise.all([this.clickhouse.stop(), ...this.nats.map((node) => node.stop())]);
  }

  #natsNode(server: number): NatsNode {
    const { folder, ports, natsServer, storeFolder, syncAlways, onDeath } = this.#options;
    const wiring = this.#options.wiring ?? DIRECT;
    const name = `nats-${server + 1}`;
    const routeOf = (other: number) => `${LOOPBACK}:${ports[3 * other + 2]}`;
    const others = Array.from({ length: NATS_COUNT }, (_, other) => other).filter(
      (other) => other !== server,
    );
    const store = storeFolder?.(server);
    return new NatsNode({
      name,
      binary: natsServer,
      folder: join(folder, name),
      ...(store === undefined ? {} : { storeFolder: store }),
      port: ports[3 * server],
      monitorPort: ports[3 * server + 1],
      routePort: ports[3 * server + 2],
      advertise: wiring.advertise(server, routeOf(server)),
      routes: others.map((other) => wiring.route(server, other, routeOf(other))),
      storeBytesMax: STORE_BYTES_MAX,
      syncAlways: syncAlways === true,
      launch: this.#options.launch ?? launchHere,
      onDeath: (how) => onDeath?.(name, how),
    });
  }
}

async function untilUp(worker: Worker): Promise<void> {
  const endMs = systemClock.monotonicMs() + UP_MS_MAX;
  while (!worker.isUp) {
    if (!worker.process.isRunning || systemClock.monotonicMs() > endMs) {
      throw new OperatingError('NOT_RUNNING', `${worker.name} did not come up: see its worker.log`);
    }
    await systemClock.wait(POLL_MS);
  }
}

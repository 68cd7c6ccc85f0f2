/**
 * A local cluster on which every fault can happen: proxies on all its connections, small disks
 * under what may run full, a file for each worker's clock. In: a folder, how many workers. Out: the
 * cluster, and `begin` and `end` of a fault. A process that ends by itself is noted and started
 * again, as systemd would.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalCluster, NATS_COUNT, PORT_COUNT } from '../../cluster/local/local-cluster.ts';
import { localNatsServer } from '../../cluster/local/nats-binary.ts';
import { type Launch, launchHere } from '../../cluster/local/owned-process.ts';
import { chooseLocalPorts } from '../../cluster/local/port.ts';
import type { Worker } from '../../cluster/local/worker.ts';
import { systemClock } from '../../src/base/clock.ts';
import type { Fault } from './plan.ts';
import { type Disturbance, TcpProxy } from './proxy.ts';
import { CONFIG } from './settings.ts';
import { SmallDisk } from './small-disk.ts';

export interface Death {
  readonly name: string;
  readonly how: string;
  readonly atMs: number;
}

const DATA_MIB = 2_048;
const STORE_MIB = 6_144;
const RESTART_MS = 1_000;

export class Stage {
  readonly folder: string;
  readonly workerNames: readonly string[];
  /** Processes that ended though nobody killed them. */
  readonly deaths: Death[] = [];
  cluster!: LocalCluster;
  /** False where no file system may be mounted: disks cannot run full. */
  hasDisks = true;
  readonly #disks = new Map<string, SmallDisk>();
  readonly #workerNats = new Map<string, TcpProxy[]>();
  readonly #workerClickHouse = new Map<string, TcpProxy>();
  readonly #routes = new Map<string, TcpProxy>();
  #publisher: TcpProxy[] = [];
  #isStopping = false;

  readonly #launch: Launch;

  constructor(folder: string, workers: number, launch: Launch = launchHere) {
    this.folder = folder;
    this.#launch = launch;
    this.workerNames = Array.from({ length: workers }, (_, index) => `worker-${index + 1}`);
  }

  async start(): Promise<void> {
    mkdirSync(this.folder, { recursive: true });
    const configFile = join(this.folder, 'millrace.yaml');
    writeFileSync(configFile, CONFIG);
    const count = this.workerNames.length;
    const proxyCount = (count + 1) * NATS_COUNT + count + NATS_COUNT * NATS_COUNT;
    const ports = await chooseLocalPorts(PORT_COUNT + proxyCount);
    const own = ports.slice(0, PORT_COUNT);
    await this.#openProxies(own, ports.slice(PORT_COUNT));
    this.#mountDisks();
    this.cluster = new LocalCluster({
      folder: this.folder,
      natsServer: await localNatsServer(),
      configFile,
      ports: own,
      wiring: {
        natsUrls: (worker, direct) => urlsOf(this.#workerNats.get(worker)) ?? direct,
        clickhouseUrl: (worker, direct) => {
          const proxy = this.#workerClickHouse.get(worker);
          return proxy ? `http://${proxy.address}` : direct;
        },
        route: (from, to) => this.#routes.get(`${from} ${to}`)!.address,
        advertise: (server) => this.#routes.get(`${server} ${server}`)!.address,
      },
      storeFolder: (server) => this.#disks.get(`nats-${server + 1}`)?.folder,
      dataFolder: (worker) => this.#disks.get(worker)?.folder,
      launch: this.#launch,
      environment: (worker) => ({ MILLRACE_CLOCK_FILE: this.#clockFile(worker) }),
      onDeath: (name, how) => void this.#raise(name, how),
    });
    await this.cluster.start(count);
  }

  get publisherUrl(): string {
    return urlsOf(this.#publisher)!.join(',');
  }

  worker(target: number): Worker {
    return this.cluster.workers.get(this.workerNames[target]!)!;
  }

  async begin(fault: Fault): Promise<void> {
    const name = this.workerNames[fault.target] ?? '';
    const disturb = (proxies: readonly TcpProxy[], disturbance: Disturbance) => {
      for (const proxy of proxies) proxy.disturb(disturbance);
    };
    const worker = () => this.worker(fault.target).process;
    const node = () => this.cluster.nats[fault.target]!;
    const kinds: Record<Fault['kind'], () => void | Promise<void>> = {
      'worker-kill': () => worker().kill(),
      'worker-pause': () => worker().pause(),
      'worker-cut': () => disturb(this.#workerNats.get(name)!, { kind: 'cut' }),
      'worker-disk-full': () => this.#disks.get(name)?.fill(),
      'worker-clock': () => writeFileSync(this.#clockFile(name), String(fault.amountMs)),
      'worker-nats-delay': () =>
        disturb(this.#workerNats.get(name)!, { kind: 'delay', ms: fault.amountMs }),
      'worker-nats-half-open': () => disturb(this.#workerNats.get(name)!, { kind: 'half-open' }),
      'nats-kill': () => node().process.kill(),
      'nats-pause': () => node().process.pause(),
      'nats-isolate': () => disturb(this.#routesOf(fault.target), { kind: 'cut' }),
      'nats-disk-full': () => this.#disks.get(node().name)?.fill(),
      'clickhouse-kill': () => this.cluster.clickhouse.kill(),
      'clickhouse-cut': () => disturb([this.#workerClickHouse.get(name)!], { kind: 'cut' }),
      'clickhouse-delay': () =>
        disturb([this.#workerClickHouse.get(name)!], { kind: 'delay', ms: fault.amountMs }),
      'clickhouse-half-open': () =>
        disturb([this.#workerClickHouse.get(name)!], { kind: 'half-open' }),
      'publisher-cut': () => disturb(this.#publisher, { kind: 'cut' }),
      'publisher-half-open': () => disturb(this.#publisher, { kind: 'half-open' }),
    };
    await kinds[fault.kind]();
  }

  /** Resolves when the cause is gone; what follows from it may last longer. */
  async end(fault: Fault): Promise<void> {
    const name = this.workerNames[fault.target] ?? '';
    const heal = (proxies: readonly TcpProxy[]) => {
      for (const proxy of proxies) proxy.heal();
    };
    const node = () => this.cluster.nats[fault.target]!;
    const healWorkerNats = () => heal(this.#workerNats.get(name)!);
    const healClickHouse = () => heal([this.#workerClickHouse.get(name)!]);
    const healPublisher = () => heal(this.#publisher);
    const kinds: Record<Fault['kind'], () => void | Promise<void>> = {
      'worker-kill': () => startAgain(this.worker(fault.target)),
      'worker-pause': () => this.worker(fault.target).process.resume(),
      'worker-cut': healWorkerNats,
      'worker-disk-full': () => this.#disks.get(name)?.free(),
      'worker-clock': () => writeFileSync(this.#clockFile(name), '0'),
      'worker-nats-delay': healWorkerNats,
      'worker-nats-half-open': healWorkerNats,
      'nats-kill': () => startAgain(node()),
      'nats-pause': () => node().process.resume(),
      'nats-isolate': () => heal(this.#routesOf(fault.target)),
      // A server that could not write stays without JetStream until it is started again.
      'nats-disk-full': async () => {
        this.#disks.get(node().name)?.free();
        await node().process.kill();
        startAgain(node());
      },
      'clickhouse-kill': () => this.cluster.clickhouse.start(),
      'clickhouse-cut': healClickHouse,
      'clickhouse-delay': healClickHouse,
      'clickhouse-half-open': healClickHouse,
      'publisher-cut': healPublisher,
      'publisher-half-open': healPublisher,
    };
    await kinds[fault.kind]();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.cluster?.stop();
    await Promise.all(this.#proxies().map((proxy) => proxy.close()));
    for (const disk of this.#disks.values()) disk.unmount();
  }

  /** After `stop`. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #proxies(): TcpProxy[] {
    const lists = [...this.#workerNats.values(), this.#publisher];
    return [...lists.flat(), ...this.#workerClickHouse.values(), ...this.#routes.values()];
  }

  /** Both ways, and the address under which it is heard of. */
  #routesOf(server: number): TcpProxy[] {
    return [...this.#routes]
      .filter(([key]) => key.split(' ').includes(String(server)))
      .map(([, proxy]) => proxy);
  }

  #clockFile(worker: string): string {
    return join(this.folder, `${worker}.clock`);
  }

  async #openProxies(own: readonly number[], ports: readonly number[]): Promise<void> {
    const free = [...ports];
    const to = (target: number) => new TcpProxy(free.shift()!, target);
    const servers = Array.from({ length: NATS_COUNT }, (_, server) => server);
    const clients = () => servers.map((server) => to(own[3 * server]!));
    for (const name of this.workerNames) {
      this.#workerNats.set(name, clients());
      this.#workerClickHouse.set(name, to(own[3 * NATS_COUNT]!));
    }
    this.#publisher = clients();
    for (const from of servers) {
      for (const server of servers) this.#routes.set(`${from} ${server}`, to(own[3 * server + 2]!));
    }
    await Promise.all(this.#proxies().map((proxy) => proxy.open()));
  }

  /** Of every worker, and of the first server. */
  #mountDisks(): void {
    const wanted = [...this.workerNames.map((name) => [name, DATA_MIB] as const)];
    for (const [name, mebibytes] of [...wanted, ['nats-1', STORE_MIB] as const]) {
      const disk = SmallDisk.tryMount(join(this.folder, 'disk', name), mebibytes);
      if (disk) this.#disks.set(name, disk);
      else this.hasDisks = false;
    }
  }

  async #raise(name: string, how: string): Promise<void> {
    if (this.#isStopping) return;
    this.deaths.push({ name, how, atMs: systemClock.nowMs() });
    await systemClock.wait(RESTART_MS);
    const worker = this.cluster.workers.get(name);
    const server = this.cluster.nats.find((node) => node.name === name);
    if (this.#isStopping || worker?.process.isRunning || server?.process.isRunning) return;
    worker?.start();
    server?.start();
  }
}

const startAgain = (each: { readonly process: { isRunning: boolean }; start(): void }) => {
  if (!each.process.isRunning) each.start();
};

const urlsOf = (proxies: readonly TcpProxy[] | undefined): string[] | undefined =>
  proxies?.map(({ address }) => `nats://${address}`);

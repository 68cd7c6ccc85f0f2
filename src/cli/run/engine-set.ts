/**
 * The engines that `up` starts when the configuration names no server of its own: nats-server and
 * ClickHouse, each in its folder of the data folder. In: configuration, folder, ports. Out:
 * endpoints for main.ts, and one stop for all.
 */
import { join } from 'node:path';
import { projectFolder } from '../../base/project.ts';
import { environment } from '../../config/index.ts';
import { createClickHouseEngine } from '../../engine/clickhouse/index.ts';
import { createNatsEngine, findNatsServer } from '../../engine/nats/index.ts';
import type { ClickHouseEndpoint, NatsEndpoint } from '../../main.ts';
import type { Config } from '../../model/config.ts';
import type { OperatingError } from '../../model/error.ts';

/** What streams other than the log may take, and the tenth of the store that stays free. */
const STORE_EXTRA_BYTES = 3 * 1024 ** 3;
const STORE_SHARE = 0.9;

export interface EngineSetOptions {
  readonly config: Config;
  readonly folder: string;
  readonly portsAuto: boolean;
  readonly say: (line: string) => void;
  /** Trouble of a running engine that passes with its cause. */
  readonly onTrouble: (error: OperatingError) => void;
  readonly onFailed: (error: OperatingError) => void;
  /** Told how to find the process of each engine, before it starts: for a stop that cannot wait. */
  readonly onSpawned: (pid: () => number | null) => void;
}

export interface EngineSet {
  readonly nats: NatsEndpoint & { readonly websocketUrl: string | null };
  readonly clickhouse: ClickHouseEndpoint & {
    readonly readonlyUser: string | null;
    readonly readonlyPassword: string | null;
  };
  readonly storeBytesMax: number | null;
  stop(): Promise<void>;
}

type Started<Endpoint> = { endpoint: Endpoint; stop(): Promise<void> };

export async function startEngines(options: EngineSetOptions): Promise<EngineSet> {
  const storeBytesMax = storeBytes(options.config);
  const starts = [startNats(options, storeBytesMax), startClickHouse(options)] as const;
  const settled = await Promise.allSettled(starts);
  const failed = settled.find((each) => each.status === 'rejected');
  if (failed) {
    for (const each of settled) if (each.status === 'fulfilled') await each.value.stop();
    throw failed.reason;
  }
  const [nats, clickhouse] = await Promise.all(starts);
  return {
    nats: nats.endpoint,
    clickhouse: clickhouse.endpoint,
    storeBytesMax: options.config.nats.url === null ? storeBytesMax : null,
    async stop() {
      await Promise.all([clickhouse.stop(), nats.stop()]);
    },
  };
}

function storeBytes({ log }: Config): number {
  return Math.ceil((log.maxBytes + STORE_EXTRA_BYTES) / STORE_SHARE);
}

async function startNats(
  options: EngineSetOptions,
  storeBytesMax: number,
): Promise<Started<EngineSet['nats']>> {
  const { config, folder, portsAuto, say } = options;
  const { url, user, password } = config.nats;
  if (url !== null) {
    const credentials = user === null ? {} : { user, password: password ?? '' };
    const endpoint = { url, websocketUrl: null, ...credentials };
    return { endpoint, stop: async () => {} };
  }
  const binary = await findNatsServer({
    ...(environment.natsServer ? { explicitPath: environment.natsServer } : {}),
    searchPath: environment.searchPath,
    toolsFolder: join(projectFolder(), '.tools', 'nats-server'),
    say,
  });
  const engine = createNatsEngine({
    binary: binary.path,
    folder: join(folder, 'nats'),
    port: portsAuto ? 'auto' : config.nats.port,
    monitorPort: portsAuto ? 'auto' : config.nats.monitorPort,
    websocketPort: portsAuto ? 'auto' : config.nats.websocketPort,
    storeBytesMax,
    syncAlways: config.nats.sync === 'always',
    logId: config.log.id,
    partitionCount: config.log.partitions,
    searchPath: environment.searchPath,
    say,
    onTrouble: options.onTrouble,
    onFailed: options.onFailed,
  });
  options.onSpawned(() => engine.address?.pid ?? null);
  const endpoint = await engine.start();
  say(`nats-server ${binary.version} at ${endpoint.url}`);
  return { endpoint, stop: () => engine.stop() };
}

async function startClickHouse(
  options: EngineSetOptions,
): Promise<Started<EngineSet['clickhouse']>> {
  const { config, folder, portsAuto, say } = options;
  const { url, database, user, password, readonlyUser, readonlyPassword } = config.clickhouse;
  const named = { database, user, password };
  if (url !== null) {
    const none = { readonlyUser: null, readonlyPassword: null, handOverFolder: null };
    const endpoint = { url, ...named, ...none };
    return { endpoint, stop: async () => {} };
  }
  const engine = createClickHouseEngine({
    dataDir: join(folder, 'clickhouse'),
    port: portsAuto ? 'auto' : config.clickhouse.port,
    users: {
      admin: { name: user, password },
      readOnly: { name: readonlyUser, password: readonlyPassword },
    },
    memoryBytesMax: config.clickhouse.memoryBytes,
    onFailed: options.onFailed,
  });
  options.onSpawned(() => engine.findAddress()?.pid ?? null);
  const address = await engine.start();
  say(`ClickHouse ${address.version} (embedded) at ${address.url}`);
  const { handOverFolder } = address;
  const endpoint = { url: address.url, ...named, readonlyUser, readonlyPassword, handOverFolder };
  return { endpoint, stop: () => engine.stop() };
}

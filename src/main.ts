/**
 * The composition root: builds the rooms and joins their doors. In: a configuration and a data
 * folder. Out: a running Millrace. Rooms start from the last to the first (read model before log
 * readers, log readers before ingest) and stop from the first to the last, each running dry under
 * one shared deadline.
 *
 *   engines ─► streams ─► plan + tables ─► sinks ─► kernel + runtime ─► ingest
 */
import { randomUUID } from 'node:crypto';
import { type Clock, systemClock } from './base/clock.ts';
import { createFactSink } from './facts/index.ts';
import { createIngest } from './ingest/index.ts';
import { createKernel } from './kernel/index.ts';
import {
  createHerald,
  createLogAppender,
  createLogPurger,
  createLogReader,
  createMembership,
  createNatsConnection,
  createOwnership,
  ensureStreams,
  hearRefusals,
  type NatsLink,
  openStateStore,
  sweepStateFolder,
  tellRefusal,
  untilLed,
} from './log/index.ts';
import type { Config, LocateProblem } from './model/config.ts';
import type { FactSink, Ingest, LogAppender, LogReader, Member } from './model/doors.ts';
import { OperatingError } from './model/error.ts';
import { HEARTBEAT_INTERVAL_MS, SEMANTICS_VERSION } from './model/limit.ts';
import type { Plan } from './model/plan.ts';
import { createReadModel, openSpool, type ReadModel } from './readmodel/index.ts';
import {
  type ChannelDeclaration,
  compilePlan,
  createPlanStore,
  type PlanStore,
  parsePlan,
  planDifference,
  planText,
  serveChannels,
} from './registry/index.ts';
import { appendPlan, createRuntime, type Runtime, type Self } from './runtime/index.ts';

/** Rows still on their way get this long; the log has them for the next start. */
const SINK_STOP_MS = 3_000;
/** Whoever is there has been heard by then, also on a busy machine. */
const LISTEN_MS = 5 * HEARTBEAT_INTERVAL_MS;

export interface NatsEndpoint {
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
}

export interface ClickHouseEndpoint {
  readonly url: string;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  /** Of an embedded engine: blocks for it are put there. */
  readonly handOverFolder?: string | null;
}

export interface MillraceOptions {
  readonly config: Config;
  /** Gives a problem against an earlier plan its line. */
  readonly locate?: LocateProblem;
  /** The configuration with one more declaration laid over it, checked; kept for later starts. */
  readonly declare?: (declaration: ChannelDeclaration) => Promise<Config>;
  readonly nats: NatsEndpoint;
  readonly clickhouse: ClickHouseEndpoint;
  /** Limit of the server's file store, when known: the streams' sizes are checked against it. */
  readonly storeBytesMax?: number;
  /**
   * Folder of the insert spool, on a disk of its own or beside the other data; without one there is
   * none.
   */
  readonly spoolFolder?: string;
  /** Folder of state objects: used when the configuration says so, or when it holds any. */
  readonly stateFolder?: string;
  /** Names the data for ever; the same instance may claim its own old partitions at once. */
  readonly instance: string;
  /** Present: one of several workers; `instance` is its name among them. */
  readonly join?: {
    readonly version: string;
    /** Makes this worker's configuration the one of all. */
    readonly apply: boolean;
    /** Another process calls itself by our name: this one must end. */
    readonly onNamesake: (error: OperatingError) => void;
  };
  readonly clock?: Clock;
  /** Trouble that passes or halts a partition, as it happens. */
  readonly onTrouble: (what: string, error: OperatingError) => void;
}

export interface Millrace {
  readonly ingest: Ingest;
  readonly runtime: Runtime;
  readonly reader: LogReader;
  readonly readModel: ReadModel;
  readonly link: NatsLink;
  readonly plan: Plan;
  /** How often trouble of each error code was met since the start, refused workers among it. */
  readonly troubleCounts: Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export async function createMillrace(options: MillraceOptions): Promise<Millrace> {
  const clock = options.clock ?? systemClock;
  const { config } = options;
  const link = await createNatsConnection({ ...options.nats, name: 'millrace' });
  const closers: (() => Promise<void>)[] = [() => link.close()];
  try {
    const company = options.join ? await joinOthers(options, options.join, link, clock) : undefined;
    if (company) closers.unshift(() => company.membership.stop());
    await startStreams(options, link, clock);
    const appender = createLogAppender({ link, logId: config.log.id });
    const reader = createLogReader({ link, logId: config.log.id });
    const facts = createFactSink({ link, format: config.facts.format });
    closers.unshift(async () => facts.stop());
    const readModel = await startReadModel(options, facts, clock);
    closers.unshift(() => readModel.stop(SINK_STOP_MS));
    const others = company?.membership.members ?? [];
    const planning = await startPlan(options, others, { link, readModel, appender, clock });
    const kernel = await createKernel({
      build: config.kernel.build,
      workers: config.kernel.workers,
    });
    closers.unshift(() => kernel.stop());
    const runtime = createRuntime({
      partitions: config.log.partitions,
      kernel,
      kernelOptions: { log: config.log.id, memoryBytes: config.kernel.memoryBytes },
      ownership: createOwnership({ link, job: 'core', log: config.log.id }),
      stateStore: await startStateStore(options, link),
      reader,
      appender,
      purger: createLogPurger({ link, logId: config.log.id }),
      logRetentionMs: config.log.retentionMs,
      blocks: readModel.sink,
      progress: readModel.sink,
      facts,
      clock,
      owner: `${options.instance}:${company?.self.process ?? randomUUID()}`,
      ...(company ? { company } : {}),
      semanticsVersion: SEMANTICS_VERSION,
      checkpointIntervalMs: config.checkpoint.intervalMs,
      onTrouble: (partition, error) => options.onTrouble(`partition ${partition}`, error),
    });
    runtime.start();
    closers.unshift(() => runtime.stop());
    const ingest = startIngest(options, { appender, log: reader, clock });
    closers.unshift(() => ingest.stop());
    const service = serveChannels(link.nc, planning.declare);
    closers.unshift(() => service.stop());
    return {
      ingest,
      runtime,
      reader,
      readModel,
      link,
      get plan() {
        return planning.plan;
      },
      get troubleCounts() {
        return { ...runtime.troubleCounts, ...company?.refused };
      },
      stop: () => stopAll(closers),
    };
  } catch (error) {
    if (options.join) await tellRefusal(link, config.log.id, options.instance, error);
    await stopAll(closers).catch(() => {});
    throw error;
  }
}

type IngestRooms = Pick<Parameters<typeof createIngest>[0], 'appender' | 'log' | 'clock'>;

function startIngest({ config }: MillraceOptions, rooms: IngestRooms): Ingest {
  const { partitions } = config.log;
  return createIngest({ ...rooms, partitions, lingerMs: config.ingest.lingerMs });
}

async function stopAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closers) await close();
}

/** Among several servers a stream may have no leader just now. */
function startStreams(options: MillraceOptions, link: NatsLink, clock: Clock): Promise<void> {
  const start = () => ensureStreams(link, streamOptions(options));
  return options.join ? untilLed(clock, start) : start();
}

function streamOptions({ config, storeBytesMax }: MillraceOptions) {
  return {
    logId: config.log.id,
    partitions: config.log.partitions,
    logBytesMax: config.log.maxBytes,
    replicas: config.nats.replicas,
    ...(storeBytesMax === undefined ? {} : { storeBytesMax }),
  };
}

async function startStateStore({ config, stateFolder }: MillraceOptions, link: NatsLink) {
  const log = config.log.id;
  if (stateFolder !== undefined) await sweepStateFolder(stateFolder, log);
  const folder = stateFolder === undefined ? {} : { folder: stateFolder };
  return openStateStore({ link, log, store: config.checkpoint.store, ...folder });
}

type Join = NonNullable<MillraceOptions['join']>;

/** Listens for the others before anything is touched: a worker that does not fit ends here. */
async function joinOthers(
  { config, instance, nats, onTrouble }: MillraceOptions,
  join: Join,
  link: NatsLink,
  clock: Clock,
) {
  const self = {
    id: instance,
    process: randomUUID(),
    startedAtMs: clock.nowMs(),
    version: join.version,
    semanticsVersion: SEMANTICS_VERSION,
  };
  let namesake: OperatingError | null = null;
  let isIn = false;
  const membership = createMembership({
    link,
    log: config.log.id,
    clock,
    self,
    herald: createHerald({ connection: nats, log: config.log.id, member: instance }),
    onNamesake: (error) => {
      namesake = error;
      if (isIn) join.onNamesake(error);
    },
  });
  await clock.wait(LISTEN_MS);
  try {
    if (namesake) throw namesake;
    checkVersions(membership.members, self);
  } catch (error) {
    await membership.stop();
    throw error;
  }
  isIn = true;
  const refused: Record<string, number> = {};
  hearRefusals(link, config.log.id, (error) => {
    refused[error.code] = (refused[error.code] ?? 0) + 1;
    onTrouble('cluster', error);
  });
  return { membership, self, standbys: config.cluster.standbys, refused };
}

/** State and rows follow from the log and the semantics: two semantics would make two of them. */
function checkVersions(members: readonly Member[], self: Self): void {
  const other = members.find(({ semanticsVersion }) => semanticsVersion !== self.semanticsVersion);
  if (!other) return;
  throw new OperatingError(
    'CLUSTER_MISMATCH',
    `worker ${other.id} runs version ${other.version} with semantics ${other.semanticsVersion}, ` +
      `this one version ${self.version} with semantics ${self.semanticsVersion}: one log is ` +
      'computed by one semantics. Stop the others first, or start the version that they run',
    { where: { member: other.id } },
  );
}

/** Rows that ClickHouse refuses for good become dead letters like any other rejection. */
async function startReadModel(
  options: MillraceOptions,
  facts: FactSink,
  clock: Clock,
): Promise<ReadModel> {
  const { config, spoolFolder } = options;
  const bytesMax = config.clickhouse.spoolBytesMax;
  const readModel = createReadModel({
    ...options.clickhouse,
    log: config.log.id,
    clock,
    cluster: config.clickhouse.cluster,
    spool: spoolFolder === undefined ? null : await openSpool({ folder: spoolFolder, bytesMax }),
    // Others go on from this one's checkpoints: rows in its spool are then no reason to write one.
    spoolCovers: options.join ? 'turns' : 'checkpoints',
    onTrouble: (error) => error && options.onTrouble('ClickHouse', error),
    onRefused: ({ letter }) => void facts.deadLetters([letter]),
  });
  try {
    await readModel.start();
  } catch (error) {
    await readModel.stop(0);
    throw error;
  }
  return readModel;
}

interface Planning {
  readonly plan: Plan;
  declare(declaration: ChannelDeclaration): Promise<void>;
}

interface PlanningRooms {
  readonly link: NatsLink;
  readonly readModel: ReadModel;
  readonly appender: LogAppender;
  readonly clock: Clock;
}

/** Compiles the configuration against the newest plan, so that ids stay; then tables, then logs. */
async function startPlan(
  options: MillraceOptions,
  others: readonly Member[],
  rooms: PlanningRooms,
): Promise<Planning> {
  const store = await createPlanStore(rooms.link.nc, options.config.log.id);
  if (others.length > 0 && !options.join?.apply) await checkConfig(options, others, store);
  let plan = await advance(options, rooms, store);
  return {
    get plan() {
      return plan;
    },
    async declare(declaration) {
      if (!options.declare) return;
      const config = await options.declare(declaration);
      plan = await advance({ ...options, config }, rooms, store);
    },
  };
}

/** Among others a configuration is changed by saying so, not by starting with an old file. */
async function checkConfig(
  { config, locate }: MillraceOptions,
  others: readonly Member[],
  store: PlanStore,
): Promise<void> {
  const text = await store.load();
  if (text === null) return;
  const running = parsePlan(text);
  const differences = planDifference(running, compilePlan(config, running, locate));
  if (differences.length === 0) return;
  const names = others.map(({ id }) => id).join(', ');
  throw new OperatingError(
    'CLUSTER_MISMATCH',
    `this worker's configuration is not that of log ${config.log.id}, on which ${names} work:\n` +
      `  ${differences.join('\n  ')}\nStart it with the same file, or with --apply to make this ` +
      'configuration the one of all workers (it enters the log as a plan)',
    { where: { log: config.log.id } },
  );
}

async function advance(
  options: MillraceOptions,
  { readModel, appender, clock }: PlanningRooms,
  store: PlanStore,
): Promise<Plan> {
  const { config } = options;
  const before = await store.load();
  const previous = before === null ? null : parsePlan(before);
  const plan = compilePlan(config, previous, options.locate);
  const text = planText(plan);
  await readModel.prepare(plan);
  if (await store.isInstalled(text)) return plan;
  await store.save(text);
  await appendPlan({ appender, clock, partitions: config.log.partitions }, text);
  await store.saveInstalled(text);
  return plan;
}

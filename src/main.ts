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
  createLogAppender,
  createLogPurger,
  createLogReader,
  createNatsConnection,
  createOwnership,
  createStateStore,
  ensureStreams,
  type NatsLink,
} from './log/index.ts';
import type { Config, LocateProblem } from './model/config.ts';
import type { FactSink, Ingest, LogAppender, LogReader } from './model/doors.ts';
import type { OperatingError } from './model/error.ts';
import { SEMANTICS_VERSION } from './model/limit.ts';
import type { Plan } from './model/plan.ts';
import { createReadModel, type ReadModel } from './readmodel/index.ts';
import {
  type ChannelDeclaration,
  compilePlan,
  createPlanStore,
  type PlanStore,
  parsePlan,
  planText,
  serveChannels,
} from './registry/index.ts';
import { appendPlan, createRuntime, type Runtime } from './runtime/index.ts';

/** Rows still on their way get this long; the log has them for the next start. */
const SINK_STOP_MS = 3_000;

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
  /** Names the data for ever; the same instance may claim its own old partitions at once. */
  readonly instance: string;
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
  stop(): Promise<void>;
}

export async function createMillrace(options: MillraceOptions): Promise<Millrace> {
  const clock = options.clock ?? systemClock;
  const { config } = options;
  const link = await createNatsConnection({ ...options.nats, name: 'millrace' });
  const closers: (() => Promise<void>)[] = [() => link.close()];
  try {
    await ensureStreams(link, streamOptions(options));
    const appender = createLogAppender({ link, logId: config.log.id });
    const reader = createLogReader({ link, logId: config.log.id });
    const facts = createFactSink({ link, format: config.facts.format });
    closers.unshift(async () => facts.stop());
    const readModel = await startReadModel(options, facts, clock);
    closers.unshift(() => readModel.stop(SINK_STOP_MS));
    const planning = await startPlan(options, { link, readModel, appender, clock });
    const kernel = await createKernel({
      build: config.kernel.build,
      workers: config.kernel.workers,
    });
    closers.unshift(() => kernel.stop());
    const runtime = createRuntime({
      partitions: config.log.partitions,
      kernel,
      kernelOptions: { log: config.log.id, memoryBytes: config.kernel.memoryBytes },
      ownership: createOwnership({ link, job: 'core' }),
      stateStore: createStateStore({ link }),
      reader,
      appender,
      purger: createLogPurger({ link, logId: config.log.id }),
      logRetentionMs: config.log.retentionMs,
      blocks: readModel.sink,
      facts,
      clock,
      owner: `${options.instance}:${randomUUID()}`,
      semanticsVersion: SEMANTICS_VERSION,
      checkpointIntervalMs: config.checkpoint.intervalMs,
      onTrouble: (partition, error) => options.onTrouble(`partition ${partition}`, error),
    });
    runtime.start();
    closers.unshift(() => runtime.stop());
    const ingest = createIngest({
      appender,
      partitions: config.log.partitions,
      clock,
      lingerMs: config.ingest.lingerMs,
    });
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
      stop: () => stopAll(closers),
    };
  } catch (error) {
    await stopAll(closers).catch(() => {});
    throw error;
  }
}

async function stopAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  for (const close of closers) await close();
}

function streamOptions({ config, storeBytesMax }: MillraceOptions) {
  return {
    logId: config.log.id,
    partitions: config.log.partitions,
    logBytesMax: config.log.maxBytes,
    ...(storeBytesMax === undefined ? {} : { storeBytesMax }),
  };
}

/** Rows that ClickHouse refuses for good become dead letters like any other rejection. */
async function startReadModel(
  options: MillraceOptions,
  facts: FactSink,
  clock: Clock,
): Promise<ReadModel> {
  const readModel = createReadModel({
    ...options.clickhouse,
    log: options.config.log.id,
    clock,
    onTrouble: (error) => error && options.onTrouble('ClickHouse', error),
    onRefused: ({ letter }) => void facts.deadLetters([letter]),
  });
  await readModel.start();
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
async function startPlan(options: MillraceOptions, rooms: PlanningRooms): Promise<Planning> {
  const store = await createPlanStore(rooms.link.nc, options.config.log.id);
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

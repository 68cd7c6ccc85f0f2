/**
 * One chaos run: a cluster under load, the faults of a plan, then the reckoning. In: minutes, seed,
 * rate. Out: what was found. Everything it started is ended when it returns or throws.
 *
 *   stage up → load flows → faults of the plan → all healed → load ends → lag 0 → audit
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { commit } from '../../bench/measurement.ts';
import { CLICKHOUSE_USER } from '../../cluster/local/clickhouse-node.ts';
import type { Launch } from '../../cluster/local/owned-process.ts';
import { systemClock } from '../../src/base/clock.ts';
import { siblingModule } from '../../src/base/sibling.ts';
import { fleetMetrics } from '../../src/cli/run/demo.ts';
import { createNatsConnection, type NatsLink } from '../../src/log/index.ts';
import { createQuery, type Query } from '../../src/query/index.ts';
import { createPlanStore, parsePlan } from '../../src/registry/index.ts';
import { audit, type Findings, windowsOf } from './check/books.ts';
import type { FactTimes, FaultRecord } from './check/failover.ts';
import { expectedOf } from './check/oracle.ts';
import { FaultDriver } from './fault-driver.ts';
import { Fleet, STEP_MS } from './load/fleet.ts';
import type { LaneCount, Stall } from './load/lane.ts';
import type { PublisherReport, ToPublisher } from './load/publisher.ts';
import type { Arrivals, SubscriberOrder } from './load/subscriber.ts';
import { type Fault, type FaultKind, planFaults } from './plan.ts';
import { LOG_ID, PARTITIONS } from './settings.ts';
import { type Death, Stage } from './stage.ts';

export interface ChaosOptions {
  readonly folder: string;
  readonly minutes: number;
  readonly seed: number;
  readonly eventsPerSecond: number;
  readonly workers: number;
  /** Absent: all kinds. */
  readonly kinds?: readonly FaultKind[];
  /** Default: processes of this machine. */
  readonly launch?: Launch;
  readonly keepFolder?: boolean;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
  /** Called when the load flows; the run goes on beside it. */
  readonly during?: (stage: Stage) => Promise<void>;
}

export interface ChaosOutcome {
  readonly options: ChaosOptions;
  readonly commit: string;
  readonly events: number;
  readonly unknown: number;
  readonly retried: number;
  readonly loadSeconds: number;
  readonly faults: readonly FaultRecord[];
  readonly notPossible: readonly FaultKind[];
  readonly findings: Findings;
  /** From the end of the load until everything acknowledged could be seen; null: never. */
  readonly lagZeroMs: number | null;
  readonly factTimes: FactTimes;
  readonly factsAgain: number;
  readonly stalls: readonly Stall[];
  readonly loadEndMs: number;
  readonly deaths: readonly Death[];
  /** What workers told, by worker and code. */
  readonly troubles: readonly (readonly [string, string, number])[];
}

const WARM_UP_MS = 8_000;
const PROGRESS_MS = 10_000;
/** Acknowledgements that are still out after this are given up. */
const DRAIN_MS_MAX = 60_000;
const LAG_MS_MAX = 600_000;
const WINDOWS_MS_MAX = 300_000;
const POLL_MS = 1_000;
const BEACONS = 400;

export async function runChaos(options: ChaosOptions): Promise<ChaosOutcome> {
  if (options.signal) setMaxListeners(0, options.signal); // every fault waits beside the others
  const stage = new Stage(options.folder, options.workers, options.launch);
  const closers: (() => Promise<void> | void)[] = [() => stage.stop()];
  try {
    await stage.start();
    return await runOn(stage, options, closers);
  } finally {
    for (const close of closers.reverse()) await close();
    if (!options.keepFolder) stage.remove();
  }
}

type Closers = (() => Promise<void> | void)[];

async function runOn(stage: Stage, options: ChaosOptions, closers: Closers): Promise<ChaosOutcome> {
  const { say, signal } = options;
  const link = await createNatsConnection({ url: stage.cluster.natsUrls.join(','), name: 'chaos' });
  closers.push(() => link.close());
  const query = createQuery({
    url: stage.cluster.clickhouse.url,
    ...{ database: 'millrace', user: CLICKHOUSE_USER, password: '' },
  });
  closers.push(() => query.close());
  const listener = new Listener(stage.cluster.natsUrls.join(','));
  closers.push(() => listener.stop());
  const load = await Load.start(stage, link, options);
  closers.push(() => load.kill());
  say(`load flows: ${options.eventsPerSecond} events/s, ${options.workers} workers`);
  await systemClock.wait(WARM_UP_MS, signal);

  const driver = new FaultDriver({ stage, link, query });
  const plan = planOf(stage, options);
  const ticking = tick(load, driver, stage, plan, say);
  await Promise.all([driver.run(plan, signal), options.during?.(stage)]);
  clearInterval(ticking);
  await driver.recovered();
  say(`${driver.records.length} faults are over; ending the load`);
  const loadEndMs = systemClock.nowMs();
  const counts = await load.end();
  if (options.keepFolder) keepTimes(stage, driver, listener, load);
  const reckoned = await reckon({ query, load, counts, say });
  return {
    options,
    commit: commit(),
    ...reckoned,
    retried: counts.reduce((sum, each) => sum + each.retried, 0),
    loadSeconds: (loadEndMs - load.fleet.options.startMs) / 1000,
    faults: driver.records,
    notPossible: notPossible(stage, options),
    factTimes: listener.times,
    factsAgain: listener.again,
    stalls: load.stalls,
    loadEndMs,
    deaths: stage.deaths,
    troubles: [...stage.cluster.workers.values()].flatMap(({ name, troubles }) =>
      [...troubles].map(([code, count]) => [name, code, count] as const),
    ),
  };
}

/** For whoever wants to know why a figure is what it is. */
function keepTimes(stage: Stage, driver: FaultDriver, listener: Listener, load: Load): void {
  const facts = Object.fromEntries(listener.times);
  const kept = { faults: driver.records, deaths: stage.deaths, stalls: load.stalls, facts };
  writeFileSync(join(stage.folder, 'times.json'), JSON.stringify(kept));
}

const NEEDS_DISK: readonly FaultKind[] = ['worker-disk-full', 'nats-disk-full'];

const notPossible = (stage: Stage, options: ChaosOptions): FaultKind[] =>
  stage.hasDisks ? [] : NEEDS_DISK.filter((kind) => options.kinds?.includes(kind) ?? true);

function planOf(stage: Stage, options: ChaosOptions): Fault[] {
  const { seed, minutes, workers, kinds } = options;
  if (minutes === 0) return [];
  const natsServers = stage.cluster.nats.length;
  const plan = planFaults({
    ...{ seed, minutes, workers, natsServers, partitions: PARTITIONS },
    ...(kinds ? { kinds } : {}),
  });
  return plan.filter(({ kind }) => stage.hasDisks || !NEEDS_DISK.includes(kind));
}

function tick(
  ...[load, driver, stage, plan, say]: [Load, FaultDriver, Stage, Fault[], (line: string) => void]
) {
  let before = load.acknowledged;
  return setInterval(() => {
    const now = load.acknowledged;
    const rate = Math.round(((now - before) * 1000) / PROGRESS_MS);
    before = now;
    say(
      `${now} events, ${rate}/s · faults ${driver.records.length}/${plan.length}, ` +
        `open: ${driver.open.join(' ') || 'none'} · ended by themselves: ${stage.deaths.length}`,
    );
  }, PROGRESS_MS);
}

interface Reckoning {
  readonly query: Query;
  readonly load: Load;
  readonly counts: readonly LaneCount[];
  readonly say: (line: string) => void;
}

async function reckon({ query, load, counts, say }: Reckoning) {
  const endMs = systemClock.monotonicMs();
  const seen = counts.map(({ partition, lastSequence }) =>
    query.waitVisible(partition, BigInt(lastSequence), LAG_MS_MAX).catch(() => false),
  );
  const isVisible = (await Promise.all(seen)).every((each) => each);
  const lagZeroMs = isVisible ? Math.round(systemClock.monotonicMs() - endMs) : null;
  say(isVisible ? `lag is zero after ${lagZeroMs} ms` : 'LAG DID NOT RETURN TO ZERO');
  const entries = counts.map(({ acknowledged }) => acknowledged);
  const unknown = counts.reduce((sum, { sent, acknowledged }) => sum + sent - acknowledged, 0);
  const expected = expectedOf(load.fleet, entries);
  const untilMs = systemClock.monotonicMs() + WINDOWS_MS_MAX;
  while (!(await windowsOf(query)).equals(expected.bytes)) {
    if (systemClock.monotonicMs() > untilMs) break;
    await systemClock.wait(POLL_MS);
  }
  say('comparing every row, window and count with what was acknowledged');
  const findings = await audit({ query, fleet: load.fleet, expected, counts });
  const events = entries.reduce((sum, each) => sum + each, 0);
  return { events, unknown, lagZeroMs, findings };
}

/** Processes of the load are forked, so that they end with this one. */
function start(module: string): ChildProcess {
  const url = siblingModule(import.meta.url, module);
  return fork(fileURLToPath(url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
}

class Load {
  readonly fleet: Fleet;
  readonly stalls: Stall[] = [];
  #counts: readonly LaneCount[] = [];
  readonly #child: ChildProcess;
  readonly #done: Promise<readonly LaneCount[]>;

  private constructor(child: ChildProcess, fleet: Fleet) {
    this.#child = child;
    this.fleet = fleet;
    this.#done = new Promise((resolve, reject) => {
      child.on('exit', (code) => reject(new Error(`the publisher ended with ${code}`)));
      child.on('message', (report: PublisherReport) => {
        this.#counts = report.counts;
        for (const stall of report.stalls) this.stalls.push(stall);
        if (report.kind === 'done') resolve(report.counts);
        if (report.kind === 'failed') reject(new Error(`the publisher failed: ${report.error}`));
      });
    });
    this.#done.catch(() => {}); // told by `end`
  }

  static async start(stage: Stage, link: NatsLink, options: ChaosOptions): Promise<Load> {
    const store = await createPlanStore(link.nc, LOG_ID);
    const metrics = fleetMetrics(parsePlan((await store.load())!));
    const vehicles = Math.round((options.eventsPerSecond * STEP_MS) / 1000) - BEACONS;
    const startMs = systemClock.nowMs();
    const fleet = new Fleet({ seed: options.seed, startMs, vehicles, beacons: BEACONS });
    const child = start('./load/publisher');
    const tables = Object.entries(metrics).map(([name, table]) => [name, [...table]] as const);
    child.send({
      kind: 'start',
      natsUrl: stage.publisherUrl,
      fleet: fleet.options,
      metrics: Object.fromEntries(tables),
    } satisfies ToPublisher);
    return new Load(child, fleet);
  }

  get acknowledged(): number {
    return this.#counts.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  async end(): Promise<readonly LaneCount[]> {
    this.#child.send({ kind: 'stop', withinMs: DRAIN_MS_MAX } satisfies ToPublisher);
    return this.#done;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

class Listener {
  readonly #times = new Map<number, number[]>(
    Array.from({ length: PARTITIONS }, (_, partition) => [partition, []]),
  );
  readonly #child: ChildProcess;
  again = 0;

  constructor(natsUrl: string) {
    this.#child = start('./load/subscriber');
    this.#child.send({ natsUrl } satisfies SubscriberOrder);
    this.#child.on('message', ({ arrivals, again }: Arrivals) => {
      this.again = again;
      for (const [partition, atMs] of arrivals) this.#times.get(partition)!.push(atMs);
    });
  }

  get times(): FactTimes {
    return this.#times;
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

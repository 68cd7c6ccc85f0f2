/**
 * W4: a load that lasts. In: a case, a rate, a time. Out: how old alerts are when they arrive on
 * their subject and rows when they can be queried, from the moment their record was due; whether
 * that grows; and the processor time of every process, the publisher's too.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import { siblingModule } from '../../src/base/sibling.ts';
import { configText, type DrainCase, PARTITIONS } from '../drain/case.ts';
import { openStage, type Stage } from '../drain/stage.ts';
import { commit, cpuSeconds } from '../measurement.ts';
import type { FromLoad, LoadOptions } from './load.ts';

export interface SustainedOptions {
  readonly given: DrainCase;
  readonly eventsPerSecond: number;
  readonly seconds: number;
}

export interface Spread {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
}

export interface SustainedMeasurement {
  readonly workload: 'sustained';
  readonly case: string;
  readonly subject: 'millrace';
  readonly events: number;
  readonly wallSeconds: number;
  readonly eventsPerSecond: number;
  readonly alertAgeMs: Spread;
  readonly visibleAgeMs: Spread;
  /** Of the age of rows when they become visible: milliseconds per second of load. */
  readonly lagSlope: number;
  /** The publisher's greatest delay behind its own schedule. */
  readonly publisherLateMs: number;
  readonly cpuMicrosPerEvent: number;
  readonly cpuMicrosPerEventBy: Readonly<Record<string, number>>;
  readonly rssMiB: { readonly start: number; readonly end: number };
  readonly resultHash: string;
  readonly commit: string;
}

const LOOK_MS = 25;
const VISIBLE_MS_MAX = 60_000;
/** The ledger's newest block is written with the next tick. */
const BOOKS_MS_MAX = 15_000;
const WARM_MS = 2_000;
const MIB = 1024 ** 2;

interface Seen {
  readonly atMs: number;
  readonly ageMs: number;
}

export async function runSustained(options: SustainedOptions): Promise<SustainedMeasurement> {
  const stage = await openStage(configText(options.given));
  try {
    const millrace = await stage.startMillrace();
    await wait(WARM_MS);
    const measured = await measure(stage, options);
    await millrace.stop();
    return measured;
  } finally {
    await stage.close();
  }
}

async function measure(
  stage: Stage,
  { given, eventsPerSecond, seconds }: SustainedOptions,
): Promise<SustainedMeasurement> {
  const before = cpuSeconds(process.pid);
  const start = process.memoryUsage().rss / MIB;
  const startedMs = Date.now();
  const load = new Load({
    nats: stage.engines.nats,
    case: given.name,
    devices: given.devices,
    eventsPerSecond,
    seconds,
  });
  const visible = await watchVisible(stage, load);
  const { events, lateMs } = await load.done;
  const after = cpuSeconds(process.pid);
  load.end();
  const by = Object.fromEntries(
    [...after].map(([name, value]) => [name, ((value - (before.get(name) ?? 0)) * 1e6) / events]),
  );
  await checkBooks(stage, events);
  return {
    workload: 'sustained',
    case: given.name,
    subject: 'millrace',
    events,
    wallSeconds: (Date.now() - startedMs) / 1000,
    eventsPerSecond,
    alertAgeMs: spread(load.alertAgesMs),
    visibleAgeMs: spread(visible.map(({ ageMs }) => ageMs)),
    lagSlope: slope(visible),
    publisherLateMs: lateMs,
    cpuMicrosPerEvent: Object.values(by).reduce((sum, each) => sum + each, 0),
    cpuMicrosPerEventBy: by,
    rssMiB: { start, end: process.memoryUsage().rss / MIB },
    resultHash: `${events} records in the ledger`,
    commit: commit(),
  };
}

/** Every record that was published stands in the ledger, once. */
async function checkBooks(stage: Stage, events: number): Promise<void> {
  const endMs = Date.now() + BOOKS_MS_MAX;
  for (;;) {
    const { recordsIn, balanced } = await stage.query.ledgerSummary();
    if (Number(recordsIn) === events && balanced) return;
    if (Date.now() > endMs) throw new Error(`${events} published, the ledger has ${recordsIn}`);
    await wait(LOOK_MS);
  }
}

interface Stored {
  readonly sequence: number;
  readonly dueMs: number;
}

/** The publisher's process. */
class Load {
  readonly done: Promise<{ events: number; lateMs: number }>;
  readonly alertAgesMs: number[] = [];
  /** By partition; what is not visible yet, in the order of the log. */
  readonly waiting: Stored[][] = Array.from({ length: PARTITIONS }, () => []);
  isOver = false;
  readonly #child: ChildProcess;

  constructor(options: LoadOptions) {
    this.#child = fork(siblingModule(import.meta.url, './load'), {
      execArgv: process.execArgv.filter((flag) => !flag.startsWith('--cpu-prof')),
    });
    this.done = new Promise((resolve, reject) => {
      this.#child.once('exit', (code) => {
        if (code !== 0) reject(new Error(`the publisher ended with ${code}`));
      });
      this.#child.on('message', (message: FromLoad) => {
        if (message.type === 'stored') this.#stored(message.partition, message);
        else if (message.type === 'alerts') this.alertAgesMs.push(...message.agesMs);
        else {
          this.isOver = true;
          resolve(message);
        }
      });
    });
    this.done.catch(() => {
      this.isOver = true;
    });
    this.#child.send(options);
  }

  end(): void {
    this.#child.send('end');
  }

  #stored(partition: number, { sequence, dueMs }: Stored): void {
    this.waiting[partition]!.push({ sequence, dueMs });
  }
}

/** How old each batch was when it was first seen to be visible, by asking again and again. */
async function watchVisible(stage: Stage, load: Load): Promise<Seen[]> {
  const seen: Seen[] = [];
  let overSinceMs = 0;
  for (;;) {
    const isEmpty = load.waiting.every(({ length }) => length === 0);
    if (load.isOver && isEmpty) return seen;
    if (load.isOver) overSinceMs ||= Date.now();
    if (overSinceMs > 0 && Date.now() - overSinceMs > VISIBLE_MS_MAX) {
      throw new Error('not everything became visible');
    }
    const rows = await stage.query.rows<{ partition: number; sequence: string }>(
      'SELECT `partition`, max(`sequence`) AS sequence FROM visible GROUP BY `partition`',
    );
    const atMs = Date.now();
    for (const { partition, sequence } of rows) {
      const waiting = load.waiting[partition]!;
      waiting.sort((left, right) => left.sequence - right.sequence);
      while (waiting[0] && waiting[0].sequence <= Number(sequence)) {
        const { dueMs } = waiting.shift()!;
        seen.push({ atMs, ageMs: atMs - dueMs });
      }
    }
    await wait(LOOK_MS);
  }
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

/** Least squares, in milliseconds of age per second. */
function slope(seen: readonly Seen[]): number {
  const count = seen.length;
  if (count < 2) return 0;
  const mean = (pick: (each: Seen) => number) =>
    seen.reduce((sum, each) => sum + pick(each), 0) / count;
  const [atMean, ageMean] = [mean(({ atMs }) => atMs), mean(({ ageMs }) => ageMs)];
  let covariance = 0;
  let variance = 0;
  for (const { atMs, ageMs } of seen) {
    covariance += (atMs - atMean) * (ageMs - ageMean);
    variance += (atMs - atMean) ** 2;
  }
  return variance === 0 ? 0 : (covariance / variance) * 1000;
}

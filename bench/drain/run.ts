/**
 * W3: how fast a stored backlog becomes rows that can be queried. In: a case and subjects. Out: a
 * measurement for each. All subjects of a round read the same stored log on the same servers, one
 * after the other; rounds alternate the order and begin with fresh engines.
 */
import { systemClock } from '../../src/base/clock.ts';
import { commit, type Measurement, treeCpuSeconds } from '../measurement.ts';
import { type Backlog, fillLog } from './backlog.ts';
import { drainBare } from './bare.ts';
import { configText, type DrainCase, PARTITIONS } from './case.ts';
import { drainNaively } from './naive.ts';
import { type DrainResult, millraceResult, naiveResult } from './result.ts';
import { openStage, type Stage } from './stage.ts';

export const SUBJECTS = ['millrace', 'naive', 'bare'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface DrainMeasurement extends Measurement {
  /** Of the process that drains; the rest is nats-server's and ClickHouse's. */
  readonly ownCpuMicrosPerEvent: number;
  readonly samples: number;
  readonly windows: number;
}

const VISIBLE_MS_MAX = 1_800_000;

export async function runDrain(
  given: DrainCase,
  subjects: readonly SubjectName[],
  onStep: (what: string) => void,
): Promise<DrainMeasurement[]> {
  const stage = await openStage(configText(given));
  try {
    const before = await prepare(stage);
    onStep(`${given.name}: storing ${given.events} events`);
    const backlog = await fillLog(stage.link, given, before);
    const measured: DrainMeasurement[] = [];
    for (const subject of subjects) {
      onStep(`${given.name}: ${subject}`);
      measured.push(await measure(stage, given, backlog, subject));
    }
    return measured;
  } finally {
    await stage.close();
  }
}

/** Makes tables and streams and puts the plan into the log; gives the last sequences. */
async function prepare(stage: Stage): Promise<bigint[]> {
  const millrace = await stage.startMillrace();
  const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition);
  const states = await Promise.all(partitions.map((each) => millrace.reader.state(each)));
  await millrace.stop();
  return states.map(({ lastSequence }) => lastSequence);
}

async function measure(
  stage: Stage,
  given: DrainCase,
  backlog: Backlog,
  subject: SubjectName,
): Promise<DrainMeasurement> {
  globalThis.gc?.();
  const startedMs = systemClock.monotonicMs();
  const startedCpu = treeCpuSeconds(process.pid);
  const startedOwn = process.cpuUsage();
  const finish = await drain(stage, given, backlog, subject);
  const wallSeconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const cpuSeconds = treeCpuSeconds(process.pid) - startedCpu;
  const own = process.cpuUsage(startedOwn);
  const result = await finish();
  const { events } = backlog;
  return {
    workload: 'drain',
    case: given.name,
    subject,
    events,
    wallSeconds,
    cpuMicrosPerEvent: (cpuSeconds * 1e6) / events,
    eventsPerSecond: events / wallSeconds,
    resultHash: result.hash,
    commit: commit(),
    ownCpuMicrosPerEvent: (own.user + own.system) / events,
    samples: result.samples,
    windows: result.windows,
  };
}

/** Resolves when all is done; what it gives then stops the subject and reads its result. */
async function drain(
  stage: Stage,
  given: DrainCase,
  backlog: Backlog,
  subject: SubjectName,
): Promise<() => Promise<DrainResult>> {
  if (subject === 'bare') {
    await drainBare(stage.engines.nats, backlog);
    return async () => ({ samples: 0, windows: 0, hash: `${backlog.events} messages counted` });
  }
  if (subject === 'naive') {
    await drainNaively(stage, given, backlog);
    return () => naiveResult(stage.query);
  }
  const millrace = await stage.startMillrace();
  for (const [partition, sequence] of backlog.last.entries()) {
    const seen = await stage.query.waitVisible(partition, sequence, VISIBLE_MS_MAX);
    if (!seen) throw new Error(`partition ${partition}: ${sequence} is not visible`);
  }
  return async () => {
    await millrace.stop();
    return millraceResult(stage.query, given);
  };
}

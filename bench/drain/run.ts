/**
 * W3: how fast a stored backlog becomes rows that can be queried. In: a case and subjects. Out: a
 * measurement for each. All subjects of a round read the same stored log on the same servers, one
 * after the other; rounds alternate the order and begin with fresh engines.
 */
import { systemClock } from '../../src/base/clock.ts';
import { commit, cpuSeconds, type Measurement } from '../measurement.ts';
import { type Backlog, fillLog } from './backlog.ts';
import { drainBare } from './bare.ts';
import { configText, type DrainCase, PARTITIONS } from './case.ts';
import { drainNaively } from './naive.ts';
import { type DrainResult, millraceResult, naiveResult } from './result.ts';
import { openStage, type Stage } from './stage.ts';

export const SUBJECTS = ['millrace', 'naive', 'bare'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface DrainMeasurement extends Measurement {
  /** Of the process that drains (`own`), `nats-server` and `clickhouse`. */
  readonly cpuMicrosPerEventBy: Readonly<Record<string, number>>;
  readonly samples: number;
  readonly windows: number;
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
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
  const startedCpu = cpuSeconds(process.pid);
  const finish = await drain(stage, given, backlog, subject);
  const wallSeconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const endedCpu = cpuSeconds(process.pid);
  const result = await finish();
  const { events } = backlog;
  const by = Object.fromEntries(
    [...endedCpu].map(([name, seconds]) => [
      name,
      ((seconds - (startedCpu.get(name) ?? 0)) * 1e6) / events,
    ]),
  );
  return {
    workload: 'drain',
    case: given.name,
    subject,
    events,
    wallSeconds,
    cpuMicrosPerEvent: sumOf(Object.values(by)),
    eventsPerSecond: events / wallSeconds,
    resultHash: result.hash,
    commit: commit(),
    cpuMicrosPerEventBy: by,
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

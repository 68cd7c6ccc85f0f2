/**
 * Scores of a series as the kernel gives them. In: readings of one device in the order of the file.
 * Out: time and score of every one-minute window that holds one, from the facts of the real kernel.
 */
import { createKernel } from '../../src/kernel/index.ts';
import type { ScoreKind } from '../../src/model/plan.ts';
import { drive } from '../../test/kernel/drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from '../../test/kernel/log-writer.ts';
import { channelOf, MINUTE_WINDOW, metricOf, planOf } from '../../test/kernel/plan-sample.ts';

export interface SeriesReading {
  readonly timeMs: number;
  /** As the file has it. */
  readonly text: string;
}

export interface ScoredReading {
  readonly timeMs: number;
  readonly score: number;
}

const RECORDS_PER_BATCH = 100;
const MEMORY_BYTES = 64 * 1024 * 1024;

export async function scoresOf(
  readings: readonly SeriesReading[],
  score: ScoreKind,
): Promise<readonly ScoredReading[]> {
  const channel = channelOf(0, 'c', {
    ...{ format: 'json', timePath: ['time'], eventIdPath: [], metrics: [metricOf(0, 'value')] },
    ...{ windows: [MINUTE_WINDOW], agePolicy: 'accept', score },
  });
  const log = new LogWriter();
  log.plan(planOf([channel]));
  for (let i = 0; i < readings.length; i += RECORDS_PER_BATCH) {
    const some = readings.slice(i, i + RECORDS_PER_BATCH);
    log.batch(
      some.map(({ timeMs, text }, j) =>
        recordOf({
          payload: Buffer.from(`{"time":${timeMs},"value":${text}}`),
          key: { bootId: 1n, sequence: BigInt(i + j + 1) },
          receivedAtMs: log.nowMs,
        }),
      ),
    );
    log.nowMs += 1000;
  }
  log.at(log.nowMs + 60_000).tick();
  const kernel = await createKernel({ build: 'auto', workers: 0 });
  const options = { log: LOG, partition: PARTITION, generation: 1, memoryBytes: MEMORY_BYTES };
  const partition = kernel.open(options);
  const { facts } = await drive(partition, all(log.messages));
  await kernel.stop();
  const scored = new Map<number, number>();
  for (const fact of facts) {
    if (fact.kind !== 'window') continue;
    const [aggregate] = fact.metrics;
    if (aggregate === undefined) continue;
    const before = scored.get(aggregate.lastTimeMs) ?? 0;
    scored.set(aggregate.lastTimeMs, Math.max(before, aggregate.score));
  }
  return [...scored]
    .map(([timeMs, value]) => ({ timeMs, score: value }))
    .sort((left, right) => left.timeMs - right.timeMs);
}

/**
 * Times one question. In: its SQL, who asks. Out: medians of several runs, cold and warm apart, and
 * the answer. Through the views and without FINAL take turns, so that a busy machine is busy for
 * both.
 */
import { createHash } from 'node:crypto';
import { systemClock } from '../../src/base/clock.ts';
import type { Query } from '../../src/query/index.ts';
import { treeCpuSeconds } from '../measurement.ts';
import type { Stage } from './stage.ts';

export type Answer = readonly Readonly<Record<string, unknown>>[];

export interface Timing {
  /** Median wall time with ClickHouse's own caches dropped; the system's file cache stays. */
  readonly coldMs: number;
  /** Median wall time of the runs that follow one another. */
  readonly warmMs: number;
  /** Median processor time of the warm runs, all processes; Linux counts it in 10 ms. */
  readonly cpuMs: number;
  /** The answer is that of the views. */
  readonly isRight: boolean;
}

export interface Measured {
  readonly views: Timing;
  readonly withoutFinal: Timing;
  readonly answer: Answer;
  readonly hash: string;
}

const CACHES = ['MARK', 'INDEX MARK', 'UNCOMPRESSED', 'PRIMARY INDEX'];

export async function measureQuestion(stage: Stage, sql: string, runs: number): Promise<Measured> {
  const subjects = [stage.views, stage.viewsWithoutFinal];
  const cold: number[][] = [[], []];
  const warm: Run[][] = [[], []];
  for (let run = 0; run < runs; run += 1) {
    for (const [index, query] of subjects.entries()) {
      for (const cache of CACHES) await stage.connection.command(`SYSTEM DROP ${cache} CACHE`);
      cold[index]!.push((await timed(query, sql)).wallMs);
    }
  }
  for (let run = 0; run < runs; run += 1) {
    for (const [index, query] of subjects.entries()) {
      warm[index]!.push(await timed(query, sql));
    }
  }
  const answer = await stage.views.rows<Record<string, unknown>>(sql);
  const hash = hashOf(answer);
  const [views, withoutFinal] = warm.map((ran, index) => ({
    coldMs: median(cold[index]!),
    warmMs: median(ran.map(({ wallMs }) => wallMs)),
    cpuMs: median(ran.map(({ cpuMs }) => cpuMs)),
    isRight: ran.every((run) => run.hash === hash),
  }));
  return { views: views!, withoutFinal: withoutFinal!, answer, hash };
}

interface Run {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly hash: string;
}

async function timed(query: Query, sql: string): Promise<Run> {
  const cpu = treeCpuSeconds(process.pid);
  const startedMs = systemClock.monotonicMs();
  const answer = await query.rows<Record<string, unknown>>(sql);
  const wallMs = systemClock.monotonicMs() - startedMs;
  const cpuMs = (treeCpuSeconds(process.pid) - cpu) * 1_000;
  return { wallMs, cpuMs, hash: hashOf(answer) };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return Math.round(sorted[Math.floor((sorted.length - 1) / 2)]! * 10) / 10;
}

function hashOf(answer: Answer): string {
  const text = answer.map((row) => JSON.stringify(row)).join('\n');
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * `npm run bench -- anomaly`: how well the kernel's score finds the labelled anomalies of nine real
 * series (../shared/data/nab). Every series is a device of one channel with default options; the
 * score of a reading is that of its one-minute window. One threshold for all, nothing is tuned.
 *
 * Readings at or above the threshold that lie within an hour of each other are one detection. It is
 * true when it touches a labelled window; a window is found when a detection touches it; the delay
 * is from the window's start to the first reading at or above the threshold inside it.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { nabFolder } from '../../test/support/nab.ts';
import { commit, type Measurement } from '../measurement.ts';
import { type ScoredReading, scoresOf } from './score.ts';

/** Standard deviations from the running mean: what docs/read-models.md recommends. */
export const THRESHOLD_DEFAULT = 4;
const APART_MS = 3_600_000;
/** With --small: series of at most so many readings, two of the nine. */
const READINGS_SMALL_MAX = 2_200;

interface Options {
  readonly threshold: string;
  readonly kind: string;
  readonly json?: boolean;
  readonly small?: boolean;
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Verdict {
  readonly series: string;
  readonly readings: number;
  readonly detections: number;
  readonly trueDetections: number;
  readonly windows: number;
  readonly found: number;
  /** Summed over the windows found. */
  readonly delayMs: number;
}

interface Judged {
  readonly verdict: Verdict;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

export function anomalyCommand(): Command {
  return new Command('anomaly')
    .description('precision, recall and delay of the score on labelled real series')
    .option('--threshold <score>', 'what counts as a detection', String(THRESHOLD_DEFAULT))
    .option('--kind <kind>', 'ewma or seasonal', 'ewma')
    .option('--json', 'one JSON line per series, then the total')
    .option('--small', 'only the shortest series: a size that fits into a test run')
    .action(async (options: Options) => {
      const threshold = Number(options.threshold);
      if (!(threshold > 0)) throw new Error(`--threshold ${options.threshold}: above 0 expected`);
      const kind = options.kind === 'seasonal' ? 'seasonal' : 'ewma';
      const chosen = options.small ? READINGS_SMALL_MAX : Number.POSITIVE_INFINITY;
      const judged = await judgeAll(threshold, kind, chosen);
      for (const each of [...judged, total(judged)]) {
        const shown = summary(each.verdict);
        const all = { ...measurementOf(each), threshold, kind, ...shown };
        console.log(options.json ? JSON.stringify(all) : line(shown));
      }
      process.exit(0);
    });
}

function measurementOf({ verdict, wallSeconds, cpuSeconds }: Judged): Measurement {
  const { series, readings, ...found } = verdict;
  return {
    workload: 'anomaly',
    case: series,
    subject: 'millrace',
    events: readings,
    wallSeconds,
    cpuMicrosPerEvent: (cpuSeconds * 1e6) / readings,
    eventsPerSecond: Math.round(readings / wallSeconds),
    resultHash: hashOf(found),
    commit: commit(),
  };
}

const hashOf = (found: object): string =>
  createHash('sha256').update(JSON.stringify(found)).digest('hex').slice(0, 16);

export async function judgeAll(
  threshold: number,
  kind: 'ewma' | 'seasonal',
  readingsMax = Number.POSITIVE_INFINITY,
): Promise<readonly Judged[]> {
  const folder = nabFolder();
  const text = readFileSync(join(folder, 'anomaly_windows.json'), 'utf8');
  const labels = JSON.parse(text) as Record<string, [string, string][]>;
  const judged: Judged[] = [];
  for (const [file, windows] of Object.entries(labels)) {
    const rows = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n').slice(1);
    if (rows.length > readingsMax) continue;
    const readings = rows.map((row) => {
      const [time, value] = row.split(',') as [string, string];
      return { timeMs: Date.parse(`${time.replace(' ', 'T')}Z`), text: value };
    });
    const spans = windows.map(([from, to]) => ({ fromMs: instant(from), toMs: instant(to) }));
    const begin = performance.now();
    const before = process.cpuUsage();
    const scored = await scoresOf(readings, kind);
    const { user, system } = process.cpuUsage(before);
    judged.push({
      verdict: judge(file, scored, { spans, threshold }),
      wallSeconds: (performance.now() - begin) / 1000,
      cpuSeconds: (user + system) / 1e6,
    });
  }
  return judged;
}

const instant = (text: string): number => Date.parse(`${text.slice(0, 19).replace(' ', 'T')}Z`);

function judge(
  series: string,
  scored: readonly ScoredReading[],
  { spans, threshold }: { spans: readonly Span[]; threshold: number },
): Verdict {
  const hits = scored.filter(({ score }) => score >= threshold).map(({ timeMs }) => timeMs);
  const detections = grouped(hits);
  const touches = (left: Span, right: Span) =>
    left.fromMs <= right.toMs && left.toMs >= right.fromMs;
  const delays = spans.flatMap((span) => {
    const first = hits.find((timeMs) => timeMs >= span.fromMs && timeMs <= span.toMs);
    return first === undefined ? [] : [first - span.fromMs];
  });
  return {
    series: series.replace(/\.csv$/, ''),
    readings: scored.length,
    detections: detections.length,
    trueDetections: detections.filter((found) => spans.some((span) => touches(found, span))).length,
    windows: spans.length,
    found: delays.length,
    delayMs: delays.reduce((sum, delay) => sum + delay, 0),
  };
}

function grouped(hits: readonly number[]): Span[] {
  const spans: { fromMs: number; toMs: number }[] = [];
  for (const timeMs of hits) {
    const last = spans.at(-1);
    if (last !== undefined && timeMs - last.toMs <= APART_MS) last.toMs = timeMs;
    else spans.push({ fromMs: timeMs, toMs: timeMs });
  }
  return spans;
}

function total(judged: readonly Judged[]): Judged {
  const sum = (name: Exclude<keyof Verdict, 'series'>) =>
    judged.reduce((total, { verdict }) => total + verdict[name], 0);
  const verdict = {
    series: 'all',
    readings: sum('readings'),
    detections: sum('detections'),
    trueDetections: sum('trueDetections'),
    windows: sum('windows'),
    found: sum('found'),
    delayMs: sum('delayMs'),
  };
  return {
    verdict,
    wallSeconds: judged.reduce((total, each) => total + each.wallSeconds, 0),
    cpuSeconds: judged.reduce((total, each) => total + each.cpuSeconds, 0),
  };
}

function summary(verdict: Verdict) {
  const { detections, trueDetections, windows, found, delayMs } = verdict;
  return {
    ...verdict,
    precision: detections === 0 ? null : trueDetections / detections,
    recall: found / windows,
    meanDelayHours: found === 0 ? null : delayMs / found / 3_600_000,
  };
}

function line(shown: ReturnType<typeof summary>): string {
  const share = (value: number | null) => (value === null ? '   –' : value.toFixed(2));
  return [
    shown.series.padEnd(40),
    `${shown.trueDetections} of ${shown.detections} detections true`.padEnd(28),
    `${shown.found} of ${shown.windows} windows found`.padEnd(24),
    `precision ${share(shown.precision)}, recall ${share(shown.recall)}`,
    `mean delay ${shown.meanDelayHours?.toFixed(1) ?? '–'} h`,
  ].join('  ');
}

/**
 * The nine real series as nine devices, and what must come of them: computed by ClickHouse straight
 * from the CSV files, with units converted there. In: a running instance. Out: differences, none
 * when all is well.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { environment, exampleFile } from '../../src/config/index.ts';
import { type CommandResult, type Instance, type Launched, launch } from './instance.ts';

/** `shared/data/nab` beside the checkout, or beside any folder above it; null: it is not here. */
const NAB_FOLDER = findAbove(process.cwd());

function findAbove(folder: string): string | null {
  const beside = join(dirname(folder), 'shared', 'data', 'nab');
  if (existsSync(beside)) return beside;
  return dirname(folder) === folder ? null : findAbove(dirname(folder));
}

/** Throws where the data is not. */
export function nabFolder(): string {
  if (NAB_FOLDER !== null) return NAB_FOLDER;
  throw new Error('the series of shared/data/nab are not beside the checkout');
}

/** First thing in a suite: without the data it is skipped loudly, and fails on a build machine. */
export function needNab(suite: Mocha.Context): void {
  if (NAB_FOLDER !== null) return;
  const why = 'the series of shared/data/nab are not beside the checkout';
  if (environment.isBuildMachine) throw new Error(why);
  console.error(`SKIPPED: ${why}`);
  suite.skip();
}

interface Series {
  readonly channel: string;
  readonly files: readonly string[];
  /** SQL from `value` to the canonical unit. */
  readonly canonical: string;
}

export const SERIES: readonly Series[] = [
  {
    channel: 'temperature',
    files: ['ambient_temperature_system_failure', 'machine_temperature_system_failure'],
    canonical: '(value - 32) * 5 / 9',
  },
  {
    channel: 'speed',
    files: ['speed_6005', 'speed_7578', 'speed_t4013'],
    canonical: 'value * 0.44704',
  },
  { channel: 'occupancy', files: ['occupancy_6005', 'occupancy_t4013'], canonical: 'value' },
  { channel: 'travel_time', files: ['TravelTime_387', 'TravelTime_451'], canonical: 'value' },
];

export const csvPath = (file: string): string => join(NAB_FOLDER ?? '', `${file}.csv`);

/** Rows of all nine files. */
export function nabRows(): number {
  return SERIES.flatMap(({ files }) => files)
    .map((file) => readFileSync(csvPath(file), 'utf8').trimEnd().split('\n').length - 1)
    .reduce((sum, rows) => sum + rows, 0);
}

/** The shipped example, with a short idle time so that the last windows close soon. */
export function nabConfig(folder: string, more = ''): string {
  const text = readFileSync(exampleFile('nab'), 'utf8');
  const path = join(folder, 'nab.yaml');
  writeFileSync(
    path,
    `${text.replaceAll('historical: true', 'historical: true\n    idle: 2s')}${more}`,
  );
  return path;
}

/** All nine files, one command per channel, at the same time. */
export function ingestAll(instance: Instance, ...more: string[]): Promise<CommandResult[]> {
  return Promise.all(launchAll(instance, ...more).map(({ result }) => result));
}

/** The same commands as processes, to be killed. */
export function launchAll(instance: Instance, ...more: string[]): Launched[] {
  return SERIES.map(({ channel, files }) =>
    launch(
      ...['ingest', '--historical', '--channel', channel, '--json', ...more],
      ...[...files.map(csvPath), '--data-dir', instance.folder],
    ),
  );
}

interface Reading {
  readonly device: string;
  readonly time: string;
  readonly value: number;
}

export interface HourRow {
  readonly device: string;
  readonly hour: string;
  readonly count: string;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly first: number;
  readonly last: number;
}

function fromFiles(select: string, tail: string): string {
  return SERIES.flatMap(({ files, canonical }) =>
    files.map(
      (file) => `SELECT '${file}' AS device, ${select} FROM (
        SELECT timestamp, ${canonical} AS v, rowNumberInAllBlocks() AS n
        FROM file('${csvPath(file)}', 'CSVWithNames',
          'timestamp DateTime(\\'UTC\\'), value Float64')
      ) ${tail}`,
    ),
  ).join(' UNION ALL ');
}

const ONE_THREAD = 'SETTINGS max_threads = 1';

export async function readingDifferences(instance: Instance): Promise<string[]> {
  const order = 'ORDER BY device, time, value';
  const expected = await instance.rows<Reading>(
    `SELECT * FROM (${fromFiles('toString(timestamp) AS time, v AS value', '')}) ${order} ${ONE_THREAD}`,
  );
  const found = await instance.rows<Reading>(
    `SELECT device, toString(toDateTime(event_time, 'UTC')) AS time, value FROM v_readings ${order}`,
  );
  const differences: string[] = [];
  if (expected.length !== found.length) {
    differences.push(`${found.length} readings instead of ${expected.length}`);
  }
  expected.forEach((row, index) => {
    const other = found[index];
    const same =
      other?.device === row.device && other.time === row.time && isClose(other.value, row.value);
    if (!same) differences.push(`${JSON.stringify(other)} instead of ${JSON.stringify(row)}`);
  });
  return differences.slice(0, 10);
}

export async function hourDifferences(instance: Instance): Promise<string[]> {
  const select = `toString(toStartOfHour(timestamp)) AS hour, count() AS count, min(v) AS min,
    max(v) AS max, sum(v) AS sum, argMin(v, (timestamp, n)) AS first,
    argMax(v, (timestamp, n)) AS last`;
  const order = 'ORDER BY device, hour';
  const expected = await instance.rows<HourRow>(
    `SELECT * FROM (${fromFiles(select, 'GROUP BY hour')}) ${order} ${ONE_THREAD}`,
  );
  const found = await instance.rows<HourRow>(
    `SELECT device, toString(toDateTime(window_start, 'UTC')) AS hour, count, min, max, sum, first,
     last FROM v_agg_1h ${order}`,
  );
  const differences: string[] = [];
  if (expected.length !== found.length) {
    differences.push(`${found.length} hours instead of ${expected.length}`);
  }
  expected.forEach((row, index) => {
    if (!sameHour(row, found[index])) {
      differences.push(`${JSON.stringify(found[index])} instead of ${JSON.stringify(row)}`);
    }
  });
  return differences.slice(0, 10);
}

function sameHour(left: HourRow, right: HourRow | undefined): boolean {
  if (!right || left.device !== right.device || left.hour !== right.hour) return false;
  if (left.count !== right.count) return false;
  const figures = ['min', 'max', 'sum', 'first', 'last'] as const;
  return figures.every((name) => isClose(left[name], right[name]));
}

const RELATIVE_DIFFERENCE_MAX = 1e-12;

function isClose(left: number, right: number): boolean {
  if (left === right) return true;
  return (
    Math.abs(left - right) <= RELATIVE_DIFFERENCE_MAX * Math.max(Math.abs(left), Math.abs(right))
  );
}

/** Every reading counted in hours, every ledger block balanced, nothing lost, nothing twice. */
export async function waitComplete(instance: Instance): Promise<void> {
  const rows = nabRows();
  await instance.until('all hours closed', async () => {
    const [{ readings }] = await instance.rows<{ readings: string }>(
      'SELECT sum(count) AS readings FROM v_agg_1h',
    );
    return Number(readings) >= rows;
  });
}

export interface LedgerSum {
  readonly records: string;
  readonly stored: string;
  readonly duplicate: string;
  readonly unbalanced: string;
}

export async function ledgerSum(instance: Instance): Promise<LedgerSum> {
  const [sum] = await instance.rows<LedgerSum>(
    `SELECT sum(records_in) AS records, sum(stored) AS stored, sum(duplicate) AS duplicate,
     countIf(NOT balanced) AS unbalanced FROM v_ledger`,
  );
  return sum;
}

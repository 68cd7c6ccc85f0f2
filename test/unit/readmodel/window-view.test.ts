import { expect } from 'chai';
import fc from 'fast-check';
import { type PlanWindow, WINDOW_DEFAULTS } from '../../../src/model/plan.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import type { Row } from '../../support/native-writer.ts';
import { createFixture, MINUTE_MS, type ReadModelFixture, START_MS, TRUCK } from './fixture.ts';
import { exactQuantile, sketchOf } from './sketch.ts';
import { aggregateRow, type Reading } from './window.ts';

const SEED = 20_260_812;
const GAP_MS = 5 * MINUTE_MS;
const WINDOWS: PlanWindow[] = [
  ...TRUCK.windows,
  { ...WINDOW_DEFAULTS, name: 'session_5m', kind: 'session', lengthMs: 3_600_000, gapMs: GAP_MS },
  { ...WINDOW_DEFAULTS, name: 'last_2', kind: 'count', lengthMs: 0, count: 2, everyCount: 1 },
].map((window) => ({ retentionMs: 0, ...window }) as PlanWindow);

describe('views of windows of every kind', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;

  before(async () => {
    clickHouse = await startClickHouse();
    model = await createFixture(clickHouse, [{ ...TRUCK, windows: WINDOWS }]);
  });
  after(async () => {
    await model?.connection.close();
    await clickHouse?.stop();
  });

  /** A series of its own per test, so that one database serves them all. */
  let devices = 0;
  let device = '';
  beforeEach(() => {
    devices += 1;
    device = `d${devices}`;
  });
  const insert = (window: string, rows: readonly Row[]) =>
    model.insertAggregate(
      window,
      rows.map((row) => ({ ...row, device })),
    );
  const shown = (window: string, columns: string) =>
    model.rows(
      `SELECT ${columns} FROM {db}.v_agg_${window} WHERE device = '${device}'
       ORDER BY window_start, window_end`,
    );

  it('give variance, rate and the mean over time', async () => {
    // 2 for 10 s, 4 for 20 s, 8 at the end: ∫ = 100, over 30 s.
    const readings = series([
      [0, 2],
      [10, 4],
      [30, 8],
    ]);
    await insert('1m', [aggregateRow(readings, { integral: [100_000] })]);
    expect(await shown('1m', 'variance, rate, time_weighted_mean')).to.deep.equal([
      { variance: foldVariance([2, 4, 8]), rate: 0.2, time_weighted_mean: 100 / 30 },
    ]);
  });

  it('give no rate to a single reading, whose mean over time is itself', async () => {
    await insert('1m', [aggregateRow(series([[5, 7]]), { integral: [0] })]);
    expect(await shown('1m', 'variance, rate, time_weighted_mean')).to.deep.equal([
      { variance: 0, rate: null, time_weighted_mean: 7 },
    ]);
  });

  it('show rows of a version before, which knew neither ends, scores nor integrals', async () => {
    await insert('1m', [
      aggregateRow(
        series([
          [0, 1],
          [6, 3],
        ]),
        {},
      ),
    ]);
    const columns =
      'count, score, time_weighted_mean, p50, toUnixTimestamp64Milli(window_end) AS e';
    expect(await shown('1m', columns)).to.deep.equal([
      { count: '2', score: 0, time_weighted_mean: null, p50: null, e: `${START_MS + MINUTE_MS}` },
    ]);
  });

  it('join integrals of fragments that follow each other, and of those that overlap', async () => {
    const part = (fragment: number, points: readonly [number, number][], integral: number) =>
      aggregateRow(series(points), { fragment, version: fragment + 1, integral: [integral] });
    // 1 for 10 s, 3 for 10 s until the next part begins, 5 for 10 s, 7 at the end.
    await insert('1m', [
      part(
        0,
        [
          [0, 1],
          [10, 3],
        ],
        10_000,
      ),
      part(
        1,
        [
          [20, 5],
          [30, 7],
        ],
        50_000,
      ),
    ]);
    expect(await shown('1m', 'time_weighted_mean')).to.deep.equal([
      { time_weighted_mean: (10 + 30 + 50) / 30 },
    ]);
    // Parts over 20 s with 20 and 60: 80 in 40 s of cover, that is 2 a second, for 30 s.
    device += '-overlap';
    await insert('1m', [
      part(
        0,
        [
          [0, 1],
          [20, 1],
        ],
        20_000,
      ),
      part(
        1,
        [
          [10, 3],
          [30, 3],
        ],
        60_000,
      ),
    ]);
    expect(await shown('1m', 'time_weighted_mean')).to.deep.equal([{ time_weighted_mean: 2 }]);
  });

  it('show the greatest score of the fragments', async () => {
    const rows = [1.5, 9.25].map((score, fragment) =>
      aggregateRow(series([[fragment, 1]]), { fragment, version: 1, score: [score] }),
    );
    await insert('1m', rows);
    expect(await shown('1m', 'score')).to.deep.equal([{ score: 9.25 }]);
  });

  it('end where the kernel says, sessions and count windows too', async () => {
    const end = START_MS + 40_000 + GAP_MS;
    await insert('session_5m', [
      aggregateRow(
        series([
          [0, 1],
          [40, 1],
        ]),
        { window_end: end },
      ),
    ]);
    expect(await shown('session_5m', 'toUnixTimestamp64Milli(window_end) AS e')).to.deep.equal([
      { e: `${end}` },
    ]);
  });

  it('forget a session that was merged into an earlier one', async () => {
    const [early, late] = [0, 400].map((second, index) =>
      aggregateRow(series([[second, index]]), {
        window_start: START_MS + second * 1000,
        version: 1,
      }),
    );
    await insert('session_5m', [early!, late!]);
    expect(await shown('session_5m', 'count')).to.have.length(2);
    await insert('session_5m', [
      { ...aggregateRow([], {}), window_start: late!['window_start']!, is_deleted: 1, version: 2 },
      {
        ...aggregateRow(
          series([
            [0, 0],
            [400, 1],
          ]),
          {},
        ),
        version: 2,
        revision: 1,
      },
    ]);
    expect(await shown('session_5m', 'count, revision')).to.deep.equal([
      { count: '2', revision: 1 },
    ]);
  });

  it('keep count windows apart that begin with the same event', async () => {
    const rows = [7, 9].map((fragment) =>
      aggregateRow(
        series([
          [0, fragment],
          [1, 1],
        ]),
        { fragment, window_end: START_MS + fragment },
      ),
    );
    await insert('last_2', rows);
    expect(await shown('last_2', 'first, count, fragments')).to.deep.equal([
      { first: 7, count: '2', fragments: '1' },
      { first: 9, count: '2', fragments: '1' },
    ]);
  });

  it('give quantiles within 1 % from the sketches of all fragments', async () => {
    const samples = fc.sample(
      fc.tuple(
        fc.array(
          fc.oneof(
            fc.double({ min: -1e9, max: 1e9, noNaN: true }),
            fc.double({ min: 1e-6, max: 1e-3, noNaN: true }),
            fc.constantFrom(0, -0, 21.5),
          ),
          { minLength: 1, maxLength: 400 },
        ),
        fc.integer({ min: 1, max: 4 }),
      ),
      { seed: SEED, numRuns: 30 },
    );
    const start = (index: number) => START_MS + index * MINUTE_MS;
    for (const [index, [values, parts]] of samples.entries()) {
      const size = Math.ceil(values.length / parts);
      const rows: Row[] = [];
      for (let from = 0; from < values.length; from += size) {
        const part = values.slice(from, from + size);
        rows.push({
          ...aggregateRow(series(part.map((value, i) => [i / 10, value])), sketchRow(part)),
          ...{ window_start: start(index), fragment: from, version: 1 },
        });
      }
      await insert('1m', rows);
    }
    const rows = await shown('1m', 'p50, p95, p99');
    expect(rows).to.have.length(samples.length);
    for (const [index, [values]] of samples.entries()) {
      for (const [name, share] of [
        ['p50', 0.5],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = exactQuantile(values, share);
        const bound = Math.abs(exact) / 100 + 2 ** -1022;
        expect(rows[index]![name], `${name} of case ${index}, seed ${SEED}`).to.be.closeTo(
          exact,
          bound,
        );
      }
    }
  });

  it('give no quantile where some readings are in no sketch', async () => {
    const [one, other] = [series([[0, 1]]), series([[1, 2]])];
    await insert('1m', [
      aggregateRow(one, { ...sketchRow([1]), fragment: 0 }),
      aggregateRow(other, { fragment: 1 }),
    ]);
    expect(await shown('1m', 'count, p50')).to.deep.equal([{ count: '2', p50: null }]);
    // An hour that is added up from minutes: the same.
    expect(await shown('1h', 'open, count, p50')).to.deep.equal([
      { open: true, count: '2', p50: null },
    ]);
  });

  it('give an open hour the quantiles of its minutes where those have sketches', async () => {
    for (const minute of [0, 1]) {
      const values = [10 + minute, 20 + minute];
      const at = START_MS + minute * MINUTE_MS;
      await insert('1m', [
        {
          ...aggregateRow(series(values.map((v, i) => [i, v])), sketchRow(values)),
          window_start: at,
        },
      ]);
    }
    const [hour] = await shown('1h', 'open, p50, time_weighted_mean');
    expect(hour).to.include({ open: true });
    expect(hour!['p50']).to.be.closeTo(11, 0.11);
  });

  it('read only the arrays that a question needs', async () => {
    const plan = await model.rows<{ explain: string }>(
      `EXPLAIN header = 1 SELECT sum(count) FROM {db}.v_agg_1m WHERE device = 'x'`,
    );
    const text = plan.map(({ explain }) => explain).join('\n');
    const read = text.slice(text.lastIndexOf('ReadFromMergeTree'));
    expect(read, text).to.include('count');
    expect(read, text).not.to.match(/\bbin|\bscore|\bintegral/);
  });
});

/** Readings of velocity: [seconds after the start, value], in log order. */
function series(values: readonly (readonly [number, number])[]): Reading[] {
  return values.map(([second, value], index) => ({
    metric: 'velocity',
    value,
    timeMs: START_MS + Math.round(second * 1000),
    sequence: index + 1,
  }));
}

function sketchRow(values: readonly number[]): Row {
  const { bin, bin_count } = sketchOf(values);
  return { bin: [bin], bin_count: [bin_count] };
}

function foldVariance(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

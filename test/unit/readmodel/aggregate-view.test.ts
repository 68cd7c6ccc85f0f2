import { expect } from 'chai';
import fc from 'fast-check';
import { GENERATIONS, LEDGER } from '../../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import type { Row } from '../../support/native-writer.ts';
import {
  channel,
  createFixture,
  HOUR_MS,
  MINUTE_MS,
  metric,
  plan,
  type ReadModelFixture,
  ROOM,
  START_MS,
  TRUCK,
  version,
} from './fixture.ts';
import { aggregateRow, foldWindow, type Reading } from './window.ts';

const SEED = 20_260_701;
const RELATIVE = 1e-12;

describe('views of windows', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK, ROOM]);
  });
  afterEach(() => model?.connection.close());

  const insertWindow = (window: string, readings: readonly Reading[], more: Row = {}) =>
    model.insertAggregate(window, [aggregateRow(readings, more)]);

  it('show one row per metric with its unit', async () => {
    await insertWindow('1m', [
      ...readingsOf({ velocity: 1 }),
      ...readingsOf({ velocity: 4, gear: 2 }),
    ]);
    const rows = await model.rows(
      'SELECT device, channel, metric, unit, window_start, count, sum, open, fragments ' +
        'FROM {db}.v_agg_1m ORDER BY metric',
    );
    const same = {
      device: 'truck_1',
      channel: 'truck',
      window_start: '2026-07-01 10:00:00.000',
      open: false,
      fragments: '1',
    };
    expect(rows).to.deep.equal([
      { ...same, metric: 'gear', unit: '1', count: '1', sum: 2 },
      { ...same, metric: 'velocity', unit: 'm/s', count: '2', sum: 5 },
    ]);
  });

  it('pass a window of one fragment through bit for bit', async () => {
    const row = aggregateRow(randomReadings(fc.sample(VALUES, { seed: SEED, numRuns: 1 })[0]!), {});
    await model.insertAggregate('1m', [row]);
    const [shown] = await model.rows(
      'SELECT count, sum, min, max, first, last, mean, m2 FROM {db}.v_agg_1m',
    );
    for (const name of ['sum', 'min', 'max', 'first', 'last', 'mean', 'm2']) {
      expect(shown![name], name).to.equal((row[name] as number[])[0]);
    }
  });

  it('merge fragments to what one window over all readings holds', async () => {
    const cases = fc.sample(fc.tuple(VALUES, fc.integer({ min: 1, max: 5 })), {
      seed: SEED,
      numRuns: 25,
    });
    const expected: ReturnType<typeof foldWindow>[] = [];
    for (const [index, [values, fragments]] of cases.entries()) {
      const readings = randomReadings(values);
      const device = `d${String(index).padStart(2, '0')}`;
      expected.push(foldWindow(readings));
      await model.insertTruck(
        readings.map(({ value, timeMs, sequence }) => ({
          device,
          sequence,
          event_time: timeMs,
          velocity: value,
          presence: 1,
        })),
      );
      const rows = split(readings, fragments).map((part, fragment) =>
        aggregateRow(part, { device, fragment, version: version(0, part.at(-1)!.sequence) }),
      );
      await model.insertAggregate('1m', rows.reverse());
    }
    const merged = await model.rows<Shown>(
      `SELECT ${SHOWN} FROM {db}.v_agg_1m WHERE metric = 'velocity' ORDER BY device`,
    );
    // The same in ClickHouse, straight from the samples: ties of time go by log sequence.
    const direct = await model.rows<Shown>(
      `SELECT count(velocity) AS count, sumKahan(velocity) AS sum, min(velocity) AS min,
         max(velocity) AS max, argMin(velocity, (event_time, sequence)) AS first,
         argMax(velocity, (event_time, sequence)) AS last,
         toUnixTimestamp64Milli(min(event_time)) AS firstMs,
         toUnixTimestamp64Milli(max(event_time)) AS lastMs,
         avg(velocity) AS mean, varPopStable(velocity) * count(velocity) AS m2
       FROM {db}.v_truck GROUP BY device ORDER BY device`,
    );
    expect(merged).to.have.length(cases.length);
    for (const [index, shown] of merged.entries()) {
      expectSame(shown, direct[index]!, `ClickHouse, case ${index}`);
      const host = expected[index]!;
      const shape = { ...host, count: `${host.count}` };
      expectSame(shown, { ...shape, firstMs: `${host.firstMs}`, lastMs: `${host.lastMs}` }, 'host');
    }
  });

  it('give standard deviations, NULL where one reading has none', async () => {
    await insertWindow(
      '1m',
      [2, 4, 4, 4, 5, 5, 7, 9].map((velocity) => at({ velocity })),
    );
    await insertWindow('1m', [at({ velocity: 3 })], { device: 'single' });
    const rows = await model.rows(
      'SELECT device, mean, stddev_pop, stddev_samp FROM {db}.v_agg_1m ORDER BY device',
    );
    expect(rows[0]).to.deep.include({ device: 'single', stddev_pop: 0, stddev_samp: null });
    expect(rows[1]).to.include({ mean: 5, stddev_pop: 2 });
    expect(rows[1]!['stddev_samp']).to.be.closeTo(Math.sqrt(32 / 7), 1e-15);
  });

  it('show the same whether channels have few metrics or many', async () => {
    await insertWindow('1m', readingsOf({ velocity: 1, gear: 3 }));
    await insertWindow('1m', readingsOf({ velocity: 4 }), { fragment: 1 });
    await insertWindow('1m', readingsOf({ velocity: 9 }), {
      ...{ window_start: START_MS + MINUTE_MS, score: [2.5], integral: [7] },
    });
    const all = () => model.rows('SELECT * FROM {db}.v_agg_1m ORDER BY metric, window_start');
    const narrow = await all();
    expect(narrow).to.have.length(3);
    const names = Array.from({ length: 17 }, (_, index) => `m${index}`);
    const metrics = names.map((name, ordinal) => metric(ordinal, name, 'number', '1'));
    await model.migration.prepare(plan([TRUCK, ROOM, channel(2, 'wide', metrics)]));
    expect(await all()).to.deep.equal(narrow);
    await insertWindow('1m', readingsOf(Object.fromEntries(names.map((name) => [name, 5]))), {
      channel: 'wide',
    });
    const [wide] = await model.rows(
      "SELECT count() AS n, sum(sum) AS total FROM {db}.v_agg_1m WHERE channel = 'wide'",
    );
    expect(wide).to.deep.equal({ n: '17', total: 85 });
  });

  for (const order of ['in order', 'backwards']) {
    it(`show the newest revision of a window, inserted ${order}`, async () => {
      const revisions = [0, 1, 2].map((revision) =>
        aggregateRow([at({ velocity: revision })], { revision, version: version(0, 10, revision) }),
      );
      if (order === 'backwards') revisions.reverse();
      for (const row of revisions) await model.insertAggregate('1m', [row]);
      const rows = await model.rows('SELECT revision, sum FROM {db}.v_agg_1m');
      expect(rows).to.deep.equal([{ revision: 2, sum: 2 }]);
    });
  }

  it('hide expired windows and those of a lost tail', async () => {
    await insertWindow('1m', [at({ velocity: 1 })], { expires_at: 1 });
    const tail = { partition: 1, device: 'tail', version: version(0, 101) };
    await insertWindow('1m', [at({ velocity: 1 })], tail);
    await insertWindow('1m', [at({ velocity: 1 })], {
      ...tail,
      device: 'kept',
      version: version(0, 100),
    });
    await insertWindow('1m', [at({ velocity: 1 })], {
      ...tail,
      device: 'again',
      version: version(1, 101),
    });
    await model.insert(GENERATIONS, [{ log: 'main', partition: 1, generation: 1, cut: 100 }]);
    await model.insert(GENERATIONS, [{ log: 'other', partition: 1, generation: 9, cut: 0 }]);
    const rows = await model.rows('SELECT device FROM {db}.v_agg_1m ORDER BY device');
    expect(rows).to.deep.equal([{ device: 'again' }, { device: 'kept' }]);
  });

  describe('of the open hour', () => {
    const minute = (index: number, velocity: number, more: Row = {}) =>
      insertWindow('1m', [at({ velocity }, START_MS + index * MINUTE_MS)], {
        window_start: START_MS + index * MINUTE_MS,
        log_time: START_MS + index * MINUTE_MS,
        ...more,
      });
    const hours = () =>
      model.rows(
        'SELECT device, toHour(window_start) AS hour, open, count, sum, first, last, fragments ' +
          'FROM {db}.v_agg_1h ORDER BY device, hour',
      );

    it('add up its closed minutes until the hour has a row of its own', async () => {
      for (const index of [0, 1, 59, 60]) await minute(index, index);
      const open = { device: 'truck_1', open: true };
      expect(await hours()).to.deep.equal([
        { ...open, hour: 10, count: '3', sum: 60, first: 0, last: 59, fragments: '3' },
        { ...open, hour: 11, count: '1', sum: 60, first: 60, last: 60, fragments: '1' },
      ]);
      await insertWindow(
        '1h',
        [1, 2, 3, 4].map((velocity) => at({ velocity })),
      );
      expect((await hours())[0]).to.deep.equal({
        device: 'truck_1',
        hour: 10,
        open: false,
        count: '4',
        sum: 10,
        first: 1,
        last: 4,
        fragments: '1',
      });
    });

    it('leave out minutes that are long past in the log: their hour has expired', async () => {
      await minute(0, 1, { device: 'old', log_time: START_MS, partition: 1 });
      await minute(0, 1, { device: 'new', log_time: START_MS + 72 * HOUR_MS, partition: 1 });
      await minute(0, 1, { device: 'elsewhere', log_time: START_MS, partition: 3 });
      await model.insert(LEDGER, [
        { log: 'main', partition: 1, version: 1, log_time: START_MS + 72 * HOUR_MS },
        { log: 'main', partition: 3, version: 1, log_time: START_MS + HOUR_MS },
      ]);
      expect((await hours()).map((row) => row['device'])).to.deep.equal(['elsewhere', 'new']);
    });

    it('reach the keys of both tables with conditions on device and time', async () => {
      await minute(0, 1);
      await insertWindow('1h', [at({ velocity: 1 })]);
      const plan = await model.rows<{ explain: string }>(
        "EXPLAIN indexes = 1 SELECT sum(count) FROM {db}.v_agg_1h WHERE device = 'x' " +
          `AND window_start >= fromUnixTimestamp64Milli(${START_MS})`,
      );
      const text = plan.map(({ explain }) => explain).join('\n');
      expect(text.match(/ReadFromMergeTree/g), text).to.have.length(2);
      expect(
        text.match(/PrimaryKey[^P]*Condition: .*window_start.*device in/g),
        text,
      ).to.have.length(2);
    });
  });
});

interface Shown {
  readonly count: string;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly last: number;
  readonly firstMs: string;
  readonly lastMs: string;
  readonly mean: number;
  readonly m2: number;
}

const SHOWN =
  'count, sum, min, max, first, last, toUnixTimestamp64Milli(first_time) AS firstMs, ' +
  'toUnixTimestamp64Milli(last_time) AS lastMs, mean, m2';

function expectSame(shown: Shown, expected: Shown, what: string): void {
  for (const name of ['count', 'min', 'max', 'first', 'last', 'firstMs', 'lastMs'] as const) {
    expect(shown[name], `${what}: ${name}`).to.equal(expected[name]);
  }
  const scale = Math.max(Math.abs(shown.min), Math.abs(shown.max), 1e-300) * Number(shown.count);
  expect(shown.sum, `${what}: sum`).to.be.closeTo(expected.sum, scale * RELATIVE);
  expect(shown.mean, `${what}: mean`).to.be.closeTo(expected.mean, scale * RELATIVE);
  expect(shown.m2, `${what}: m2`).to.be.closeTo(expected.m2, scale * scale * RELATIVE);
}

/** Values of very different size and sign; times collide often. */
const VALUES = fc.array(
  fc.tuple(
    fc.oneof(
      fc.double({ min: -1e6, max: 1e6, noNaN: true }),
      fc.double({ min: 1e6, max: 1e6 + 1, noNaN: true }),
    ),
    fc.integer({ min: 0, max: 20 }),
  ),
  { minLength: 5, maxLength: 200 },
);

function randomReadings(values: readonly (readonly [number, number])[]): Reading[] {
  return values.map(([value, second], index) => ({
    metric: 'velocity',
    value,
    timeMs: START_MS + second * 1_000,
    sequence: index + 1,
  }));
}

/** In log order, as a device's late readings open new fragments. */
function split(readings: readonly Reading[], parts: number): Reading[][] {
  const size = Math.ceil(readings.length / parts);
  const result: Reading[][] = [];
  for (let from = 0; from < readings.length; from += size) {
    result.push(readings.slice(from, from + size));
  }
  return result;
}

let sequences = 0;

function readingsOf(sample: Readonly<Record<string, number>>): Reading[] {
  return Object.keys(sample).map((name) => at({ [name]: sample[name]! }));
}

function at(sample: Readonly<Record<string, number>>, timeMs = START_MS): Reading {
  const [[metric, value]] = Object.entries(sample) as [[string, number]];
  sequences += 1;
  return { metric, value, timeMs, sequence: sequences };
}

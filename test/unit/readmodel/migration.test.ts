import { expect } from 'chai';
import { isOperatingError } from '../../../src/model/error.ts';
import { type PlanChannel, WINDOW_DEFAULTS } from '../../../src/model/plan.ts';
import { ALERTS, aggregateTable, channelTable, QUALITY } from '../../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import {
  channel,
  createFixture,
  metric,
  plan,
  type ReadModelFixture,
  ROOM,
  TRUCK,
  truckRow,
} from './fixture.ts';

const VIEWS = [
  ...['v_agg_1h', 'v_agg_1m', 'v_alerts', 'v_dead_letters', 'v_devices', 'v_ledger'],
  ...['v_quality_1m', 'v_readings'],
];

describe('migration of the read model', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  afterEach(() => model?.connection.close());

  const columnsOf = async (table: string): Promise<string[]> => {
    const rows = await model.rows<{ name: string }>(
      `SELECT name FROM system.columns WHERE database = '{db}' AND table = '${table}'
       ORDER BY position`,
    );
    return rows.map(({ name }) => name);
  };
  const failureOf = async (channels: readonly PlanChannel[]): Promise<string> => {
    try {
      await model.migration.prepare(plan(channels));
    } catch (error) {
      if (isOperatingError(error, 'SCHEMA_CONFLICT')) return error.message;
      throw error;
    }
    return 'no failure';
  };

  it('gives every promised view of a database that holds nothing, without a plan', async () => {
    model = await createFixture(clickHouse, null);
    for (const view of VIEWS) {
      const rows = await model.rows(`SELECT * FROM {db}.${view}`);
      expect(rows, view).to.deep.equal([]);
    }
  });

  it('gives a plan without channels, and one without metrics, their views', async () => {
    model = await createFixture(clickHouse, []);
    await model.migration.prepare(plan([channel(0, 'bare', [])]));
    for (const view of [...VIEWS, 'v_bare']) {
      expect(await model.rows(`SELECT * FROM {db}.${view}`), view).to.deep.equal([]);
    }
  });

  it('changes nothing when it is run again', async () => {
    model = await createFixture(clickHouse, [TRUCK, ROOM]);
    await model.insertTruck([{ sequence: 1 }]);
    const before = await model.rows('SELECT name, hash, applied FROM {db}.migrations');
    await model.migration.start();
    await model.migration.prepare(plan([TRUCK, ROOM]));
    expect(await model.rows('SELECT name, hash, applied FROM {db}.migrations')).to.deep.equal(
      before,
    );
    const names = before.map(({ name }) => name);
    expect(names).to.include.members(['table ch_truck', 'view v_truck', 'view v_readings']);
    expect(await model.rows('SELECT sequence FROM {db}.v_readings')).to.have.length(3);
  });

  it('keeps the views of a plan when it starts again before the plan is known', async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    await model.insertTruck([{ sequence: 1 }]);
    await model.migration.start();
    expect(await model.rows('SELECT metric FROM {db}.v_readings')).to.have.length(3);
  });

  it('adds the columns of new metrics in ordinal order and keeps rows', async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    await model.insertTruck([{ sequence: 1 }]);
    const more = [
      ...TRUCK.metrics,
      metric(3, 'zulu', 'number', 'm'),
      metric(4, 'alpha', 'integer', '1'),
    ];
    const wider = { ...TRUCK, metrics: more };
    await model.migration.prepare(plan([wider, ROOM]));
    const expected = channelTable(wider).columns.map(({ name }) => name);
    expect(await columnsOf('ch_truck')).to.deep.equal(expected);
    // The kernel may still send blocks of the plan before, which lack the new columns.
    await model.insertTruck([{ sequence: 2 }]);
    await model.insert(channelTable(wider), [
      truckRow({ sequence: 3, presence: 0b11000, zulu: 1.5, alpha: 7 }),
    ]);
    const rows = await model.rows(
      'SELECT sequence, velocity, zulu, alpha FROM {db}.v_truck ORDER BY sequence',
    );
    expect(rows).to.deep.equal([
      { sequence: '1', velocity: 20.5, zulu: null, alpha: null },
      { sequence: '2', velocity: 20.5, zulu: null, alpha: null },
      { sequence: '3', velocity: null, zulu: 1.5, alpha: '7' },
    ]);
    const narrow = await model.rows("SELECT value FROM {db}.v_readings WHERE metric = 'zulu'");
    expect(narrow).to.deep.equal([{ value: 1.5 }]);
  });

  it('widens the tables of a version before and shows their rows', async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    const { connection, database } = model;
    const gone: [string, string[]][] = [
      ['ch_truck', ['device_time']],
      ['agg_1m', ['window_end', 'score', 'integral', 'bin', 'bin_count']],
      ['devices', ['clock_offset_ms', 'clock_drift_ppm']],
    ];
    for (const [table, columns] of gone) {
      for (const column of columns) {
        await connection.command(`ALTER TABLE ${database}.${table} DROP COLUMN ${column}`);
      }
    }
    for (const table of ['quality_1m', 'alerts']) {
      await connection.command(`DROP TABLE ${database}.${table}`);
    }
    const identity = "'t', 's', 'd'";
    await connection.command(
      `INSERT INTO ${database}.ch_truck (tenant, site, device, event_time, presence, velocity, ` +
        `expires_at) SELECT ${identity}, toDateTime64('2026-07-01 10:00:00', 3, 'UTC'), 1, 2.5, ` +
        '4294967295',
    );
    await connection.command(
      `INSERT INTO ${database}.agg_1m (job, tenant, site, device, channel, window_start, metric, ` +
        'count, sum, min, max, first, first_time, first_sequence, last, last_time, ' +
        `last_sequence, mean, m2, expires_at) SELECT 'core', ${identity}, 'truck', ` +
        "toDateTime64('2026-07-01 10:00:00', 3, 'UTC'), ['velocity'], [1], [2.5], [2.5], [2.5], " +
        '[2.5], [toDateTime64(0, 3)], [1], [2.5], [toDateTime64(0, 3)], [1], [2.5], [0], ' +
        '4294967295',
    );
    const wanted = channelTable(TRUCK).columns.map(({ name }) => name);
    await model.migration.prepare(plan([TRUCK]));
    expect(await columnsOf('ch_truck')).to.deep.equal(wanted);
    const columns = 'velocity, event_time = device_time AS same';
    expect(await model.rows(`SELECT ${columns} FROM {db}.v_truck`)).to.deep.equal([
      { velocity: 2.5, same: 1 },
    ]);
    const shown = 'count, mean, score, p50, time_weighted_mean, toString(window_end) AS ends';
    expect(await model.rows(`SELECT ${shown} FROM {db}.v_agg_1m`)).to.deep.equal([
      {
        ...{ count: '1', mean: 2.5, score: 0, p50: null, time_weighted_mean: null },
        ends: '2026-07-01 10:01:00.000',
      },
    ]);
    for (const view of VIEWS) await model.rows(`SELECT * FROM {db}.${view}`);
  });

  it('makes a table and a view for every window length of the plan', async () => {
    const windows = [{ ...WINDOW_DEFAULTS, name: '10s', lengthMs: 10_000, retentionMs: 0 }];
    model = await createFixture(clickHouse, [{ ...TRUCK, windows }]);
    expect(await model.rows('SELECT * FROM {db}.v_agg_10s')).to.deep.equal([]);
  });

  const CONFLICTS: readonly [string, (model: ReadModelFixture) => Promise<void>, string][] = [
    [
      'a column of another type',
      async ({ migration }) => {
        const metrics = [metric(0, 'velocity', 'integer', 'm/s')];
        await migration.prepare(plan([{ ...TRUCK, metrics }]));
      },
      'ch_truck has a column velocity of type Int64; expected Float64',
    ],
    [
      'another engine',
      ({ connection, database }) =>
        connection.command(`CREATE TABLE ${database}.ch_truck (a Int8) ENGINE = Memory`),
      'ch_truck has engine Memory; expected ReplacingMergeTree',
    ],
    [
      'another order',
      ({ connection, database }) =>
        connection.command(
          `CREATE TABLE ${database}.ch_truck (device String) ENGINE = ReplacingMergeTree ` +
            'ORDER BY device',
        ),
      'ch_truck is sorted by (device); expected (tenant, site, device, event_time',
    ],
  ];
  for (const [what, prepare, text] of CONFLICTS) {
    it(`refuses ${what} with SCHEMA_CONFLICT and touches nothing`, async () => {
      model = await createFixture(clickHouse, null);
      await prepare(model);
      const before = await columnsOf('ch_truck');
      expect(await failureOf([TRUCK, ROOM])).to.include(text);
      expect(await columnsOf('ch_truck')).to.deep.equal(before);
      expect(await columnsOf('ch_cold-room')).to.deep.equal([]);
    });
  }

  const RESERVED: readonly [string, PlanChannel][] = [
    ['a metric called like a column of every channel', named('truck', 'sequence')],
    ['a metric called like a flag', named('truck', 'late')],
    ['a channel called readings', named('readings', 'velocity')],
    ['a channel called like the aggregates', named('agg_1m', 'velocity')],
  ];
  for (const [what, wrong] of RESERVED) {
    it(`refuses ${what}`, async () => {
      model = await createFixture(clickHouse, null);
      expect(await failureOf([wrong])).to.match(/cannot/);
    });
  }
});

describe('tables of the read model', () => {
  it('keep all versions of a row in one partition: views merge each partition alone', () => {
    const tables = [channelTable(TRUCK), aggregateTable('1m'), QUALITY, ALERTS];
    for (const { name, partitionBy, orderBy } of tables) {
      const columns = /^to(?:Monday|YYYYMM)\((\w+)\)$/.exec(partitionBy);
      expect(columns, `${name}: ${partitionBy}`).not.to.equal(null);
      expect(orderBy, name).to.include(columns![1]);
    }
  });
});

function named(name: string, metricName: string): PlanChannel {
  return channel(0, name, [metric(0, metricName, 'number', '1')]);
}

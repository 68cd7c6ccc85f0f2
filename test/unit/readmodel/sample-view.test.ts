import { expect } from 'chai';
import { channelTable, GENERATIONS } from '../../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import type { Row } from '../../support/native-writer.ts';
import {
  channel,
  createFixture,
  metric,
  NEVER_S,
  plan,
  type ReadModelFixture,
  ROOM,
  START_MS,
  TRUCK,
} from './fixture.ts';

describe('views of samples', function () {
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

  it('show a row per sample with its metrics and NULL for those it does not have', async () => {
    await model.insertTruck([
      { sequence: 1, presence: 0b111 },
      { sequence: 2, presence: 0b010, velocity: 0, gear: -4 },
    ]);
    const rows = await model.rows(
      'SELECT device, velocity, gear, engine_on, sequence FROM {db}.v_truck ORDER BY sequence',
    );
    expect(rows).to.deep.equal([
      { device: 'truck_1', velocity: 20.5, gear: '3', engine_on: true, sequence: '1' },
      { device: 'truck_1', velocity: null, gear: '-4', engine_on: null, sequence: '2' },
    ]);
  });

  it('show times as they were and flags by name', async () => {
    await model.insertTruck([{ flags: 0b0101 }, { sequence: 1, flags: 0b1010 }]);
    const rows = await model.rows(
      'SELECT event_time, received_at, log_time, late, partly, time_received, time_unjudged ' +
        'FROM {db}.v_truck ORDER BY sequence',
    );
    expect(rows[0]).to.deep.equal({
      event_time: '2026-07-01 10:00:00.000',
      received_at: '2026-07-01 10:00:00.005',
      log_time: '2026-07-01 10:00:00.007',
      late: true,
      partly: true,
      time_received: false,
      time_unjudged: false,
    });
    expect(rows[1]).to.include({ late: false, time_received: true, time_unjudged: true });
  });

  it('show present readings narrow, integers exact, booleans as text too', async () => {
    const big = 9_007_199_254_740_993n; // 2^53 + 1
    await model.insertTruck([
      { sequence: 1, gear: big },
      { sequence: 2, presence: 0b001 },
    ]);
    await model.insert(
      channelTable(ROOM),
      [{ tenant: 'a', site: 'b', device: 'c', event_time: 0, presence: 1, temperature: -3.5 }].map(
        (row) => ({ ...row, expires_at: 4_294_967_295 }),
      ),
    );
    const rows = await model.rows(
      'SELECT channel, metric, unit, value, value_int, value_text, sequence ' +
        'FROM {db}.v_readings ORDER BY channel, sequence, metric',
    );
    expect(rows).to.deep.equal([
      reading(['cold-room', 'temperature', 'Cel'], [-3.5, null, null, '0']),
      reading(['truck', 'engine_on', '1'], [1, '1', 'true', '1']),
      reading(['truck', 'gear', '1'], [Number(big), `${big}`, null, '1']),
      reading(['truck', 'velocity', 'm/s'], [20.5, null, null, '1']),
      reading(['truck', 'velocity', 'm/s'], [20.5, null, null, '2']),
    ]);
  });

  it('show what the device said where its clock was corrected', async () => {
    await model.insertTruck([
      { sequence: 1, device_time: START_MS + 9_000, flags: 16 },
      // A row of a version before, which had no such column.
      { sequence: 2, device_time: 0 },
    ]);
    const columns = 'event_time, device_time, time_corrected';
    const rows = await model.rows(`SELECT ${columns} FROM {db}.v_truck ORDER BY sequence`);
    const time = '2026-07-01 10:00:00.000';
    expect(rows).to.deep.equal([
      { event_time: time, device_time: '2026-07-01 10:00:09.000', time_corrected: true },
      { event_time: time, device_time: time, time_corrected: false },
    ]);
    const narrow = await model.rows(
      `SELECT DISTINCT ${columns} FROM {db}.v_readings ORDER BY device_time DESC`,
    );
    expect(narrow).to.deep.equal(rows);
  });

  it('show historical and suspect samples by name', async () => {
    await model.insertTruck([
      { sequence: 1, flags: 32 },
      { sequence: 2, flags: 64 },
    ]);
    for (const view of ['v_truck', 'v_readings']) {
      const rows = await model.rows(
        `SELECT DISTINCT sequence, historical, suspect, late FROM {db}.${view} ORDER BY sequence`,
      );
      expect(rows).to.deep.equal([
        { sequence: '1', historical: true, suspect: false, late: false },
        { sequence: '2', historical: false, suspect: true, late: false },
      ]);
    }
  });

  it('show texts, NULL where a sample has none, and no number for them', async () => {
    const valve = channel(2, 'valve', [
      metric(0, 'state', 'text', '1'),
      metric(1, 'flow', 'number', 'L/h'),
    ]);
    await model.migration.prepare(plan([TRUCK, ROOM, valve]));
    const row = (more: Row): Row => ({
      ...{ tenant: 'a', site: 'b', device: 'c', event_time: START_MS, expires_at: NEVER_S },
      ...more,
    });
    await model.insert(channelTable(valve), [
      row({ sequence: 1, presence: 0b11, state: 'öffnet', flow: 2 }),
      row({ sequence: 2, presence: 0b01, state: '' }),
      row({ sequence: 3, presence: 0b10, flow: 4 }),
    ]);
    expect(
      await model.rows('SELECT state, flow FROM {db}.v_valve ORDER BY sequence'),
    ).to.deep.equal([
      { state: 'öffnet', flow: 2 },
      { state: '', flow: null },
      { state: null, flow: 4 },
    ]);
    const narrow = await model.rows(
      'SELECT metric, isNaN(value) AS nan, value_int, value_text, sequence ' +
        "FROM {db}.v_readings WHERE channel = 'valve' ORDER BY sequence, metric",
    );
    const none = { value_int: null };
    expect(narrow).to.deep.equal([
      { metric: 'flow', nan: 0, ...none, value_text: null, sequence: '1' },
      { metric: 'state', nan: 1, ...none, value_text: 'öffnet', sequence: '1' },
      { metric: 'state', nan: 1, ...none, value_text: '', sequence: '2' },
      { metric: 'flow', nan: 0, ...none, value_text: null, sequence: '3' },
    ]);
  });

  it('count a sample once however often it was written', async () => {
    await model.insertTruck([{ sequence: 1 }]);
    await model.insertTruck([{ sequence: 1 }]);
    expect(await model.rows('SELECT count() AS n FROM {db}.v_truck')).to.deep.equal([{ n: '1' }]);
    expect(await model.rows('SELECT count() AS n FROM {db}.v_readings')).to.deep.equal([
      { n: '3' },
    ]);
  });

  for (const order of ['old first', 'new first']) {
    it(`show the highest version whatever the order of inserts: ${order}`, async () => {
      const writes = [
        { version: 0, velocity: 1 },
        { version: 1, velocity: 2 },
      ];
      if (order === 'new first') writes.reverse();
      for (const write of writes) await model.insertTruck([write]);
      expect(await model.rows('SELECT velocity FROM {db}.v_truck')).to.deep.equal([
        { velocity: 2 },
      ]);
    });
  }

  it('judge the newest row of a key only, whatever a question asks for', async () => {
    await model.insertTruck([{ version: 0, velocity: 1, gear: 1 }]);
    await model.insertTruck([{ version: 1, velocity: 2, gear: 2 }]);
    for (const condition of ['velocity = 1', 'gear = 1', 'velocity < 2 AND gear < 2']) {
      for (const more of ['', `AND event_time >= '2026-01-01' AND device = 'truck_1'`]) {
        const rows = await model.rows(`SELECT 1 FROM {db}.v_truck WHERE ${condition} ${more}`);
        expect(rows, `${condition} ${more}`).to.deep.equal([]);
      }
    }
    const narrow = await model.rows(
      `SELECT value FROM {db}.v_readings WHERE value = 1 AND device = 'truck_1'`,
    );
    expect(narrow.filter(({ value }) => value === 1)).to.have.length(1); // engine_on
  });

  it('look at times and devices before rows of one key are merged, at values after', async () => {
    await model.insertTruck([{ sequence: 1 }]);
    const explained = await model.rows<{ explain: string }>(
      `EXPLAIN actions = 1 SELECT gear FROM {db}.v_truck
       WHERE event_time >= '2026-01-01' AND device = 'truck_1' AND velocity = 1`,
    );
    const text = explained.map(({ explain }) => explain).join('\n');
    const before = /Prewhere filter column:(.*)/.exec(text)?.[1];
    expect(before, text).to.include('event_time').and.to.include('device');
    expect(before, text).not.to.match(/velocity|presence|expires_at|version/);
  });

  it('hide rows whose retention has passed, before TTL has deleted them', async () => {
    const [{ now }] = (await model.rows('SELECT toUnixTimestamp(now()) AS now')) as [
      { now: number },
    ];
    await model.connection.command(`SYSTEM STOP TTL MERGES ${model.database}.ch_truck`);
    await model.insertTruck([
      { sequence: 1, expires_at: now - 1 },
      { sequence: 2, expires_at: now + 3_600 },
    ]);
    expect(await model.rows('SELECT count() AS n FROM {db}.ch_truck')).to.deep.equal([{ n: '2' }]);
    expect(await model.rows('SELECT sequence FROM {db}.v_truck')).to.deep.equal([
      { sequence: '2' },
    ]);
    expect(await model.rows('SELECT DISTINCT sequence FROM {db}.v_readings')).to.deep.equal([
      { sequence: '2' },
    ]);
  });

  it('hide what a lost tail had written, beside what devices sent again', async () => {
    const rowsOf = (generation: number) =>
      [999, 1_000, 1_001].map((sequence) => ({
        partition: 2,
        sequence,
        version: generation,
        event_time: START_MS + sequence + generation,
      }));
    await model.insertTruck(rowsOf(0));
    await model.insertTruck([{ partition: 3, sequence: 5_000 }]);
    await model.insert(GENERATIONS, [{ log: 'main', partition: 2, generation: 1, cut: 1_000 }]);
    await model.insertTruck(rowsOf(1).slice(2));
    const rows = await model.rows(
      'SELECT partition, sequence, event_time FROM {db}.v_truck ORDER BY partition, event_time',
    );
    expect(rows.map((row) => [row['partition'], row['sequence']])).to.deep.equal([
      [2, '999'],
      [2, '1000'],
      [2, '1001'],
      [3, '5000'],
    ]);
    expect(rows[2]!['event_time']).to.equal('2026-07-01 10:00:01.002');
  });
});

function reading(
  [channel, metric, unit]: [string, string, string],
  [value, value_int, value_text, sequence]: [number, string | null, string | null, string],
): object {
  return { channel, metric, unit, value, value_int, value_text, sequence };
}

import { expect } from 'chai';
import { ALERTS, GENERATIONS, QUALITY, QUALITY_DIMENSIONS } from '../../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import type { Row } from '../../support/native-writer.ts';
import {
  createFixture,
  IDENTITY,
  MINUTE_MS,
  NEVER_S,
  type ReadModelFixture,
  START_MS,
  TRUCK,
  version,
} from './fixture.ts';

describe('views of what was judged', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK]);
  });
  afterEach(() => model?.connection.close());

  const quality = (more: Row): Row => ({
    ...IDENTITY,
    minute: START_MS,
    version: version(0, 1),
    expires_at: NEVER_S,
    ...more,
  });
  const alert = (more: Row): Row => ({
    ...IDENTITY,
    channel: 'truck',
    rule: 'speeding',
    severity: 'warning',
    metric: 'velocity',
    raised_at: START_MS,
    raised_sequence: 7,
    raised_ordinal: 1,
    version: version(0, 7),
    active: true,
    value: 22.5,
    peak: 22.5,
    since: START_MS - 20_000,
    expires_at: NEVER_S,
    ...more,
  });

  it('v_quality_1m gives each dimension as a share, NULL where nothing was judged', async () => {
    const counts = QUALITY_DIMENSIONS.flatMap((dimension, index) => [
      [`${dimension}_good`, index],
      [`${dimension}_total`, index === 0 ? 0 : 8],
    ]);
    await model.insert(QUALITY, [quality(Object.fromEntries(counts))]);
    const [row] = await model.rows('SELECT * FROM {db}.v_quality_1m');
    for (const [index, dimension] of QUALITY_DIMENSIONS.entries()) {
      expect(row![dimension], dimension).to.equal(index === 0 ? null : index / 8);
      expect(row![`${dimension}_good`]).to.equal(`${index}`);
      expect(row![`${dimension}_total`]).to.equal(index === 0 ? '0' : '8');
    }
    expect(row).to.include({ device: 'truck_1', minute: '2026-07-01 10:00:00.000' });
  });

  it('v_quality_1m shows the newest row of a minute, none that has expired or is cut', async () => {
    const at = (minute: number, more: Row) =>
      quality({ minute: START_MS + minute * MINUTE_MS, validity_total: 1, ...more });
    await model.insert(QUALITY, [
      at(0, { validity_good: 1, version: version(0, 9) }),
      at(1, { expires_at: 1 }),
      at(2, { version: version(0, 101), partition: 1 }),
    ]);
    await model.insert(QUALITY, [at(0, { validity_good: 0, version: version(0, 3) })]);
    await model.insert(GENERATIONS, [{ log: 'main', partition: 1, generation: 1, cut: 100 }]);
    const rows = await model.rows('SELECT minute, validity FROM {db}.v_quality_1m');
    expect(rows).to.deep.equal([{ minute: '2026-07-01 10:00:00.000', validity: 1 }]);
  });

  it('v_alerts shows an alert that is raised, with its unit and no end', async () => {
    await model.insert(ALERTS, [alert({})]);
    const [row] = await model.rows('SELECT * FROM {db}.v_alerts');
    expect(row).to.include({
      ...{ device: 'truck_1', channel: 'truck', rule: 'speeding', severity: 'warning' },
      ...{ metric: 'velocity', unit: 'm/s', active: true, value: 22.5, peak: 22.5 },
      ...{ raised_at: '2026-07-01 10:00:00.000', since: '2026-07-01 09:59:40.000' },
      ...{ cleared_at: null, cleared_value: null },
    });
  });

  it('v_alerts shows it once when it was cleared, beside the next one', async () => {
    await model.insert(ALERTS, [alert({})]);
    await model.insert(ALERTS, [
      alert({
        ...{ active: false, peak: 25, version: version(0, 9) },
        ...{ cleared_at: START_MS + 9_000, cleared_value: 20 },
      }),
      alert({ raised_at: START_MS + 30_000, raised_sequence: 11, version: version(0, 11) }),
    ]);
    const rows = await model.rows(
      'SELECT active, peak, cleared_at, cleared_value FROM {db}.v_alerts ORDER BY raised_at',
    );
    expect(rows).to.deep.equal([
      { active: false, peak: 25, cleared_at: '2026-07-01 10:00:09.000', cleared_value: 20 },
      { active: true, peak: 22.5, cleared_at: null, cleared_value: null },
    ]);
  });

  it('v_alerts hides alerts that have expired or were cut', async () => {
    await model.insert(ALERTS, [
      alert({ rule: 'old', expires_at: 1 }),
      alert({ rule: 'lost', version: version(0, 101), partition: 1 }),
      alert({ rule: 'kept', version: version(0, 100), partition: 1 }),
    ]);
    await model.insert(GENERATIONS, [{ log: 'main', partition: 1, generation: 1, cut: 100 }]);
    expect(await model.rows('SELECT rule FROM {db}.v_alerts')).to.deep.equal([{ rule: 'kept' }]);
  });
});

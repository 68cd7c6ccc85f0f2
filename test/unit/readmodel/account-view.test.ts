import { expect } from 'chai';
import { DEAD_LETTERS, DEVICES, GENERATIONS, LEDGER } from '../../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import {
  createFixture,
  IDENTITY,
  NEVER_S,
  type ReadModelFixture,
  START_MS,
  version,
} from './fixture.ts';

describe('views of accounts', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, null);
  });
  afterEach(() => model?.connection.close());

  const BALANCES: readonly [string, Record<string, unknown>, [boolean, boolean]][] = [
    ['an empty block', {}, [true, true]],
    [
      'every state',
      {
        records_in: 36,
        stored: 1,
        partly: 2,
        duplicate: 3,
        dedup_unknown: 4,
        too_late: 5,
        rejected: 6,
        filtered: 7,
        skipped: 8,
      },
      [true, true],
    ],
    ['a record too many', { records_in: 1, stored: 2 }, [false, true]],
    ['a record that vanished', { records_in: 2, stored: 1 }, [false, true]],
    [
      'readings by reason',
      { readings_decoded: 5, readings_stored: 2, readings: [1, 2] },
      [true, true],
    ],
    [
      'a lost reading',
      { readings_decoded: 6, readings_stored: 2, readings: [1, 2] },
      [true, false],
    ],
  ];
  for (const [what, row, expected] of BALANCES) {
    it(`v_ledger judges ${what}`, async () => {
      const reason = ['EMPTY', 'OUT_OF_RANGE'];
      await model.insert(LEDGER, [
        { log: 'main', version: 1, reason, records: [0, 0], ...fill(row) },
      ]);
      const rows = await model.rows('SELECT balanced, readings_balanced FROM {db}.v_ledger');
      expect(rows.map((shown) => [shown['balanced'], shown['readings_balanced']])).to.deep.equal([
        expected,
      ]);
    });
  }

  it('v_ledger shows the newest row of a block, its sequences and reasons by name', async () => {
    const of = (sequence: number, records: number) => ({
      log: 'main',
      partition: 1,
      block: 2,
      version: version(1, sequence),
      records_in: records,
      reason: ['EMPTY'],
      records: [records],
      readings: [0],
    });
    await model.insert(LEDGER, [of(131_080, 8)]);
    await model.insert(LEDGER, [of(131_073, 1)]);
    const rows = await model.rows(
      'SELECT first_sequence, last_sequence, records_in, records_by_reason, generation ' +
        'FROM {db}.v_ledger',
    );
    expect(rows).to.deep.equal([
      {
        first_sequence: '131072',
        last_sequence: '196607',
        records_in: '8',
        records_by_reason: { EMPTY: '8' },
        generation: 1,
      },
    ]);
  });

  it('v_ledger drops blocks that only the lost tail had', async () => {
    const block = (number: number, generation: number) => ({
      log: 'main',
      block: number,
      version: version(generation, 1),
    });
    await model.insert(LEDGER, [block(0, 0), block(1, 0), block(2, 0), block(2, 1)]);
    await model.insert(GENERATIONS, [{ log: 'main', generation: 1, cut: 65_536 }]);
    const rows = await model.rows('SELECT block, generation FROM {db}.v_ledger ORDER BY block');
    expect(rows).to.deep.equal([
      { block: '0', generation: 0 },
      { block: '1', generation: 0 },
      { block: '2', generation: 1 },
    ]);
  });

  it('v_dead_letters hides expired letters and those of a lost tail', async () => {
    const letter = (sequence: number, more: object = {}) => ({
      log: 'main',
      ...IDENTITY,
      sequence,
      reason: 'EMPTY',
      log_time: START_MS,
      expires_at: NEVER_S,
      ...more,
    });
    await model.insert(DEAD_LETTERS, [
      letter(1),
      letter(2, { expires_at: 1 }),
      letter(11),
      letter(11, { version: 1, index: 1 }),
    ]);
    await model.insert(GENERATIONS, [{ log: 'main', generation: 1, cut: 10 }]);
    const rows = await model.rows(
      'SELECT sequence, index FROM {db}.v_dead_letters ORDER BY sequence',
    );
    expect(rows).to.deep.equal([
      { sequence: '1', index: 0 },
      { sequence: '11', index: 1 },
    ]);
  });

  it('v_devices shows how the clock of a device goes', async () => {
    await model.insert(DEVICES, [
      { ...IDENTITY, version: 1, clock_offset_ms: -290_000, clock_drift_ppm: 12.5 },
    ]);
    expect(
      await model.rows('SELECT clock_offset_ms, clock_drift_ppm FROM {db}.v_devices'),
    ).to.deep.equal([{ clock_offset_ms: '-290000', clock_drift_ppm: 12.5 }]);
  });

  it('v_devices shows the newest row of each device', async () => {
    for (const records of [5, 9, 7]) {
      await model.insert(DEVICES, [{ ...IDENTITY, version: version(0, records), records }]);
    }
    expect(await model.rows('SELECT device, records FROM {db}.v_devices')).to.deep.equal([
      { device: 'truck_1', records: '9' },
    ]);
  });
});

/** Arrays of a row have one length. */
function fill(row: Record<string, unknown>): Record<string, unknown> {
  return { readings: [0, 0], ...row };
}

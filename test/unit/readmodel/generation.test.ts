import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { channelTable } from '../../../src/model/table.ts';
import { createInserter, type Inserter } from '../../../src/readmodel/inserter.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { nativeBlock } from '../../support/native-writer.ts';
import { createFixture, type ReadModelFixture, TRUCK, truckRow } from './fixture.ts';

describe('a generation that begins', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;
  let inserter: Inserter;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    const { connection, database } = model;
    inserter = createInserter({
      connection,
      database,
      log: 'main',
      clock: systemClock,
      flushMs: 5,
    });
  });
  afterEach(async () => {
    await inserter.stop(1_000);
    await model.connection.close();
  });

  const insert = (sequence: number, generation: number, partition = 0) => {
    const row = truckRow({ partition, sequence: BigInt(sequence), version: generation });
    const block = nativeBlock(channelTable(TRUCK), [row]);
    return inserter.insert(partition, [block], BigInt(sequence));
  };
  const seen = async () => {
    const rows = await model.connection.rows<{ n: string }>(
      `SELECT toString(sequence) AS n FROM ${model.database}.v_truck ` +
        'WHERE partition = 0 ORDER BY sequence',
    );
    return rows.map(({ n }) => Number(n));
  };

  it('hides what older ones wrote above its cut, and counts what is sent again once', async () => {
    for (const sequence of [1, 2, 3, 4]) await insert(sequence, 1);
    await inserter.flushed(0);
    await inserter.beginGeneration(0, 2, 2n);
    expect(await seen()).to.deep.equal([1, 2]);
    await insert(3, 2);
    await insert(5, 2);
    await inserter.flushed(0);
    expect(await seen()).to.deep.equal([1, 2, 3, 5]);
    await inserter.beginGeneration(0, 3, 1n);
    expect(await seen()).to.deep.equal([1]);
  });

  it('goes back with what is visible, and forward again from there', async () => {
    await insert(9, 1);
    await insert(9, 1, 1);
    await inserter.flushed(0);
    await inserter.flushed(1);
    expect(await inserter.reached(0)).to.equal(9n);
    await inserter.beginGeneration(0, 2, 4n);
    await inserter.beginGeneration(0, 2, 4n); // as after a crash in between
    expect(await inserter.reached(0)).to.equal(4n);
    expect(await inserter.reached(1)).to.equal(9n);
    inserter.begin(0, 4n);
    await insert(9, 2);
    await inserter.flushed(0);
    expect(await inserter.reached(0)).to.equal(9n);
  });

  it('begins in two partitions at once while rows of both are on their way', async () => {
    for (const partition of [0, 1]) {
      for (const sequence of [1, 2, 3]) await insert(sequence, 1, partition);
    }
    // Each waits for the same batch; two that wake each other would never let it leave.
    await Promise.all([inserter.beginGeneration(0, 2, 2n), inserter.beginGeneration(1, 2, 1n)]);
    expect(await inserter.reached(0)).to.equal(2n);
    expect(await inserter.reached(1)).to.equal(1n);
    expect(await seen()).to.deep.equal([1, 2]);
  });
});

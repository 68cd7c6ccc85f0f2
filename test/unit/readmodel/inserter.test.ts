import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { isOperatingError, type OperatingError } from '../../../src/model/error.ts';
import { channelTable } from '../../../src/model/table.ts';
import { type Connection, createConnection } from '../../../src/readmodel/connection.ts';
import { createReadModel } from '../../../src/readmodel/index.ts';
import {
  createInserter,
  type Inserter,
  type InserterOptions,
} from '../../../src/readmodel/inserter.ts';
import type { Refusal } from '../../../src/readmodel/refused/refusal.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { nativeBlock, type Row } from '../../support/native-writer.ts';
import { until } from '../../support/until.ts';
import {
  createFixture,
  metric,
  plan,
  type ReadModelFixture,
  ROOM,
  TRUCK,
  truckRow,
} from './fixture.ts';

const STOP_MS = 30_000;

describe('the combined inserter', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;
  let inserter: Inserter;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK, ROOM]);
  });
  afterEach(async () => {
    await inserter?.stop(STOP_MS);
    await model?.connection.close();
  });

  const create = (options: Partial<InserterOptions> = {}): Inserter => {
    const { connection, database } = model;
    inserter = createInserter({
      connection,
      database,
      log: 'main',
      clock: systemClock,
      ...options,
    });
    return inserter;
  };
  const sequencesSeen = async (): Promise<number[]> => {
    const rows = await model.rows<{ sequence: string }>(
      'SELECT sequence FROM {db}.v_truck ORDER BY sequence',
    );
    return rows.map(({ sequence }) => Number(sequence));
  };

  it('stores blocks of several partitions and tables in one insert per table', async () => {
    create({ flushMs: 60_000 });
    for (const partition of [0, 1, 2]) {
      const room = nativeBlock(channelTable(ROOM), [{ partition, sequence: 1 }]);
      await inserter.insert(partition, [trucks([partition]), room], 10n);
    }
    await Promise.all([0, 1, 2].map((partition) => inserter.flushed(partition)));
    expect(inserter.stats()).to.include({ inserts: 2, rows: 6, bufferedBytes: 0, lagMs: 0 });
    expect(await sequencesSeen()).to.deep.equal([0, 1, 2]);
  });

  it('flushes by itself after its time, and then makes the position visible', async () => {
    create({ flushMs: 20 });
    await inserter.insert(3, [trucks([7])], 42n);
    await until(async () => {
      const [row] = await model.rows('SELECT sequence FROM {db}.visible FINAL WHERE partition = 3');
      return row?.['sequence'] === '42';
    });
    expect(await sequencesSeen()).to.deep.equal([7]);
  });

  it('moves the visible position of a turn that gave no rows', async () => {
    create();
    await inserter.insert(1, [], 5n);
    await inserter.flushed(1);
    expect(await model.rows('SELECT partition, sequence FROM {db}.visible')).to.deep.equal([
      { partition: 1, sequence: '5' },
    ]);
  });

  it('has nothing to wait for when a partition handed nothing in', async () => {
    create({ flushMs: 60_000 });
    await inserter.insert(0, [trucks([1])], 1n);
    await inserter.flushed(9);
    expect(inserter.stats().rows).to.equal(0);
  });

  it('takes rows of many table partitions in one insert', async () => {
    create();
    const weekMs = 7 * 24 * 3_600_000;
    const rows = Array.from({ length: 150 }, (_, week) =>
      truckRow({ sequence: week, event_time: Date.UTC(2020, 0, 1) + week * weekMs }),
    );
    await inserter.insert(0, [nativeBlock(channelTable(TRUCK), rows)], 1n);
    await inserter.flushed(0);
    expect(await sequencesSeen()).to.have.length(150);
  });

  it('resolves insert only while there is room, and goes on when there is', async () => {
    const held = holding(model.connection);
    create({ connection: held.connection, flushMs: 0, bufferBytesMax: 1 });
    let admitted = 0;
    const first = inserter.insert(0, [trucks([1])], 1n).then(() => admitted++);
    const second = inserter.insert(1, [trucks([2])], 1n).then(() => admitted++);
    await until(() => held.waiting > 0);
    expect(admitted).to.equal(0);
    held.release();
    await Promise.all([first, second]);
    await Promise.all([inserter.flushed(0), inserter.flushed(1)]);
    expect(await sequencesSeen()).to.deep.equal([1, 2]);
  });

  it('halves a refused block down to the row, keeps the rest, and buries the row', async () => {
    await model.connection.command(
      `ALTER TABLE ${model.database}.ch_truck ADD CONSTRAINT slow CHECK velocity < 100`,
    );
    const refused: Refusal[] = [];
    create({ onRefused: (refusal) => refused.push(refusal) });
    const bad = new Set([13, 77]);
    const block = (from: number): ReturnType<typeof nativeBlock> =>
      nativeBlock(
        channelTable(TRUCK),
        Array.from({ length: 50 }, (_, index) => {
          const sequence = from + index;
          const velocity = bad.has(sequence) ? 100 + sequence : 1;
          return truckRow({ sequence, velocity, partition: 2, ordinal: 4 });
        }),
      );
    await inserter.insert(2, [block(0), block(50)], 99n);
    await inserter.flushed(2);
    const good = Array.from({ length: 100 }, (_, index) => index).filter((n) => !bad.has(n));
    expect(await sequencesSeen()).to.deep.equal(good);
    expect(inserter.stats()).to.include({ rows: 98, refusedRows: 2, trouble: null });
    expect(refused.map(({ letter }) => letter.sequence)).to.deep.equal([13n, 77n]);
    expect(refused[0]).to.deep.include({ table: 'ch_truck', code: 469 });
    const letters = await model.rows(
      'SELECT partition, sequence, index, device, channel, reason, sample ' +
        'FROM {db}.v_dead_letters ORDER BY sequence',
    );
    expect(letters).to.have.length(2);
    expect(letters[0]).to.include({
      partition: 2,
      sequence: '13',
      index: 0x8000_0004,
      device: 'truck_1',
      channel: 'truck',
      reason: 'SINK_REFUSED',
    });
    expect(letters[0]!['sample']).to.include('"device":"truck_1"');
  });

  it('waits for a missing table instead of burying good rows', async () => {
    await model.connection.command(
      `RENAME TABLE ${model.database}.ch_truck TO ${model.database}.x`,
    );
    const troubles: (OperatingError | null)[] = [];
    create({ flushMs: 0, onTrouble: (error) => troubles.push(error) });
    await inserter.insert(0, [trucks([1])], 1n);
    await until(() => inserter.stats().retries > 1);
    expect(inserter.stats().trouble?.code).to.equal('CLICKHOUSE_REFUSED');
    await model.connection.command(
      `RENAME TABLE ${model.database}.x TO ${model.database}.ch_truck`,
    );
    await inserter.flushed(0);
    expect(inserter.stats()).to.include({ refusedRows: 0, trouble: null });
    expect(troubles.at(-1)).to.equal(null);
    expect(await sequencesSeen()).to.deep.equal([1]);
  });

  it('waits for a column that the table does not have yet, and drops nothing', async () => {
    const heavy = { ...TRUCK, metrics: [...TRUCK.metrics, metric(3, 'load', 'number', 'kg')] };
    create({ flushMs: 0 });
    const rows = [truckRow({ sequence: 1, load: 12.5, presence: 0b1000 })];
    await inserter.insert(0, [nativeBlock(channelTable(heavy), rows)], 1n);
    await until(() => inserter.stats().retries > 0);
    await model.migration.prepare(plan([heavy]));
    await inserter.flushed(0);
    expect(await model.rows('SELECT load FROM {db}.v_truck')).to.deep.equal([{ load: 12.5 }]);
    expect(inserter.stats().refusedRows).to.equal(0);
  });

  it('stores once what was stored although its reply was lost', async () => {
    await model.connection.command(`SYSTEM STOP MERGES ${model.database}.ch_truck`);
    let lost = 0;
    const connection: Connection = {
      ...model.connection,
      async insertNative(insert) {
        await model.connection.insertNative(insert);
        if (lost++ < 3) throw new Error('socket hang up');
      },
    };
    create({ connection });
    await inserter.insert(0, [trucks([1, 2, 3])], 1n);
    await inserter.flushed(0);
    expect(lost).to.equal(4);
    // Without FINAL: not even a row for a merge to remove.
    expect(await model.rows('SELECT count() AS n FROM {db}.ch_truck')).to.deep.equal([{ n: '3' }]);
  });

  it('writes the same rows again after a restart: repairs are no duplicates', async () => {
    for (const attempt of [1, 2]) {
      create();
      await inserter.insert(0, [trucks([1, 2])], 2n);
      await inserter.flushed(0);
      await inserter.stop(STOP_MS);
      expect(await sequencesSeen(), `attempt ${attempt}`).to.deep.equal([1, 2]);
      // As a lost part: TRUNCATE would make the table forget its tokens.
      await model.connection.command(
        `ALTER TABLE ${model.database}.ch_truck DELETE WHERE 1 SETTINGS mutations_sync = 2`,
      );
    }
  });

  it('gives up at its deadline and says so to whoever waits', async () => {
    await model.connection.command(`DROP TABLE ${model.database}.ch_truck`);
    create({ flushMs: 0 });
    await inserter.insert(0, [trucks([1])], 1n);
    const waiting = inserter.flushed(0).then(
      () => 'stored',
      (error: unknown) => error,
    );
    await until(() => inserter.stats().retries > 0);
    await inserter.stop(10);
    expect(isOperatingError(await waiting, 'CLICKHOUSE_UNREACHABLE')).to.equal(true);
    const late = await inserter.insert(0, [trucks([2])], 2n).catch((error: unknown) => error);
    expect(isOperatingError(late, 'CLICKHOUSE_UNREACHABLE')).to.equal(true);
  });

  for (const how of ['stopped', 'killed'] as const) {
    it(`loses and duplicates nothing while the engine is ${how} and started again`, async () => {
      create({ flushMs: 5 });
      const partitions = [0, 1, 2, 3];
      let isBack = false;
      const writers = partitions.map(async (partition) => {
        for (let turn = 0; turn < 40 || !isBack; turn += 1) {
          const sequences = [0, 1, 2].map((n) => partition * 1_000_000 + turn * 3 + n);
          await inserter.insert(partition, [trucks(sequences, partition)], BigInt(turn * 3 + 2));
          if (turn % 5 === 0) await inserter.flushed(partition);
          if (turn === 10 && partition === 0) {
            if (how === 'stopped') {
              await clickHouse.pause();
              await inserter.insert(0, [], 0n);
              await until(() => inserter.stats().trouble?.code === 'CLICKHOUSE_UNREACHABLE');
              await clickHouse.resume();
            } else await clickHouse.crash();
            isBack = true;
          }
        }
        await inserter.flushed(partition);
      });
      await Promise.all(writers);
      const rows = await model.rows<{ partition: number; n: string; unique: string; max: string }>(
        'SELECT partition, count() AS n, uniqExact(sequence) AS unique, ' +
          'max(sequence) - partition * 1000000 + 1 AS max FROM {db}.v_truck ' +
          'GROUP BY partition ORDER BY partition',
      );
      expect(rows.map(({ partition }) => partition)).to.deep.equal(partitions);
      for (const { n, unique, max } of rows) expect([n, unique]).to.deep.equal([max, max]);
      const visible = await model.rows<{ partition: number; sequence: string }>(
        'SELECT partition, sequence FROM {db}.visible FINAL ORDER BY partition',
      );
      expect(visible.map(({ sequence }) => Number(sequence) + 1)).to.deep.equal(
        rows.map(({ n }) => Number(n)),
      );
    });
  }

  it('says CLICKHOUSE_UNREACHABLE at start and begins when the engine is there', async () => {
    await clickHouse.pause();
    const { url, admin } = clickHouse;
    const database = 'started_late';
    const readModel = createReadModel({ url, ...admin, database, log: 'main', flushMs: 0 });
    try {
      const failure = await readModel.start().catch((error: unknown) => error);
      expect(isOperatingError(failure, 'CLICKHOUSE_UNREACHABLE'), String(failure)).to.equal(true);
      await readModel.sink.insert(0, [trucks([5])], 5n);
      await until(() => readModel.sink.stats().trouble !== null);
      await clickHouse.resume();
      await readModel.start();
      await readModel.prepare(plan([TRUCK]));
      await readModel.sink.flushed(0);
      const connection = createConnection({ url, ...admin });
      const rows = await connection.rows(`SELECT sequence FROM ${database}.v_truck`);
      await connection.close();
      expect(rows).to.deep.equal([{ sequence: '5' }]);
    } finally {
      await readModel.stop(STOP_MS);
    }
  });
});

function trucks(sequences: readonly number[], partition = 0): ReturnType<typeof nativeBlock> {
  const rows: Row[] = sequences.map((sequence) => truckRow({ sequence, partition }));
  return nativeBlock(channelTable(TRUCK), rows);
}

/** A connection whose Native inserts wait until they are released. */
function holding(connection: Connection): {
  connection: Connection;
  release(): void;
  readonly waiting: number;
} {
  let open = false;
  let waiters: (() => void)[] = [];
  return {
    connection: {
      ...connection,
      async insertNative(insert) {
        if (!open) await new Promise<void>((resolve) => waiters.push(resolve));
        await connection.insertNative(insert);
      },
    },
    release() {
      open = true;
      for (const resolve of waiters) resolve();
      waiters = [];
    },
    get waiting() {
      return waiters.length;
    },
  };
}

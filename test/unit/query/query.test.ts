import { buffer } from 'node:stream/consumers';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { DEAD_LETTERS, LEDGER, type Table, VISIBLE } from '../../../src/model/table.ts';
import { createQuery, type Query } from '../../../src/query/index.ts';
import { createConnection } from '../../../src/readmodel/connection.ts';
import { createReadModel } from '../../../src/readmodel/index.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { nativeBlock, type Row } from '../../support/native-writer.ts';

const DATABASE = 'asked';
const LOG_TIME_MS = Date.UTC(2026, 6, 1);

describe('query', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let attempts = 0;
  const insert = async (table: Table, rows: readonly Row[]): Promise<void> => {
    const connection = createConnection({ url: clickHouse.url, ...clickHouse.admin });
    attempts += 1;
    await connection.insertNative({
      table: `${DATABASE}.${table.name}`,
      blocks: [
        nativeBlock(
          table,
          rows.map((row) => ({ log: 'main', ...row })),
        ).bytes,
      ],
      token: `query:${attempts}`,
    });
    await connection.close();
  };

  before(async () => {
    clickHouse = await startClickHouse();
    const { url, admin } = clickHouse;
    const readModel = createReadModel({ url, ...admin, database: DATABASE, log: 'main' });
    await readModel.start();
    await readModel.stop();
    await insert(LEDGER, [ledgerRow(0, 0, 1), ledgerRow(0, 1, 0), ledgerRow(2, 0, 0)]);
    await insert(DEAD_LETTERS, [letter(7, 0), letter(7, 1), letter(8, 0)]);
  });
  after(() => clickHouse?.stop());

  for (const account of ['admin', 'readOnly'] as const) {
    describe(`as ${account}`, () => {
      let query: Query;
      beforeEach(() => {
        query = createQuery({ url: clickHouse.url, database: DATABASE, ...clickHouse[account] });
      });
      afterEach(() => query.close());

      it('gives rows with exact 64-bit integers and takes parameters', async () => {
        const rows = await query.rows(
          'SELECT toUInt64(18446744073709551615) AS big, {name: String} AS name, 0.5 AS half',
          { name: "it's \\ a\nname" },
        );
        expect(rows).to.deep.equal([
          { big: '18446744073709551615', name: "it's \\ a\nname", half: 0.5 },
        ]);
      });

      it('streams bytes in any format, of the SQL or of the options', async () => {
        const inSql = await query.stream('SELECT 1 AS a FORMAT CSVWithNames');
        expect((await buffer(inSql)).toString()).to.equal('"a"\n1\n');
        const asked = await query.stream('SELECT number FROM numbers(3)', { format: 'TSV' });
        expect((await buffer(asked)).toString()).to.equal('0\n1\n2\n');
        const usual = await query.stream('SELECT {x: UInt8} AS x', { parameters: { x: 3 } });
        expect((await buffer(usual)).toString()).to.equal('{"x":3}\n');
      });

      for (const sql of [
        `INSERT INTO ${DATABASE}.visible SELECT 'main', 0, 99, 0`,
        `INSERT INTO ${DATABASE}.visible SETTINGS async_insert = 0 SELECT 'main', 0, 99, 0`,
        `DROP TABLE ${DATABASE}.ledger`,
        `CREATE TABLE ${DATABASE}.more (a Int8) ENGINE = Memory`,
        `ALTER TABLE ${DATABASE}.ledger DELETE WHERE 1`,
      ]) {
        it(`refuses to write: ${sql.slice(0, 50)}`, async () => {
          for (const send of [query.rows, query.stream]) {
            const failure = await (send(sql) as Promise<unknown>).catch((error: unknown) => error);
            expect(isOperatingError(failure, 'CLICKHOUSE_REFUSED'), `${failure}`).to.equal(true);
            expect(`${failure}`).to.match(/readonly/i);
          }
        });
      }

      it('names ClickHouse’s code and text when a question is wrong', async () => {
        const failure = await query.rows('SELECT nothing FROM nowhere').catch((error) => error);
        expect(isOperatingError(failure, 'CLICKHOUSE_REFUSED')).to.equal(true);
        expect(failure.message).to.match(/^Code: 60\. UNKNOWN_TABLE: .*nowhere/s);
        expect(failure.where.code).to.equal(60);
      });

      it('pings', () => query.ping());

      it('adds the ledger up and tells whether every block balances', async () => {
        const summary = await query.ledgerSummary();
        expect(summary).to.deep.include({
          partitions: 2,
          blocks: 3,
          recordsIn: 31,
          recordsOut: 30,
          stored: 21,
          rejected: 6,
          balanced: false,
          readingsDecoded: 24,
          readingsStored: 21,
          readingsRejected: 3,
          readingsBalanced: true,
        });
        expect(summary.reasons).to.deep.equal([
          { reason: 'OUT_OF_RANGE', records: 6, readings: 3 },
          { reason: 'DUPLICATE', records: 3, readings: 0 },
        ]);
        const parts = await query.ledgerByPartition();
        expect(parts.map(({ partition, balanced }) => [partition, balanced])).to.deep.equal([
          [0, false],
          [2, true],
        ]);
      });

      it('lists dead letters, newest first, and finds those of a position', async () => {
        const all = await query.deadLetters();
        expect(all.map(({ sequence, index }) => [sequence, index])).to.deep.equal([
          [8n, 0],
          [7n, 1],
          [7n, 0],
        ]);
        expect(all[0]).to.deep.include({
          partition: 2,
          reason: 'OUT_OF_RANGE',
          device: 'd8',
          receivedAtMs: LOG_TIME_MS + 7,
          logTimeMs: LOG_TIME_MS + 8,
          sample: new Uint8Array(Buffer.from("{'8'}é")),
        });
        expect(await query.deadLetters({ limit: 1 })).to.have.length(1);
        expect(await query.deadLetters({ device: 'd7' })).to.have.length(2);
        expect(await query.deadLetters({ reason: 'EMPTY' })).to.have.length(0);
        expect(await query.findDeadLetters(2, 7n)).to.have.length(2);
        expect((await query.findDeadLetters(2, 7n, 1))[0]).to.include({ index: 1 });
        expect(await query.findDeadLetters(1, 7n)).to.have.length(0);
      });
    });
  }

  it('waits until a position can be seen, and says when it cannot', async () => {
    const query = createQuery({ url: clickHouse.url, database: DATABASE, ...clickHouse.readOnly });
    try {
      expect(await query.visible(5)).to.equal(0n);
      expect(await query.waitVisible(5, 1n, 0)).to.equal(false);
      const waiting = query.waitVisible(5, 3n, 30_000);
      await insert(VISIBLE, [{ partition: 5, sequence: 3 }]);
      expect(await waiting).to.equal(true);
      expect(await query.visible(5)).to.equal(3n);
      expect(await query.waitVisible(5, 4n, 0)).to.equal(false);
    } finally {
      await query.close();
    }
  });

  it('says CLICKHOUSE_UNREACHABLE while nobody answers, and works when somebody does', async () => {
    const query = createQuery({ url: clickHouse.url, database: DATABASE, ...clickHouse.admin });
    await clickHouse.pause();
    try {
      const startMs = systemClock.monotonicMs();
      for (const ask of [query.ping, () => query.rows('SELECT 1'), query.ledgerSummary]) {
        const failure = await (ask() as Promise<unknown>).catch((error: unknown) => error);
        expect(isOperatingError(failure, 'CLICKHOUSE_UNREACHABLE'), `${failure}`).to.equal(true);
      }
      expect(systemClock.monotonicMs() - startMs).to.be.below(10_000);
    } finally {
      await clickHouse.resume();
    }
    expect(await query.rows('SELECT 1 AS one')).to.deep.equal([{ one: 1 }]);
    await query.close();
  });
});

/** `missing` records came in and ended in no state. */
function ledgerRow(partition: number, block: number, missing: number): Row {
  return {
    partition,
    block,
    version: 1,
    records_in: 10 + missing,
    stored: 7,
    rejected: 2,
    duplicate: 1,
    readings_decoded: 8,
    readings_stored: 7,
    reason: ['DUPLICATE', 'OUT_OF_RANGE'],
    records: [1, 2],
    readings: [0, 1],
    log_time: LOG_TIME_MS,
  };
}

function letter(sequence: number, index: number): Row {
  return {
    partition: 2,
    sequence,
    index,
    tenant: 't',
    site: 's',
    device: `d${sequence}`,
    channel: 'truck',
    reason: 'OUT_OF_RANGE',
    received_at: LOG_TIME_MS + sequence - 1,
    log_time: LOG_TIME_MS + sequence,
    sample: `{'${sequence}'}é`,
    expires_at: 4_294_967_295,
  };
}

/**
 * What common tools send when they connect and query, replayed byte for byte in spirit: Grafana
 * (clickhouse-go), DBeaver (the JDBC driver), clickhouse-connect (Python), as the read-only user.
 */
import type { Readable, Transform } from 'node:stream';
import { expect } from 'chai';
import {
  createFrameCompressor,
  createFrameDecompressor,
} from '../../../src/engine/clickhouse/codec/compressed-frame.ts';
import {
  createLz4StreamCompressor,
  createLz4StreamDecompressor,
} from '../../../src/engine/clickhouse/codec/lz4-stream.ts';
import {
  NativeRewriter,
  rewriteNative,
} from '../../../src/engine/clickhouse/codec/native-block.ts';
import { ADMIN, type Endpoint, READER, startEndpoint } from './endpoint.ts';

async function pass(transform: Transform, bytes: Buffer, chunkBytes = 1e9): Promise<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    transform.write(bytes.subarray(at, at + chunkBytes));
  }
  transform.end();
  const out: Buffer[] = [];
  for await (const chunk of transform as Readable) out.push(chunk as Buffer);
  return Buffer.concat(out);
}

describe('tools on the embedded ClickHouse', () => {
  let endpoint: Endpoint;
  before(async () => {
    endpoint = await startEndpoint();
    await endpoint.query(
      'CREATE TABLE trips (truck LowCardinality(String), at DateTime64(3), speed Float64) ' +
        'ENGINE = MergeTree ORDER BY (truck, at)',
    );
    await endpoint.query(
      "INSERT INTO trips SELECT 't' || (number % 3)::String, " +
        "toDateTime64('2026-01-01', 3) + number, number / 2 FROM numbers(1000)",
    );
  });
  after(() => endpoint?.stop());

  describe('clickhouse-connect (Python)', () => {
    const session = { session_id: 'f3a0c7e2-0000-4000-8000-000000000001' };
    const headers = { 'accept-encoding': 'lz4,zstd,br,gzip', 'user-agent': 'clickhouse-connect' };

    for (const user of [ADMIN, READER]) {
      it(`connects and reads Native in lz4 as ${user.name}`, async () => {
        const probe = await endpoint.ask({
          user,
          headers,
          params: { ...session, enable_http_compression: '1' },
          body: 'SELECT version(), timezone()',
        });
        expect((await pass(createLz4StreamDecompressor(), probe.bytes)).toString()).to.match(
          /^26\.[\d.]+\tUTC\n$/,
        );
        const settings = await endpoint.ask({
          user,
          headers,
          params: session,
          body:
            'SELECT name, value, readonly as readonly FROM system.settings LIMIT 10000\n' +
            ' FORMAT Native',
        });
        expect(settings.status).to.equal(200);
        expect(settings.headers['x-clickhouse-format']).to.equal('Native');
        const revision = await endpoint.ask({
          user,
          params: { ...session, client_protocol_version: '54405' },
          body: 'SELECT 1 AS check\n FORMAT Native',
        });
        expect(revision.bytes.subarray(8, 16).toString('latin1')).to.equal('\x01\x01\x05check');
      });
    }

    it('inserts Native in lz4 with the statement in the body', async () => {
      await endpoint.query('CREATE TABLE copied AS trips');
      const native = await endpoint.ask({ body: 'SELECT * FROM trips FORMAT Native' });
      const head = Buffer.from('INSERT INTO copied (`truck`, `at`, `speed`) FORMAT Native\n');
      const answer = await endpoint.ask({
        body: await pass(createLz4StreamCompressor(), Buffer.concat([head, native.bytes])),
        headers: { 'content-encoding': 'lz4', 'content-type': 'application/octet-stream' },
        params: session,
      });
      expect(answer.status, answer.text).to.equal(200);
      expect(await endpoint.query('SELECT count(), sum(speed) FROM copied')).to.equal(
        '1000\t249750\n',
      );
    });
  });

  describe('the JDBC driver (DBeaver)', () => {
    const statements = [
      'SELECT currentUser() AS user, timezone() AS timezone, version() AS version LIMIT 1',
      'SELECT version()',
      'SELECT timezone()',
      'SELECT name FROM system.databases ORDER BY name',
      'SELECT database AS TABLE_SCHEM, name AS TABLE_NAME, engine, comment FROM system.tables ' +
        "WHERE database LIKE 'default' AND name LIKE '%'",
      'SELECT database, table, name, type, position, default_kind, comment FROM system.columns ' +
        "WHERE database LIKE '%' AND table LIKE 'trips' AND name LIKE '%' ORDER BY position",
      'SELECT * FROM system.functions LIMIT 10',
      "SELECT name, value FROM system.settings WHERE name IN ('readonly', 'async_insert')",
      'SELECT * FROM `default`.`trips` LIMIT 200',
      'DESC (SELECT * FROM trips)',
      'SHOW CREATE TABLE default.trips',
      'EXPLAIN SELECT * FROM trips',
      "SELECT count() FROM system.data_skipping_indices WHERE table = 'trips'",
    ];
    for (const body of statements) {
      it(`reads framed RowBinaryWithNamesAndTypes: ${body.slice(0, 60)}`, async () => {
        const answer = await endpoint.ask({
          user: undefined,
          headers: { 'X-ClickHouse-User': READER.name, 'X-ClickHouse-Key': READER.password },
          params: {
            compress: '1',
            database: 'default',
            default_format: 'RowBinaryWithNamesAndTypes',
            query_id: `jdbc-${body.length}`,
            max_result_rows: '0',
          },
          body,
        });
        expect(answer.status, answer.text).to.equal(200);
        const plain = await pass(createFrameDecompressor(), answer.bytes);
        expect(plain[0], 'columns').to.be.within(1, 100);
      });
    }

    it('inserts framed RowBinary (decompress=1)', async () => {
      await endpoint.query('CREATE TABLE written (a UInt32, b String) ENGINE = Memory');
      const rows = Buffer.from([1, 0, 0, 0, 1, 0x78, 2, 0, 0, 0, 2, 0x79, 0x7a]);
      const answer = await endpoint.ask({
        params: { query: 'INSERT INTO `default`.`written` FORMAT RowBinary', decompress: '1' },
        body: await pass(createFrameCompressor(), rows),
      });
      expect(answer.status, answer.text).to.equal(200);
      expect(await endpoint.query('SELECT * FROM written ORDER BY a')).to.equal('1\tx\n2\tyz\n');
    });
  });

  describe('Grafana (clickhouse-go over HTTP)', () => {
    const params = {
      client_protocol_version: '54460',
      default_format: 'Native',
      compress: '1',
      database: 'default',
      max_execution_time: '60',
    };
    const ask = async (body: string) => {
      const answer = await endpoint.ask({ user: READER, params, body });
      expect(answer.status, answer.text).to.equal(200);
      return pass(createFrameDecompressor(), answer.bytes);
    };
    const INFO = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0]);

    it('connects', async () => {
      const block = await ask('SELECT displayName(), version(), revision(), timezone()');
      expect(block.subarray(0, 10)).to.deep.equal(Buffer.concat([INFO, Buffer.from([4, 1])]));
      expect(block.toString('latin1')).to.contain('\x06String\x00\x08millrace');
    });

    it('reads a block with its info and serialization bytes', async () => {
      const block = await ask("SELECT toUInt8(7) AS a, 'xy' AS b FROM numbers(2)");
      expect(block.toString('latin1')).to.equal(
        `${INFO.toString('latin1')}\x02\x02` +
          '\x01a\x05UInt8\x00\x07\x07\x01b\x06String\x00\x02xy\x02xy',
      );
    });

    it('asks for panels: time series, variables, annotations', async () => {
      const series =
        'SELECT toStartOfInterval(at, INTERVAL 60 second) AS time, truck, avg(speed) AS speed ' +
        'FROM trips WHERE at >= toDateTime64(1767225600, 3) ' +
        'AND at <= toDateTime64(1767229200, 3) GROUP BY time, truck ORDER BY time LIMIT 1000';
      expect((await ask(series)).length).to.be.greaterThan(500);
      expect((await ask('SELECT DISTINCT truck FROM trips')).toString('latin1')).to.contain('t2');
      expect((await ask('SHOW TABLES')).toString('latin1')).to.contain('trips');
      expect((await ask('SELECT name FROM system.databases')).toString('latin1')).to.contain(
        'system',
      );
    });
  });

  describe('the Native format of a newer revision', () => {
    const types = [
      'number',
      'toInt128(number)',
      "toDecimal256('1.5', 3)",
      'toString(number)',
      "toFixedString('abc', 5)",
      'number % 2 ? NULL : number',
      'toLowCardinality(toString(number % 300))',
      'CAST(number % 3 ? NULL : toString(number) AS LowCardinality(Nullable(String)))',
      'range(number % 5)',
      "arrayMap(x -> toLowCardinality('k' || x::String), range(number % 3))",
      'CAST([] AS Array(LowCardinality(String)))',
      "map('a', number, 'b', 2)",
      "CAST(map('a', [number]) AS Map(LowCardinality(String), Array(UInt64)))",
      "tuple(number, 'x', [1, 2])",
      "CAST((1, 'x') AS Tuple(a UInt8, `b c` LowCardinality(String)))",
      "[(1, 'x'), (2, 'y')]::Nested(a UInt8, b String)",
      "CAST('b' AS Enum8('a,(' = 1, 'b' = 2))",
      "now64(6, 'Europe/Berlin')",
      'toDate32(now())',
      'toIntervalDay(3)',
      'generateUUIDv4()',
      "toIPv6('::1')",
      '(1.5, 2.5)::Point',
      '[[(1., 2.)]]::Polygon',
      'NULL',
      'CAST(1 AS SimpleAggregateFunction(sum, UInt64))',
      'toBFloat16(1)',
    ];
    for (const type of types) {
      it(`walks over ${type}`, async () => {
        const body =
          `SELECT ${type} AS a, toUInt8(1) AS b FROM numbers(200) ` +
          'SETTINGS max_block_size = 70 FORMAT Native';
        const { bytes, text, status } = await endpoint.ask({ body });
        expect(status, text).to.equal(200);
        expect(rewriteNative(bytes, 1).equals(bytes)).to.equal(true);
        const newer = rewriteNative(bytes, 54_460);
        const blocks = (newer.length - bytes.length) / (8 + 2);
        expect(blocks, 'blocks').to.be.within(1, 3);
        const streamed = await pass(new NativeRewriter(54_460), bytes, 17);
        expect(streamed.equals(newer)).to.equal(true);
      });
    }

    it('streams many large blocks', async () => {
      const body = 'SELECT number, toString(number) AS s, [s] FROM numbers(500000) FORMAT Native';
      const plain = await endpoint.ask({ body });
      const newer = await endpoint.ask({ body, params: { client_protocol_version: '54460' } });
      expect(newer.complete).to.equal(true);
      expect(newer.bytes.length).to.be.greaterThan(plain.bytes.length);
      expect((newer.bytes.length - plain.bytes.length) % 11).to.equal(0);
    });

    it('refuses a type it cannot walk over, with what to do', async () => {
      const answer = await endpoint.ask({
        body: 'SELECT uniqState(1) AS a FORMAT Native',
        params: { client_protocol_version: '54460' },
      });
      expect(answer.status).to.equal(501);
      expect(answer.text).to.contain('finalizeAggregation');
    });
  });
});

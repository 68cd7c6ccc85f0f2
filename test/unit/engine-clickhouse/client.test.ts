/** The official Node client, unchanged, against the embedded engine. */
import { once } from 'node:events';
import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  createClient,
} from '@clickhouse/client';
import { expect } from 'chai';
import { ADMIN, type Endpoint, READER, startEndpoint } from './endpoint.ts';

interface Row {
  id: number;
  name: string;
  value: number | null;
  tags: string[];
}

const COLUMNS = 'id UInt32, name String, value Nullable(Float64), tags Array(String)';
const ROWS: readonly Row[] = [
  { id: 1, name: 'plain', value: 1.5, tags: [] },
  { id: 2, name: 'quote \' " \\ \n tab\t', value: null, tags: ['a', 'b'] },
  { id: 3, name: 'ünïcode 🚚', value: -0.25, tags: ["it's"] },
  { id: 4, name: 'blank\n\nline; DROP TABLE t', value: 4, tags: ['\n\n'] },
];

describe('@clickhouse/client on the embedded engine', () => {
  let endpoint: Endpoint;
  let client: ClickHouseClient;

  const connect = (options: Parameters<typeof createClient>[0] = {}) =>
    createClient({
      url: endpoint.address.url,
      username: ADMIN.name,
      password: ADMIN.password,
      log: { level: ClickHouseLogLevel.OFF },
      ...options,
    });

  async function bytesOf(query: string): Promise<Buffer> {
    const result = await client.exec({ query });
    const chunks: Buffer[] = [];
    for await (const chunk of result.stream) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  async function rowsOf(table: string): Promise<Row[]> {
    const query = `SELECT * FROM ${table} ORDER BY id`;
    const result = await client.query({ query, format: 'JSONEachRow' });
    return result.json<Row>();
  }

  before(async () => {
    endpoint = await startEndpoint();
    client = connect();
    await client.command({
      query: `CREATE TABLE source (${COLUMNS}) ENGINE = MergeTree ORDER BY id`,
    });
    await client.insert({ table: 'source', values: ROWS, format: 'JSONEachRow' });
  });
  after(async () => {
    await client?.close();
    await endpoint?.stop();
  });

  it('pings, with and without a SELECT', async () => {
    expect(await client.ping()).to.deep.equal({ success: true });
    expect(await client.ping({ select: true })).to.deep.equal({ success: true });
  });

  it('sees a wrong password as ClickHouse error 516', async () => {
    const wrong = connect({ password: 'nonsense' });
    const error = await wrong.query({ query: 'SELECT 1' }).catch((e) => e);
    await wrong.close();
    expect(error).to.be.instanceOf(ClickHouseError);
    expect(error).to.include({ code: '516', type: 'AUTHENTICATION_FAILED' });
  });

  for (const format of ['Native', 'RowBinary', 'Parquet', 'JSONEachRow', 'CSV', 'Arrow'] as const) {
    it(`takes an insert in ${format} and gives back the same rows`, async () => {
      const table = `copy_${format}`;
      await client.command({ query: `CREATE TABLE ${table} AS source` });
      const bytes = await bytesOf(`SELECT * FROM source ORDER BY id FORMAT ${format}`);
      const { summary } = await client.exec({
        query: `INSERT INTO ${table} FORMAT ${format}`,
        values: Readable.from([bytes.subarray(0, 20), bytes.subarray(20)], { objectMode: false }),
      });
      expect(summary?.written_rows).to.equal('4');
      expect(await rowsOf(table)).to.deep.equal(ROWS);
    });
  }

  it('inserts rows given as a stream of objects, compressed by gzip', async () => {
    const gzip = connect({ compression: { request: true, response: true } });
    await gzip.command({ query: 'CREATE TABLE streamed AS source' });
    const values = Readable.from(ROWS.map((row) => row));
    await gzip.insert({ table: 'streamed', values, format: 'JSONEachRow' });
    const result = await gzip.query({
      query: 'SELECT * FROM streamed ORDER BY id',
      format: 'JSON',
    });
    expect((await result.json<Row>()).data).to.deep.equal(ROWS);
    expect(result.response_headers['content-encoding']).to.equal('gzip');
    await gzip.close();
  });

  it('binds parameters of every kind', async () => {
    const result = await client.query({
      query:
        'SELECT {n:UInt32} AS n, {s:String} AS s, {a:Array(String)} AS a, {d:Date} AS d, ' +
        '{x:Nullable(String)} AS x, {t:Identifier}.id AS id FROM source AS t WHERE id = {n:UInt32}',
      query_params: {
        n: 2,
        s: "it's \\ a\ttab\n",
        a: ['x', "y'"],
        d: '2026-01-02',
        x: null,
        t: 't',
      },
      format: 'JSONEachRow',
    });
    expect(await result.json()).to.deep.equal([
      { n: 2, s: "it's \\ a\ttab\n", a: ['x', "y'"], d: '2026-01-02', x: null, id: 2 },
    ]);
  });

  it('sends long parameters as a form', async () => {
    const long = 'é'.repeat(20_000);
    const result = await client.query({
      query: 'SELECT length({s:String}) AS bytes',
      query_params: { s: long },
      use_multipart_params: true,
      format: 'JSONEachRow',
    });
    expect(await result.json()).to.deep.equal([{ bytes: 40_000 }]);
  });

  it('streams a million rows in order', async () => {
    const result = await client.query({
      query: 'SELECT number AS n FROM numbers(1000000)',
      format: 'JSONCompactEachRow',
    });
    let next = 0;
    for await (const rows of result.stream()) {
      for (const row of rows) {
        if (Number((row.json() as [string])[0]) !== next++)
          throw new Error(`out of order: ${next}`);
      }
    }
    expect(next).to.equal(1_000_000);
  });

  const broken: readonly [sql: string, code: string, type: string][] = [
    ['SELECT * FROM nowhere', '60', 'UNKNOWN_TABLE'],
    ['SELEC 1', '62', 'SYNTAX_ERROR'],
    ['SELECT nothing', '47', 'UNKNOWN_IDENTIFIER'],
    ['SELECT nosuch()', '46', 'UNKNOWN_FUNCTION'],
    ['SELECT throwIf(1)', '395', 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO'],
    ['SELECT {p:UInt8}', '456', 'UNKNOWN_QUERY_PARAMETER'],
    ['SELECT 1; SELECT 2', '62', 'SYNTAX_ERROR'],
    ["SELECT 1 INTO OUTFILE '/tmp/x'", '358', 'INTO_OUTFILE_NOT_ALLOWED'],
  ];
  for (const [sql, code, type] of broken) {
    it(`sees ${sql} as error ${code}`, async () => {
      const error = await client.command({ query: sql }).catch((e) => e);
      expect(error).to.be.instanceOf(ClickHouseError);
      expect(error).to.include({ code, type });
    });
  }

  it('sees an error in the middle of a stream with its code and text', async () => {
    const result = await client.query({
      query: 'SELECT throwIf(number = 5000000) AS a, number FROM numbers(10000000)',
      format: 'JSONEachRow',
      clickhouse_settings: { max_block_size: '10000', max_threads: 1 },
    });
    let rows = 0;
    const error = await (async () => {
      for await (const chunk of result.stream()) rows += chunk.length;
    })().catch((e) => e);
    expect(rows).to.be.greaterThan(100_000);
    expect(error).to.be.instanceOf(ClickHouseError);
    expect(error).to.include({ code: '395' });
  });

  it('applies settings to one request only', async () => {
    const query = "SELECT getSetting('max_result_rows') AS v";
    const given = await client.query({
      query,
      format: 'JSONEachRow',
      clickhouse_settings: { max_result_rows: '77' },
    });
    expect(await given.json()).to.deep.equal([{ v: 77 }]);
    const after = await client.query({ query, format: 'JSONEachRow' });
    expect(await after.json()).to.deep.equal([{ v: 0 }]);
  });

  it('keeps temporary tables and SETs in a session, and URL settings out of it', async () => {
    const session = connect({ session_id: 'mine' });
    await session.command({ query: 'CREATE TEMPORARY TABLE kept (a UInt8)' });
    await session.command({ query: 'SET max_result_rows = 5' });
    await session.insert({ table: 'kept', values: [{ a: 1 }], format: 'JSONEachRow' });
    const read = async (clickhouse_settings = {}) => {
      const query = "SELECT a, getSetting('max_result_rows') AS m FROM kept";
      const result = await session.query({ query, format: 'JSONEachRow', clickhouse_settings });
      return result.json();
    };
    expect(await read({ max_result_rows: '9' })).to.deep.equal([{ a: 1, m: 9 }]);
    expect(await read()).to.deep.equal([{ a: 1, m: 5 }]);
    await session.close();
    const outside = await client.query({ query: 'SELECT * FROM kept' }).catch((e) => e);
    expect(outside).to.include({ code: '60' });
  });

  it('ends the query in the engine when the request is aborted', async () => {
    const controller = new AbortController();
    const query_id = 'to-be-aborted';
    const pending = client
      .query({
        query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
        query_id,
        abort_signal: controller.signal,
      })
      .catch((e) => e);
    const running = async () => {
      const query =
        'SELECT count() AS n FROM system.processes ' +
        `WHERE Settings['log_comment'] LIKE '%${query_id}'`;
      const result = await client.query({ query, format: 'JSONEachRow' });
      return Number(((await result.json()) as { n: number }[])[0]!.n);
    };
    const until = async (count: number) => {
      for (;;) if ((await running()) === count) return;
    };
    await until(1);
    controller.abort();
    expect(await pending).to.be.instanceOf(Error);
    await until(0);
  });

  it('kills a query by the id the client gave it', async () => {
    const pending = client
      .query({ query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)', query_id: 'k1' })
      .catch((e) => e);
    for (;;) {
      const result = await client.query({
        query: "KILL QUERY WHERE query_id = 'k1' SYNC",
        format: 'JSONEachRow',
      });
      if (((await result.json()) as unknown[]).length > 0) break;
    }
    expect(await pending).to.include({ code: '394' });
  });

  it('refuses a second query with the same id while the first runs', async () => {
    const controller = new AbortController();
    const query = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    const first = client
      .query({ query, query_id: 'twice', abort_signal: controller.signal })
      .catch((e) => e);
    let error: { code?: string } = {};
    while (error.code !== '216') {
      error = await client
        .query({ query: 'SELECT 1', query_id: 'twice', format: 'JSONEachRow' })
        .then((result) => result.text().then(() => ({})))
        .catch((e) => e);
    }
    controller.abort();
    await first;
  });

  it('answers short queries at once while long ones run', async () => {
    const controller = new AbortController();
    const busy = connect({ max_open_connections: 20 });
    const long = Array.from({ length: 8 }, () =>
      busy
        .query({
          query: 'SELECT sum(sleepEachRow(0.1)) FROM numbers(100)',
          abort_signal: controller.signal,
          clickhouse_settings: { max_block_size: '1' },
        })
        .then((result) => result.text())
        .catch((e) => e),
    );
    const result = await busy.query({ query: 'SELECT 1 AS a', format: 'JSONEachRow' });
    expect(await result.json()).to.deep.equal([{ a: 1 }]);
    controller.abort();
    for (const error of await Promise.all(long)) expect(error).to.be.instanceOf(Error);
    await busy.close();
  });

  it('reads as the read-only user, with compression and settings', async () => {
    const reader = connect({
      username: READER.name,
      password: READER.password,
      compression: { response: true },
      clickhouse_settings: { max_execution_time: 10, output_format_json_quote_64bit_integers: 0 },
    });
    const result = await reader.query({
      query: 'SELECT count() AS n FROM source WHERE id > {id:UInt32}',
      query_params: { id: 1 },
      format: 'JSONEachRow',
    });
    expect(await result.json()).to.deep.equal([{ n: 3 }]);
    const error = await reader
      .insert({ table: 'source', values: ROWS, format: 'JSONEachRow' })
      .catch((e) => e);
    expect(error).to.include({ code: '164', type: 'READONLY' });
    await reader.close();
    expect(await rowsOf('source')).to.have.length(ROWS.length);
  });

  it('gives raw bytes as a stream that can be stopped half way', async () => {
    const result = await client.exec({
      query: 'SELECT number FROM numbers(50000000) FORMAT RowBinary',
    });
    const [chunk] = (await once(result.stream, 'data')) as [Buffer];
    expect(chunk.length).to.be.greaterThan(0);
    result.stream.destroy();
    expect(await client.ping()).to.deep.equal({ success: true });
  });
});

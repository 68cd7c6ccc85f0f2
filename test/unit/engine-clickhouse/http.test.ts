/** The HTTP protocol itself: curl, headers, statuses, encodings, users, sessions. */
import { execFileSync } from 'node:child_process';
import { createConnection } from 'node:net';
import type { Readable, Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { expect } from 'chai';
import {
  createFrameCompressor,
  createFrameDecompressor,
} from '../../../src/engine/clickhouse/codec/compressed-frame.ts';
import {
  createLz4StreamCompressor,
  createLz4StreamDecompressor,
} from '../../../src/engine/clickhouse/codec/lz4-stream.ts';
import { ADMIN, type Endpoint, READER, startEndpoint } from './endpoint.ts';

async function pass(transform: Transform, bytes: Buffer): Promise<Buffer> {
  transform.end(bytes);
  const out: Buffer[] = [];
  for await (const chunk of transform as Readable) out.push(chunk as Buffer);
  return Buffer.concat(out);
}

describe('the HTTP protocol of the embedded ClickHouse', () => {
  let endpoint: Endpoint;
  before(async () => {
    endpoint = await startEndpoint({ concurrentQueriesMax: 4 });
    await endpoint.query('CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a');
  });
  after(() => endpoint?.stop());
  beforeEach(() => endpoint.query('TRUNCATE TABLE t'));

  const curl = (...args: string[]) =>
    execFileSync('curl', ['-sS', '-u', `${ADMIN.name}:${ADMIN.password}`, ...args], {
      encoding: 'utf8',
    });

  it('works with curl: GET, POST, both together, a file, compressed', async () => {
    const { url } = endpoint.address;
    expect(curl(`${url}/`)).to.equal('Ok.\n');
    expect(curl(`${url}/ping`)).to.equal('Ok.\n');
    expect(curl(`${url}/?query=SELECT%201`)).to.equal('1\n');
    expect(curl(url, '--data-binary', 'SELECT 2')).to.equal('2\n');
    expect(curl(`${url}/?query=SELECT`, '--data-binary', '3')).to.equal('3\n');
    curl(url, '--data-binary', "INSERT INTO t VALUES (1, 'a;b'), (2, concat('x', 'y'));");
    curl(`${url}/?query=INSERT%20INTO%20t%20FORMAT%20CSV`, '--data-binary', '3,"c\n\nd"\n4,e\n');
    expect(
      curl('--compressed', `${url}/?enable_http_compression=1`, '-d', 'SELECT * FROM t ORDER BY a'),
    ).to.equal('1\ta;b\n2\txy\n3\tc\\n\\nd\n4\te\n');
    const head = curl('-I', `${url}/?query=SELECT%201`);
    expect(head).to.match(/^HTTP\/1.1 200 OK/);
  });

  it('answers with the headers of a server', async () => {
    const answer = await endpoint.ask({
      body: 'SELECT number FROM numbers(3)',
      params: { query_id: 'my-id', default_format: 'JSONEachRow' },
    });
    expect(answer.headers).to.include({
      'x-clickhouse-query-id': 'my-id',
      'x-clickhouse-format': 'JSONEachRow',
      'x-clickhouse-timezone': 'UTC',
      'x-clickhouse-server-display-name': 'millrace',
      'content-type': 'application/x-ndjson; charset=UTF-8',
    });
    expect(JSON.parse(answer.headers['x-clickhouse-summary']!)).to.include({
      result_rows: '3',
      written_rows: '0',
    });
    const insert = await endpoint.ask({ body: "INSERT INTO t VALUES (1, 'a'), (2, 'b')" });
    expect(JSON.parse(insert.headers['x-clickhouse-summary']!)).to.include({ written_rows: '2' });
  });

  const errors: readonly [title: string, status: number, code: number, ask: object][] = [
    ['a syntax error', 400, 62, { body: 'SELECT FROM WHERE' }],
    ['an unknown table', 404, 60, { body: 'SELECT * FROM nowhere' }],
    ['an unknown column', 404, 47, { body: 'SELECT nothing FROM t' }],
    ['an unknown database in the URL', 404, 81, { body: 'SELECT 1', params: { database: 'no' } }],
    ['an unknown format', 404, 73, { body: 'SELECT 1 FORMAT Nosuch' }],
    ['an unknown setting', 404, 115, { body: 'SELECT 1', params: { nosuch: '1' } }],
    ['a malformed setting name', 404, 115, { body: 'SELECT 1', params: { "a'b": '1' } }],
    ['a bad value of a setting', 400, 27, { body: 'SELECT 1', params: { max_threads: 'x' } }],
    ['a missing parameter', 500, 456, { body: 'SELECT {x:UInt8}' }],
    ['a bad parameter', 500, 457, { body: 'SELECT {x:UInt8}', params: { param_x: 'y' } }],
    ['a wrong type', 500, 43, { body: "SELECT 1 + 'a'" }],
    [
      'a time-out',
      408,
      159,
      {
        body: 'SELECT sum(sleepEachRow(0.1)) FROM numbers(100)',
        params: { max_execution_time: '0.2', max_block_size: '1' },
      },
    ],
    [
      'too little memory',
      500,
      241,
      {
        body: 'SELECT groupArray(number) FROM numbers(100000000)',
        params: { max_memory_usage: '10000000' },
      },
    ],
    ['a wrong password', 403, 516, { body: 'SELECT 1', user: { name: 'default', password: 'no' } }],
    ['an unknown user', 403, 516, { body: 'SELECT 1', user: { name: 'no', password: 'no' } }],
    ['no password', 401, 194, { body: 'SELECT 1', user: undefined }],
    ['a write by GET', 500, 164, { params: { query: "INSERT INTO t VALUES (1, 'a')" } }],
    ['a DROP by GET', 500, 164, { params: { query: 'DROP TABLE t' } }],
    ['two statements', 400, 62, { body: 'SELECT 1; SELECT 2' }],
    ['nothing', 400, 62, { body: '' }],
    ['INTO OUTFILE', 500, 358, { body: "SELECT 1 INTO OUTFILE 'x'" }],
    [
      'FROM INFILE',
      404,
      98,
      { body: "INSERT INTO t FROM INFILE '/etc/passwd' FORMAT LineAsString" },
    ],
    ['the end of the engine', 403, 497, { body: 'SYSTEM SHUTDOWN' }],
    ['malformed data', 400, 27, { body: 'INSERT INTO t FORMAT JSONEachRow\n{"a": "x"}' }],
    [
      'data that is not gzip',
      500,
      271,
      { body: 'INSERT', headers: { 'content-encoding': 'gzip' } },
    ],
    ['an unknown encoding', 501, 48, { body: 'x', headers: { 'content-encoding': 'zip' } }],
    [
      'a session that must exist',
      500,
      372,
      { body: 'SELECT 1', params: { session_id: 'new', session_check: '1' } },
    ],
    ['an empty session id', 500, 637, { body: 'SELECT 1', params: { session_id: '' } }],
  ];
  for (const [title, status, code, request] of errors) {
    it(`answers ${title} with status ${status} and code ${code}`, async () => {
      const answer = await endpoint.ask(request);
      expect(
        [answer.status, answer.headers['x-clickhouse-exception-code']],
        answer.text,
      ).to.deep.equal([status, String(code)]);
      expect(answer.text).to.match(
        /^Code: \d+\. DB::Exception: .*\([A-Z_]+\) \(version 26\.[\d.]+\)\n$/s,
      );
      expect(answer.text).to.not.match(/insert-|fifo-|INTO OUTFILE '/);
      expect(await endpoint.query('SELECT count() FROM t')).to.equal('0\n');
    });
  }

  it('answers an unknown path with 404', async () => {
    expect((await endpoint.ask({ path: '/nowhere' })).status).to.equal(404);
  });

  const ways: readonly [title: string, request: object][] = [
    ['basic auth', { user: READER }],
    [
      'X-ClickHouse-User and -Key',
      {
        user: undefined,
        headers: { 'X-ClickHouse-User': READER.name, 'X-ClickHouse-Key': READER.password },
      },
    ],
    ['the URL', { user: undefined, params: { user: READER.name, password: READER.password } }],
  ];
  for (const [title, request] of ways) {
    it(`knows a user by ${title}`, async () => {
      const answer = await endpoint.ask({ body: "SELECT getSetting('readonly')", ...request });
      expect(answer.text).to.equal('1\n');
    });
  }

  const origins: readonly [title: string, headers: Record<string, string>, status: number][] = [
    ['a web page of another origin', { origin: 'http://evil.example' }, 403],
    ['a page without an origin of its own', { origin: 'null' }, 403],
    ['a name that only resolves to loopback', { host: 'evil.example:8123' }, 403],
    ['localhost', { host: 'localhost:8123' }, 200],
    ['a page of its own', { host: 'localhost:1', origin: 'http://localhost:1' }, 200],
    ['an IPv6 address', { host: '[::1]:8123' }, 200],
  ];
  for (const [title, headers, status] of origins) {
    it(`answers a request from ${title} with ${status}`, async () => {
      const answer = await endpoint.ask({ body: "INSERT INTO t VALUES (1, 'a')", headers });
      expect(answer.status, answer.text).to.equal(status);
      const rows = status === 200 ? '1\n' : '0\n';
      expect(await endpoint.query('SELECT count() FROM t')).to.equal(rows);
    });
  }

  const data = Buffer.from('7,seven\n8,eight\n');
  const whole = Buffer.concat([Buffer.from('INSERT INTO t FORMAT CSV\n'), data]);
  const bodyEncodings: readonly [
    name: string,
    encode: (bytes: Buffer) => Buffer | Promise<Buffer>,
  ][] = [
    ['gzip', (bytes) => zlib.gzipSync(bytes)],
    ['deflate', (bytes) => zlib.deflateSync(bytes)],
    ['br', (bytes) => zlib.brotliCompressSync(bytes)],
    ['lz4', (bytes) => pass(createLz4StreamCompressor(), bytes)],
    ['zstd', (bytes) => execFileSync('zstd', ['-c'], { input: bytes })],
  ];
  for (const [name, encode] of bodyEncodings) {
    it(`reads a body in ${name}, with the statement in the URL or in the body`, async function () {
      let bytes: Buffer;
      try {
        bytes = await encode(data);
      } catch {
        this.skip(); // no zstd program here
      }
      const headers = { 'content-encoding': name };
      const params = { query: 'INSERT INTO t FORMAT CSV' };
      const first = await endpoint.ask({ body: bytes, headers, params });
      expect(first.status, first.text).to.equal(200);
      expect(await endpoint.query('SELECT sum(a) FROM t')).to.equal('15\n');
      const second = await endpoint.ask({ body: await encode(whole), headers });
      if (name === 'zstd' && !('zstdCompressSync' in zlib)) {
        expect(second.status).to.equal(501);
        expect(second.text).to.contain('put the INSERT into the URL');
      } else {
        expect(second.status, second.text).to.equal(200);
        expect(await endpoint.query('SELECT sum(a) FROM t')).to.equal('30\n');
      }
    });
  }

  const decoders: Readonly<Record<string, (bytes: Buffer) => Buffer | Promise<Buffer>>> = {
    gzip: (bytes) => zlib.gunzipSync(bytes),
    deflate: (bytes) => zlib.inflateSync(bytes),
    br: (bytes) => zlib.brotliDecompressSync(bytes),
    lz4: (bytes) => pass(createLz4StreamDecompressor(), bytes),
    zstd: (bytes) => execFileSync('zstd', ['-dc'], { input: bytes, maxBuffer: 1e8 }),
  };
  for (const [name, decode] of Object.entries(decoders)) {
    for (const [size, sql, last] of [
      ['a small', 'SELECT 1', '1\n'],
      ['a large', 'SELECT number FROM numbers(600000)', '\n599999\n'],
      ['a shown', 'SHOW TABLES', 't\n'],
    ] as const) {
      it(`compresses ${size} answer by ${name} when asked`, async () => {
        const answer = await endpoint.ask({
          body: sql,
          params: { enable_http_compression: '1' },
          headers: { 'accept-encoding': name },
        });
        expect(answer.complete).to.equal(true);
        const encoding = answer.headers['content-encoding'];
        if (name === 'zstd' && sql.startsWith('SHOW')) expect(encoding).to.equal(undefined);
        else expect(encoding).to.equal(name);
        const plain = encoding ? await decode(answer.bytes) : answer.bytes;
        expect(plain.toString().endsWith(last)).to.equal(true);
      });
    }
  }

  it('compresses nothing when told not to', async () => {
    const answer = await endpoint.ask({
      body: 'SELECT 1',
      params: { enable_http_compression: '0' },
      headers: { 'accept-encoding': 'gzip' },
    });
    expect(answer.headers['content-encoding']).to.equal(undefined);
  });

  it("reads and writes ClickHouse's own frames (decompress=1, compress=1)", async () => {
    const body = await pass(createFrameCompressor(), data);
    const params = { query: 'INSERT INTO t FORMAT CSV', decompress: '1' };
    const insert = await endpoint.ask({ body, params });
    expect(insert.status, insert.text).to.equal(200);
    for (const rows of [2, 700_000]) {
      const sql = rows === 2 ? 'SELECT * FROM t ORDER BY a' : `SELECT number FROM numbers(${rows})`;
      const answer = await endpoint.ask({ body: sql, params: { compress: '1' } });
      const plain = (await pass(createFrameDecompressor(), answer.bytes)).toString();
      expect(plain.split('\n').length - 1).to.equal(rows);
    }
    const damaged = Buffer.from(body);
    damaged[0]! ^= 1;
    const refused = await endpoint.ask({ body: damaged, params });
    expect(refused.headers['x-clickhouse-exception-code']).to.equal('40');
  });

  it('waits for the end of a query when told to, and then knows its status', async () => {
    const sql = 'SELECT throwIf(number = 3000000) AS a, number FROM numbers(4000000)';
    const settings = { max_block_size: '10000', max_threads: '1' };
    const waited = await endpoint.ask({
      body: sql,
      params: { wait_end_of_query: '1', ...settings },
    });
    expect([waited.status, waited.headers['x-clickhouse-exception-code']]).to.deep.equal([
      500,
      '395',
    ]);
    const streamed = await endpoint.ask({ body: sql, params: settings });
    expect([streamed.status, streamed.complete]).to.deep.equal([200, false]);
    const tag = streamed.headers['x-clickhouse-exception-tag'];
    const trailer = new RegExp(
      `\\r\\n__exception__\\r\\n${tag}\\r\\n(Code: 395\\..*\\n)(\\d+) ${tag}` +
        '\\r\\n__exception__\\r\\n$',
      's',
    ).exec(streamed.text.slice(-2000));
    expect(trailer).to.not.equal(null);
    expect(Number(trailer![2])).to.equal(Buffer.byteLength(trailer![1]!));
    const large = await endpoint.ask({
      body: 'SELECT number FROM numbers(1000000) FORMAT RowBinary',
      params: { wait_end_of_query: '1' },
    });
    expect(large.headers['content-length']).to.equal('8000000');
    expect(large.bytes.readBigUInt64LE(7_999_992)).to.equal(999_999n);
  });

  for (const format of ['JSON', 'CSVWithNames', 'Parquet', 'Arrow', 'Native', 'XML', 'Values']) {
    it(`streams a large result in ${format} as one document`, async () => {
      const rows = 'SELECT toUInt32(number) AS a, toString(a) AS s FROM numbers(300000)';
      const sql = `${rows} FORMAT ${format}`;
      const streamed = await endpoint.ask({ body: sql });
      expect([streamed.status, streamed.complete]).to.deep.equal([200, true]);
      if (format === 'Values' || format === 'XML') return;
      const insert = await endpoint.ask({
        body: streamed.bytes,
        params: { query: `INSERT INTO t FORMAT ${format}`, input_format_skip_unknown_fields: '1' },
      });
      expect(insert.status, insert.text).to.equal(200);
      expect(await endpoint.query('SELECT count(), sum(a), max(length(s)) FROM t')).to.equal(
        '300000\t44999850000\t6\n',
      );
    });
  }

  it('lets a question use several cores within the memory it may have', async () => {
    const plan = await endpoint.query(
      'EXPLAIN PIPELINE SELECT sum(number) FROM numbers_mt(100000000) SETTINGS max_threads = 4',
    );
    expect(plan).to.match(/NumbersRange × 4/);
  });

  it('refuses more queries than it may run, and runs again afterwards', async () => {
    const sql = 'SELECT sum(sleepEachRow(0.05)) FROM numbers(1000)';
    const aborted = Array.from({ length: 4 }, () => {
      const socket = createConnection(endpoint.address.port, endpoint.address.host);
      const auth = Buffer.from(`${ADMIN.name}:${ADMIN.password}`).toString('base64');
      const path = `/?max_block_size=1&query=${encodeURIComponent(sql)}`;
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${auth}\r\n\r\n`,
      );
      return socket;
    });
    let answer = await endpoint.ask({ body: 'SELECT 1' });
    while (answer.status === 200) answer = await endpoint.ask({ body: 'SELECT 1' });
    expect(answer.headers['x-clickhouse-exception-code']).to.equal('202');
    for (const socket of aborted) socket.destroy();
    while (answer.status !== 200) answer = await endpoint.ask({ body: 'SELECT 1' });
    const left = async () =>
      endpoint.query(
        'SELECT count() FROM system.processes ' +
          "WHERE query LIKE '%sleepEachRow(0.05)%' AND query NOT LIKE '%system.processes%'",
      );
    while ((await left()) !== '0\n');
  });

  it('goes on when a client leaves in the middle of an answer or of a body', async () => {
    for (let round = 0; round < 6; round++) {
      const socket = createConnection(endpoint.address.port, endpoint.address.host);
      const auth = Buffer.from(`${ADMIN.name}:${ADMIN.password}`).toString('base64');
      const head = (path: string) =>
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${auth}\r\n`;
      if (round % 2 === 0) {
        const sql = 'SELECT number FROM numbers(1000000000)';
        socket.write(`${head('/')}Content-Length: ${sql.length}\r\n\r\n${sql}`);
        await new Promise((resolve) => socket.once('data', resolve));
      } else {
        const path = '/?query=INSERT%20INTO%20t%20FORMAT%20CSV';
        socket.write(`${head(path)}Content-Length: 1000000\r\n\r\n1,a\n2,b\n`);
        await new Promise((resolve) => setImmediate(resolve));
      }
      socket.destroy();
    }
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('0\n');
    const running = () =>
      endpoint.query(
        'SELECT count() FROM system.processes ' +
          "WHERE query LIKE '%1000000000%' AND query NOT LIKE '%system.processes%'",
      );
    while ((await running()) !== '0\n');
  });

  it('keeps a log of queries for the administrator', async () => {
    await endpoint.ask({ body: 'SELECT 4711', params: { query_id: 'logged' } });
    await endpoint.ask({ body: 'SELECT * FROM nowhere', params: { query_id: 'failed' } });
    const lines = (await endpoint.ask({ path: '/queries' })).text.trim().split('\n');
    const entries = lines.map((line) => JSON.parse(line));
    expect(entries.find((entry) => entry.queryId === 'logged')).to.include({
      user: 'default',
      query: 'SELECT 4711',
      status: 200,
      resultRows: 1,
    });
    expect(entries.find((entry) => entry.queryId === 'failed')).to.include({
      query: 'SELECT * FROM nowhere',
      status: 404,
      exceptionCode: 60,
    });
  });
});

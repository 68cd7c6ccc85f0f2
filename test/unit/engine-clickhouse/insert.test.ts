/** INSERT: any size in bounded memory, exactly the data that was sent, retries by token. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect } from 'chai';
import { ADMIN, type Endpoint, READER, startEndpoint } from './endpoint.ts';

/** Resident bytes of a process; Linux only. */
function residentBytes(pid: number): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(line?.[1] ?? 0) * 1024;
}

describe('INSERT into the embedded ClickHouse', () => {
  let endpoint: Endpoint;
  before(async () => {
    endpoint = await startEndpoint({ memoryBytesMax: 1024 ** 3 });
    const window = 'SETTINGS non_replicated_deduplication_window = 100';
    await endpoint.query(
      `CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a ${window}`,
    );
  });
  after(() => endpoint?.stop());
  beforeEach(() => endpoint.query('TRUNCATE TABLE t'));

  const insert = (query: string, body: string | Buffer, params: Record<string, string> = {}) =>
    endpoint.ask({ body, params: { query, ...params } });

  async function send(query: string, bytesTotal: number): Promise<number> {
    const row = Buffer.alloc(8 + 1 + 111, 'x'); // UInt64, length, 111 characters
    row[8] = 111;
    const rows = Math.ceil(65_536 / row.length);
    const chunk = Buffer.concat(Array.from({ length: rows }, () => row));
    let sent = 0;
    const chunks = function* () {
      for (; sent < bytesTotal; sent += chunk.length) {
        yield chunk;
      }
    };
    const url = new URL(endpoint.address.url);
    url.searchParams.set('query', query);
    const call = request(url, { method: 'POST', auth: `${ADMIN.name}:${ADMIN.password}` });
    const status = new Promise<number>((resolve, reject) => {
      call.on('response', (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      call.on('error', reject);
    });
    await pipeline(Readable.from(chunks()), call);
    expect(await status).to.equal(200);
    return (sent / chunk.length) * rows;
  }

  it('takes 800 MB with no more memory than 400 MB need', async function () {
    if (process.platform !== 'linux') this.skip();
    const { pid } = endpoint.address;
    let peak = 0;
    const watch = setInterval(() => {
      peak = Math.max(peak, residentBytes(pid));
    }, 20);
    const peakOf = async (bytes: number): Promise<number> => {
      peak = 0;
      const rows = await send('INSERT INTO t FORMAT RowBinary', bytes);
      expect(await endpoint.query('SELECT count() FROM t')).to.equal(`${rows}\n`);
      await endpoint.query('TRUNCATE TABLE t');
      return peak;
    };
    const first = await peakOf(400e6);
    const second = await peakOf(800e6);
    clearInterval(watch);
    expect((second - first) / 1e6, 'MB more').to.be.lessThan(200);
    expect(second / 1e6, 'MB').to.be.lessThan(1200);
    const left = readdirSync(join(endpoint.dataDir, 'work')).filter((name) => /^insert/.test(name));
    expect(left).to.deep.equal([]);
  });

  it('stores two inserts of equal content twice, since each has its own token', async () => {
    for (let i = 0; i < 2; i++) {
      await insert('INSERT INTO t FORMAT CSV', '1,a\n');
      await endpoint.query("INSERT INTO t VALUES (1, 'a')");
      await endpoint.query("INSERT INTO t SELECT 1, 'a'");
    }
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('6\n');
  });

  const tokens: readonly [title: string, query: string, params: Record<string, string>][] = [
    ['in the URL', 'INSERT INTO t FORMAT CSV', { insert_deduplication_token: 'one' }],
    ['in its SETTINGS', "INSERT INTO t SETTINGS insert_deduplication_token = 'two' FORMAT CSV", {}],
  ];
  for (const [title, query, params] of tokens) {
    it(`stores a retried insert once when it has a token ${title}`, async () => {
      for (let i = 0; i < 3; i++) {
        expect((await insert(query, '1,a\n2,b\n', params)).status).to.equal(200);
      }
      expect(await endpoint.query('SELECT count() FROM t')).to.equal('2\n');
    });
  }

  it('stores a retried INSERT … SELECT once when it has a token', async () => {
    for (let i = 0; i < 2; i++) {
      await endpoint.query('INSERT INTO t SELECT number, 1 FROM numbers(5)', {
        insert_deduplication_token: 'three',
      });
    }
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('5\n');
  });

  it('takes data that looks like SQL for data', async () => {
    const text = "a\n\nDROP TABLE t;\n'; DROP TABLE t; --\nFORMAT CSV\n";
    const rows = text.split('\n').map((s, a) => JSON.stringify({ a, s }));
    const body = `INSERT INTO t FORMAT JSONEachRow\n${rows.join('\n\n')}\n\n`;
    expect((await endpoint.ask({ body })).status).to.equal(200);
    const back = await endpoint.query('SELECT s FROM t ORDER BY a FORMAT JSONCompactColumns');
    expect(JSON.parse(back)).to.deep.equal([text.split('\n')]);
  });

  const shapes: readonly [title: string, query: string | undefined, body: string][] = [
    ['VALUES in the body', undefined, "INSERT INTO t VALUES (1, 'a'), (2, 'b')"],
    [
      'VALUES with expressions and a semicolon',
      undefined,
      "INSERT INTO t VALUES (1 + 0, lower('A')), (2, 'b');",
    ],
    ['VALUES in the URL, data in the body', 'INSERT INTO t VALUES', "(1, 'a'), (2, 'b')"],
    ['everything in the URL', "INSERT INTO t VALUES (1, 'a'), (2, 'b')", ''],
    ['columns in another order', 'INSERT INTO t (s, a) FORMAT CSV', 'a,1\nb,2\n'],
    ['no line break at the end', 'INSERT INTO t FORMAT CSV', '1,a\n2,b'],
    ['a database name', 'INSERT INTO default.t FORMAT TSV', '1\ta\n2\tb\n'],
    ['a quoted name', 'INSERT INTO `default`."t" FORMAT TSV', '1\ta\n2\tb\n'],
    [
      'a comment with a keyword',
      'INSERT INTO /* FORMAT X */ t -- VALUES\n FORMAT TSV',
      '1\ta\n2\tb\n',
    ],
    ['settings', 'INSERT INTO t SETTINGS max_threads = 1 FORMAT TSV', '1\ta\n2\tb\n'],
    [
      'a WITH in front',
      undefined,
      "WITH 'a' AS x INSERT INTO t SELECT 1, x UNION ALL SELECT 2, 'b'",
    ],
  ];
  for (const [title, query, body] of shapes) {
    it(`understands ${title}`, async () => {
      const params: Record<string, string> = query === undefined ? {} : { query };
      const answer = await endpoint.ask({ body, params });
      expect(answer.status, answer.text).to.equal(200);
      expect(await endpoint.query('SELECT * FROM t ORDER BY a')).to.equal('1\ta\n2\tb\n');
    });
  }

  it('fills parameters in the head of an INSERT', async () => {
    const query = 'INSERT INTO {table:Identifier} FORMAT CSV';
    expect((await insert(query, '5,x\n', { param_table: 't' })).status).to.equal(200);
    expect(await endpoint.query('SELECT a FROM t')).to.equal('5\n');
  });

  it('takes a head of 200 kB that comes in small pieces', async () => {
    const head = Buffer.from(`INSERT INTO t /* ${'x'.repeat(200_000)} */ FORMAT CSV\n1,a\n`);
    const url = new URL(endpoint.address.url);
    const call = request(url, { method: 'POST', auth: `${ADMIN.name}:${ADMIN.password}` });
    const status = new Promise<number>((resolve) =>
      call.on('response', (response) => resolve(response.resume().statusCode ?? 0)),
    );
    for (let at = 0; at < head.length; at += 7_001) call.write(head.subarray(at, at + 7_001));
    call.end();
    expect(await status).to.equal(200);
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('1\n');
  });

  it('stores nothing of an insert with a bad row, and says which', async () => {
    const answer = await insert('INSERT INTO t FORMAT TSV', '1\ta\nx\tb\n3\tc\n');
    expect(answer.status).to.equal(400);
    expect(answer.text).to.contain('(at row 2)');
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('0\n');
  });

  it('does not keep a row before it is written, even when told to by async_insert', async () => {
    const params = { async_insert: '1', wait_for_async_insert: '0' };
    await insert('INSERT INTO t FORMAT CSV', '1,a\n', params);
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('1\n');
  });

  it('lets the administrator read files by absolute path with file()', async () => {
    const path = join(endpoint.dataDir, 'config', 'users.xml');
    const sql = `SELECT count() > 5 FROM file('${path}', 'LineAsString')`;
    expect(await endpoint.query(sql)).to.equal('1\n');
  });

  describe('with data that was handed over as a file', () => {
    const query = 'INSERT INTO t FORMAT CSV';
    const put = (name: string, text: string) =>
      writeFileSync(join(endpoint.address.handOverFolder, name), text);

    it('stores what the file holds, once for each token, and leaves the file', async () => {
      put('a-1', '1,a\n2,b\n');
      const params = { millrace_file: 'a-1', insert_deduplication_token: 'once' };
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const answer = await insert(query, '', params);
        expect([answer.status, answer.text]).to.deep.equal([200, '']);
      }
      expect(await endpoint.query('SELECT a, s FROM t ORDER BY a FORMAT CSV')).to.equal(
        '1,"a"\n2,"b"\n',
      );
      expect(readdirSync(endpoint.address.handOverFolder)).to.deep.equal(['a-1']);
    });

    const refused = [
      { title: 'a path', name: '../config/users.xml', code: '36' },
      { title: 'a hidden name', name: '.x', code: '36' },
      { title: 'no name', name: '', code: '36' },
      { title: 'a name too long', name: 'x'.repeat(65), code: '36' },
      { title: 'a file that is not there', name: 'x'.repeat(64), code: '107' },
    ];
    for (const { title, name, code } of refused) {
      it(`refuses ${title}`, async () => {
        const answer = await insert(query, '', { millrace_file: name });
        expect(answer.headers['x-clickhouse-exception-code']).to.equal(code);
        expect(answer.text).to.contain('millrace_file').and.not.contain(endpoint.dataDir);
      });
    }

    it('is for the administrator alone', async () => {
      put('b-1', '1,a\n');
      const params = { query, millrace_file: 'b-1' };
      const answer = await endpoint.ask({ body: '', params, user: READER });
      expect(answer.headers['x-clickhouse-exception-code']).to.equal('164');
      expect(await endpoint.query('SELECT count() FROM t')).to.equal('0\n');
    });
  });
});

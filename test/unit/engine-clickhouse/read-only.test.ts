/** The read-only user: what it can do as on a server, and every way round the guard we know of. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Endpoint, READER, startEndpoint } from './endpoint.ts';

const SECRET = 'the-secret-in-the-file';

describe('the read-only user of the embedded ClickHouse', () => {
  let endpoint: Endpoint;
  let folder: string;
  let secret: string;
  let server: Server;
  let port: number;
  let connections = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-secret-'));
    secret = join(folder, 'secret.txt');
    writeFileSync(secret, SECRET);
    server = createServer((_request, response) => response.end(SECRET));
    server.on('connection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    endpoint = await startEndpoint();
    await endpoint.query('CREATE TABLE t (a UInt32, s String) ENGINE = MergeTree ORDER BY a');
    await endpoint.query("INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    await endpoint.query('CREATE VIEW v AS SELECT a FROM t');
    await endpoint.query(
      'CREATE DICTIONARY d (a UInt64, s String) PRIMARY KEY a ' +
        "SOURCE(CLICKHOUSE(TABLE 't')) LIFETIME(0) LAYOUT(HASHED())",
    );
  });
  after(async () => {
    await endpoint?.stop();
    server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** `PATH` stands for the secret file, `URL` for a server that must see no connection. */
  const fill = (sql: string) =>
    sql.replaceAll('PATH', secret).replaceAll('URL', `http://127.0.0.1:${port}`);

  const refused: readonly string[] = [
    "SELECT file('PATH')",
    "SELECT FILE('PATH')",
    "SELECT `file`('PATH')",
    'SELECT "file"(\'PATH\')',
    'SELECT "\\x66ile"(\'PATH\')',
    "SELECT `f\\x69le`('PATH')",
    "SELECT /* x */ file /* y */ ('PATH')",
    "SELECT file\n(\n'PATH'\n)",
    "SELECT file -- (\n('PATH')",
    "WITH file('PATH') AS x SELECT x",
    "WITH (SELECT file('PATH')) AS x SELECT x",
    "WITH x AS (SELECT file('PATH') AS f) SELECT f FROM x",
    "WITH RECURSIVE x AS (SELECT file('PATH') AS f) SELECT f FROM x",
    "WITH (p -> file(p)) AS f SELECT f('PATH')",
    "WITH file AS f SELECT f('PATH')",
    "SELECT arrayMap(p -> file(p), ['PATH'])",
    "SELECT arrayMap(file, ['PATH'])",
    "SELECT * APPLY(file) FROM (SELECT 'PATH' AS p)",
    "SELECT COLUMNS('p') APPLY (x -> file(x)) FROM (SELECT 'PATH' AS p)",
    "SELECT * REPLACE (file('PATH') AS a) FROM t",
    "SELECT 1 WHERE EXISTS (SELECT file('PATH'))",
    "SELECT a FROM t WHERE s = file('PATH')",
    "SELECT a FROM t PREWHERE s = file('PATH')",
    "SELECT a FROM t GROUP BY a HAVING any(s) = file('PATH')",
    "SELECT a FROM t ORDER BY file('PATH')",
    "SELECT a FROM t QUALIFY file('PATH') = ''",
    "SELECT sum(a) OVER (w) FROM t WINDOW w AS (ORDER BY file('PATH'))",
    "SELECT 1 LIMIT length(file('PATH'))",
    "SELECT a FROM t LIMIT 1 BY file('PATH')",
    "SELECT 1 UNION ALL SELECT length(file('PATH'))",
    "SELECT 1 INTERSECT SELECT length(file('PATH'))",
    "SELECT * FROM t AS x JOIN t AS y ON x.a = y.a AND file('PATH') != ''",
    "SELECT * FROM view(SELECT file('PATH'))",
    "SELECT * FROM numbers(length(file('PATH')))",
    "SELECT * FROM values(file('PATH'))",
    "SELECT if(1, file('PATH'), '')",
    "SELECT dictGet('d', 's', length(file('PATH')))",
    "SELECT * FROM file('PATH', 'LineAsString')",
    "SELECT * FROM `file`('PATH', 'LineAsString')",
    "SELECT * FROM FILE('PATH', 'LineAsString')",
    "SELECT 1 IN file('PATH', 'LineAsString')",
    "SELECT a IN (SELECT * FROM file('PATH', 'LineAsString')) FROM t",
    "SELECT * FROM t JOIN file('PATH', 'LineAsString') AS f ON 1 = 1",
    "SELECT * FROM filesystem('PATH')",
    "SELECT * FROM fileCluster('default', 'PATH', 'LineAsString')",
    "SELECT * FROM executable('x.sh', 'CSV', 'a Int8')",
    "SELECT * FROM url('URL', 'LineAsString')",
    "SELECT 1 IN url('URL', 'LineAsString', 'l String')",
    "SELECT * FROM s3('URL/bucket/x.csv', 'CSV', 'a String')",
    "SELECT * FROM s3('URL/bucket/x.csv', NOSIGN, 'CSV')",
    "SELECT * FROM remote('127.0.0.1', system.one)",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'a Int8')",
    "SELECT * FROM redis('127.0.0.1:1', 'k', 'k Int8')",
    "SELECT * FROM sqlite('PATH', 't')",
    "SELECT * FROM deltaLake('URL/b/x')",
    "SELECT * FROM icebergLocal('PATH')",
    "SELECT * FROM eval('SELECT 1')",
    "SELECT * FROM input('a Int8')",
    "SELECT * FROM format(LineAsString, 'x')",
    'SELECT * FROM loop(t) LIMIT 1',
    "EXPLAIN SELECT file('PATH')",
    "EXPLAIN SYNTAX SELECT file('PATH')",
    "EXPLAIN QUERY TREE SELECT file('PATH')",
    "EXPLAIN header = 1, actions = 1 SELECT file('PATH')",
    "EXPLAIN PIPELINE SELECT * FROM url('URL', 'LineAsString')",
    "EXPLAIN TABLE OVERRIDE mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "EXPLAIN AST INSERT INTO t VALUES (1, '')",
    "DESCRIBE TABLE file('PATH')",
    "DESCRIBE file('PATH')",
    "DESC (SELECT file('PATH'))",
    "DESC values(file('PATH'))",
    "DESCRIBE TABLE url('URL', 'LineAsString')",
    "SHOW TABLES WHERE name = file('PATH')",
    "SHOW TABLES LIMIT length(file('PATH'))",
    "SHOW TABLES WHERE `\\x66ile`('PATH') = name",
    "SELECT 1 INTO OUTFILE 'PATH.out'",
    "SELECT 1 INTO OUTFILE 'PATH.out' TRUNCATE FORMAT CSV",
    "SELECT 1 FORMAT CSV INTO OUTFILE 'PATH.out'",
    "INSERT INTO t VALUES (3, 'x')",
    'INSERT INTO t SELECT 3, 4',
    "INSERT INTO FUNCTION file('PATH.out', 'CSV', 'a Int8') VALUES (1)",
    "INSERT INTO t FROM INFILE 'PATH' FORMAT LineAsString",
    'WITH 1 AS x INSERT INTO t SELECT x, x',
    'CREATE TABLE x (a Int8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE x (a Int8)',
    "CREATE VIEW x AS SELECT file('PATH')",
    'CREATE FUNCTION x AS (p) -> file(p)',
    "CREATE TABLE x (l String) ENGINE = File('LineAsString', 'PATH')",
    'ALTER TABLE t DELETE WHERE 1',
    'DELETE FROM t WHERE 1',
    'UPDATE t SET s = 1 WHERE 1',
    'TRUNCATE TABLE t',
    'DROP TABLE t',
    'RENAME TABLE t TO u',
    'OPTIMIZE TABLE t FINAL',
    'DETACH TABLE t',
    'KILL QUERY WHERE 1',
    'SYSTEM FLUSH LOGS',
    'SYSTEM SHUTDOWN',
    'SYSTEM RELOAD DICTIONARIES',
    'SET readonly = 0',
    'SET ROLE millrace_admin',
    'SET ROLE ALL',
    'GRANT millrace_admin TO default',
    'CREATE USER x',
    "BACKUP TABLE t TO File('PATH.backup')",
    'USE system',
    'SELECT 1; DROP TABLE t',
    'SELECT 1 /* */; SET ROLE ALL; SELECT 2',
    'SELECT 1 SETTINGS readonly = 0',
    'SELECT 1 SETTINGS max_threads = 3',
    "SELECT a FROM t SETTINGS additional_table_filters = {'t': 'file(\\'PATH\\') != \\'\\''}",
    'SELECT 1 FORMAT CSV SETTINGS readonly = 0',
    "SELECT catboostEvaluate('PATH', 1)",
    "SELECT reverseDNSQuery('127.0.0.1')",
    "SELECT * FROM merge(file('PATH'), 't')",
  ];
  for (const sql of refused) {
    it(`may not: ${sql.replaceAll('\n', ' ')}`, async () => {
      const answer = await endpoint.read(fill(sql));
      expect(answer.status, answer.text).to.not.equal(200);
      expect(answer.headers['x-clickhouse-exception-code'], answer.text).to.match(/^\d+$/);
      expect(answer.text).to.not.contain(SECRET);
      expect(connections, 'connections made').to.equal(0);
      expect(existsSync(`${secret}.out`), 'file written').to.equal(false);
      expect(await endpoint.query('SELECT count(), sum(a) FROM t')).to.equal('2\t3\n');
    });
  }

  const params: readonly [sql: string, params: Record<string, string>][] = [
    ["SELECT {f:Identifier}('x')", { param_f: 'file' }],
    ['SELECT {f:Identifier} FROM t', { param_f: 'file' }],
    ['SELECT 1', { default_format: 'CSV; DROP TABLE t' }],
    ['SELECT 1', { default_format: "CSV; SELECT file('/etc/passwd')" }],
    ['SELECT 1', { database: '`; DROP TABLE t' }],
    ['SELECT 1', { 'max_threads = 1, readonly': '0' }],
    ['SELECT 1', { readonly: '0' }],
    ['SELECT 1', { readonly: '2' }],
    ['SELECT 1', { role: 'millrace_admin' }],
    ['SELECT a FROM t', { additional_table_filters: "{'t': 'a = 1'}" }],
    ['SELECT 1', { additional_result_filter: '0' }],
    ['SELECT 1', { dialect: 'prql' }],
    ['SELECT 1', { format_schema: '/etc/passwd' }],
    ['SELECT 1 FORMAT CapnProto', { output_format_schema: '/tmp/x.capnp' }],
    ['SELECT 1 FORMAT Template', { format_template_row: '/etc/passwd' }],
    ["SELECT * FROM eval('SELECT 1')", { allow_experimental_eval_table_function: '1' }],
    ['SELECT 1', { allow_ddl: '1' }],
  ];
  for (const [sql, given] of params) {
    it(`may not: ${sql} with ${JSON.stringify(given)} in the URL`, async () => {
      const answer = await endpoint.read(sql, given);
      expect(answer.status, answer.text).to.not.equal(200);
      expect(answer.headers['x-clickhouse-exception-code']).to.match(/^\d+$/);
    });
  }

  it('may not write by POST with the statement in the URL and data in the body', async () => {
    const answer = await endpoint.ask({
      params: { query: 'INSERT INTO t FORMAT CSV' },
      body: '3,x\n',
      user: READER,
    });
    expect(answer.headers['x-clickhouse-exception-code']).to.equal('164');
    expect(await endpoint.query('SELECT count() FROM t')).to.equal('2\n');
  });

  it('keeps nothing of what another request or session did', async () => {
    const session = { session_id: 'shared' };
    await endpoint.query('CREATE TEMPORARY TABLE mine (a Int8)', session);
    expect((await endpoint.read('SELECT * FROM mine', session)).status).to.equal(404);
    expect((await endpoint.read('SELECT 1', session)).text).to.equal('1\n');
    expect((await endpoint.read('SELECT 2', session)).text).to.equal('2\n');
  });

  it('may not read the query log', async () => {
    const answer = await endpoint.ask({ path: '/queries', user: READER });
    expect(answer.status).to.equal(403);
  });

  const allowed: readonly [sql: string, result: RegExp][] = [
    ['SELECT 1', /^1\n$/],
    ['(SELECT 1)', /^1\n$/],
    ['SELECT a, s FROM t ORDER BY a', /^1\tone\n2\ttwo\n$/],
    ['SELECT * FROM v ORDER BY a', /^1\n2\n$/],
    ['WITH 2 AS x SELECT count() FROM t WHERE a = x', /^1\n$/],
    ['SELECT * FROM t WHERE a IN (SELECT a FROM t) ORDER BY a LIMIT 1', /^1\tone\n$/],
    ["SELECT dictGet('d', 's', 1)", /^one\n$/],
    ['SELECT sum(number) FROM numbers(10)', /^45\n$/],
    ["SELECT * FROM values('a Int8', 1, 2)", /^1\n2\n$/],
    ["SELECT 'file', 'url', format('{}', s) FROM t ORDER BY a LIMIT 1", /^file\turl\tone\n$/],
    ["SELECT count() FROM merge(currentDatabase(), '^t$')", /^2\n$/],
    ["SELECT 'a;b' -- ; DROP TABLE t", /^a;b\n$/],
    ['SELECT 1;', /^1\n$/],
    ['SHOW TABLES', /^d\nt\nv\n$/],
    ["SHOW TABLES LIKE 't%'", /^t\n$/],
    ["SHOW TABLES WHERE name IN ('t', 'v')", /^t\nv\n$/],
    ['SHOW DATABASES', /system/],
    ['SHOW CREATE TABLE t', /MergeTree/],
    ['SHOW COLUMNS FROM t', /UInt32/],
    ['SHOW PROCESSLIST', /system.processes/],
    ['SHOW GRANTS', /SELECT/],
    ['DESCRIBE TABLE t', /^a\tUInt32/],
    ['DESC t FORMAT TSV', /^a\tUInt32/],
    ['DESC (SELECT 1 AS x)', /^x\tUInt8/],
    ['EXISTS TABLE t', /^1\n$/],
    ['EXPLAIN SELECT * FROM t WHERE a = 1', /MergeTree/],
    ['EXPLAIN AST SELECT 1', /SelectQuery/],
    ['EXPLAIN SYNTAX SELECT 1', /SELECT 1/],
    ['EXPLAIN indexes = 1, actions = 1 SELECT * FROM t WHERE a = 1', /PrimaryKey/],
    ["SELECT getSetting('readonly')", /^1\n$/],
    ['SELECT 1 AS a FORMAT JSONEachRow', /^\{"a":1\}\n$/],
  ];
  for (const [sql, result] of allowed) {
    it(`may: ${sql}`, async () => {
      const answer = await endpoint.read(sql);
      expect(answer.status, answer.text).to.equal(200);
      expect(answer.text).to.match(result);
    });
  }

  it('may send the settings of common clients and parameters', async () => {
    const answer = await endpoint.read('SELECT {x:String} AS x, toDateTime(0) AS t FORMAT JSON', {
      param_x: "a'b",
      readonly: '1',
      max_execution_time: '5',
      session_timezone: 'Asia/Tokyo',
      output_format_json_quote_64bit_integers: '0',
      date_time_output_format: 'iso',
      wait_end_of_query: '1',
    });
    expect(answer.status, answer.text).to.equal(200);
    expect(JSON.parse(answer.text).data).to.deep.equal([{ x: "a'b", t: '1970-01-01T00:00:00Z' }]);
    expect(answer.headers['x-clickhouse-timezone']).to.equal('Asia/Tokyo');
  });

  it('sees the position of a syntax error in its own text', async () => {
    const answer = await endpoint.read('SELECT * FRM x y');
    expect(answer.status).to.equal(400);
    expect(answer.text).to.match(/failed at position 1[0-9] /);
    expect(answer.text).to.not.contain('EXPLAIN');
  });
});

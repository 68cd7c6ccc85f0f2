/** Routing needs to know where a statement ends and where data begins, in any disguise. */
import { expect } from 'chai';
import { parseEngineError } from '../../../src/engine/clickhouse/http/status.ts';
import { readInsert, readStatement } from '../../../src/engine/clickhouse/statement.ts';

describe('clickhouse statements', () => {
  const kinds: readonly [sql: string, kind: string][] = [
    ['SELECT 1', 'rows'],
    ['  -- comment\n/* another */ select 1', 'rows'],
    ['# comment\nselect 1', 'rows'],
    ['(SELECT 1) UNION ALL (SELECT 2)', 'rows'],
    ['WITH 1 AS x SELECT x', 'rows'],
    ['WITH 1 AS x INSERT INTO t SELECT x', 'other'],
    ['show tables', 'show'],
    ['DESC t', 'show'],
    ['exists table t', 'show'],
    ['INSERT INTO t VALUES (1)', 'insert'],
    ['-- x\ninsert into t select 1', 'insert'],
    ['create table t (a Int8) engine = Memory', 'other'],
    ['KILL QUERY WHERE 1', 'other'],
    ['', 'empty'],
    ['  -- only a comment', 'empty'],
  ];
  for (const [sql, kind] of kinds) {
    it(`${JSON.stringify(sql)} is of kind ${kind}`, () => {
      expect(readStatement(sql).kind).to.equal(kind);
    });
  }

  const ends: readonly [sql: string, multiple: boolean][] = [
    ['select 1', false],
    ['select 1;', false],
    ['select 1; ;; -- done', false],
    ['select 1; select 2', true],
    ["select ';' ; drop table t", true],
    ["select '; drop table t'", false],
    ["select 'it''s; fine'", false],
    ["select 'it\\'s; fine'", false],
    ['select "a;b", `c;d`', false],
    ['select 1 -- ; drop table t', false],
    ['select 1 /* ; drop table t */', false],
    ['select 1 /* */ ; drop table t', true],
    ['select $$; drop table t$$', false],
    ['select $tag$; $$ ; $tag$', false],
    ['select $tag$ x $tag$; drop table t', true],
    ["select '\\\\'; drop table t", true],
    ['select \xe2\x80\x98;\xe2\x80\x99', false],
  ];
  for (const [sql, multiple] of ends) {
    const count = multiple ? 'more than one statement' : 'one statement';
    it(`${JSON.stringify(sql)} is ${count}`, () => {
      expect(readStatement(sql).multiple).to.equal(multiple);
    });
  }

  const tails: readonly [
    sql: string,
    format: string | undefined,
    body: string,
    settings: string,
  ][] = [
    ['select 1 format JSON', 'JSON', 'select 1 ', ''],
    ['select 1 FORMAT JSON;', 'JSON', 'select 1 ', ''],
    ['select 1', undefined, 'select 1', ''],
    ['select 1 settings a=1', undefined, 'select 1 ', 'settings a=1'],
    ['select 1 settings a=1 format CSV', 'CSV', 'select 1 ', 'settings a=1 '],
    ['select 1 format CSV settings a=1, b=2', 'CSV', 'select 1 ', 'settings a=1, b=2'],
    ["select format('{}', 1)", undefined, "select format('{}', 1)", ''],
    ["select 'format JSON'", undefined, "select 'format JSON'", ''],
    ['select format from t', undefined, 'select format from t', ''],
    ['select (select 1 format) format TSV', 'TSV', 'select (select 1 format) ', ''],
    ['select 1 -- format JSON', undefined, 'select 1 -- format JSON', ''],
    [
      'select 1 settings a=1 union all select 2',
      undefined,
      'select 1 settings a=1 union all select 2',
      '',
    ],
    ["show settings like 'x'", undefined, "show settings like 'x'", ''],
  ];
  for (const [sql, format, body, settings] of tails) {
    it(`${JSON.stringify(sql)} asks for the format ${format ?? 'of the request'}`, () => {
      const read = readStatement(sql);
      expect([read.format, read.body, read.settings]).to.deep.equal([format, body, settings]);
    });
  }

  const inserts: readonly [sql: string, target: string, format: string, data: string][] = [
    ['insert into t format CSV\n1,2', 'insert into t', 'CSV', '1,2'],
    ['insert into t (a, b) format CSV \r\n1,2', 'insert into t (a, b)', 'CSV', '1,2'],
    ['insert into t format JSONEachRow {"a":1}', 'insert into t', 'JSONEachRow', '{"a":1}'],
    ['insert into t values (1), (2);', 'insert into t', 'Values', ' (1), (2);'],
    ['insert into t(a)values(1)', 'insert into t(a)', 'Values', '(1)'],
    ['insert into db.values values (1)', 'insert into db.values', 'Values', ' (1)'],
    ['insert into format format CSV\n1', 'insert into format', 'CSV', '1'],
    ['insert into format.t format CSV\n1', 'insert into format.t', 'CSV', '1'],
    ['insert into t settings a=1 format CSV\nx', 'insert into t', 'CSV', 'x'],
    [
      "insert into function null('a Int8') format CSV\n1",
      "insert into function null('a Int8')",
      'CSV',
      '1',
    ],
    ['insert into t /* format X */ format CSV\n\n1', 'insert into t /* format X */', 'CSV', '\n1'],
    ["insert into t format CSV\n'; drop table", 'insert into t', 'CSV', "'; drop table"],
  ];
  for (const [sql, target, format, data] of inserts) {
    it(`${JSON.stringify(sql)} brings its data as ${format}`, () => {
      const shape = readInsert(sql, true);
      if (typeof shape === 'string') throw new Error(shape);
      expect([shape.target, shape.format, sql.slice(shape.dataAt)]).to.deep.equal([
        target,
        format,
        data,
      ]);
    });
  }

  it('an INSERT with a SELECT, from a file, or cut off is told apart', () => {
    expect(readInsert('insert into t select 1', true)).to.equal('query');
    expect(readInsert('insert into t (a) with 1 as x select x', true)).to.equal('query');
    expect(readInsert("insert into t from infile 'x' format CSV", true)).to.equal('infile');
    for (const cut of [
      'insert into t (a',
      'insert into t form',
      'insert into t format',
      'insert',
    ]) {
      expect(readInsert(cut, false), cut).to.equal('more');
    }
    expect(readInsert('insert into t format JSON', false), 'JSONEachRow?').to.equal('more');
  });

  const errors: readonly [thrown: string, code: number, name: string, text: string][] = [
    [
      'Code: 60. DB::Exception: Unknown table t. (UNKNOWN_TABLE)',
      60,
      'UNKNOWN_TABLE',
      'Unknown table t',
    ],
    [
      'Code: 27. DB::Exception: Code: 27. DB::Exception: Cannot parse: (at row 2)\n: (in file/uri' +
        ' /x/insert-1): While executing CSV: While executing File: data for INSERT was parsed ' +
        'from file. (CANNOT_PARSE) (version 26.7.2.1). (CANNOT_PARSE)',
      27,
      'CANNOT_PARSE',
      'Cannot parse: (at row 2)\n: While executing CSV',
    ],
    ['something else', 1000, 'POCO_EXCEPTION', 'something else'],
  ];
  for (const [thrown, code, name, text] of errors) {
    it(`reads the engine's error ${code} without wrapping and paths`, () => {
      const error = parseEngineError(thrown);
      expect([error.code, error.codeName, error.message]).to.deep.equal([code, name, text]);
    });
  }
});

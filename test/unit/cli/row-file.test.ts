import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { readHeader, readRows } from '../../../src/cli/use/row-file.ts';

interface Case {
  readonly title: string;
  readonly name: string;
  readonly text: string;
  readonly columns?: ReadonlyMap<string, string>;
  readonly idColumn?: string;
  readonly deviceColumn?: string;
  readonly rows: readonly unknown[];
}

const CASES: Case[] = [
  {
    title: 'keeps the digits of a number as they stand in the file',
    name: 'a.csv',
    text: 'timestamp,value\n2013-12-02 21:15:00,74.93588199999998\n2013-12-02 21:20:00,1e400\n',
    rows: [
      [1, '{"timestamp":"2013-12-02 21:15:00","value":74.93588199999998}', null, null],
      [2, '{"timestamp":"2013-12-02 21:20:00","value":1e400}', null, null],
    ],
  },
  {
    title: 'sends what is no JSON number as a string, and leaves empty cells out',
    name: 'a.csv',
    text: 'a,b,c\n007,NaN,\n+1,0x10,hot\n',
    rows: [
      [1, '{"a":"007","b":"NaN"}', null, null],
      [2, '{"a":"+1","b":"0x10","c":"hot"}', null, null],
    ],
  },
  {
    title: 'reads quoted cells, a byte order mark, CRLF and blank lines',
    name: 'a.CSV',
    text: '\ufeff"a","b"\r\n"x ""y""",1\r\n\r\n"two\nlines",2\r\n',
    rows: [
      [1, '{"a":"x \\"y\\"","b":1}', null, null],
      [2, '{"a":"two\\nlines","b":2}', null, null],
    ],
  },
  {
    title: 'gives columns other names, and takes id and device from theirs',
    name: 'a.csv',
    text: 'when,t,id,who\n1,2,e1,d1\n',
    columns: new Map([
      ['time', 'when'],
      ['temperature', 't'],
    ]),
    idColumn: 'id',
    deviceColumn: 'who',
    rows: [[1, '{"time":1,"temperature":2}', 'e1', 'd1']],
  },
  {
    title: 'sends lines of NDJSON byte for byte',
    name: 'a.ndjson',
    text: '{"a": 1.50, "id": 7, "who": "d"}\n\nnot json\n',
    idColumn: 'id',
    deviceColumn: 'who',
    rows: [
      [1, '{"a": 1.50, "id": 7, "who": "d"}', '7', 'd'],
      [2, 'not json', null, null],
    ],
  },
];

describe('rows of a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-rows-'));
  after(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };
  const optionsOf = (file: string, given: Partial<Case>) => ({
    file,
    columns: given.columns ?? null,
    idColumn: given.idColumn ?? null,
    deviceColumn: given.deviceColumn ?? null,
  });
  const failure = async (work: () => Promise<unknown>) => {
    try {
      await work();
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error('expected it to fail');
  };

  for (const given of CASES) {
    it(given.title, async () => {
      const file = write(given.name, given.text);
      const rows: unknown[] = [];
      for await (const { number, payload, id, device } of readRows(optionsOf(file, given))) {
        rows.push([number, Buffer.from(payload).toString('utf8'), id, device]);
      }
      expect(rows).to.deep.equal(given.rows);
    });
  }

  it('names the columns of a CSV file and the members of an NDJSON file', async () => {
    expect(await readHeader(write('h.csv', ' a ,b\n1,2\n'))).to.deep.equal(['a', 'b']);
    expect(await readHeader(write('h.jsonl', '{"x":1,"y":{}}\n'))).to.deep.equal(['x', 'y']);
  });

  it('says which file and row cannot be read', async () => {
    const file = write('broken.csv', 'a,b\n1,2\n1,2,3\n');
    const rows = async () => {
      for await (const _ of readRows(optionsOf(file, {})));
    };
    const error = await failure(rows);
    expect(error.code).to.equal('INPUT_INVALID');
    expect(error.message).to.contain('broken.csv').and.to.contain('row 2');
  });

  it('refuses an empty file and a column that is not there', async () => {
    const empty = write('empty.csv', '');
    expect((await failure(() => readHeader(empty))).message).to.contain('it is empty');
    const file = write('c.csv', 'a,b\n1,2\n');
    const rows = async () => {
      for await (const _ of readRows(optionsOf(file, { idColumn: 'id' })));
    };
    expect((await failure(rows)).message).to.contain('no column "id"; it has: a, b');
  });
});

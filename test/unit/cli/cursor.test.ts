import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Contiguous, CursorFile } from '../../../src/cli/use/cursor.ts';

describe('the cursor of a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-cursor-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is remembered per key', () => {
    new CursorFile(folder, 'a').save(7);
    new CursorFile(folder, 'b').save(9);
    expect(new CursorFile(folder, 'a').rows).to.equal(7);
    expect(new CursorFile(folder, 'b').rows).to.equal(9);
    expect(new CursorFile(folder, 'c').rows).to.equal(0);
  });

  it('starts over when its file was cut off', () => {
    new CursorFile(folder, 'a').save(7);
    writeFileSync(join(folder, readdirSync(folder)[0]!), '{"rows":');
    expect(new CursorFile(folder, 'a').rows).to.equal(0);
  });
});

const ORDERS: readonly [title: string, start: number, marks: number[], upTo: number[]][] = [
  ['in order', 0, [1, 2, 3], [1, 2, 3]],
  ['a gap holds it back until it is filled', 0, [2, 3, 1, 5, 4], [0, 0, 3, 3, 5]],
  ['from where an earlier run ended', 10, [12, 11], [10, 12]],
];

describe('rows acknowledged without a gap', () => {
  for (const [title, start, marks, upTo] of ORDERS) {
    it(title, () => {
      const rows = new Contiguous(start);
      const seen = marks.map((mark) => {
        rows.mark(mark);
        return rows.upTo;
      });
      expect(seen).to.deep.equal(upTo);
    });
  }
});

import { expect } from 'chai';
import { BugError } from '../../../src/base/assert.ts';
import {
  aggregateTable,
  channelTable,
  DEAD_LETTERS,
  LEDGER,
  type Table,
} from '../../../src/model/table.ts';
import {
  nativeRow,
  parseNative,
  sliceNative,
} from '../../../src/readmodel/refused/native-split.ts';
import { nativeBlock, type Row } from '../../support/native-writer.ts';
import { TRUCK, truckRow, version } from './fixture.ts';
import { aggregateRow } from './window.ts';

const reading = (metric: string, value: number) => ({ metric, value, timeMs: 5, sequence: 6 });

const TABLES: readonly [Table, readonly Row[]][] = [
  [
    channelTable(TRUCK),
    [1, 2, 3, 4, 5].map((sequence) =>
      truckRow({ sequence, gear: -sequence, device: 'x'.repeat(sequence * 60) }),
    ),
  ],
  [
    aggregateTable('1m'),
    [
      aggregateRow([reading('velocity', 1)], { version: version(7, 8, 9) }),
      aggregateRow([], {}),
      aggregateRow([reading('velocity', 1), reading('gear', 2), reading('größe', -0.5)], {}),
      aggregateRow([reading('gear', 3)], { device: 'd' }),
    ],
  ],
  [LEDGER, [{ log: 'a', reason: ['EMPTY', 'TOO_OLD'], records: [1n, 2n] }, { log: 'b' }]],
  [DEAD_LETTERS, [{ sample: 'abc' }, { sample: '' }, { sample: 'é' }]],
];

describe('cutting a Native block', () => {
  for (const [table, rows] of TABLES) {
    it(`gives the block that the chosen rows of ${table.name} would have made`, () => {
      const block = parseNative(nativeBlock(table, rows).bytes);
      expect(block.rows).to.equal(rows.length);
      for (let from = 0; from < rows.length; from += 1) {
        for (let to = from + 1; to <= rows.length; to += 1) {
          const expected = nativeBlock(table, rows.slice(from, to)).bytes;
          const sliced = sliceNative(block, from, to);
          expect(Buffer.compare(sliced, expected), `rows ${from} to ${to}`).to.equal(0);
        }
      }
    });
  }

  it('reads a row back as values', () => {
    const [table, rows] = TABLES[1]!;
    const block = parseNative(nativeBlock(table, rows).bytes);
    expect(nativeRow(block, 0)).to.include({ channel: 'truck', version: version(7, 8, 9) });
    expect(nativeRow(block, 2)).to.deep.include({
      metric: ['velocity', 'gear', 'größe'],
      sum: [1, 2, -0.5],
      first_time: [5n, 5n, 5n],
    });
    const [truck, samples] = TABLES[0]!;
    const sample = nativeRow(parseNative(nativeBlock(truck, samples).bytes), 2);
    expect(sample).to.include({ sequence: 3n, gear: -3n, velocity: 20.5, engine_on: true });
  });

  for (const change of [-1, 1]) {
    it(`takes a block of ${change} byte for a bug`, () => {
      const { bytes } = nativeBlock(LEDGER, [{ log: 'a' }]);
      const wrong =
        change < 0 ? bytes.slice(0, change) : Buffer.concat([bytes, Buffer.alloc(change)]);
      expect(() => parseNative(wrong)).to.throw(BugError);
    });
  }
});

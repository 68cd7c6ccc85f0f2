/** Chunks are cut where somebody wants to look, and nothing is lost or told twice by a cut. */
import { expect } from 'chai';
import { cutAt } from '../../../src/audit/recomputation.ts';
import type { LogChunk } from '../../../src/model/doors.ts';
import { ChunkWriter, chunkMessages } from '../../../src/wire/chunk.ts';

function chunkOf(...sequences: bigint[]): LogChunk {
  const writer = new ChunkWriter();
  for (const sequence of sequences) {
    const payload = Buffer.from('p'.repeat(Number(sequence)));
    const headers = new Uint8Array(0);
    writer.append({ sequence, logTimeNs: sequence, subject: 'log.main.0.batch', headers, payload });
  }
  return writer.take();
}

describe('cutAt', () => {
  const CHUNK = [5n, 6n, 7n, 9n, 10n];
  const TABLE: [title: string, ends: bigint[], pieces: bigint[][]][] = [
    ['no end', [], [CHUNK]],
    ['ends outside', [4n, 10n, 11n], [CHUNK]],
    [
      'one end',
      [6n],
      [
        [5n, 6n],
        [7n, 9n, 10n],
      ],
    ],
    ['at the first message', [5n], [[5n], [6n, 7n, 9n, 10n]]],
    [
      'at a message that is not there',
      [8n],
      [
        [5n, 6n, 7n],
        [9n, 10n],
      ],
    ],
    [
      'two in one gap',
      [7n, 8n],
      [
        [5n, 6n, 7n],
        [9n, 10n],
      ],
    ],
    ['every one', CHUNK, CHUNK.map((each) => [each])],
  ];
  for (const [title, ends, expected] of TABLE) {
    it(title, () => {
      const pieces = cutAt(chunkOf(...CHUNK), ends);
      const found = pieces.map((piece) =>
        [...chunkMessages(piece)].map(({ sequence }) => sequence),
      );
      expect(found).to.deep.equal(expected);
      for (const [index, piece] of pieces.entries()) {
        const { count, firstSequence, lastSequence } = piece;
        expect([count, firstSequence, lastSequence]).to.deep.equal([
          ...[expected[index]!.length, expected[index]![0], expected[index]!.at(-1)],
        ]);
      }
    });
  }
});

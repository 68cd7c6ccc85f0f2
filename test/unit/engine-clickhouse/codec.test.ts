/** The byte formats, checked against blocks the engine itself wrote and against known tools. */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { expect } from 'chai';
import { createCityHash } from '../../../src/engine/clickhouse/codec/city-hash.ts';
import {
  createFrameCompressor,
  createFrameDecompressor,
} from '../../../src/engine/clickhouse/codec/compressed-frame.ts';
import {
  createLz4Compressor,
  lz4Bound,
  lz4Decompress,
} from '../../../src/engine/clickhouse/codec/lz4-block.ts';
import {
  createLz4StreamCompressor,
  createLz4StreamDecompressor,
} from '../../../src/engine/clickhouse/codec/lz4-stream.ts';
import { type Endpoint, startEndpoint } from './endpoint.ts';

async function through(bytes: Buffer, chunkBytes: number, ...steps: Transform[]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push(bytes.subarray(at, at + chunkBytes));
  }
  let stream: Readable = Readable.from(chunks);
  for (const step of steps) stream = stream.pipe(step);
  const out: Buffer[] = [];
  for await (const chunk of stream) out.push(chunk as Buffer);
  return Buffer.concat(out);
}

const text = Buffer.from('the quick brown fox jumps over the lazy dog, '.repeat(20_000));
const samples: readonly [title: string, bytes: Buffer][] = [
  ['one byte', Buffer.from('x')],
  ['12 bytes (no match is allowed)', Buffer.from('aaaaaaaaaaaa')],
  ['13 bytes (the shortest match)', Buffer.from('aaaaaaaaaaaaa')],
  ['a run of zeros', Buffer.alloc(300_000)],
  ['repeated text', text],
  ['random bytes', randomBytes(300_000)],
  ['random bytes, then text', Buffer.concat([randomBytes(70_000), text])],
];

describe('clickhouse codecs', () => {
  describe('LZ4 blocks', () => {
    for (const [title, bytes] of samples) {
      it(`come back unchanged: ${title}`, () => {
        const out = Buffer.alloc(lz4Bound(bytes.length));
        const length = createLz4Compressor().compress(bytes, out, 0);
        const plain = Buffer.alloc(bytes.length);
        expect(lz4Decompress(out.subarray(0, length), plain, 0)).to.equal(bytes.length);
        expect(plain.equals(bytes)).to.equal(true);
      });
    }

    it('make repeated text small', () => {
      const length = createLz4Compressor().compress(text, Buffer.alloc(lz4Bound(text.length)), 0);
      expect(length).to.be.lessThan(text.length / 50);
    });

    it('that are cut off or damaged anywhere never read or write outside', () => {
      const out = Buffer.alloc(lz4Bound(1000));
      const length = createLz4Compressor().compress(text.subarray(0, 1000), out, 0);
      for (let cut = 0; cut < length; cut++) {
        lz4Decompress(out.subarray(0, cut), Buffer.alloc(1000), 0);
        const damaged = Buffer.from(out.subarray(0, length));
        damaged[cut]! ^= 0xff;
        expect(lz4Decompress(damaged, Buffer.alloc(1000), 0)).to.be.within(-1, 1000);
      }
    });
  });

  describe('LZ4 frames', () => {
    for (const [title, bytes] of samples) {
      it(`come back unchanged in chunks of 1,000 bytes: ${title}`, async () => {
        const back = await through(
          bytes,
          1000,
          createLz4StreamCompressor(),
          createLz4StreamDecompressor(),
        );
        expect(back.equals(bytes)).to.equal(true);
      });
    }

    it('are read and written as the lz4 program does', async function () {
      if (spawnSync('lz4', ['--version']).error) {
        console.warn('        (the lz4 program is not installed)');
        this.skip();
      }
      for (const flags of [[], ['-BD'], ['-B4', '-BX'], ['--no-frame-crc'], ['--content-size']]) {
        const theirs = execFileSync('lz4', ['-c', '-z', ...flags], { input: text });
        const back = await through(theirs, 777, createLz4StreamDecompressor());
        expect(back.equals(text), flags.join(' ')).to.equal(true);
      }
      const ours = await through(text, 777, createLz4StreamCompressor());
      expect(execFileSync('lz4', ['-c', '-d'], { input: ours }).equals(text)).to.equal(true);
    });
  });

  describe('compressed frames', () => {
    let endpoint: Endpoint;
    before(async () => {
      endpoint = await startEndpoint();
    });
    after(() => endpoint.stop());

    it('have the checksum that the engine writes, for blocks of many lengths', async () => {
      await endpoint.query(
        'CREATE TABLE blocks (n UInt32, s String CODEC(NONE), z String CODEC(LZ4)) ' +
          'ENGINE = MergeTree ORDER BY n ' +
          "SETTINGS min_bytes_for_wide_part = 0, serialization_info_version = 'basic'",
      );
      for (const count of [1, 5, 17, 40, 120, 200_000]) {
        await endpoint.query(
          `INSERT INTO blocks SELECT number, repeat('x', ${count} % 97), ` +
            `toString(cityHash64(number)) FROM numbers(${count})`,
        );
      }
      const files = readdirSync(join(endpoint.dataDir, 'store'), { recursive: true }) as string[];
      const hasher = createCityHash();
      let frames = 0;
      for (const file of files.filter((name) => name.endsWith('.bin'))) {
        const bytes = readFileSync(join(endpoint.dataDir, 'store', file));
        for (let at = 0; at < bytes.length; frames++) {
          const length = bytes.readUInt32LE(at + 17);
          const checksum = Buffer.alloc(16);
          hasher.hash(bytes.subarray(at + 16, at + 16 + length), checksum, 0);
          expect(checksum.toString('hex'), `${file} at ${at}, ${length} bytes`).to.equal(
            bytes.subarray(at, at + 16).toString('hex'),
          );
          at += 16 + length;
        }
      }
      expect(frames).to.be.greaterThan(20);
    });

    for (const [title, bytes] of samples) {
      it(`come back unchanged in chunks of 999 bytes: ${title}`, async () => {
        const framed = await through(bytes, 4096, createFrameCompressor());
        const back = await through(framed, 999, createFrameDecompressor());
        expect(back.equals(bytes)).to.equal(true);
      });
    }

    it('with a wrong byte are refused by the checksum', async () => {
      const framed = await through(text, 4096, createFrameCompressor());
      framed[60]! ^= 1;
      const error = await through(framed, 999, createFrameDecompressor()).catch((e) => e);
      expect(error).to.have.property('code', 40);
    });

    it('that are cut off are refused', async () => {
      const framed = await through(text, 4096, createFrameCompressor());
      const cut = framed.subarray(0, framed.length - 1);
      const error = await through(cut, 999, createFrameDecompressor()).catch((e) => e);
      expect(error).to.have.property('code', 271);
    });
  });
});

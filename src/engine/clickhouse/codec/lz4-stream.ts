/**
 * The LZ4 frame format (`Content-Encoding: lz4`, what `clickhouse-connect` speaks), both ways. In:
 * a byte stream. Out: a byte stream. Read: frames of linked or independent blocks; checksums inside
 * are skipped, not verified: TCP has its own, and the statement behind is parsed anyway. Written:
 * one frame of 256 KiB blocks that do not refer to each other, without checksums.
 * Invariant: at most one block and the 64 KiB window before it are held.
 */
import { Transform } from 'node:stream';
import { ClickHouseError } from '../http/status.ts';
import { createLz4Compressor, lz4Bound, lz4Decompress } from './lz4-block.ts';

const MAGIC = 0x184d2204;
const WINDOW_BYTES = 65_536;
const BLOCK_BYTES_MAX = [0, 0, 0, 0, 64, 256, 1024, 4096].map((kib) => kib * 1024);
/** Magic number, version 1 without checksums, 256 KiB blocks, and the header's own checksum. */
const HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x40, 0x50, 0x77]);
const WRITTEN_BLOCK_BYTES = 256 * 1024;
const UNCOMPRESSED = 0x80000000;

/** Plain bytes → one LZ4 frame. */
export function createLz4StreamCompressor(): Transform {
  const lz4 = createLz4Compressor();
  let begun = false;
  let waiting: Buffer[] = [];
  let waitingBytes = 0;

  const writeBlock = (stream: Transform, plain: Buffer): void => {
    const out = Buffer.allocUnsafe(4 + lz4Bound(plain.length));
    const bytes = lz4.compress(plain, out, 4);
    if (bytes < plain.length) {
      out.writeUInt32LE(bytes, 0);
      stream.push(out.subarray(0, 4 + bytes));
    } else {
      out.writeUInt32LE((UNCOMPRESSED + plain.length) >>> 0, 0);
      plain.copy(out, 4);
      stream.push(out.subarray(0, 4 + plain.length));
    }
  };
  const writeBlocks = (stream: Transform, all: boolean): void => {
    if (!begun) stream.push(HEADER);
    begun = true;
    let plain = Buffer.concat(waiting, waitingBytes);
    while (plain.length >= WRITTEN_BLOCK_BYTES || (all && plain.length > 0)) {
      writeBlock(stream, plain.subarray(0, WRITTEN_BLOCK_BYTES));
      plain = plain.subarray(WRITTEN_BLOCK_BYTES);
    }
    waiting = plain.length > 0 ? [plain] : [];
    waitingBytes = plain.length;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes >= WRITTEN_BLOCK_BYTES) writeBlocks(this, false);
      done();
    },
    flush(done) {
      writeBlocks(this, true);
      this.push(Buffer.alloc(4)); // end mark
      done();
    },
  });
}

interface FrameState {
  headerBytes: number;
  blockBytesMax: number;
  linked: boolean;
  blockChecksum: boolean;
  contentChecksum: boolean;
}

/** What one step did: bytes used, or 0 when more input is needed. */
type Step = number;

/** Undefined when more input is needed. */
function readHeader(input: Buffer): FrameState | undefined {
  if (input.length < HEADER.length) return undefined;
  if (input.readUInt32LE(0) !== MAGIC) throw malformed('the magic number is missing');
  const flags = input[4]!;
  const headerBytes = HEADER.length + (flags & 8 ? 8 : 0) + (flags & 1 ? 4 : 0);
  if (input.length < headerBytes) return undefined;
  const blockBytesMax = BLOCK_BYTES_MAX[(input[5]! >> 4) & 7]!;
  if (blockBytesMax === 0) throw malformed('the block size is unknown');
  return {
    headerBytes,
    blockBytesMax,
    linked: (flags & 32) === 0,
    blockChecksum: (flags & 16) !== 0,
    contentChecksum: (flags & 4) !== 0,
  };
}

/** LZ4 frames → plain bytes. */
export function createLz4StreamDecompressor(): Transform {
  let input: Buffer = Buffer.alloc(0);
  let frame: FrameState | undefined;
  let window: Buffer = Buffer.alloc(0);

  const begin = (): Step => {
    frame = readHeader(input);
    window = Buffer.alloc(0);
    return frame?.headerBytes ?? 0;
  };

  const block = (open: FrameState, push: (plain: Buffer) => void): Step => {
    if (input.length < 4) return 0;
    const size = input.readUInt32LE(0);
    if (size === 0) {
      const bytes = 4 + (open.contentChecksum ? 4 : 0);
      if (input.length < bytes) return 0;
      frame = undefined;
      return bytes;
    }
    const bytes = size & 0x7fffffff;
    if (bytes > open.blockBytesMax) throw malformed('a block is longer than announced');
    const end = 4 + bytes + (open.blockChecksum ? 4 : 0);
    if (input.length < end) return 0;
    const payload = input.subarray(4, 4 + bytes);
    const plain = size >>> 31 ? Buffer.from(payload) : expand(open, payload);
    if (open.linked) {
      const joined = Buffer.concat([window, plain]);
      window = joined.subarray(Math.max(0, joined.length - WINDOW_BYTES));
    }
    push(plain);
    return end;
  };

  const expand = (open: FrameState, payload: Buffer): Buffer => {
    const out = Buffer.allocUnsafe(window.length + open.blockBytesMax);
    window.copy(out);
    const end = lz4Decompress(payload, out, window.length);
    if (end < 0) throw malformed('a block is damaged');
    return out.subarray(window.length, end);
  };

  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      input = input.length === 0 ? chunk : Buffer.concat([input, chunk]);
      try {
        for (;;) {
          const used = frame ? block(frame, (plain) => this.push(plain)) : begin();
          if (used === 0) break;
          input = input.subarray(used);
        }
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      done(frame || input.length > 0 ? malformed('the last frame is cut off') : null);
    },
  });
}

function malformed(why: string): ClickHouseError {
  return new ClickHouseError('CANNOT_DECOMPRESS', `LZ4 decompression failed: ${why}`);
}

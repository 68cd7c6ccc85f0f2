/**
 * ClickHouse's own compression of HTTP bodies (`compress=1` for answers, `decompress=1` for
 * requests): the body is a chain of frames
 *
 *   ┌──────────────┬────────┬─────────────────────┬───────────────────┬─────────┐
 *   │ CityHash128  │ method │ bytes from method on│ bytes when plain  │ payload │
 *   │ 16 B         │ 1 B    │ u32 LE              │ u32 LE            │         │
 *   └──────────────┴────────┴─────────────────────┴───────────────────┴─────────┘
 *
 * where the checksum covers everything after itself. Methods: 0x02 none, 0x82 LZ4, 0x90 ZSTD (read
 * only where Node has zstd). In: a byte stream. Out: a byte stream. Invariant: a frame whose
 * checksum or lengths are wrong ends the stream with a ClickHouse error and hands out none of it.
 */
import { Transform } from 'node:stream';
import * as zlib from 'node:zlib';
import { ClickHouseError } from '../http/status.ts';
import { createCityHash } from './city-hash.ts';
import { createLz4Compressor, lz4Bound, lz4Decompress } from './lz4-block.ts';

const CHECKSUM_BYTES = 16;
const HEADER_BYTES = 9;
const METHOD_NONE = 0x02;
const METHOD_LZ4 = 0x82;
const METHOD_ZSTD = 0x90;
/** Plain bytes per frame we write; ClickHouse itself writes up to 1 MiB. */
const FRAME_BYTES = 256 * 1024;
/** A frame that claims more is refused before memory is taken for it. */
const FRAME_BYTES_MAX = 256 * 1024 * 1024;

/** Present from Node 22.15 on. */
const zstd = zlib as unknown as { zstdDecompressSync?: (bytes: Buffer) => Buffer };

/** Plain bytes → frames (LZ4). */
export function createFrameCompressor(): Transform {
  const hasher = createCityHash();
  const lz4 = createLz4Compressor();
  let waiting: Buffer[] = [];
  let waitingBytes = 0;

  const frame = (plain: Buffer): Buffer => {
    const out = Buffer.allocUnsafe(CHECKSUM_BYTES + HEADER_BYTES + lz4Bound(plain.length));
    const bytes = lz4.compress(plain, out, CHECKSUM_BYTES + HEADER_BYTES);
    out[CHECKSUM_BYTES] = METHOD_LZ4;
    out.writeUInt32LE(HEADER_BYTES + bytes, CHECKSUM_BYTES + 1);
    out.writeUInt32LE(plain.length, CHECKSUM_BYTES + 5);
    const end = CHECKSUM_BYTES + HEADER_BYTES + bytes;
    hasher.hash(out.subarray(CHECKSUM_BYTES, end), out, 0);
    return out.subarray(0, end);
  };
  const take = (): Buffer => {
    const plain = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting, waitingBytes);
    waiting = [];
    waitingBytes = 0;
    return plain;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes >= FRAME_BYTES) this.push(frame(take()));
      done();
    },
    flush(done) {
      if (waitingBytes > 0) this.push(frame(take()));
      done();
    },
  });
}

/** Frames → plain bytes. */
export function createFrameDecompressor(): Transform {
  const hasher = createCityHash();
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  let rest: Buffer[] = [];
  let restBytes = 0;
  /** Bytes to wait for before looking again, so that a big frame is not joined at every chunk. */
  let wanted = CHECKSUM_BYTES + HEADER_BYTES;

  /** Pushes every whole frame; throws at the first bad one. */
  const unframe = (stream: Transform): void => {
    let bytes = rest.length === 1 ? rest[0]! : Buffer.concat(rest, restBytes);
    wanted = CHECKSUM_BYTES + HEADER_BYTES;
    while (bytes.length >= CHECKSUM_BYTES + HEADER_BYTES) {
      const frameBytes = frameLength(bytes);
      if (bytes.length < frameBytes) {
        wanted = frameBytes;
        break;
      }
      hasher.hash(bytes.subarray(CHECKSUM_BYTES, frameBytes), checksum, 0);
      if (checksum.compare(bytes, 0, CHECKSUM_BYTES) !== 0) {
        const text = "Checksum doesn't match: corrupted data";
        throw new ClickHouseError('CHECKSUM_DOESNT_MATCH', text);
      }
      stream.push(unpack(bytes.subarray(CHECKSUM_BYTES, frameBytes)));
      bytes = bytes.subarray(frameBytes);
    }
    rest = bytes.length > 0 ? [bytes] : [];
    restBytes = bytes.length;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      rest.push(chunk);
      restBytes += chunk.length;
      try {
        if (restBytes >= wanted) unframe(this);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      done(restBytes > 0 ? damaged('the last block is cut off') : null);
    },
  });
}

function damaged(why: string): ClickHouseError {
  return new ClickHouseError('CANNOT_DECOMPRESS', `Cannot decompress the request body: ${why}`);
}

/** Bytes of the whole frame that `bytes` begins with. */
function frameLength(bytes: Buffer): number {
  const length = bytes.readUInt32LE(CHECKSUM_BYTES + 1);
  if (length > FRAME_BYTES_MAX || bytes.readUInt32LE(CHECKSUM_BYTES + 5) > FRAME_BYTES_MAX) {
    throw new ClickHouseError('TOO_LARGE_SIZE_COMPRESSED', 'Too large size compressed');
  }
  if (length < HEADER_BYTES) throw damaged('the length is wrong');
  return CHECKSUM_BYTES + length;
}

/** `frame` begins with the method byte. */
function unpack(frame: Buffer): Buffer {
  const method = frame[0]!;
  const plainBytes = frame.readUInt32LE(5);
  const payload = frame.subarray(HEADER_BYTES);
  let plain: Buffer;
  if (method === METHOD_NONE) plain = payload;
  else if (method === METHOD_LZ4) {
    plain = Buffer.allocUnsafe(plainBytes);
    if (lz4Decompress(payload, plain, 0) !== plainBytes) throw damaged('LZ4 data is malformed');
  } else if (method === METHOD_ZSTD && zstd.zstdDecompressSync) {
    plain = zstd.zstdDecompressSync(payload);
  } else {
    const text = `Unknown codec family code: 0x${method.toString(16)} (this endpoint reads LZ4)`;
    throw new ClickHouseError('UNKNOWN_CODEC', text);
  }
  if (plain.length !== plainBytes) throw damaged('the plain length is wrong');
  return plain;
}

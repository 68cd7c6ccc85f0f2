/**
 * The LZ4 block format: compress one block, and decompress one block behind a window of earlier
 * output. In: bytes. Out: bytes. A block is a chain of sequences
 *
 *   token (literal length : 4 | match length - 4 : 4) · more literal length · literals ·
 *   offset (u16, little endian) · more match length
 *
 * and ends with literals only. Invariant: `decompress` never reads or writes outside what it was
 * given; malformed input gives -1.
 */
const MATCH_BYTES_MIN = 4;
/** The last match must begin this far before the end (rule of the format). */
const LAST_MATCH_GAP = 12;
/** The last bytes are always literals (rule of the format). */
const LAST_LITERALS = 5;
const OFFSET_MAX = 65_535;
const HASH_BITS = 14;
const HASH_MULTIPLIER = 0x9e3779b1;

/** Room that a block of `bytes` incompressible bytes may need. */
export function lz4Bound(bytes: number): number {
  return bytes + Math.ceil(bytes / 255) + 16;
}

export interface Lz4Compressor {
  /** Writes one block into `out` at `at` (with `lz4Bound` room); returns its length. */
  compress(source: Buffer, out: Buffer, at: number): number;
}

export function createLz4Compressor(): Lz4Compressor {
  const table = new Int32Array(1 << HASH_BITS);
  return { compress: (source, out, at) => compressBlock(table, source, out, at) };
}

function compressBlock(table: Int32Array, source: Buffer, out: Buffer, at: number): number {
  table.fill(-1);
  const start = at;
  const matchLimit = source.length - LAST_MATCH_GAP;
  const copyLimit = source.length - LAST_LITERALS;
  let anchor = 0;
  let position = 0;
  let misses = 0;
  while (position <= matchLimit) {
    const word = read32(source, position);
    const slot = Math.imul(word, HASH_MULTIPLIER) >>> (32 - HASH_BITS);
    const candidate = table[slot]!;
    table[slot] = position;
    if (candidate < 0 || position - candidate > OFFSET_MAX || read32(source, candidate) !== word) {
      position += 1 + (misses++ >> 6); // incompressible data is skipped faster and faster
      continue;
    }
    misses = 0;
    let length = MATCH_BYTES_MIN;
    while (
      position + length < copyLimit &&
      source[candidate + length] === source[position + length]
    ) {
      length++;
    }
    at = writeLiterals(source, anchor, position, out, at, length - MATCH_BYTES_MIN);
    const offset = position - candidate;
    out[at++] = offset & 255;
    out[at++] = offset >> 8;
    at = writeMore(out, at, length - MATCH_BYTES_MIN);
    position += length;
    anchor = position;
  }
  return writeLiterals(source, anchor, source.length, out, at, 0) - start;
}

function read32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

// Six parameters: the inner loop of the compressor must not allocate.
function writeLiterals(
  source: Buffer,
  from: number,
  to: number,
  out: Buffer,
  at: number,
  matchExtra: number,
): number {
  const count = to - from;
  out[at++] = (Math.min(count, 15) << 4) | Math.min(matchExtra, 15);
  at = writeMore(out, at, count);
  if (count < 32) for (let i = from; i < to; i++) out[at++] = source[i]!;
  else at += source.copy(out, at, from, to);
  return at;
}

/** The bytes of a length beyond the 15 that fit into the token. */
function writeMore(out: Buffer, at: number, length: number): number {
  if (length < 15) return at;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) out[at++] = 255;
  out[at++] = rest;
  return at;
}

/**
 * Decompresses `source` into `out` from `begin` on, at most up to `out.length`; matches may reach
 * back before `begin` (linked blocks). Returns the position after the last byte written, or -1.
 */
export function lz4Decompress(source: Buffer, out: Buffer, begin: number): number {
  let at = begin;
  let from = 0;
  while (from < source.length) {
    const token = source[from++]!;
    let literals = token >> 4;
    if (literals === 15) {
      let more: number;
      do {
        if (from >= source.length) return -1;
        more = source[from++]!;
        literals += more;
      } while (more === 255);
    }
    if (from + literals > source.length || at + literals > out.length) return -1;
    if (literals < 16) for (let i = 0; i < literals; i++) out[at + i] = source[from + i]!;
    else source.copy(out, at, from, from + literals);
    at += literals;
    from += literals;
    if (from === source.length) return at;
    if (from + 2 > source.length) return -1;
    const offset = source[from]! | (source[from + 1]! << 8);
    from += 2;
    let length = token & 15;
    if (length === 15) {
      let more: number;
      do {
        if (from >= source.length) return -1;
        more = source[from++]!;
        length += more;
      } while (more === 255);
    }
    length += MATCH_BYTES_MIN;
    if (offset === 0 || offset > at || at + length > out.length) return -1;
    if (offset >= length && length > 32) {
      out.copyWithin(at, at - offset, at - offset + length);
      at += length;
    } else {
      for (const end = at + length; at < end; at++) out[at] = out[at - offset]!;
    }
  }
  return at;
}

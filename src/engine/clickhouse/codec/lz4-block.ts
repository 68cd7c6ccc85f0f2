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

/** Where the next byte of a block goes. */
class BlockWriter {
  readonly out: Buffer;
  at: number;

  constructor(out: Buffer, at: number) {
    this.out = out;
    this.at = at;
  }

  /** A token with its literals `source[from, to)`; `matchExtra`: match length - 4, or 0. */
  literals(source: Buffer, from: number, to: number, matchExtra: number): void {
    const count = to - from;
    this.out[this.at++] = (Math.min(count, 15) << 4) | Math.min(matchExtra, 15);
    this.more(count);
    if (count < 32) for (let i = from; i < to; i++) this.out[this.at++] = source[i]!;
    else this.at += source.copy(this.out, this.at, from, to);
  }

  match(offset: number, matchExtra: number): void {
    this.out[this.at++] = offset & 255;
    this.out[this.at++] = offset >> 8;
    this.more(matchExtra);
  }

  /** The bytes of a length beyond the 15 that fit into the token. */
  more(length: number): void {
    if (length < 15) return;
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) this.out[this.at++] = 255;
    this.out[this.at++] = rest;
  }
}

function compressBlock(table: Int32Array, source: Buffer, out: Buffer, start: number): number {
  table.fill(-1);
  const writer = new BlockWriter(out, start);
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
    const near = candidate >= 0 && position - candidate <= OFFSET_MAX;
    if (!near || read32(source, candidate) !== word) {
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
    writer.literals(source, anchor, position, length - MATCH_BYTES_MIN);
    writer.match(position - candidate, length - MATCH_BYTES_MIN);
    position += length;
    anchor = position;
  }
  writer.literals(source, anchor, source.length, 0);
  return writer.at - start;
}

function read32(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
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

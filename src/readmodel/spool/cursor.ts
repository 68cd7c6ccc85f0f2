/**
 * The spool's cursor: where its first record lies and where its last one ends, kept across kill -9
 * and power loss. In: a place to remember. Out: the newest place that was acknowledged.
 *
 * The file has two slots, written in turn and fsynced: while one is being written the other holds,
 * so a torn write leaves the place before. Its size never changes: it can be written on a full
 * disk.
 *
 *   slot   0 u32 magic · 4 u32 CRC-32 of all after 7 · 8 u64 counter · 16 head · 40 tail
 *   place  u64 segment · u64 offset in bytes · u64 ordinal of the record there
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

const MAGIC = 0x3143_534d; // 'MSC1'
const SLOT_BYTES = 64;
/** The second slot lies in a block of its own: no disk tears both in one write. */
const SLOT_DISTANCE_BYTES = 4096;
const FILE_BYTES = SLOT_DISTANCE_BYTES + SLOT_BYTES;

export interface SpoolPlace {
  readonly segment: number;
  readonly offset: number;
  readonly ordinal: bigint;
}

export interface SpoolBounds {
  /** The first record that is not stored yet. */
  readonly head: SpoolPlace;
  /** Where the last acknowledged record ends. Whatever lies behind was promised to nobody. */
  readonly tail: SpoolPlace;
}

export class SpoolCursor {
  readonly #file: FileHandle;
  #counter: bigint;

  private constructor(file: FileHandle, counter: bigint) {
    this.#file = file;
    this.#counter = counter;
  }

  /** Bounds are null when neither slot is whole: new, or damaged. */
  static async open(path: string): Promise<{ cursor: SpoolCursor; bounds: SpoolBounds | null }> {
    const file = await open(path, 'r+').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return open(path, 'wx+');
    });
    const bytes = Buffer.alloc(FILE_BYTES);
    await file.read(bytes, 0, FILE_BYTES, 0);
    const slots = [0, SLOT_DISTANCE_BYTES].map((at) => bytes.subarray(at, at + SLOT_BYTES));
    const newest = slots
      .filter(isWhole)
      .sort((a, b) => (counterOf(a) < counterOf(b) ? 1 : -1))
      .at(0);
    const cursor = new SpoolCursor(file, newest ? counterOf(newest) : 0n);
    if (newest === undefined) return { cursor, bounds: null };
    return { cursor, bounds: { head: readPlace(newest, 16), tail: readPlace(newest, 40) } };
  }

  /** Resolves when it is on disk. */
  async write(bounds: SpoolBounds): Promise<void> {
    const counter = this.#counter + 1n;
    const slot = Buffer.alloc(SLOT_BYTES);
    slot.writeUInt32LE(MAGIC, 0);
    slot.writeBigUInt64LE(counter, 8);
    writePlace(slot, 16, bounds.head);
    writePlace(slot, 40, bounds.tail);
    slot.writeUInt32LE(crc32(slot.subarray(8)), 4);
    await this.#file.write(slot, 0, SLOT_BYTES, counter % 2n === 0n ? 0 : SLOT_DISTANCE_BYTES);
    await this.#file.datasync();
    this.#counter = counter;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const counterOf = (slot: Buffer): bigint => slot.readBigUInt64LE(8);

function isWhole(slot: Buffer): boolean {
  return slot.readUInt32LE(0) === MAGIC && slot.readUInt32LE(4) === crc32(slot.subarray(8));
}

function readPlace(slot: Buffer, at: number): SpoolPlace {
  return {
    segment: Number(slot.readBigUInt64LE(at)),
    offset: Number(slot.readBigUInt64LE(at + 8)),
    ordinal: slot.readBigUInt64LE(at + 16),
  };
}

function writePlace(slot: Buffer, at: number, place: SpoolPlace): void {
  slot.writeBigUInt64LE(BigInt(place.segment), at);
  slot.writeBigUInt64LE(BigInt(place.offset), at + 8);
  slot.writeBigUInt64LE(place.ordinal, at + 16);
}

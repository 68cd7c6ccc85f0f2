/**
 * The insert spool: a bounded queue of batches on disk, for as long as ClickHouse does not take
 * them. In: batches, in order. Out: the same batches, in the same order, also after kill -9 and
 * power loss.
 *
 *   folder   cursor · 0000000007.segment · 0000000008.segment · …
 *   append   record → segment, fsync → cursor's tail, fsync → acknowledged
 *   advance  cursor's head, fsync → segments before it are removed
 *
 * Invariants: bytes on disk ≤ bytesMax; everything between head and tail was acknowledged and is
 * whole, else SPOOL_CORRUPT; a batch whose rows are stored may be given once more after a crash,
 * which changes nothing, as rows are absolute. One process at a time, in order: append and advance
 * are never called while another of their kind is under way.
 */
import { type FileHandle, mkdir, open, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import { Mutex } from '../../base/mutex.ts';
import { OperatingError } from '../../model/error.ts';
import type { Batch, Reach } from '../batch.ts';
import { type SpoolBounds, SpoolCursor, type SpoolPlace } from './cursor.ts';
import { decodeRecord, encodeRecord } from './record.ts';
import {
  listSegments,
  readRecord,
  type SpoolContent,
  type SpoolEntry,
  scanSpool,
  segmentPath,
  spoolCorrupt,
} from './scan.ts';

const CURSOR_NAME = 'cursor';
/** Space comes back a segment at a time: small against the bound, large against a batch. */
const SEGMENT_BYTES_MAX = 64 * 1024 ** 2;
const SEGMENTS = 16;

export interface SpoolOptions {
  readonly folder: string;
  /** Disk that it may take. 0: takes nothing in, and gives only what an earlier process left. */
  readonly bytesMax: number;
}

export interface Spool {
  readonly records: number;
  /** On disk, with what is stored already in the first segment. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** How far its records reach, in their order. */
  reaches(): ReadonlyMap<number, Reach>[];
  /**
   * Resolves with true when it is on disk, with false when it does not fit. Rejects with DISK_FULL
   * or SPOOL_FAILED; then nothing was taken in.
   */
  append(batch: Batch): Promise<boolean>;
  /** The oldest batch; there is one. */
  first(): Promise<Batch>;
  /** The oldest batch is stored. */
  advance(): Promise<void>;
  close(): Promise<void>;
}

/** Rejects with SPOOL_CORRUPT when an acknowledged record cannot be read. */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  const { cursor, bounds } = await SpoolCursor.open(join(folder, CURSOR_NAME));
  try {
    const found = bounds ?? (await firstBounds(folder, cursor));
    return new DiskSpool(options, cursor, await scanSpool(folder, found));
  } catch (error) {
    await cursor.close();
    throw error;
  }
}

class DiskSpool implements Spool {
  readonly bytesMax: number;
  readonly #folder: string;
  readonly #cursor: SpoolCursor;
  readonly #segmentBytes: number;
  readonly #entries: SpoolEntry[];
  /** Bytes of each segment's file. */
  readonly #sizes = new Map<number, number>();
  readonly #mutex = new Mutex();
  #tail: SpoolPlace;
  #file: FileHandle | null = null;

  constructor(options: SpoolOptions, cursor: SpoolCursor, content: SpoolContent) {
    this.bytesMax = options.bytesMax;
    this.#folder = options.folder;
    this.#segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.ceil(options.bytesMax / SEGMENTS));
    this.#cursor = cursor;
    this.#entries = content.entries;
    this.#tail = content.tail;
    for (const { segment, offset, bytes } of content.entries) {
      this.#sizes.set(segment, offset + bytes);
    }
  }

  get records(): number {
    return this.#entries.length;
  }

  get bytes(): number {
    return [...this.#sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  reaches(): ReadonlyMap<number, Reach>[] {
    return this.#entries.map(({ reaches }) => reaches);
  }

  append(batch: Batch): Promise<boolean> {
    return this.#mutex.run(async () => {
      const record = encodeRecord(batch, this.#tail.ordinal);
      if (this.bytes + record.length > this.bytesMax) return false;
      try {
        await this.#write(record, batch.reaches);
      } catch (error) {
        throw writeError(error, this.#folder);
      }
      return true;
    });
  }

  async first(): Promise<Batch> {
    const [entry] = this.#entries;
    assert(entry, 'a spool without records has no first');
    const batch = decodeRecord(await readRecord(this.#folder, entry), entry.ordinal);
    if (batch === null) throw spoolCorrupt(this.#folder, entry, 'it is not what was written');
    return { tables: batch.tables, reaches: entry.reaches };
  }

  advance(): Promise<void> {
    return this.#mutex.run(async () => {
      this.#entries.shift();
      if (this.#entries.length === 0) await this.#beginSegment();
      try {
        await this.#cursor.write({ head: this.#head, tail: this.#tail });
      } catch {
        return; // a restart gives the batch once more; its segment is kept until a write succeeds
      }
      await this.#collect();
    });
  }

  async close(): Promise<void> {
    await this.#mutex.run(async () => {
      await this.#file?.close();
      await this.#cursor.close();
    });
  }

  get #head(): SpoolPlace {
    const { segment, offset, ordinal } = this.#entries[0] ?? this.#tail;
    return { segment, offset, ordinal };
  }

  /** Data first, then the cursor: what the cursor names is on disk. */
  async #write(record: Buffer, reaches: ReadonlyMap<number, Reach>): Promise<void> {
    const isFull = this.#tail.offset + record.length > this.#segmentBytes;
    if (isFull && this.#tail.offset > 0) await this.#beginSegment();
    const { segment, offset, ordinal } = this.#tail;
    try {
      this.#file ??= await openSegment(this.#folder, segment);
      await writeAll(this.#file, record, offset);
      await this.#file.datasync();
      const tail = { segment, offset: offset + record.length, ordinal: ordinal + 1n };
      await this.#cursor.write({ head: this.#head, tail });
      this.#tail = tail;
    } catch (error) {
      await this.#file?.truncate(offset).catch(() => undefined);
      throw error;
    }
    this.#entries.push({ segment, offset, ordinal, bytes: record.length, reaches });
    this.#sizes.set(segment, this.#tail.offset);
  }

  /** What follows goes into a new file. */
  async #beginSegment(): Promise<void> {
    await this.#file?.close();
    this.#file = null;
    this.#tail = { ...this.#tail, segment: this.#tail.segment + 1, offset: 0 };
  }

  /** Removes the files that hold nothing but stored records. */
  async #collect(): Promise<void> {
    const { segment: first } = this.#head;
    for (const segment of [...this.#sizes.keys()].filter((each) => each < first)) {
      await unlink(segmentPath(this.#folder, segment)).catch(() => undefined);
      this.#sizes.delete(segment);
    }
  }
}

/** A folder without cursor is new; one that has segments was damaged. */
async function firstBounds(folder: string, cursor: SpoolCursor): Promise<SpoolBounds> {
  const start: SpoolPlace = { segment: 1, offset: 0, ordinal: 1n };
  if ((await listSegments(folder)).length > 0) {
    throw spoolCorrupt(folder, start, `${join(folder, CURSOR_NAME)} cannot be read`);
  }
  const bounds = { head: start, tail: start };
  // Both slots, so that the cursor never needs more disk than it has.
  await cursor.write(bounds);
  await cursor.write(bounds);
  await syncFolder(folder);
  return bounds;
}

async function openSegment(folder: string, segment: number): Promise<FileHandle> {
  const path = segmentPath(folder, segment);
  const isNew = !(await readdir(folder)).some((name) => path.endsWith(name));
  const file = await open(path, isNew ? 'w+' : 'r+');
  if (isNew) await syncFolder(folder);
  return file;
}

/** Makes the names of new files durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function writeAll(file: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const rest = bytes.length - written;
    const result = await file.write(bytes, written, rest, offset + written);
    written += result.bytesWritten;
  }
}

function writeError(error: unknown, folder: string): OperatingError {
  const { code, message } = error as NodeJS.ErrnoException;
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  return new OperatingError(
    isFull ? 'DISK_FULL' : 'SPOOL_FAILED',
    `the insert spool in ${folder} cannot be written: ${message}; ` +
      'turns wait until ClickHouse takes rows, nothing is lost',
    { cause: error, where: { folder } },
  );
}

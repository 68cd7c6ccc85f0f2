/**
 * What a spool folder holds at a start: the records between the cursor's head and tail, each
 * checked. In: folder and bounds. Out: where they lie and how far they reach, or SPOOL_CORRUPT:
 * everything up to the tail was acknowledged, so anything missing there is damage, not a crash.
 * Behind the tail lies what a crash interrupted, promised to nobody: taken when it is whole (the
 * cursor's newest slot may be what is damaged), cut off where it is not.
 */
import { type FileHandle, open, readdir, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import type { Reach } from '../batch.ts';
import type { SpoolBounds, SpoolPlace } from './cursor.ts';
import { decodeRecord, RECORD_PREFIX_BYTES, recordBytes } from './record.ts';

export interface SpoolEntry extends SpoolPlace {
  readonly bytes: number;
  readonly reaches: ReadonlyMap<number, Reach>;
}

const SEGMENT_NAME = /^(\d{10})\.segment$/;

export const segmentPath = (folder: string, segment: number): string =>
  join(folder, `${`${segment}`.padStart(10, '0')}.segment`);

export async function listSegments(folder: string): Promise<number[]> {
  const matches = (await readdir(folder)).map((name) => SEGMENT_NAME.exec(name));
  return matches.flatMap((match) => (match === null ? [] : [Number(match[1])]));
}

export interface SpoolContent {
  readonly entries: SpoolEntry[];
  /** Where the next record goes. */
  readonly tail: SpoolPlace;
}

/** Reads what the bounds name and what is whole behind them, removes the rest. */
export async function scanSpool(folder: string, bounds: SpoolBounds): Promise<SpoolContent> {
  const { head, tail } = bounds;
  const entries: SpoolEntry[] = [];
  let at: SpoolPlace = head;
  const take = (entry: SpoolEntry): void => {
    entries.push(entry);
    at = { ...at, offset: at.offset + entry.bytes, ordinal: at.ordinal + 1n };
  };
  while (at.ordinal < tail.ordinal) {
    const entry = await entryAt(folder, at, tail);
    if (entry === null) at = { segment: at.segment + 1, offset: 0, ordinal: at.ordinal };
    else take(entry);
  }
  if (at.segment < tail.segment) at = tail;
  for (let more = await wholeEntryAt(folder, at); more !== null; ) {
    take(more);
    more = await wholeEntryAt(folder, at);
  }
  for (const segment of await listSegments(folder)) {
    const path = segmentPath(folder, segment);
    if (segment < head.segment || segment > at.segment) await unlink(path);
    if (segment === at.segment) await truncate(path, at.offset);
  }
  return { entries, tail: at };
}

/** One record's bytes, checked. */
export async function readRecord(folder: string, entry: SpoolEntry): Promise<Buffer> {
  const file = await open(segmentPath(folder, entry.segment), 'r');
  try {
    return await readExactly(file, entry.offset, entry.bytes);
  } finally {
    await file.close();
  }
}

/** The record at a place; null at the end of a segment that has a successor. */
async function entryAt(
  folder: string,
  at: SpoolPlace,
  tail: SpoolPlace,
): Promise<SpoolEntry | null> {
  const path = segmentPath(folder, at.segment);
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? spoolCorrupt(folder, at, 'its file is missing') : error;
  });
  try {
    const { size } = await file.stat();
    if (at.offset >= size && at.segment < tail.segment) return null;
    const prefix = await readExactly(file, at.offset, RECORD_PREFIX_BYTES);
    const bytes = recordBytes(prefix);
    const record = bytes === null ? null : await readWithin(file, at.offset, bytes, size);
    const batch = record === null ? null : decodeRecord(record, at.ordinal);
    if (batch === null) throw spoolCorrupt(folder, at, 'it is not what was written');
    return { ...at, bytes: record!.length, reaches: batch.reaches };
  } finally {
    await file.close();
  }
}

/** The record at a place where none was promised. */
async function wholeEntryAt(folder: string, at: SpoolPlace): Promise<SpoolEntry | null> {
  if (!(await listSegments(folder)).includes(at.segment)) return null;
  return entryAt(folder, at, at).catch((error: unknown) => {
    if (isOperatingError(error, 'SPOOL_CORRUPT')) return null;
    throw error;
  });
}

export function spoolCorrupt(folder: string, at: SpoolPlace, why: string): OperatingError {
  const path = segmentPath(folder, at.segment);
  return new OperatingError(
    'SPOOL_CORRUPT',
    `insert spool: record ${at.ordinal} at byte ${at.offset} of ${path} was acknowledged, ` +
      `but ${why}; move the folder ${folder} away and start again: its rows are computed ` +
      'again from the log',
    { where: { path, offset: at.offset, ordinal: at.ordinal } },
  );
}

/** Null when the file ends before. */
async function readWithin(
  file: FileHandle,
  offset: number,
  bytes: number,
  size: number,
): Promise<Buffer | null> {
  return offset + bytes > size ? null : readExactly(file, offset, bytes);
}

/** Shorter only where the file ends. */
async function readExactly(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  let filled = 0;
  while (filled < bytes) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/**
 * One batch as one record of a spool segment. In: a batch and its running number. Out: bytes, and
 * back. A record that is not exactly what was written does not decode: the checksum covers all of
 * it, the running number shows a record that is missing or in another place.
 *
 *    0  u32  magic                       16  u64  ordinal: 1 for the first record of a spool
 *    4  u32  bytes of the head           24  head: JSON, reaches and blocks
 *    8  u32  bytes of the body           …   body: the blocks' bytes, one after the other
 *   12  u32  CRC-32 of bytes 0–11 and all after 15
 */
import { crc32 } from 'node:zlib';
import { assert } from '../../base/assert.ts';
import type { Batch, PartitionBlock, Reach } from '../batch.ts';

const MAGIC = 0x3150_534d; // 'MSP1'
const CRC_AT = 12;
export const RECORD_PREFIX_BYTES = 24;
const LENGTH_MAX = 0xffff_ffff;

interface Head {
  /** Partition, after ('' when unknown), position. */
  readonly reaches: readonly (readonly [number, string, string])[];
  /** Table, then of each of its blocks: partition, rows, bytes. */
  readonly tables: readonly (readonly [string, readonly (readonly [number, number, number])[]])[];
}

export function encodeRecord(batch: Batch, ordinal: bigint): Buffer {
  const blocks = [...batch.tables.values()].flat();
  const head = Buffer.from(JSON.stringify(headOf(batch)), 'utf8');
  const bodyBytes = blocks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  assert(bodyBytes <= LENGTH_MAX, `a batch of ${bodyBytes} bytes`);
  const prefix = Buffer.alloc(RECORD_PREFIX_BYTES);
  prefix.writeUInt32LE(MAGIC, 0);
  prefix.writeUInt32LE(head.length, 4);
  prefix.writeUInt32LE(bodyBytes, 8);
  prefix.writeBigUInt64LE(ordinal, 16);
  const record = Buffer.concat([prefix, head, ...blocks.map(({ bytes }) => bytes)]);
  record.writeUInt32LE(checksum(record), CRC_AT);
  return record;
}

/** Bytes of the record that begins so; null when no record does. */
export function recordBytes(prefix: Buffer): number | null {
  if (prefix.length < RECORD_PREFIX_BYTES || prefix.readUInt32LE(0) !== MAGIC) return null;
  return RECORD_PREFIX_BYTES + prefix.readUInt32LE(4) + prefix.readUInt32LE(8);
}

/** Null when it is not what was written under that number. The blocks lie in `record`. */
export function decodeRecord(record: Buffer, ordinal: bigint): Batch | null {
  if (recordBytes(record) !== record.length) return null;
  if (record.readUInt32LE(CRC_AT) !== checksum(record)) return null;
  if (record.readBigUInt64LE(16) !== ordinal) return null;
  const headEnd = RECORD_PREFIX_BYTES + record.readUInt32LE(4);
  const head = JSON.parse(record.toString('utf8', RECORD_PREFIX_BYTES, headEnd)) as Head;
  const reaches = new Map<number, Reach>();
  for (const [partition, after, position] of head.reaches) {
    reaches.set(partition, {
      after: after === '' ? null : BigInt(after),
      position: BigInt(position),
    });
  }
  const tables = new Map<string, PartitionBlock[]>();
  let at = headEnd;
  for (const [table, blocks] of head.tables) {
    const ofTable = blocks.map(([partition, rows, bytes]) => {
      at += bytes;
      return { table, partition, rows, bytes: record.subarray(at - bytes, at) };
    });
    tables.set(table, ofTable);
  }
  return { tables, reaches };
}

function headOf(batch: Batch): Head {
  return {
    reaches: [...batch.reaches].map(
      ([partition, { after, position }]) => [partition, `${after ?? ''}`, `${position}`] as const,
    ),
    tables: [...batch.tables].map(
      ([table, blocks]) =>
        [
          table,
          blocks.map(({ partition, rows, bytes }) => [partition, rows, bytes.length] as const),
        ] as const,
    ),
  };
}

function checksum(record: Buffer): number {
  return crc32(record.subarray(CRC_AT + 4), crc32(record.subarray(0, CRC_AT)));
}

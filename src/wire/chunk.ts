/**
 * A chunk of the log as the kernel takes it: entries of whole messages, laid out as drawn in
 * assembly/shared/abi.ts. In: messages as a client delivers them. Out: LogChunk, and back again for
 * those who look into one. A chunk's entries ascend in sequence; gaps are allowed (deleted
 * messages).
 */

import { assert } from '../base/assert.ts';
import type { LogChunk } from '../model/doors.ts';
import {
  CHUNK_BYTES_MAX,
  ENTRY_BYTES_AT,
  ENTRY_HEADER_BYTES,
  ENTRY_HEADER_BYTES_AT,
  ENTRY_LOG_TIME_NS_AT,
  ENTRY_PAYLOAD_BYTES_AT,
  ENTRY_SEQUENCE_AT,
  ENTRY_SUBJECT_BYTES_AT,
} from '../model/limit.ts';

export interface LogMessage {
  readonly sequence: bigint;
  readonly logTimeNs: bigint;
  readonly subject: string;
  /** Raw "NATS/1.0\r\n…\r\n\r\n", empty when there are none. */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
}

/** A message where it lies in a socket's bytes (log/pull/wire-message.ts): nothing is allocated. */
export interface RawMessage {
  readonly source: Uint8Array;
  readonly subjectAt: number;
  readonly subjectBytes: number;
  /** The payload stands behind them. */
  readonly headersAt: number;
  readonly headersBytes: number;
  readonly payloadBytes: number;
  readonly sequence: number;
  readonly logTimeLow: number;
  readonly logTimeHigh: number;
}

const text = new TextEncoder();
const TWO_32 = 2 ** 32;
/** Up to here a loop copies: the call that does it needs a view, an object per message. */
const LOOP_BYTES_MAX = 256;
const fromText = new TextDecoder();

function alignUp(bytes: number): number {
  return (bytes + 7) & ~7;
}

export function entryBytes(message: LogMessage): number {
  return alignUp(
    ENTRY_HEADER_BYTES +
      Buffer.byteLength(message.subject) +
      message.headers.length +
      message.payload.length,
  );
}

const CAPACITY_BYTES = 65_536;
/** "NATS/1.0" alone. */
const EMPTY_HEADER_BYTES = 12;

/** Collects messages up to CHUNK_BYTES_MAX; `take` hands the chunk over and starts the next. */
export class ChunkWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #used = 0;
  #count = 0;
  /** Sequences stay below 2^53. */
  #first = 0;
  #last = 0;

  constructor() {
    this.#bytes = new Uint8Array(CAPACITY_BYTES);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Of the entries so far. */
  get bytes(): number {
    return this.#used;
  }

  get count(): number {
    return this.#count;
  }

  /** False when the chunk has no room for it: take the chunk first. */
  append(message: LogMessage): boolean {
    const size = entryBytes(message);
    assert(size <= CHUNK_BYTES_MAX, `a log message of ${size} B fits no chunk`);
    if (this.#used + size > CHUNK_BYTES_MAX) return false;
    const at = this.#begin(size, Number(message.sequence));
    const subjectAt = at + ENTRY_HEADER_BYTES;
    const subject = text.encodeInto(message.subject, this.#bytes.subarray(subjectAt)).written;
    this.#bytes.set(message.headers, subjectAt + subject);
    this.#bytes.set(message.payload, subjectAt + subject + message.headers.length);
    this.#sizes(at, subject, message.headers.length, message.payload.length);
    this.#view.setBigUint64(at + ENTRY_LOG_TIME_NS_AT, message.logTimeNs, true);
    return true;
  }

  /** The same of a message in a socket's bytes. */
  appendRaw(message: RawMessage): boolean {
    const { source, subjectBytes, headersAt, payloadBytes } = message;
    // A header block that says nothing is none.
    const headerBytes = message.headersBytes > EMPTY_HEADER_BYTES ? message.headersBytes : 0;
    const size = alignUp(ENTRY_HEADER_BYTES + subjectBytes + headerBytes + payloadBytes);
    assert(size <= CHUNK_BYTES_MAX, 'a log message fits a chunk');
    if (this.#used + size > CHUNK_BYTES_MAX) return false;
    const at = this.#begin(size, message.sequence);
    const subjectAt = at + ENTRY_HEADER_BYTES;
    this.#copy(source, message.subjectAt, subjectAt, subjectBytes);
    const bodyAt = headersAt + message.headersBytes - headerBytes;
    this.#copy(source, bodyAt, subjectAt + subjectBytes, headerBytes + payloadBytes);
    this.#sizes(at, subjectBytes, headerBytes, payloadBytes);
    this.#view.setUint32(at + ENTRY_LOG_TIME_NS_AT, message.logTimeLow, true);
    this.#view.setUint32(at + ENTRY_LOG_TIME_NS_AT + 4, message.logTimeHigh, true);
    return true;
  }

  #copy(from: Uint8Array, at: number, toAt: number, bytes: number): void {
    const to = this.#bytes;
    if (bytes > LOOP_BYTES_MAX) to.set(from.subarray(at, at + bytes), toAt);
    else for (let index = 0; index < bytes; index += 1) to[toAt + index] = from[at + index]!;
  }

  /** Room for an entry of `size` bytes: where it begins. */
  #begin(size: number, sequence: number): number {
    assert(this.#count === 0 || sequence > this.#last, 'entries ascend in sequence');
    this.#reserve(size);
    const at = this.#used;
    this.#view.setUint32(at + ENTRY_BYTES_AT, size, true);
    this.#view.setUint32(at + ENTRY_SEQUENCE_AT, sequence % TWO_32, true);
    this.#view.setUint32(at + ENTRY_SEQUENCE_AT + 4, Math.floor(sequence / TWO_32), true);
    if (this.#count === 0) this.#first = sequence;
    this.#last = sequence;
    this.#used += size;
    this.#count += 1;
    return at;
  }

  #sizes(at: number, subjectBytes: number, headerBytes: number, payloadBytes: number): void {
    this.#view.setUint32(at + ENTRY_PAYLOAD_BYTES_AT, payloadBytes, true);
    this.#view.setUint16(at + ENTRY_SUBJECT_BYTES_AT, subjectBytes, true);
    this.#view.setUint16(at + ENTRY_HEADER_BYTES_AT, headerBytes, true);
  }

  /** Hands the chunk over (its bytes belong to the caller) and starts an empty one. */
  take(): LogChunk {
    assert(this.#count > 0, 'a chunk holds at least one entry');
    const chunk = {
      bytes: this.#bytes.subarray(0, this.#used),
      count: this.#count,
      firstSequence: BigInt(this.#first),
      lastSequence: BigInt(this.#last),
    };
    // As much as the last one took: what flows fast fills whole chunks.
    this.#bytes = new Uint8Array(Math.max(CAPACITY_BYTES, this.#used));
    this.#view = new DataView(this.#bytes.buffer);
    this.#used = 0;
    this.#count = 0;
    return chunk;
  }

  #reserve(size: number): void {
    let capacity = this.#bytes.length;
    if (this.#used + size <= capacity) return;
    while (capacity < this.#used + size) capacity *= 2;
    const grown = new Uint8Array(Math.min(capacity, CHUNK_BYTES_MAX));
    grown.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Where the last entry begins, and where the one with the latest log time does. */
export function lastAndLatest({ bytes }: LogChunk): { last: number; latest: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let last = -1;
  let latest = -1;
  let latestHigh = -1;
  let latestLow = -1;
  for (let at = 0; at < bytes.length; at += view.getUint32(at + ENTRY_BYTES_AT, true)) {
    const low = view.getUint32(at + ENTRY_LOG_TIME_NS_AT, true);
    const high = view.getUint32(at + ENTRY_LOG_TIME_NS_AT + 4, true);
    if (high > latestHigh || (high === latestHigh && low > latestLow)) {
      latest = at;
      latestHigh = high;
      latestLow = low;
    }
    last = at;
  }
  assert(last >= 0, 'a chunk holds at least one entry');
  return { last, latest };
}

/** The message whose entry begins at `at`; views into the chunk's bytes. */
export function messageAt({ bytes }: LogChunk, at: number): LogMessage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const subjectAt = at + ENTRY_HEADER_BYTES;
  const headersAt = subjectAt + view.getUint16(at + ENTRY_SUBJECT_BYTES_AT, true);
  const payloadAt = headersAt + view.getUint16(at + ENTRY_HEADER_BYTES_AT, true);
  const payloadEnd = payloadAt + view.getUint32(at + ENTRY_PAYLOAD_BYTES_AT, true);
  return {
    sequence: view.getBigUint64(at + ENTRY_SEQUENCE_AT, true),
    logTimeNs: view.getBigUint64(at + ENTRY_LOG_TIME_NS_AT, true),
    subject: fromText.decode(bytes.subarray(subjectAt, headersAt)),
    headers: bytes.subarray(headersAt, payloadAt),
    payload: bytes.subarray(payloadAt, payloadEnd),
  };
}

/** The messages of a chunk, for tests, audits and tools; views into the chunk's bytes. */
export function* chunkMessages(chunk: LogChunk): Generator<LogMessage> {
  const { bytes } = chunk;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; at += view.getUint32(at + ENTRY_BYTES_AT, true)) {
    yield messageAt(chunk, at);
  }
}

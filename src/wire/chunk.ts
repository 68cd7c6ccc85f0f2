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

const text = new TextEncoder();
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

/** Collects messages up to CHUNK_BYTES_MAX; `take` hands the chunk over and starts the next. */
export class ChunkWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #used = 0;
  #count = 0;
  #first = 0n;
  #last = 0n;

  constructor() {
    this.#bytes = new Uint8Array(64 * 1024);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get count(): number {
    return this.#count;
  }

  /** False when the chunk has no room for it: take the chunk first. */
  append(message: LogMessage): boolean {
    const size = entryBytes(message);
    assert(size <= CHUNK_BYTES_MAX, `a log message of ${size} B fits no chunk`);
    if (this.#used + size > CHUNK_BYTES_MAX) return false;
    assert(this.#count === 0 || message.sequence > this.#last, 'entries ascend in sequence');
    this.#reserve(size);
    const at = this.#used;
    const subjectAt = at + ENTRY_HEADER_BYTES;
    const subject = text.encodeInto(message.subject, this.#bytes.subarray(subjectAt)).written;
    this.#bytes.set(message.headers, subjectAt + subject);
    this.#bytes.set(message.payload, subjectAt + subject + message.headers.length);
    this.#view.setUint32(at + ENTRY_BYTES_AT, size, true);
    this.#view.setUint32(at + ENTRY_PAYLOAD_BYTES_AT, message.payload.length, true);
    this.#view.setUint16(at + ENTRY_SUBJECT_BYTES_AT, subject, true);
    this.#view.setUint16(at + ENTRY_HEADER_BYTES_AT, message.headers.length, true);
    this.#view.setBigUint64(at + ENTRY_SEQUENCE_AT, message.sequence, true);
    this.#view.setBigUint64(at + ENTRY_LOG_TIME_NS_AT, message.logTimeNs, true);
    if (this.#count === 0) this.#first = message.sequence;
    this.#last = message.sequence;
    this.#used += size;
    this.#count += 1;
    return true;
  }

  /** Hands the chunk over (its bytes belong to the caller) and starts an empty one. */
  take(): LogChunk {
    assert(this.#count > 0, 'a chunk holds at least one entry');
    const chunk = {
      bytes: this.#bytes.subarray(0, this.#used),
      count: this.#count,
      firstSequence: this.#first,
      lastSequence: this.#last,
    };
    this.#bytes = new Uint8Array(64 * 1024);
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

/** The messages of a chunk, for tests, audits and tools; views into the chunk's bytes. */
export function* chunkMessages(chunk: LogChunk): Generator<LogMessage> {
  const view = new DataView(chunk.bytes.buffer, chunk.bytes.byteOffset, chunk.bytes.byteLength);
  let at = 0;
  while (at < chunk.bytes.length) {
    const subjectAt = at + ENTRY_HEADER_BYTES;
    const headersAt = subjectAt + view.getUint16(at + ENTRY_SUBJECT_BYTES_AT, true);
    const payloadAt = headersAt + view.getUint16(at + ENTRY_HEADER_BYTES_AT, true);
    const payloadEnd = payloadAt + view.getUint32(at + ENTRY_PAYLOAD_BYTES_AT, true);
    yield {
      sequence: view.getBigUint64(at + ENTRY_SEQUENCE_AT, true),
      logTimeNs: view.getBigUint64(at + ENTRY_LOG_TIME_NS_AT, true),
      subject: fromText.decode(chunk.bytes.subarray(subjectAt, headersAt)),
      headers: chunk.bytes.subarray(headersAt, payloadAt),
      payload: chunk.bytes.subarray(payloadAt, payloadEnd),
    };
    at += view.getUint32(at + ENTRY_BYTES_AT, true);
  }
}

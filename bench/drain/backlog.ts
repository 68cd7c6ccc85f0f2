/**
 * Fills the log: the corpus of the kernel bench, each record in the stream of its device's
 * partition. In: a case. Out: how many records are stored, and the last sequence of every stream. A
 * tick at the end of each stream lets every window that a watermark closed be written.
 */
import type { NatsLink } from '../../src/log/index.ts';
import { partitionOf } from '../../src/wire/subject.ts';
import { Corpus } from '../kernel/corpus.ts';
import { planFor } from '../kernel/shape.ts';
import { type PeerRecord, readBatch } from '../peer/batch-reader.ts';
import { type DrainCase, LOG_ID, PARTITIONS } from './case.ts';

/** Of a stream, between two messages that are awaited: the server takes them as they come. */
const UNAWAITED_MAX = 1_000;
const UNAWAITED_BYTES_MAX = 2 ** 21;
const GROUP_EVENTS = 50_000;
const RECORD_TAG = 0x0a;
const HOUR_MS = 3_600_000;

export interface Backlog {
  readonly events: number;
  readonly last: readonly bigint[];
}

/** `before`: the last sequences while nobody else writes. */
export async function fillLog(
  link: NatsLink,
  given: DrainCase,
  before: readonly bigint[],
): Promise<Backlog> {
  const plan = JSON.stringify(planFor(given.shape, given.format, given.devices));
  // Not older than a device may be, nor ahead of the log, however long the backlog is.
  const startMs = Math.floor(Date.now() / HOUR_MS - 6) * HOUR_MS + HOUR_MS - 30_000;
  const corpus = new Corpus({ ...given, plan, startMs });
  const writer = new Writer(link, given);
  let events = 0;
  while (events < given.events) {
    const group = corpus.next(Math.min(GROUP_EVENTS, given.events));
    for (const { subject, payload } of group.messages) {
      if (!subject.endsWith('.batch')) continue;
      for (const record of recordsOf(payload)) await writer.put(record);
    }
    events += group.events;
  }
  return { events: writer.events, last: await writer.end(before) };
}

export interface StoredRecord extends PeerRecord {
  /** With its tag and length: pieces of a record batch. */
  readonly bytes: Uint8Array;
}

export function* recordsOf(batch: Uint8Array): Generator<StoredRecord> {
  const records = readBatch(batch);
  let at = 0;
  for (const record of records) {
    const end = recordEnd(batch, at);
    yield { ...record, bytes: batch.subarray(at, end) };
    at = end;
  }
}

function recordEnd(batch: Uint8Array, start: number): number {
  if (batch[start] !== RECORD_TAG) throw new Error('bug: the corpus holds records only');
  let at = start + 1;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = batch[at++]!;
    length |= (byte & 127) << shift;
    if (byte < 128) return at + length;
  }
}

class Writer {
  events = 0;
  readonly #link: NatsLink;
  readonly #given: DrainCase;
  readonly #streams = Array.from({ length: PARTITIONS }, () => ({
    pieces: [] as Uint8Array[],
    unawaitedBytes: 0,
    unawaited: 0,
    messages: 0,
  }));

  constructor(link: NatsLink, given: DrainCase) {
    this.#link = link;
    this.#given = given;
  }

  async put(record: StoredRecord): Promise<void> {
    const { tenant, site, device, channel, payload } = record;
    const partition = partitionOf({ tenant, site, device }, PARTITIONS);
    this.events += 1;
    if (this.#given.recordsPerMessage === 1) {
      return this.#publish(partition, `iot.${tenant}.${site}.${device}.t.${channel}`, payload);
    }
    const { pieces } = this.#streams[partition]!;
    pieces.push(record.bytes);
    if (pieces.length === this.#given.recordsPerMessage) await this.#flush(partition);
  }

  /** Last sequences; throws when the server has dropped any message. */
  async end(before: readonly bigint[]): Promise<bigint[]> {
    const last: bigint[] = [];
    for (const [partition, stream] of this.#streams.entries()) {
      if (stream.pieces.length > 0) await this.#flush(partition);
      const sequence = await this.#append(partition, 'tick', new Uint8Array(0));
      const stored = Number(sequence - before[partition]!);
      if (stored !== stream.messages + 1) {
        throw new Error(`partition ${partition}: ${stored - 1} stored of ${stream.messages}`);
      }
      last.push(sequence);
    }
    return last;
  }

  async #flush(partition: number): Promise<void> {
    const stream = this.#streams[partition]!;
    const body = Buffer.concat(stream.pieces);
    stream.pieces.length = 0;
    await this.#publish(partition, 'batch', body);
  }

  async #publish(partition: number, tail: string, body: Uint8Array): Promise<void> {
    const stream = this.#streams[partition]!;
    stream.messages += 1;
    stream.unawaited += 1;
    stream.unawaitedBytes += body.length;
    if (stream.unawaited < UNAWAITED_MAX && stream.unawaitedBytes < UNAWAITED_BYTES_MAX) {
      this.#link.nc.publish(`log.${LOG_ID}.${partition}.${tail}`, body);
      return;
    }
    stream.unawaited = 0;
    stream.unawaitedBytes = 0;
    await this.#append(partition, tail, body);
  }

  async #append(partition: number, tail: string, body: Uint8Array): Promise<bigint> {
    const answer = await this.#link.request(`log.${LOG_ID}.${partition}.${tail}`, body);
    const { seq, error } = answer.json() as { seq?: number; error?: { description: string } };
    if (!seq) throw new Error(`the log did not store a message: ${error?.description}`);
    return BigInt(seq);
  }
}

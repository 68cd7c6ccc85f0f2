/**
 * The log that the kernel bench replays: a fleet whose devices report in a new random order in
 * every step, in batches of 100 records, with a tick per second of log time. In: shape, format,
 * number of devices. Out: messages, made group by group, and the chunks of the same messages. A
 * hundredth is cut short, a hundredth sent twice, every two-hundredth reading out of range.
 */
import type { LogChunk } from '../../src/model/doors.ts';
import { ChunkWriter, type LogMessage } from '../../src/wire/chunk.ts';
import { logSubject } from '../../src/wire/subject.ts';
import { type Format, LOG, PARTITION, type Shape } from './shape.ts';

/** Half a minute before an hour ends: the longest case closes it, as it closes a minute. */
const START_MS = Date.UTC(2026, 0, 1) - 30_000;
const BATCH_RECORDS = 100;
const BATCH_BYTES_MAX = 65_536;
const TICK_MS = 1000;
const NANOSECONDS = 1_000_000n;
/** From a device to the door, and from there into the log. */
const TRANSIT_MS = 20;
const BOOT_ID = 0x1122334455667788n;
const NO_BYTES = new Uint8Array(0);
const TENANTS = 4;
const SITES = 50;

export interface Group {
  readonly events: number;
  readonly messages: readonly LogMessage[];
  readonly chunks: readonly LogChunk[];
}

export interface CorpusOptions {
  readonly shape: Shape;
  readonly format: Format;
  readonly devices: number;
  readonly plan: string;
  /** UTC; default: half a minute before 2026. */
  readonly startMs?: number;
}

/** xorshift32: the same corpus in every run. */
class Dice {
  #state = 0x9e3779b9;

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return x >>> 0;
  }

  below(limit: number): number {
    return this.next() % limit;
  }
}

export class Corpus {
  /** A record is received so much later than its event. */
  static readonly transitMs = TRANSIT_MS;
  readonly #options: CorpusOptions;
  readonly #dice = new Dice();
  readonly #order: Uint32Array;
  readonly #counters: Uint32Array;
  readonly #names: Buffer[];
  readonly #channel: Buffer;
  readonly #payload = Buffer.alloc(4096);
  readonly #record = Buffer.alloc(8192);
  readonly #body = Buffer.alloc(BATCH_BYTES_MAX);
  #bodyBytes = 0;
  #bodyRecords = 0;
  #sequence = 0n;
  #step = 0;
  #place = 0;
  readonly #startMs: number;
  #tickMs: number;
  #nowMs: number;
  #messages: LogMessage[] = [];

  constructor(options: CorpusOptions) {
    this.#options = options;
    this.#startMs = options.startMs ?? START_MS;
    this.#tickMs = this.#startMs;
    this.#nowMs = this.#startMs;
    this.#order = Uint32Array.from({ length: options.devices }, (_, index) => index);
    this.#counters = new Uint32Array(options.devices);
    this.#names = Array.from({ length: options.devices }, (_, index) => namesOf(index));
    this.#channel = Buffer.from(options.shape.channel);
    this.#append('plan', Buffer.from(options.plan));
  }

  /** The next `events` records, rounded up to whole batches. */
  next(events: number): Group {
    let made = 0;
    while (made < events) made += this.#batch();
    const messages = this.#messages;
    this.#messages = [];
    return { events: made, messages, chunks: chunksOf(messages) };
  }

  #batch(): number {
    while (this.#bodyRecords < BATCH_RECORDS && this.#bodyBytes < BATCH_BYTES_MAX - 2048) {
      this.#device(this.#nextDevice());
    }
    const records = this.#bodyRecords;
    this.#append('batch', Buffer.from(this.#body.subarray(0, this.#bodyBytes)));
    this.#bodyBytes = 0;
    this.#bodyRecords = 0;
    if (this.#nowMs >= this.#tickMs + TICK_MS) {
      this.#tickMs = this.#nowMs;
      this.#append('tick', NO_BYTES);
    }
    return records;
  }

  #append(tail: string, payload: Uint8Array): void {
    this.#sequence += 1n;
    this.#messages.push({
      sequence: this.#sequence,
      logTimeNs: BigInt(this.#nowMs + TRANSIT_MS + 5) * NANOSECONDS,
      subject: logSubject(LOG, PARTITION, tail),
      headers: NO_BYTES,
      payload,
    });
  }

  #nextDevice(): number {
    const { devices, shape } = this.#options;
    if (this.#place === 0) this.#shuffle();
    const device = this.#order[this.#place]!;
    const within = Math.floor((this.#place * shape.cadenceMs) / devices);
    this.#nowMs = this.#startMs + this.#step * shape.cadenceMs + within;
    this.#place += 1;
    if (this.#place === devices) {
      this.#place = 0;
      this.#step += 1;
    }
    return device;
  }

  #shuffle(): void {
    const order = this.#order;
    for (let i = order.length - 1; i > 0; i--) {
      const j = this.#dice.below(i + 1);
      const other = order[j]!;
      order[j] = order[i]!;
      order[i] = other;
    }
  }

  #device(device: number): void {
    const fate = this.#dice.below(200);
    this.#counters[device]! += 1;
    const sequence = this.#counters[device]!;
    const bytes =
      this.#options.format === 'json' ? this.#json(fate) : this.#protobuf(sequence, fate);
    // 2 of 200 are cut short, 2 of 200 sent twice.
    const cut = fate < 2 ? bytes - 3 : bytes;
    this.#put(device, sequence, cut);
    if (fate === 2 || fate === 3) this.#put(device, sequence, cut);
  }

  #value(index: number, fate: number): number {
    const { least, span, max } = this.#options.shape.metrics[index]!;
    // 1 of 200 readings is out of range.
    if (fate === 4 && index === 0) return max + 1;
    return least + this.#dice.below(span * 64) / 64;
  }

  #json(fate: number): number {
    const { metrics, ballast } = this.#options.shape;
    const values = metrics.map(({ name }, index) => `"${name}":${this.#value(index, fate)}`);
    return this.#payload.write(`{"time":${this.#nowMs},${values.join(',')}${ballast}}`, 'latin1');
  }

  /** Telemetry of one sample (proto/telemetry.proto). */
  #protobuf(sequence: number, fate: number): number {
    const out = this.#payload;
    const { metrics } = this.#options.shape;
    let at = 0;
    out[at++] = 0x0a;
    out[at++] = 9 + 13 * metrics.length;
    out[at++] = 0x09;
    out.writeBigInt64LE(BigInt(this.#nowMs), at);
    at += 8;
    for (let i = 0; i < metrics.length; i++) {
      out[at++] = 0x12;
      out[at++] = 11;
      out[at++] = 0x08;
      out[at++] = i + 1;
      out[at++] = 0x11;
      out.writeDoubleLE(this.#value(i, fate), at);
      at += 8;
    }
    out[at++] = 0x19;
    out.writeBigUInt64LE(BOOT_ID, at);
    at += 8;
    out[at++] = 0x20;
    return putVarint(out, at, sequence);
  }

  /** A record of proto/record_batch.proto; the key goes with it where the payload has none. */
  #put(device: number, sequence: number, payloadBytes: number): void {
    const out = this.#record;
    const names = this.#names[device]!;
    let at = names.copy(out, 0);
    out[at++] = 0x22;
    out[at++] = this.#channel.length;
    at += this.#channel.copy(out, at);
    out[at++] = 0x29;
    out.writeBigUInt64LE(BigInt(this.#nowMs + TRANSIT_MS), at);
    at += 8;
    out[at++] = 0x32;
    at = putVarint(out, at, payloadBytes);
    at += this.#payload.copy(out, at, 0, payloadBytes);
    if (this.#options.format === 'json') {
      out[at++] = 0x41;
      out.writeBigUInt64LE(BOOT_ID, at);
      at += 8;
      out[at++] = 0x48;
      at = putVarint(out, at, sequence);
    }
    this.#body[this.#bodyBytes++] = 0x0a;
    this.#bodyBytes = putVarint(this.#body, this.#bodyBytes, at);
    this.#bodyBytes += out.copy(this.#body, this.#bodyBytes, 0, at);
    this.#bodyRecords += 1;
  }
}

/** Fields 1 to 3 of a record: tenant, site, device. */
function namesOf(device: number): Buffer {
  const tenant = `fleet-${device % TENANTS}`;
  const site = `depot-${device % SITES}`;
  const fields = [tenant, site, `dev-${String(device).padStart(7, '0')}`];
  return Buffer.concat(
    fields.map((text, index) => {
      return Buffer.concat([Buffer.from([((index + 1) << 3) | 2, text.length]), Buffer.from(text)]);
    }),
  );
}

function putVarint(out: Buffer, at: number, value: number): number {
  while (value >= 128) {
    out[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  out[at++] = value;
  return at;
}

function chunksOf(messages: readonly LogMessage[]): LogChunk[] {
  const chunks: LogChunk[] = [];
  const writer = new ChunkWriter();
  for (const message of messages) {
    if (writer.append(message)) continue;
    chunks.push(writer.take());
    writer.append(message);
  }
  if (writer.count > 0) chunks.push(writer.take());
  return chunks;
}

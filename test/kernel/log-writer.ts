/**
 * Writes a partition's log for tests. In: records, ticks, plans, raw messages and the log time at
 * which they come. Out: messages with ascending sequences, and chunks cut from them in any way.
 */
import type { LogChunk } from '../../src/model/doors.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { DeviceRecord, EventKey, Identity } from '../../src/model/record.ts';
import { ChunkWriter, type LogMessage } from '../../src/wire/chunk.ts';
import { encodeRecordBatch } from '../../src/wire/record-batch.ts';
import { logSubject, telemetrySubject } from '../../src/wire/subject.ts';

export const LOG = 'test';
export const PARTITION = 3;
/** 2026-01-01T00:00:00Z: the moment at which test logs begin. */
export const START_MS = Date.UTC(2026, 0, 1);
const NO_BYTES = new Uint8Array(0);

export class LogWriter {
  readonly messages: LogMessage[] = [];
  /** Log time of the next message. */
  nowMs = START_MS;
  #sequence = 0n;

  get lastSequence(): bigint {
    return this.#sequence;
  }

  append(tail: string, payload: Uint8Array, headers: Uint8Array = NO_BYTES): bigint {
    this.#sequence += 1n;
    this.messages.push({
      sequence: this.#sequence,
      logTimeNs: BigInt(this.nowMs) * 1_000_000n + 999_999n,
      subject: logSubject(LOG, PARTITION, tail),
      headers,
      payload,
    });
    return this.#sequence;
  }

  plan(plan: Plan): bigint {
    return this.append('plan', Buffer.from(JSON.stringify(plan)));
  }

  tick(): bigint {
    return this.append('tick', NO_BYTES);
  }

  batch(records: readonly DeviceRecord[]): bigint {
    return this.append('batch', encodeRecordBatch(records));
  }

  native(to: { identity: Identity; channel: string }, payload: Uint8Array, headers?: string) {
    const subject = telemetrySubject(to.identity, to.channel);
    const raw = headers === undefined ? NO_BYTES : Buffer.from(`NATS/1.0\r\n${headers}\r\n\r\n`);
    return this.append(subject, payload, raw);
  }

  /** Messages that the log lost. */
  skip(messages: bigint): void {
    this.#sequence += messages;
  }

  at(nowMs: number): this {
    this.nowMs = nowMs;
    return this;
  }
}

export interface RecordInput {
  readonly device?: string;
  readonly channel?: string;
  readonly payload: Uint8Array;
  readonly key?: EventKey;
  readonly kind?: string;
  readonly receivedAtMs: number;
}

export function recordOf(input: RecordInput): DeviceRecord {
  const { device = 'd1', channel = 'c', payload, key, kind, receivedAtMs } = input;
  const identity = { tenant: 't1', site: 's1', device };
  return {
    ...{ identity, channel, payload, receivedAtMs },
    ...(key ? { key } : {}),
    ...(kind === undefined ? {} : { kind }),
  };
}

/** Cuts messages into chunks of `sizes` messages, in turn; a full chunk ends earlier. */
export function cut(messages: readonly LogMessage[], sizes: Iterable<number>): LogChunk[] {
  const chunks: LogChunk[] = [];
  const writer = new ChunkWriter();
  const size = sizes[Symbol.iterator]();
  let left = size.next().value as number;
  for (const message of messages) {
    if (left === 0 || !writer.append(message)) {
      chunks.push(writer.take());
      left = size.next().value as number;
      writer.append(message);
    }
    left -= 1;
  }
  if (writer.count > 0) chunks.push(writer.take());
  return chunks;
}

export function* always(size: number): Generator<number> {
  for (;;) yield size;
}

export const all = (messages: readonly LogMessage[]): LogChunk[] =>
  cut(messages, always(messages.length));

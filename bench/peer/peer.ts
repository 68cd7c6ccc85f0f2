/**
 * Peers of the kernel bench: the record batch read by protobufjs' reader, the payload by
 * `JSON.parse` (naive) or by the code that protobufjs generates from proto/telemetry.proto, then
 * the fold over Maps. In: messages as a client delivers them (that cost is left out). Out: rows as
 * objects; with `…-rows` as the bytes that a client would send of them, as the kernel's are blocks.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { projectFolder } from '../../src/base/project.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import type { Group } from '../kernel/corpus.ts';
import { ResultHash, type Subject, type Watch } from '../kernel/subject.ts';
import { type PeerRecord, readBatch } from './batch-reader.ts';
import { MapFold } from './map-fold.ts';

const NANOSECONDS = 1_000_000n;
const fromText = new TextDecoder();

/** Decodes a record's payload and folds it. */
export type Apply = (record: PeerRecord, logTimeMs: number) => void;

export const PEERS = ['naive', 'protobufjs', 'naive-rows', 'protobufjs-rows'] as const;

export class Peer implements Subject {
  readonly name: string;
  /** Of the rows of the message before: kept, so that nobody finds them useless. */
  bytes: Uint8Array = new Uint8Array();
  readonly result = new ResultHash();
  readonly #fold: MapFold;
  readonly #apply: Apply;
  readonly #metrics: readonly string[];
  readonly #makesBytes: boolean;

  constructor(name: (typeof PEERS)[number], plan: Plan) {
    this.name = name;
    this.#makesBytes = name.endsWith('-rows');
    this.#fold = new MapFold(plan);
    this.#metrics = plan.channels[0]!.metrics.map((metric) => metric.name);
    this.#apply = name.startsWith('naive')
      ? jsonApplier(this.#fold, this.#metrics)
      : protobufApplier(this.#fold);
  }

  run(group: Group, watch: Watch): void {
    for (const message of group.messages) {
      if (!message.subject.endsWith('.batch')) continue;
      watch.measure(() => this.#message(message));
    }
    for (const { device, window, start, metrics } of this.#fold.windows) {
      metrics.forEach((aggregate, ordinal) => {
        if (aggregate === undefined) return;
        this.result.add(`${device} ${window} ${start} ${this.#metrics[ordinal]}`, aggregate);
      });
    }
    this.#fold.windows = [];
  }

  stateBytes(): number {
    return process.memoryUsage().heapUsed;
  }

  #message({ payload, logTimeNs }: LogMessage): void {
    const logTimeMs = Number(logTimeNs / NANOSECONDS);
    const fold = this.#fold;
    const before = fold.windows.length;
    for (const record of readBatch(payload)) this.#apply(record, logTimeMs);
    if (this.#makesBytes) this.bytes = asJsonLines([...fold.rows, ...fold.windows.slice(before)]);
    fold.rows = [];
  }
}

/** JSONEachRow, as ClickHouse's client makes it of objects. */
function asJsonLines(rows: readonly object[]): Uint8Array {
  return Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));
}

export function jsonApplier(fold: MapFold, names: readonly string[]): Apply {
  return (record, logTimeMs) => {
    let body: Record<string, unknown>;
    try {
      body = JSON.parse(fromText.decode(record.payload));
    } catch {
      fold.device(record);
      fold.refuse('payload_malformed');
      return;
    }
    const timeMs = body['time'];
    if (typeof timeMs !== 'number') {
      fold.refuse('time_malformed');
      return;
    }
    fold.apply(record, { timeMs, values: names.map((name) => body[name]) }, logTimeMs);
  };
}

interface Telemetry {
  readonly samples: readonly {
    readonly time_ms: { toNumber(): number } | number;
    readonly readings: readonly { readonly metric: number; readonly number?: number }[];
  }[];
  readonly boot_id: { readonly low: number; readonly high: number };
  readonly sequence: { toNumber(): number } | number;
}

const numberOf = (value: { toNumber(): number } | number): number =>
  typeof value === 'number' ? value : value.toNumber();

export function protobufApplier(fold: MapFold): Apply {
  const text = readFileSync(join(projectFolder(), 'proto', 'telemetry.proto'), 'utf8');
  const type = protobuf.parse(text, { keepCase: true }).root.lookupType('millrace.Telemetry');
  return (record, logTimeMs) => {
    let body: Telemetry;
    try {
      body = type.decode(record.payload) as unknown as Telemetry;
    } catch {
      fold.device(record);
      fold.refuse('payload_malformed');
      return;
    }
    record.boot = `${body.boot_id.low}-${body.boot_id.high}`;
    record.sequence = numberOf(body.sequence);
    for (const { time_ms, readings } of body.samples) {
      const values: unknown[] = [];
      for (const reading of readings) values[reading.metric - 1] = reading.number;
      fold.apply(record, { timeMs: numberOf(time_ms), values }, logTimeMs);
    }
  };
}

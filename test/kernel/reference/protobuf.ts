/**
 * Protobuf for the reference: protobufjs reads the values from proto/*.proto, and a strict walk of
 * the wire says where fields lie, whether they are present and whether the bytes are well formed,
 * in which protobufjs is laxer than the specification. In: bytes. Out: fields, or Malformed.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { assert } from '../../../src/base/assert.ts';

/** Bytes that do not follow their format; `offset`: assembly/README.md, Payloads. */
export class Malformed extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super(`malformed at ${offset}`);
    this.offset = offset;
  }
}

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;
/** BYTES that must be UTF-8; a number that no wire type has. */
const TEXT = 8;

export interface Field {
  readonly number: number;
  readonly tagAt: number;
  /** Content of a length-delimited field, or the scalar's own bytes. */
  readonly start: number;
  readonly end: number;
  /** Value of a varint field. */
  readonly varint: bigint;
  /** Fields of a nested message. */
  readonly fields: readonly Field[];
}

/** Wire type of every known field number, or the shape of the message it holds. */
export interface Shape {
  readonly [number: number]: number | Shape;
}

export const RECORD_BATCH: Shape = { 1: BYTES };
export const RECORD: Shape = {
  ...{ 1: BYTES, 2: BYTES, 3: BYTES, 4: BYTES, 5: FIXED64 },
  ...{ 6: BYTES, 7: BYTES, 8: FIXED64, 9: VARINT, 10: BYTES },
};
const READING: Shape = { 1: VARINT, 2: FIXED64, 3: VARINT, 4: VARINT, 5: BYTES, 6: TEXT };
const SAMPLE: Shape = { 1: FIXED64, 2: READING };
export const TELEMETRY: Shape = { 1: SAMPLE, 2: BYTES, 3: FIXED64, 4: VARINT };

const FIELD_NUMBER_MAX = 2n ** 29n - 1n;
const TAG_BYTES_MAX = 5;

/** What is read, up to where, and the tag that is to blame. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly tagAt: number;
}

/** Called when a nested message has been read, in wire order. */
type Visit = (shape: Shape, field: Field) => void;

/** Known and unknown fields of one message, in wire order; nested ones as soon as they are met. */
export function walk(
  bytes: Uint8Array,
  range: { start: number; end: number },
  shape: Shape,
  visit: Visit = () => {},
): Field[] {
  const fields: Field[] = [];
  let at = range.start;
  while (at < range.end) {
    const tagAt = at;
    const tag = varint(bytes, { start: at, end: range.end, tagAt });
    const number = tag.value >> 3n;
    const wireType = Number(tag.value & 7n);
    if (number === 0n || number > FIELD_NUMBER_MAX) throw new Malformed(tagAt);
    if (tag.end - tagAt > TAG_BYTES_MAX) throw new Malformed(tagAt);
    const known = shape[Number(number)];
    const expected = typeof known === 'object' || known === TEXT ? BYTES : known;
    if (expected !== undefined && expected !== wireType) throw new Malformed(tagAt);
    const value = measure(bytes, wireType, { start: tag.end, end: range.end, tagAt });
    if (known === TEXT && !isUtf8(bytes.subarray(value.start, value.end))) {
      throw new Malformed(tagAt);
    }
    const inner = typeof known === 'object' ? walk(bytes, value, known, visit) : [];
    const field = { number: Number(number), tagAt, ...value, fields: inner };
    if (typeof known === 'object') visit(known, field);
    fields.push(field);
    at = value.end;
  }
  return fields;
}

/** Refuses, where it is met, the second reading of a metric in one sample. */
export function walkTelemetry(
  bytes: Uint8Array,
  metricOf: (fields: readonly Field[]) => number | undefined,
): Field[] {
  let seen = new Set<number>();
  return walk(bytes, { start: 0, end: bytes.length }, TELEMETRY, (shape, field) => {
    if (shape === SAMPLE) seen = new Set();
    const metric = shape === READING ? metricOf(field.fields) : undefined;
    if (metric === undefined) return;
    if (seen.has(metric)) throw new Malformed(field.tagAt);
    seen.add(metric);
  });
}

function measure(bytes: Uint8Array, wireType: number, range: Range) {
  const { start, end, tagAt } = range;
  if (wireType === VARINT) {
    const value = varint(bytes, range);
    return { start, end: value.end, varint: value.value };
  }
  if (wireType === FIXED64 || wireType === FIXED32) {
    const length = wireType === FIXED64 ? 8 : 4;
    if (start + length > end) throw new Malformed(tagAt);
    return { start, end: start + length, varint: 0n };
  }
  if (wireType !== BYTES) throw new Malformed(tagAt);
  const length = varint(bytes, range);
  if (length.value > BigInt(end - length.end)) throw new Malformed(tagAt);
  return { start: length.end, end: length.end + Number(length.value), varint: 0n };
}

function varint(bytes: Uint8Array, { start, end, tagAt }: Range): { value: bigint; end: number } {
  let value = 0n;
  for (let at = start; at < end && at - start < 10; at += 1) {
    value |= BigInt(bytes[at]! & 127) << BigInt(7 * (at - start));
    if (value >= 1n << 64n) throw new Malformed(tagAt);
    if (bytes[at]! < 128) return { value, end: at + 1 };
  }
  throw new Malformed(tagAt);
}

/** The last field with a number: what counts when a single field is given several times. */
export function last(fields: readonly Field[], number: number): Field | undefined {
  return fields.filter((field) => field.number === number).at(-1);
}

// Names are compared as bytes, whatever they hold, so protobufjs must not read them as text.
const protoText = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`../../../proto/${file}`, rootOfSources())), 'utf8').replace(
    /string (event_id|name|tenant|site|device|channel|kind|text)/g,
    'bytes $1',
  );

/** This file runs from test/ and from build/test/; proto/ lies beside both src and build. */
function rootOfSources(): string {
  return import.meta.url.replace(/\/build\/(test\/kernel\/reference\/)/, '/$1');
}

const load = (file: string, type: string): protobuf.Type =>
  protobuf.parse(protoText(file), { keepCase: true }).root.lookupType(`millrace.${type}`);

const telemetryType = load('telemetry.proto', 'Telemetry');
const recordBatchType = load('record_batch.proto', 'RecordBatch');

type Long = { toString(): string } | number;

export interface ReadingMessage {
  readonly name: Uint8Array;
  readonly number: number;
  readonly integer: Long;
  readonly text: Uint8Array;
}

export interface TelemetryMessage {
  readonly samples: readonly { time_ms: Long; readings: readonly ReadingMessage[] }[];
  readonly event_id: Uint8Array;
  readonly boot_id: Long;
  readonly sequence: Long;
}

export interface RecordMessage {
  readonly tenant: Uint8Array;
  readonly site: Uint8Array;
  readonly device: Uint8Array;
  readonly channel: Uint8Array;
  readonly received_at_ms: Long;
  readonly payload: Uint8Array;
  readonly event_id: Uint8Array;
  readonly boot_id: Long;
  readonly sequence: Long;
  readonly kind: Uint8Array;
}

export const whole = (long: Long): bigint => BigInt(long.toString());

export function decodeTelemetry(payload: Uint8Array): TelemetryMessage {
  return decodeBy(telemetryType, payload) as unknown as TelemetryMessage;
}

export function decodeRecordBatch(body: Uint8Array): { readonly records: RecordMessage[] } {
  return decodeBy(recordBatchType, body) as unknown as { records: RecordMessage[] };
}

function decodeBy(type: protobuf.Type, bytes: Uint8Array): protobuf.Message {
  try {
    return type.decode(bytes);
  } catch (error) {
    assert(false, `protobufjs refuses what the strict walk accepted: ${error}`);
  }
}

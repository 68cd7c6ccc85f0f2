/**
 * The record-batch codec (proto/record_batch.proto): what one log message `log.<log>.<p>.batch`
 * holds. Encoding appends records one by one, so that a batch knows its size as it grows; the
 * concatenation of encoded records *is* the encoded batch.
 */
import protobuf from 'protobufjs/minimal.js';
import type { DeviceRecord, EventKey } from '../model/record.ts';

const { Reader, Writer } = protobuf;

const tag = (field: number, wireType: number): number => ((field << 3) | wireType) >>> 0;
const RECORDS = tag(1, 2);
const TENANT = tag(1, 2);
const SITE = tag(2, 2);
const DEVICE = tag(3, 2);
const CHANNEL = tag(4, 2);
const RECEIVED_AT = tag(5, 1);
const PAYLOAD = tag(6, 2);
const EVENT_ID = tag(7, 2);
const BOOT_ID = tag(8, 1);
const SEQUENCE = tag(9, 0);
const KIND = tag(10, 2);

/** 64-bit integers cross protobufjs' minimal writer as low and high halves. */
function halves(value: bigint): { low: number; high: number; unsigned: boolean } {
  return {
    low: Number(value & 0xffffffffn) | 0,
    high: Number((value >> 32n) & 0xffffffffn) | 0,
    unsigned: true,
  };
}

function whole(value: unknown): bigint {
  if (typeof value === 'number') return BigInt(value);
  const long = value as { low: number; high: number };
  return (BigInt(long.high >>> 0) << 32n) | BigInt(long.low >>> 0);
}

/** One record with its field tag: append such pieces and the result is a RecordBatch. */
export function encodeRecord(record: DeviceRecord): Uint8Array {
  const writer = Writer.create();
  writer.uint32(RECORDS).fork();
  writer.uint32(TENANT).string(record.identity.tenant);
  writer.uint32(SITE).string(record.identity.site);
  writer.uint32(DEVICE).string(record.identity.device);
  writer.uint32(CHANNEL).string(record.channel);
  writer.uint32(RECEIVED_AT).fixed64(halves(BigInt(record.receivedAtMs)) as never);
  writer.uint32(PAYLOAD).bytes(record.payload);
  if (record.key && 'eventId' in record.key) {
    writer.uint32(EVENT_ID).string(record.key.eventId);
  } else if (record.key) {
    writer.uint32(BOOT_ID).fixed64(halves(record.key.bootId) as never);
    writer.uint32(SEQUENCE).uint64(halves(record.key.sequence) as never);
  }
  if (record.kind !== undefined) writer.uint32(KIND).string(record.kind);
  return writer.ldelim().finish();
}

export function encodeRecordBatch(records: readonly DeviceRecord[]): Uint8Array {
  return Buffer.concat(records.map(encodeRecord));
}

/** All records of a batch, payloads as views into `bytes`. Throws when it is not a RecordBatch. */
export function decodeRecordBatch(bytes: Uint8Array): DeviceRecord[] {
  const reader = Reader.create(bytes);
  const records: DeviceRecord[] = [];
  while (reader.pos < reader.len) {
    const next = reader.uint32();
    if (next !== RECORDS) {
      reader.skipType(next & 7);
      continue;
    }
    const end = reader.uint32() + reader.pos;
    records.push(decodeRecord(reader, end));
  }
  return records;
}

function decodeRecord(reader: protobuf.Reader, end: number): DeviceRecord {
  const fields = { tenant: '', site: '', device: '', channel: '' };
  let receivedAtMs = 0;
  let payload = new Uint8Array(0);
  let eventId: string | undefined;
  let bootId: bigint | undefined;
  let sequence = 0n;
  let kind: string | undefined;
  while (reader.pos < end) {
    const next = reader.uint32();
    if (next === TENANT) fields.tenant = reader.string();
    else if (next === SITE) fields.site = reader.string();
    else if (next === DEVICE) fields.device = reader.string();
    else if (next === CHANNEL) fields.channel = reader.string();
    else if (next === RECEIVED_AT) receivedAtMs = Number(whole(reader.fixed64()));
    else if (next === PAYLOAD) payload = new Uint8Array(reader.bytes());
    else if (next === EVENT_ID) eventId = reader.string();
    else if (next === BOOT_ID) bootId = whole(reader.fixed64());
    else if (next === SEQUENCE) sequence = whole(reader.uint64());
    else if (next === KIND) kind = reader.string();
    else reader.skipType(next & 7);
  }
  const key = eventKey(eventId, bootId, sequence);
  const { channel, ...identity } = fields;
  return {
    identity,
    channel,
    receivedAtMs,
    payload,
    ...(key ? { key } : {}),
    ...(kind === undefined ? {} : { kind }),
  };
}

function eventKey(
  eventId: string | undefined,
  bootId: bigint | undefined,
  sequence: bigint,
): EventKey | undefined {
  if (eventId !== undefined) return { eventId };
  if (bootId === undefined && sequence === 0n) return undefined;
  return { bootId: bootId ?? 0n, sequence }; // as the kernel reads it
}

/**
 * A record batch (proto/record_batch.proto). `batchIsValid` reads all of it before anything is
 * applied; `readRecord` then takes one record after the other and cannot fail.
 */
import { KEY_BOOT, KEY_NONE } from './decoded';
import { setEventId } from './entry';
import { KEY_INVALID, Record, turnOf } from './work';

const RECORDS: u32 = 1;
const TENANT: u32 = 1;
const SITE: u32 = 2;
const DEVICE: u32 = 3;
const CHANNEL: u32 = 4;
const RECEIVED_AT: u32 = 5;
const PAYLOAD: u32 = 6;
const EVENT_ID: u32 = 7;
const BOOT_ID: u32 = 8;
const SEQUENCE: u32 = 9;
const KIND: u32 = 10;

const WIRE_VARINT: u32 = 0;
const WIRE_FIXED64: u32 = 1;
const WIRE_BYTES: u32 = 2;
const WIRE_FIXED32: u32 = 5;
const FIELD_MAX: u64 = 0x1fffffff;

/** Reads a varint into `turn.varint`; gives the address behind it, 0 when it is none. */
function readVarint(at: usize, end: usize): usize {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < 70; shift += 7) {
    if (at >= end) return 0;
    const byte = <u64>load<u8>(at++);
    if (shift == 63 && byte > 1) return 0;
    value |= (byte & 127) << shift;
    if (byte < 128) {
      turnOf().varint = value;
      return at;
    }
  }
  return 0;
}

/** Behind the value of a field whose tag was just read; `turn.varint` is its varint or length. */
function readValue(at: usize, end: usize, wire: u32): usize {
  if (wire == WIRE_VARINT) return readVarint(at, end);
  if (wire == WIRE_FIXED64) return end - at >= 8 ? at + 8 : 0;
  if (wire == WIRE_FIXED32) return end - at >= 4 ? at + 4 : 0;
  if (wire != WIRE_BYTES) return 0;
  at = readVarint(at, end);
  if (at == 0) return 0;
  const bytes = turnOf().varint;
  return bytes <= <u64>(end - at) ? at + <usize>bytes : 0;
}

/** Wire type that a known field of a record must have, −1 for an unknown one. */
function wireOf(field: u32): i32 {
  switch (field) {
    case TENANT: case SITE: case DEVICE: case CHANNEL: case PAYLOAD: case EVENT_ID: case KIND:
      return WIRE_BYTES;
    case RECEIVED_AT: case BOOT_ID:
      return WIRE_FIXED64;
    case SEQUENCE:
      return WIRE_VARINT;
    default:
      return -1;
  }
}

/** True when the body is a RecordBatch of at least one record and every record names its device. */
export function batchIsValid(at: usize, end: usize): bool {
  const turn = turnOf();
  let records: u32 = 0;
  while (at < end) {
    at = readVarint(at, end);
    if (at == 0) return false;
    const tag = turn.varint;
    const field = tag >> 3;
    if (field == 0 || field > FIELD_MAX) return false;
    const wire = <u32>tag & 7;
    if (field == RECORDS && wire != WIRE_BYTES) return false;
    at = readValue(at, end, wire);
    if (at == 0) return false;
    if (field != RECORDS) continue;
    if (!recordIsValid(at - <usize>turn.varint, at)) return false;
    records++;
  }
  return records > 0;
}

function recordIsValid(at: usize, end: usize): bool {
  const turn = turnOf();
  let named: u32 = 0;
  while (at < end) {
    at = readVarint(at, end);
    if (at == 0) return false;
    const tag = turn.varint;
    const field = tag >> 3;
    if (field == 0 || field > FIELD_MAX) return false;
    const wire = <u32>tag & 7;
    const wanted = wireOf(<u32>field);
    if (wanted >= 0 && <u32>wanted != wire) return false;
    at = readValue(at, end, wire);
    if (at == 0) return false;
    if (field > CHANNEL) continue;
    const bit = <u32>1 << <u32>field;
    named = turn.varint == 0 ? named & ~bit : named | bit;
  }
  return named == 0x1e;
}

/** Fills the record that begins at or behind `at`; gives the address behind it, 0 at the end. */
export function readRecord(at: usize, end: usize, record: Record): usize {
  const turn = turnOf();
  while (at < end) {
    at = readVarint(at, end);
    const tag = turn.varint;
    at = readValue(at, end, <u32>tag & 7);
    if (tag >> 3 != RECORDS) continue;
    readFields(at - <usize>turn.varint, at, record);
    return at;
  }
  return 0;
}

function readFields(at: usize, end: usize, record: Record): void {
  const turn = turnOf();
  let received: u64 = 0;
  let hasBoot = false;
  record.payloadAt = at;
  record.payloadBytes = 0;
  record.keyKind = KEY_NONE;
  record.bootId = 0;
  record.sequence = 0;
  record.kindAt = at;
  record.kindBytes = 0;
  let hasId = false;
  while (at < end) {
    at = readVarint(at, end);
    const tag = turn.varint;
    at = readValue(at, end, <u32>tag & 7);
    const bytes = <u32>turn.varint;
    const start = at - bytes;
    switch (<u32>(tag >> 3)) {
      case TENANT: record.tenantAt = start; record.tenantBytes = bytes; break;
      case SITE: record.siteAt = start; record.siteBytes = bytes; break;
      case DEVICE: record.deviceAt = start; record.deviceBytes = bytes; break;
      case CHANNEL: record.channelAt = start; record.channelBytes = bytes; break;
      case RECEIVED_AT: received = load<u64>(at - 8); break;
      case PAYLOAD: record.payloadAt = start; record.payloadBytes = bytes; break;
      case EVENT_ID: hasId = true; setEventId(record, start, bytes); break;
      case BOOT_ID: hasBoot = true; record.bootId = load<u64>(at - 8); break;
      case SEQUENCE: hasBoot = true; record.sequence = turn.varint; break;
      case KIND: record.kindAt = start; record.kindBytes = bytes; break;
    }
  }
  const stamp = turn.stampMs;
  record.received = received > <u64>stamp ? stamp : <i64>received;
  if (!hasId && hasBoot) record.keyKind = record.sequence == 0 ? KEY_INVALID : KEY_BOOT;
}

/**
 * A record batch (proto/record_batch.proto). `openBatch` reads all of it before anything is
 * applied, and keeps where the fields of its first RECORDS_SLICE records are; `nextSlice` does the
 * same for those that follow, and cannot fail. Fields in the usual order with lengths of one byte
 * are read without a loop; anything else by `readFields`.
 */
import { KEY_BOOT, KEY_NONE } from './decoded';
import { setEventId } from './entry';
import { clearRecord } from './record';
import { KEY_INVALID, RECORDS_SLICE, Record, Turn, recordAt, turnOf } from './work';

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
/** Tenant, site, device and channel: a bit each by field number. */
const NAMED: u32 = 0x1e;

// Tags of the usual order.
const TAG_RECORDS: u32 = 0x0a;
const TAG_TENANT: u32 = 0x0a;
const TAG_SITE: u32 = 0x12;
const TAG_DEVICE: u32 = 0x1a;
const TAG_CHANNEL: u32 = 0x22;
const TAG_RECEIVED_AT: u32 = 0x29;
const TAG_PAYLOAD: u32 = 0x32;
const TAG_BOOT_ID: u32 = 0x41;
const TAG_SEQUENCE: u32 = 0x48;

/** True when the body is a RecordBatch of at least one record and every record names its device. */
export function openBatch(at: usize, end: usize): bool {
  const turn = turnOf();
  turn.recordAt = at;
  turn.bodyEnd = end;
  if (!readSlice(turn)) return false;
  if (turn.sliceCount == 0) return false;
  const count = turn.sliceCount;
  // What does not fit into the slice is only checked, in the place behind it.
  for (at = turn.recordAt; at < end;) {
    at = readRecord(turn, at, end, RECORDS_SLICE);
    if (at == 0) return false;
  }
  turn.sliceCount = count;
  return true;
}

/** The next records of a batch that is known to be valid; false when there are none. */
export function nextSlice(): bool {
  const turn = turnOf();
  readSlice(turn);
  return turn.sliceCount > 0;
}

function readSlice(turn: Turn): bool {
  let at = turn.recordAt;
  const end = turn.bodyEnd;
  turn.sliceCount = 0;
  turn.slicePlace = 0;
  while (at < end && turn.sliceCount < RECORDS_SLICE) {
    at = readRecord(turn, at, end, turn.sliceCount);
    if (at == 0) return false;
  }
  turn.recordAt = at;
  return true;
}

/** Reads one field of the batch: a record into `place`; the address behind it, 0 if malformed. */
function readRecord(turn: Turn, at: usize, end: usize, place: u32): usize {
  if (end - at >= 2 && load<u8>(at) == TAG_RECORDS) {
    at = readVarint(at + 1, end);
  } else {
    at = readVarint(at, end);
    if (at == 0) return 0;
    const tag = turn.varint;
    const field = tag >> 3;
    if (field == 0 || field > FIELD_MAX) return 0;
    const wire = <u32>tag & 7;
    if (field != RECORDS) return readValue(at, end, wire);
    if (wire != WIRE_BYTES) return 0;
    at = readVarint(at, end);
  }
  if (at == 0 || turn.varint > <u64>(end - at)) return 0;
  const stop = at + <usize>turn.varint;
  if (!readUsual(at, stop, recordAt(place))) return 0;
  turn.sliceCount++;
  return stop;
}

/** Behind a field of one tag and a length of one byte from 1 on; 0 when it is not there. */
@inline
function behind(at: usize, end: usize, tag: u32): usize {
  if (at + 2 >= end || load<u8>(at) != tag) return 0;
  const bytes = <u32>load<u8>(at, 1);
  const next = at + 2 + bytes;
  return bytes - 1 < 127 && next <= end ? next : 0;
}

/** The ids, received-at and payload as writers put them, then whatever follows. */
@inline
function readUsual(at: usize, end: usize, record: Record): bool {
  clearRecord(record);
  record.payloadAt = at;
  record.payloadBytes = 0;
  record.received = 0;
  record.keyKind = KEY_NONE;
  record.bootId = 0;
  record.sequence = 0;
  record.kindAt = at;
  record.kindBytes = 0;
  const siteAt = behind(at, end, TAG_TENANT);
  if (siteAt == 0) return readFields(at, end, record, 0);
  const deviceAt = behind(siteAt, end, TAG_SITE);
  if (deviceAt == 0) return readFields(at, end, record, 0);
  const channelAt = behind(deviceAt, end, TAG_DEVICE);
  if (channelAt == 0) return readFields(at, end, record, 0);
  const next = behind(channelAt, end, TAG_CHANNEL);
  if (next == 0) return readFields(at, end, record, 0);
  record.tenantAt = at + 2;
  record.tenantBytes = <u32>(siteAt - at - 2);
  record.siteAt = siteAt + 2;
  record.siteBytes = <u32>(deviceAt - siteAt - 2);
  record.deviceAt = deviceAt + 2;
  record.deviceBytes = <u32>(channelAt - deviceAt - 2);
  record.channelAt = channelAt + 2;
  record.channelBytes = <u32>(next - channelAt - 2);
  at = next;
  if (end - at > 9 && load<u8>(at) == TAG_RECEIVED_AT) {
    record.received = load<i64>(at, 1);
    at += 9;
  }
  const last = behind(at, end, TAG_PAYLOAD);
  if (last != 0) {
    record.payloadAt = at + 2;
    record.payloadBytes = <u32>(last - at - 2);
    at = last;
  } else at = behindLong(at, end, record);
  return readUsualKey(at, end, record) || readFields(at, end, record, NAMED);
}

/** Behind a payload whose length takes two bytes; `at` when none is there. */
@inline
function behindLong(at: usize, end: usize, record: Record): usize {
  if (end - at < 3 || load<u8>(at) != TAG_PAYLOAD) return at;
  const low = <u32>load<u8>(at, 1);
  const high = <u32>load<u8>(at, 2);
  const bytes = (low & 127) | (high << 7);
  if (low < 128 || high >= 128 || <usize>bytes > end - at - 3) return at;
  record.payloadAt = at + 3;
  record.payloadBytes = bytes;
  return at + 3 + bytes;
}

/** Nothing more, or boot and sequence; false when it is something else. */
@inline
function readUsualKey(at: usize, end: usize, record: Record): bool {
  if (at != end) {
    if (end - at < 11 || load<u8>(at) != TAG_BOOT_ID) return false;
    if (load<u8>(at, 9) != TAG_SEQUENCE) return false;
    if (readVarint(at + 10, end) != end) return false;
    record.bootId = load<u64>(at, 1);
    record.sequence = turnOf().varint;
    record.keyKind = record.sequence == 0 ? KEY_INVALID : KEY_BOOT;
  }
  clampReceived(record);
  return true;
}

/** A door's clock ahead of the log's is the log's. */
@inline
function clampReceived(record: Record): void {
  const stamp = turnOf().stampMs;
  if (<u64>record.received > <u64>stamp) record.received = stamp;
}

/** The fields from `at` on, in any order; `named`: ids that are there already. */
function readFields(at: usize, end: usize, record: Record, named: u32): bool {
  const turn = turnOf();
  let hasBoot = false;
  let hasId = false;
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
    const bytes = <u32>turn.varint;
    const start = at - bytes;
    switch (<u32>field) {
      case TENANT: record.tenantAt = start; record.tenantBytes = bytes; break;
      case SITE: record.siteAt = start; record.siteBytes = bytes; break;
      case DEVICE: record.deviceAt = start; record.deviceBytes = bytes; break;
      case CHANNEL: record.channelAt = start; record.channelBytes = bytes; break;
      case RECEIVED_AT: record.received = load<i64>(at - 8); break;
      case PAYLOAD: record.payloadAt = start; record.payloadBytes = bytes; break;
      case EVENT_ID: hasId = true; setEventId(record, start, bytes); break;
      case BOOT_ID: hasBoot = true; record.bootId = load<u64>(at - 8); break;
      case SEQUENCE: hasBoot = true; record.sequence = turn.varint; break;
      case KIND: record.kindAt = start; record.kindBytes = bytes; break;
    }
    if (field > CHANNEL) continue;
    const bit = <u32>1 << <u32>field;
    named = bytes == 0 ? named & ~bit : named | bit;
  }
  clampReceived(record);
  if (!hasId && hasBoot) record.keyKind = record.sequence == 0 ? KEY_INVALID : KEY_BOOT;
  return named == NAMED;
}

// --- wire ---------------------------------------------------------------------------------------
/** Reads a varint into `turn.varint`; gives the address behind it, 0 when it is none. */
@inline
function readVarint(at: usize, end: usize): usize {
  if (at < end) {
    const first = <u64>load<u8>(at);
    if (first < 128) {
      turnOf().varint = first;
      return at + 1;
    }
  }
  return readLongVarint(at, end);
}

function readLongVarint(at: usize, end: usize): usize {
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

/**
 * A record batch (proto/record_batch.proto). `openBatch` reads all of it before anything is
 * applied, and keeps where the fields of its first RECORDS_SLICE records are; `nextSlice` does the
 * same for those that follow, and cannot fail. Fields in the usual order, ids with lengths of one
 * byte, are read without a loop; anything else by `readFields`.
 */
import { KEY_BOOT } from './decoded';
import { setEventId } from './entry';
import { nameRecord } from './identity';
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
  const head = load<u32>(at);
  const isUsual = (head & 0xff) == TAG_RECORDS && isShortLength(head);
  if (isUsual && end - at >= 4) {
    at += 2 + longLength(head);
    turn.varint = lengthOf(head);
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
    if (at == 0) return 0;
  }
  if (turn.varint > <u64>(end - at)) return 0;
  const stop = at + <usize>turn.varint;
  if (!readUsual(at, stop, recordAt(place))) return 0;
  turn.sliceCount++;
  return stop;
}

// A tag of one byte and a length of one or two, as the four bytes they begin.
@inline function longLength(head: u32): u32 { return (head >> 15) & 1; }
@inline function isShortLength(head: u32): bool { return (head & 0x808000) != 0x808000; }
@inline
function lengthOf(head: u32): u32 {
  const low = (head >> 8) & 0x7f;
  return longLength(head) == 0 ? low : low | ((head >> 9) & 0x3f80);
}

/** An id's tag and a length below 128: no bit is set when it is there. */
@inline
function unlikeId(head: u32, tag: u32): u32 { return (head & 0x80ff) ^ tag; }

/**
 * The ids, received-at and payload as writers put them, then whatever follows. The ids are looked
 * at without a bound, which a record of other bytes may pass by half a kilobyte: chunks do not lie
 * at the end of the memory.
 */
@inline
function readUsual(at: usize, end: usize, record: Record): bool {
  clearRecord(record);
  const tenant = <u32>load<u16>(at);
  const siteAt = at + 2 + (tenant >> 8);
  const site = <u32>load<u16>(siteAt);
  const deviceAt = siteAt + 2 + (site >> 8);
  const device = <u32>load<u16>(deviceAt);
  const channelAt = deviceAt + 2 + (device >> 8);
  const channel = <u32>load<u16>(channelAt);
  const next = channelAt + 2 + (channel >> 8);
  const unlike = unlikeId(tenant, TAG_TENANT) | unlikeId(site, TAG_SITE) |
    unlikeId(device, TAG_DEVICE) | unlikeId(channel, TAG_CHANNEL);
  record.received = 0;
  record.payloadAt = at;
  record.payloadBytes = 0;
  const isNamed = nameRecord(
    record, at + 2, tenant >> 8, siteAt + 2, site >> 8, deviceAt + 2, device >> 8,
  );
  if (unlike != 0 || !isNamed || channel < 0x100 || next > end) {
    record.named = 0;
    return readFields(at, at, end, record);
  }
  record.channelAt = channelAt + 2;
  record.channelBytes = channel >> 8;
  const start = at;
  at = next;
  if (end - at > 9 && load<u8>(at) == TAG_RECEIVED_AT) {
    record.received = load<i64>(at, 1);
    at += 9;
  }
  const head = load<u32>(at);
  if (end - at > 3 && (head & 0xff) == TAG_PAYLOAD && isShortLength(head)) {
    const payloadAt = at + 2 + longLength(head);
    const bytes = lengthOf(head);
    if (<usize>bytes <= end - payloadAt) {
      record.payloadAt = payloadAt;
      record.payloadBytes = bytes;
      at = payloadAt + bytes;
    }
  }
  return readUsualKey(at, end, record) || readFields(start, at, end, record);
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

/** The fields from `at` on, in any order. Behind the record's `start` its ids are there already. */
function readFields(start: usize, at: usize, end: usize, record: Record): bool {
  const turn = turnOf();
  const isRest = at != start;
  let named: u32 = isRest ? NAMED : 0;
  let hasBoot = false;
  let hasId = false;
  let tenantAt: usize = 0;
  let tenantBytes: u32 = 0;
  let siteAt: usize = 0;
  let siteBytes: u32 = 0;
  let deviceAt: usize = 0;
  let deviceBytes: u32 = 0;
  while (at < end) {
    at = readVarint(at, end);
    if (at == 0) return false;
    const tag = turn.varint;
    const field = tag >> 3;
    if (field == 0 || field > FIELD_MAX) return false;
    const wire = <u32>tag & 7;
    const wanted = wireOf(<u32>field);
    if (wanted >= 0 && <u32>wanted != wire) return false;
    // An id again, and the last one counts: from the beginning.
    if (isRest && field <= DEVICE) return readFields(start, start, end, record);
    at = readValue(at, end, wire);
    if (at == 0) return false;
    const bytes = <u32>turn.varint;
    const value = at - bytes;
    switch (<u32>field) {
      case TENANT: tenantAt = value; tenantBytes = bytes; break;
      case SITE: siteAt = value; siteBytes = bytes; break;
      case DEVICE: deviceAt = value; deviceBytes = bytes; break;
      case CHANNEL: record.channelAt = value; record.channelBytes = bytes; break;
      case RECEIVED_AT: record.received = load<i64>(at - 8); break;
      case PAYLOAD: record.payloadAt = value; record.payloadBytes = bytes; break;
      case EVENT_ID: hasId = true; setEventId(record, value, bytes); break;
      case BOOT_ID: hasBoot = true; record.bootId = load<u64>(at - 8); break;
      case SEQUENCE: hasBoot = true; record.sequence = turn.varint; break;
      case KIND: record.kindAt = value; record.kindBytes = bytes; break;
    }
    if (field > CHANNEL) continue;
    const bit = <u32>1 << <u32>field;
    named = bytes == 0 ? named & ~bit : named | bit;
  }
  clampReceived(record);
  if (!hasId && hasBoot) record.keyKind = record.sequence == 0 ? KEY_INVALID : KEY_BOOT;
  if (named != NAMED) return false;
  if (!isRest) {
    nameRecord(record, tenantAt, tenantBytes, siteAt, siteBytes, deviceAt, deviceBytes);
  }
  return true;
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
    if (end - at > 1 && load<u8>(at, 1) < 128) {
      turnOf().varint = (first & 127) | (<u64>load<u8>(at, 1) << 7);
      return at + 2;
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

/**
 * One entry of a chunk (layout: shared/abi.ts): what kind of message it is by its subject, and the
 * record that a native publish is. Subjects are `log.<log>.<p>.` and a tail; headers are the raw
 * bytes "NATS/1.0\r\nName: value\r\n…\r\n\r\n".
 */
import { KEY_BOOT, KEY_EVENT_ID, KEY_NONE } from './decoded';
import { nameRecord } from './identity';
import * as A from './shared/abi';
import { equalBytes } from './text';
import { KEY_INVALID, Record, turnOf } from './work';

export const KIND_BATCH: u32 = 1;
export const KIND_TELEMETRY: u32 = 2;
export const KIND_TICK: u32 = 3;
export const KIND_PLAN: u32 = 4;
export const KIND_CTL: u32 = 5;
export const KIND_OTHER: u32 = 6;

const DOT: u32 = 0x2e;
const COLON: u32 = 0x3a;
const CR: u32 = 0x0d;
const LF: u32 = 0x0a;
const SPACE: u32 = 0x20;
const TAB: u32 = 0x09;

@inline export function entryBytes(entry: usize): u32 { return load<u32>(entry, A.ENTRY_BYTES_AT); }
@inline
export function entrySequence(entry: usize): u64 {
  return load<u64>(entry, A.ENTRY_SEQUENCE_AT);
}
@inline
export function entryStampMs(entry: usize): i64 {
  return <i64>(load<u64>(entry, A.ENTRY_LOG_TIME_NS_AT) / 1000000);
}
@inline
function subjectBytes(entry: usize): u32 {
  return load<u16>(entry, A.ENTRY_SUBJECT_BYTES_AT);
}
@inline
function headerBytes(entry: usize): u32 {
  return load<u16>(entry, A.ENTRY_HEADER_BYTES_AT);
}
@inline
export function bodyBytes(entry: usize): u32 {
  return load<u32>(entry, A.ENTRY_PAYLOAD_BYTES_AT);
}
@inline function subjectAt(entry: usize): usize { return entry + A.ENTRY_HEADER_BYTES; }
@inline function headersAt(entry: usize): usize { return subjectAt(entry) + subjectBytes(entry); }
@inline
export function bodyAt(entry: usize): usize {
  return headersAt(entry) + headerBytes(entry);
}

/** True when a whole entry lies between `entry` and `end`. */
export function entryFits(entry: usize, end: usize): bool {
  if (end - entry < <usize>A.ENTRY_HEADER_BYTES) return false;
  const bytes = entryBytes(entry);
  const used: u32 = A.ENTRY_HEADER_BYTES + subjectBytes(entry) + headerBytes(entry);
  const left = <u32>(end - entry);
  return (
    (bytes & 7) == 0 && bytes <= left && bodyBytes(entry) <= bytes &&
    used + bodyBytes(entry) <= bytes
  );
}

/** Address behind the token that begins at `at`: its dot, or the end. */
@inline
function tokenEnd(at: usize, end: usize): usize {
  while (at < end && load<u8>(at) != DOT) at++;
  return at;
}

/** Where the tail behind `log.<log>.<p>.` begins; the end when there is none. */
function tailAt(entry: usize): usize {
  let at = subjectAt(entry);
  const end = headersAt(entry);
  for (let i = 0; i < 3; i++) {
    at = tokenEnd(at, end);
    if (at == end) return end;
    at++;
  }
  return at;
}

export function kindOf(entry: usize): u32 {
  const at = tailAt(entry);
  const bytes = headersAt(entry) - at;
  if (bytes == 5 && load<u32>(at) == 0x63746162 && load<u8>(at, 4) == 0x68) return KIND_BATCH;
  if (bytes == 4 && load<u32>(at) == 0x6b636974) return KIND_TICK;
  if (bytes == 4 && load<u32>(at) == 0x6e616c70) return KIND_PLAN;
  if (bytes == 3 && load<u16>(at) == 0x7463 && load<u8>(at, 2) == 0x6c) return KIND_CTL;
  return isTelemetry(at, headersAt(entry)) ? KIND_TELEMETRY : KIND_OTHER;
}

@inline
function isIot(at: usize, end: usize): bool {
  return end - at == 3 && load<u16>(at) == 0x6f69 && load<u8>(at, 2) == 0x74;
}

/** `iot.<tenant>.<site>.<device>.t.<channel>`: six tokens, none empty. */
function isTelemetry(at: usize, end: usize): bool {
  for (let i = 0; i < 6; i++) {
    const stop = tokenEnd(at, end);
    if (stop == at) return false;
    if (i == 0 && !isIot(at, stop)) return false;
    if (i == 4 && !(stop - at == 1 && load<u8>(at) == 0x74)) return false;
    if (stop == end) return i == 5;
    at = stop + 1;
  }
  return false;
}

/** Fills the record with a native publish: identity by the subject, key by the headers. */
export function readTelemetry(entry: usize, record: Record): void {
  const end = headersAt(entry);
  const tenant = tokenEnd(tailAt(entry), end) + 1;
  const site = tokenEnd(tenant, end) + 1;
  const device = tokenEnd(site, end) + 1;
  const behind = tokenEnd(device, end) + 1;
  nameRecord(
    record, tenant, <u32>(site - 1 - tenant), site, <u32>(device - 1 - site),
    device, <u32>(behind - 1 - device),
  );
  // Behind the token `t`.
  record.channelAt = behind + 2;
  record.channelBytes = <u32>(end - record.channelAt);
  record.payloadAt = bodyAt(entry);
  record.payloadBytes = bodyBytes(entry);
  record.received = turnOf().stampMs;
  record.headersAt = end;
  record.headersBytes = headerBytes(entry);
  readKey(record);
}

// --- headers ----------------------------------------------------------------------------------
const NAME_EVENT_ID = memory.data<u8>([
  0x4d, 0x69, 0x6c, 0x6c, 0x72, 0x61, 0x63, 0x65, 0x2d,
  0x45, 0x76, 0x65, 0x6e, 0x74, 0x2d, 0x49, 0x64,
]);
const NAME_EVENT_ID_BYTES: u32 = 17;
const NAME_BOOT_ID = memory.data<u8>([
  0x4d, 0x69, 0x6c, 0x6c, 0x72, 0x61, 0x63, 0x65, 0x2d,
  0x42, 0x6f, 0x6f, 0x74, 0x2d, 0x49, 0x64,
]);
const NAME_BOOT_ID_BYTES: u32 = 16;
const NAME_SEQUENCE = memory.data<u8>([
  0x4d, 0x69, 0x6c, 0x6c, 0x72, 0x61, 0x63, 0x65, 0x2d,
  0x53, 0x65, 0x71, 0x75, 0x65, 0x6e, 0x63, 0x65,
]);
const NAME_SEQUENCE_BYTES: u32 = 17;
const NAME_KIND = memory.data<u8>([
  0x4d, 0x69, 0x6c, 0x6c, 0x72, 0x61, 0x63, 0x65, 0x2d, 0x4b, 0x69, 0x6e, 0x64,
]);
const NAME_KIND_BYTES: u32 = 13;

/** Value of a header, trimmed: address, and its length in `valueBytes`; 0 when it is absent. */
function findHeader(name: usize, nameBytes: u32, record: Record): usize {
  let at = record.headersAt;
  const end = at + record.headersBytes;
  let first = true;
  while (at < end) {
    let stop = at;
    while (stop < end && load<u8>(stop) != LF) stop++;
    let lineEnd = stop;
    if (lineEnd > at && load<u8>(lineEnd - 1) == CR) lineEnd--;
    const long = lineEnd - at > nameBytes;
    // The first line is the protocol's version.
    if (!first && long && load<u8>(at + nameBytes) == COLON && equalBytes(at, name, nameBytes)) {
      let value = at + nameBytes + 1;
      while (value < lineEnd && isBlank(load<u8>(value))) value++;
      while (lineEnd > value && isBlank(load<u8>(lineEnd - 1))) lineEnd--;
      record.valueBytes = <u32>(lineEnd - value);
      return value;
    }
    first = false;
    at = stop + 1;
  }
  return 0;
}

@inline function isBlank(byte: u32): bool { return byte == SPACE || byte == TAB; }

function readKey(record: Record): void {
  record.keyKind = KEY_NONE;
  record.kindBytes = 0;
  if (record.headersBytes == 0) return;
  record.kindAt = findHeader(NAME_KIND, NAME_KIND_BYTES, record);
  if (record.kindAt != 0) record.kindBytes = record.valueBytes;
  const id = findHeader(NAME_EVENT_ID, NAME_EVENT_ID_BYTES, record);
  if (id != 0) {
    setEventId(record, id, record.valueBytes);
    return;
  }
  const boot = findHeader(NAME_BOOT_ID, NAME_BOOT_ID_BYTES, record);
  const bootBytes = record.valueBytes;
  const sequence = findHeader(NAME_SEQUENCE, NAME_SEQUENCE_BYTES, record);
  if (boot == 0 && sequence == 0) return;
  record.keyKind = KEY_BOOT;
  record.bootId = 0;
  record.sequence = 0;
  if (boot != 0 && !isDecimal(boot, bootBytes)) record.keyKind = KEY_INVALID;
  else if (boot != 0) record.bootId = decimal(boot, bootBytes);
  if (sequence == 0 || !isDecimal(sequence, record.valueBytes)) record.keyKind = KEY_INVALID;
  else record.sequence = decimal(sequence, record.valueBytes);
  if (record.sequence == 0) record.keyKind = KEY_INVALID;
}

export function setEventId(record: Record, id: usize, bytes: u32): void {
  const valid = bytes > 0 && bytes <= <u32>A.EVENT_ID_BYTES_MAX;
  record.keyKind = valid ? KEY_EVENT_ID : KEY_INVALID;
  record.idAt = id;
  record.idBytes = bytes;
}

/** 1 to 20 digits whose value is below 2⁶⁴. */
function isDecimal(at: usize, bytes: u32): bool {
  if (bytes == 0 || bytes > 20) return false;
  let value: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) {
    const digit = <u32>load<u8>(at + i) - 0x30;
    if (digit > 9) return false;
    if (value > 1844674407370955161 || (value == 1844674407370955161 && digit > 5)) return false;
    value = value * 10 + digit;
  }
  return true;
}

function decimal(at: usize, bytes: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < bytes; i++) value = value * 10 + (load<u8>(at + i) - 0x30);
  return value;
}

/**
 * Staged rows: what a turn writes, row by row, until it is sealed into blocks. A row is linked into
 * its table's list; rows of windows and devices also into the list of facts (they are the facts),
 * rows of dead letters are the dead letters. Layouts: shared/control.ts; samples are in tile.ts.
 *
 * `sealBytes` is kept as an upper bound of the finished blocks, so that a full region is noticed
 * between two units of work (`rowsFull`), never in the middle of one.
 */
import { metricAt, metricKind, metricName, metricNameBytes } from './channel';
import { Device, identityOf } from './device';
import { clockDrift, clockOffset } from './judge/clock';
import { textPlace } from './judge/dictionary';
import {
  DURABLE_AT, DURABLE_BYTES, NONE, OUTPUT_BYTES, OUTPUT_RESERVE, STAGE_AT, STAGE_BYTES,
  STAGE_RESERVE, STAGE_TABLES_AT, control, durable,
} from './memory';
import {
  planChannelById, planDeadLetterRetentionMs, planStatusText, planTableColumnBytes,
  planTableColumnCount,
} from './plan';
import { Section, latestAt, sectionAt } from './series';
import { DEAD_LETTER_SAMPLE_BYTES, KIND_TEXT } from './shared/abi';
import * as C from './shared/control';
import { TABLE_DEAD_LETTERS, TABLE_DEVICES, TABLE_LEDGER } from './shared/plan-layout';
import { STATUS_COUNT } from './shared/status';
import { NO_METRIC, Record, identityScratch, turnOf } from './work';

/** Rows of one table, in the order of their emission; of a channel's table its tiles. */
@unmanaged
export class StageTable {
  head: usize;
  tail: usize;
  rows: u32;
  /** Elements of the row arrays together. */
  elements: u32;
}

// Row of the ledger: a copy of the header's counters.
export const LEDGER_ROW_ORDINAL_AT: usize = 16;
export const LEDGER_ROW_SEQUENCE_AT: usize = 24;
export const LEDGER_ROW_COUNTERS_AT: usize = 32;

const EXPIRES_NEVER: u32 = 0xffffffff;
/** Numbers of columns and varints in front of a block. */
const BLOCK_HEAD_BYTES: u32 = 16;

@inline
export function stageTable(table: u32): StageTable {
  return changetype<StageTable>(STAGE_TABLES_AT + (<usize>table << 4));
}

/** True when the next unit of work might not fit: seal and hand over first. */
@inline
export function rowsFull(): bool {
  const turn = turnOf();
  return (
    turn.stageUsed > <u32>(STAGE_BYTES - STAGE_RESERVE) ||
    turn.sealBytes > <u32>(OUTPUT_BYTES - OUTPUT_RESERVE)
  );
}

/** Room for `bytes`, a multiple of 8, among the staged rows. */
@inline
export function stageRoom(bytes: usize): usize {
  const turn = turnOf();
  const at = STAGE_AT + turn.stageUsed;
  assert(<usize>turn.stageUsed + bytes <= STAGE_BYTES, 'the reserve of staged rows suffices');
  turn.stageUsed += <u32>bytes;
  return at;
}

/** What comes first in an empty table. */
export function beginTable(list: StageTable, table: u32, first: usize): void {
  list.head = first;
  turnOf().sealBytes += headBytes(table);
}

/** A new last row of the table; `extra`: by how much its sealed form may be larger than the row. */
export function addRow(table: u32, bytes: u32, extra: u32): usize {
  const size = (bytes + 7) & ~7;
  const row = stageRoom(size);
  turnOf().sealBytes += size + extra;
  const list = stageTable(table);
  if (list.rows == 0) beginTable(list, table, row);
  else store<u32>(list.tail, <u32>row, C.ROW_NEXT_AT);
  list.tail = row;
  list.rows++;
  store<u32>(row, 0, C.ROW_NEXT_AT);
  store<u32>(row, size, C.ROW_BYTES_AT);
  store<u32>(row, 0, C.ROW_NEXT_FACT_AT);
  store<u32>(row, 0, C.ROW_KIND_AT);
  return row;
}

/** What is staged may take so much more as a block. */
@inline
export function sealMore(bytes: u32): void { turnOf().sealBytes += bytes; }

function headBytes(table: u32): u32 {
  const plan = control().plan;
  const columns = planTableColumnCount(plan, table);
  let bytes = BLOCK_HEAD_BYTES;
  for (let i: u32 = 0; i < columns; i++) bytes += planTableColumnBytes(plan, table, i);
  return bytes;
}

export function addFact(row: usize, kind: u32): void {
  const turn = turnOf();
  const c = control();
  store<u32>(row, kind, C.ROW_KIND_AT);
  if (c.fact == 0) c.fact = <u32>row;
  else store<u32>(turn.factTail, <u32>row, C.ROW_NEXT_FACT_AT);
  turn.factTail = row;
}

/** Seconds since 1970, rounded up, in the range of a DateTime. */
export function expiresAt(timeMs: i64, retentionMs: i64): u32 {
  if (retentionMs <= 0) return EXPIRES_NEVER;
  const end = timeMs + retentionMs;
  if (end <= 0) return 0;
  const seconds = (end + 999) / 1000;
  return seconds >= <i64>EXPIRES_NEVER ? EXPIRES_NEVER : <u32>seconds;
}

/** The device's row and its shadow, with the latest values by channel and ordinal. */
export function stageDevice(device: Device): void {
  let count: u32 = 0;
  for (let i: u32 = 0; i < device.channelCount; i++) count += reported(sectionAt(device, i), 0);
  const identityAt = C.DEVICE_ROW_REPORTED_AT + count * C.REPORTED_BYTES;
  const row = addRow(TABLE_DEVICES, identityAt + device.identityBytes, 0);
  const turn = turnOf();
  store<u64>(row, turn.sequence, C.DEVICE_ROW_SEQUENCE_AT);
  store<i64>(row, durable().logClock, C.DEVICE_ROW_LOG_TIME_AT);
  store<i64>(row, device.firstSeen, C.DEVICE_ROW_FIRST_SEEN_AT);
  store<i64>(row, device.lastSeen, C.DEVICE_ROW_LAST_SEEN_AT);
  const lastEvent = device.lastEvent == NONE ? 0 : device.lastEvent;
  store<i64>(row, lastEvent, C.DEVICE_ROW_LAST_EVENT_AT);
  store<u64>(row, device.records, C.DEVICE_ROW_RECORDS_AT);
  store<u64>(row, device.readings, C.DEVICE_ROW_READINGS_AT);
  store<u64>(row, device.rejected, C.DEVICE_ROW_REJECTED_AT);
  store<u64>(row, device.duplicates, C.DEVICE_ROW_DUPLICATES_AT);
  store<u32>(row, turn.emissionOrdinal++, C.DEVICE_ROW_ORDINAL_AT);
  store<u32>(row, count, C.DEVICE_ROW_REPORTED_COUNT_AT);
  store<u32>(row, identityAt, C.DEVICE_ROW_IDENTITY_AT);
  store<i64>(row, clockOffset(device), C.DEVICE_ROW_CLOCK_OFFSET_AT);
  store<f64>(row, clockDrift(device), C.DEVICE_ROW_CLOCK_DRIFT_AT);
  let at = row + C.DEVICE_ROW_REPORTED_AT;
  for (let i: u32 = 0; i < device.channelCount; i++) {
    at += reported(sectionAt(device, i), at) * C.REPORTED_BYTES;
  }
  memory.copy(row + identityAt, identityOf(device), device.identityBytes);
  addFact(row, C.ROW_DEVICE);
}

/** Counts a channel's latest values, and writes them when `at` is not 0. */
function reported(sectionAt: usize, at: usize): u32 {
  const section = changetype<Section>(sectionAt);
  const channel = planChannelById(control().plan, section.channel);
  let count: u32 = 0;
  for (let i: u32 = 0; i < section.metricCount; i++) {
    const latest = latestAt(sectionAt, i);
    if (latest.eventTime == NONE) continue;
    count++;
    if (at == 0) continue;
    store<u32>(at, section.channel);
    store<u32>(at, i, 4);
    const isText = metricKind(metricAt(channel, i)) == KIND_TEXT;
    store<u64>(at, isText ? textPlace(<u32>latest.bits) : latest.bits, 8);
    store<i64>(at, latest.eventTime, 16);
    at += C.REPORTED_BYTES;
  }
  return count;
}

/** The dead letter of a record: its lowest status and the first place that has it. */
export function stageLetter(record: Record): void {
  const turn = turnOf();
  const c = control();
  const named = record.named != 0;
  const sample = min(record.payloadBytes, <u32>DEAD_LETTER_SAMPLE_BYTES);
  const reason = planStatusText(c.plan, record.status);
  const hasMetric = record.metric != NO_METRIC && record.channel != 0;
  const metric = hasMetric ? metricAt(record.channel, record.metric) : 0;
  const texts: u32 = (named ? record.identityBytes + record.channelBytes : 3) +
    3 + load<u8>(reason) + (hasMetric ? metricNameBytes(metric) : 0);
  const row = addRow(TABLE_DEAD_LETTERS, C.LETTER_ROW_TEXTS_AT + texts + sample, 64);
  store<u64>(row, turn.sequence, C.LETTER_ROW_SEQUENCE_AT);
  store<i64>(row, record.received, C.LETTER_ROW_RECEIVED_AT);
  store<i64>(row, durable().logClock, C.LETTER_ROW_LOG_TIME_AT);
  store<u64>(row, durable().planHash, C.LETTER_ROW_PLAN_HASH_AT);
  store<u32>(row, turn.recordIndex, C.LETTER_ROW_INDEX_AT);
  store<u32>(row, record.offset, C.LETTER_ROW_OFFSET_AT);
  store<u32>(row, record.payloadBytes, C.LETTER_ROW_PAYLOAD_BYTES_AT);
  const retention = planDeadLetterRetentionMs(c.plan);
  store<u32>(row, expiresAt(durable().logClock, retention), C.LETTER_ROW_EXPIRES_AT);
  store<u32>(row, sample, C.LETTER_ROW_SAMPLE_BYTES_AT);
  store<u32>(row, C.LETTER_ROW_TEXTS_AT + texts, C.LETTER_ROW_SAMPLE_AT);
  let at = row + C.LETTER_ROW_TEXTS_AT;
  if (named) {
    memory.copy(at, identityScratch(record), record.identityBytes);
    at = putText(at + record.identityBytes, record.channelAt, record.channelBytes);
  } else {
    store<u32>(at, 0);
    at += 4;
  }
  at = putText(at, reason + 1, load<u8>(reason));
  at = hasMetric ? putText(at, metricName(metric), metricNameBytes(metric)) : putText(at, 0, 0);
  memory.copy(at, record.payloadAt, sample);
  if (c.letter == 0) c.letter = <u32>row;
}

@inline
function putText(at: usize, text: usize, bytes: u32): usize {
  store<u8>(at, <u8>bytes);
  memory.copy(at + 1, text, bytes);
  return at + 1 + bytes;
}

/** The counted block's row, as the counters are now. */
export function stageLedger(): void {
  const turn = turnOf();
  // Sealed, each reason has its name and an offset more.
  const bytes = <u32>(LEDGER_ROW_COUNTERS_AT + DURABLE_BYTES);
  const row = addRow(TABLE_LEDGER, bytes, STATUS_COUNT * 64);
  store<u32>(row, turn.emissionOrdinal++, LEDGER_ROW_ORDINAL_AT);
  store<u64>(row, turn.sequence, LEDGER_ROW_SEQUENCE_AT);
  memory.copy(row + LEDGER_ROW_COUNTERS_AT, DURABLE_AT, DURABLE_BYTES);
  durable().blockChanged = 0;
}

/**
 * Seals staged rows into Native blocks: one per table that has rows, columns in the order of
 * src/model/table.ts. In: the stage tables. Out: descriptors at BLOCKS_AT, block bytes in the
 * output region, emptied lists. Facts and dead letters stay where they were staged until the next
 * call.
 */
import {
  fill1, fill2, fill4, fillText, nextRow, put4, put8, putFarTexts, putHead, putTexts, putVarint,
  putVersion,
} from './block';
import { channelMetricCount, channelTable, metricAt, metricKind } from './channel';
import {
  BLOCKS_AT, DURABLE_READINGS_AT, DURABLE_RECORDS_AT, Durable, OUTPUT_AT, OUTPUT_BYTES, control,
  durable,
} from './memory';
import {
  planChannelAt, planChannelCount, planLogName, planLogNameBytes, planStatusText,
  planTableColumnCount, planTableCount,
} from './plan';
import { putAlerts } from './judge/alert-row';
import { putKeptTexts } from './judge/text-column';
import { putQualities } from './judge/quality-row';
import * as R from './rows';
import { KIND_BOOLEAN, KIND_TEXT } from './shared/abi';
import * as C from './shared/control';
import {
  TABLE_ALERTS, TABLE_DEAD_LETTERS, TABLE_DEVICES, TABLE_LEDGER, TABLE_QUALITY,
} from './shared/plan-layout';
import { STATUS_COUNT } from './shared/status';
import { putWindows } from './window/block';
import {
  TILE_DEVICE_TIME, TILE_EVENT, TILE_EXPIRES, TILE_FLAGS, TILE_LOG_TIME, TILE_ORDINAL,
  TILE_PRESENCE, TILE_RECEIVED, TILE_SEQUENCE, TILE_VALUES, Tile, halfColumn, textColumn,
  textColumnBytes, wideAt, wideColumn,
} from './tile';
import { turnOf } from './work';

/** Everything staged so far becomes blocks. */
export function sealBlocks(): void {
  const c = control();
  const plan = c.plan;
  const channels = planChannelCount(plan);
  const tables = planTableCount(plan);
  for (let i: u32 = 0; i < tables - channels; i++) {
    if (R.stageTable(i).rows > 0) sealTable(i, 0);
  }
  for (let i: u32 = 0; i < channels; i++) {
    const channel = planChannelAt(plan, i);
    const table = channelTable(channel);
    if (R.stageTable(table).rows > 0) sealTable(table, channel);
  }
  const turn = turnOf();
  turn.stageUsed = 0;
  turn.sealBytes = 0;
}

/** Forgets the outputs of the call before: the host has taken them. */
export function clearOutput(): void {
  const c = control();
  c.blockCount = 0;
  c.fact = 0;
  c.letter = 0;
  turnOf().outputUsed = 0;
}

function sealTable(table: u32, channel: usize): void {
  const list = R.stageTable(table);
  const turn = turnOf();
  const start = OUTPUT_AT + turn.outputUsed;
  let out = putVarint(start, planTableColumnCount(control().plan, table));
  out = putVarint(out, list.rows);
  if (table == TABLE_LEDGER) out = putLedger(out, list);
  else if (table == TABLE_DEAD_LETTERS) out = putLetters(out, list);
  else if (table == TABLE_DEVICES) out = putDevices(out, list);
  else if (table == TABLE_QUALITY) out = putQualities(out, list);
  else if (table == TABLE_ALERTS) out = putAlerts(out, list);
  else if (channel != 0) out = putSamples(out, list, table, channel);
  else out = putWindows(out, list, table);
  assert(out <= OUTPUT_AT + OUTPUT_BYTES, 'the bound of sealed bytes holds');
  const c = control();
  const at = BLOCKS_AT + <usize>c.blockCount * C.BLOCK_BYTES;
  store<u32>(at, table);
  store<u32>(at, list.rows, 4);
  store<u32>(at, <u32>start, 8);
  store<u32>(at, <u32>(out - start), 12);
  c.blockCount++;
  turn.outputUsed = <u32>(((out + 7) & ~7) - OUTPUT_AT);
  list.rows = 0;
  list.elements = 0;
}

@inline function generation(): u32 { return <u32>durable().generation; }

/** A column of a tile after the other. */
function putWide(out: usize, head: usize, column: u32): usize {
  for (let at = head; at != 0; at = changetype<Tile>(at).next) {
    const bytes = <usize>changetype<Tile>(at).rows << 3;
    memory.copy(out, wideColumn(at, column), bytes);
    out += bytes;
  }
  return out;
}

function putHalf(out: usize, head: usize, metrics: u32, column: u32): usize {
  for (let at = head; at != 0; at = changetype<Tile>(at).next) {
    const bytes = <usize>changetype<Tile>(at).rows << 2;
    memory.copy(out, halfColumn(at, metrics, column), bytes);
    out += bytes;
  }
  return out;
}

function putIds(out: usize, head: usize, metrics: u32, column: u32): usize {
  for (let at = head; at != 0; at = changetype<Tile>(at).next) {
    const bytes = textColumnBytes(at, column);
    memory.copy(out, textColumn(at, metrics, column), bytes);
    out += bytes;
  }
  return out;
}

function putBooleans(out: usize, head: usize, column: u32): usize {
  for (let at = head; at != 0; at = changetype<Tile>(at).next) {
    const rows = changetype<Tile>(at).rows;
    for (let i: u32 = 0; i < rows; i++) {
      store<u8>(out++, load<u8>(wideAt(at, column, i)));
    }
  }
  return out;
}

function putSamples(out: usize, list: R.StageTable, table: u32, channel: usize): usize {
  const rows = list.rows;
  const head = list.head;
  const metrics = channelMetricCount(channel);
  for (let i: u32 = 0; i < 3; i++) out = putIds(putHead(out, table, i), head, metrics, i);
  out = putWide(putHead(out, table, 3), head, TILE_EVENT);
  out = putWide(putHead(out, table, 4), head, TILE_RECEIVED);
  out = putWide(putHead(out, table, 5), head, TILE_LOG_TIME);
  out = fill2(putHead(out, table, 6), rows, control().partition);
  out = putWide(putHead(out, table, 7), head, TILE_SEQUENCE);
  out = putHalf(putHead(out, table, 8), head, metrics, TILE_ORDINAL);
  out = putHalf(putHead(out, table, 9), head, metrics, TILE_FLAGS);
  out = putWide(putHead(out, table, 10), head, TILE_PRESENCE);
  out = fill4(putHead(out, table, 11), rows, generation());
  out = fill1(putHead(out, table, 12), rows, 0);
  out = putHalf(putHead(out, table, 13), head, metrics, TILE_EXPIRES);
  out = putWide(putHead(out, table, 14), head, TILE_DEVICE_TIME);
  for (let i: u32 = 0; i < metrics; i++) {
    out = putHead(out, table, 15 + i);
    const kind = metricKind(metricAt(channel, i));
    if (kind == KIND_BOOLEAN) out = putBooleans(out, head, TILE_VALUES + i);
    else if (kind == KIND_TEXT) out = putKeptTexts(out, head, TILE_VALUES + i);
    else out = putWide(out, head, TILE_VALUES + i);
  }
  return out;
}

// --- ledger, dead letters, devices ------------------------------------------------------------
function putLedger(out: usize, list: R.StageTable): usize {
  const head = list.head;
  const plan = control().plan;
  const counters = R.LEDGER_ROW_COUNTERS_AT;
  out = putHead(out, TABLE_LEDGER, 0);
  out = fillText(out, list.rows, planLogName(plan), planLogNameBytes(plan));
  out = fill2(putHead(out, TABLE_LEDGER, 1), list.rows, control().partition);
  out = put8(putHead(out, TABLE_LEDGER, 2), head, counters + offsetof<Durable>('block'));
  out = putHead(out, TABLE_LEDGER, 3);
  out = putVersion(out, head, R.LEDGER_ROW_SEQUENCE_AT, R.LEDGER_ROW_ORDINAL_AT);
  out = fill1(putHead(out, TABLE_LEDGER, 4), list.rows, 0);
  // messages … samples_stored stand in the header in the order of the columns.
  const first = counters + offsetof<Durable>('messages');
  for (let i: u32 = 0; i < 14; i++) {
    out = put8(putHead(out, TABLE_LEDGER, 5 + i), head, first + (<usize>i << 3));
  }
  out = putReasons(putHead(out, TABLE_LEDGER, 19), head, 0);
  out = putReasons(putHead(out, TABLE_LEDGER, 20), head, DURABLE_RECORDS_AT);
  out = putReasons(putHead(out, TABLE_LEDGER, 21), head, DURABLE_READINGS_AT);
  out = putHead(out, TABLE_LEDGER, 22);
  return put8(out, head, counters + offsetof<Durable>('logClock'));
}

@inline
function reasonSeen(row: usize, status: u32): bool {
  const counts = row + R.LEDGER_ROW_COUNTERS_AT + (<usize>status << 3);
  return (load<u64>(counts + DURABLE_RECORDS_AT) | load<u64>(counts + DURABLE_READINGS_AT)) != 0;
}

/** Names (`field` 0) or counts of all statuses seen, ascending. */
function putReasons(out: usize, head: usize, field: usize): usize {
  let end: u64 = 0;
  for (let row = head; row != 0; row = nextRow(row)) {
    for (let status: u32 = 1; status < <u32>STATUS_COUNT; status++) {
      if (reasonSeen(row, status)) end++;
    }
    store<u64>(out, end);
    out += 8;
  }
  for (let row = head; row != 0; row = nextRow(row)) {
    for (let status: u32 = 1; status < <u32>STATUS_COUNT; status++) {
      if (!reasonSeen(row, status)) continue;
      if (field == 0) {
        const text = planStatusText(control().plan, status);
        out = fillText(out, 1, text + 1, load<u8>(text));
      } else {
        const counts = row + R.LEDGER_ROW_COUNTERS_AT + field;
        store<u64>(out, load<u64>(counts + (<usize>status << 3)));
        out += 8;
      }
    }
  }
  return out;
}

function putLetters(out: usize, list: R.StageTable): usize {
  const rows = list.rows;
  const head = list.head;
  const plan = control().plan;
  const table: u32 = TABLE_DEAD_LETTERS;
  out = fillText(putHead(out, table, 0), rows, planLogName(plan), planLogNameBytes(plan));
  out = fill2(putHead(out, table, 1), rows, control().partition);
  out = put8(putHead(out, table, 2), head, C.LETTER_ROW_SEQUENCE_AT);
  out = put4(putHead(out, table, 3), head, C.LETTER_ROW_INDEX_AT);
  // Tenant, site, device, channel, reason, metric.
  for (let i: u32 = 0; i < 6; i++) {
    out = putTexts(putHead(out, table, 4 + i), head, C.LETTER_ROW_TEXTS_AT, i);
  }
  out = put4(putHead(out, table, 10), head, C.LETTER_ROW_OFFSET_AT);
  out = put8(putHead(out, table, 11), head, C.LETTER_ROW_RECEIVED_AT);
  out = put8(putHead(out, table, 12), head, C.LETTER_ROW_LOG_TIME_AT);
  out = put4(putHead(out, table, 13), head, C.LETTER_ROW_PAYLOAD_BYTES_AT);
  out = putHead(out, table, 14);
  for (let row = head; row != 0; row = nextRow(row)) {
    const bytes = load<u32>(row, C.LETTER_ROW_SAMPLE_BYTES_AT);
    out = putVarint(out, bytes);
    memory.copy(out, row + load<u32>(row, C.LETTER_ROW_SAMPLE_AT), bytes);
    out += bytes;
  }
  out = put8(putHead(out, table, 15), head, C.LETTER_ROW_PLAN_HASH_AT);
  out = fill4(putHead(out, table, 16), rows, generation());
  out = fill1(putHead(out, table, 17), rows, 0);
  return put4(putHead(out, table, 18), head, C.LETTER_ROW_EXPIRES_AT);
}

function putDevices(out: usize, list: R.StageTable): usize {
  const rows = list.rows;
  const head = list.head;
  const table: u32 = TABLE_DEVICES;
  for (let i: u32 = 0; i < 3; i++) {
    out = putFarTexts(putHead(out, table, i), head, C.DEVICE_ROW_IDENTITY_AT, i);
  }
  out = fill2(putHead(out, table, 3), rows, control().partition);
  out = putHead(out, table, 4);
  out = putVersion(out, head, C.DEVICE_ROW_SEQUENCE_AT, C.DEVICE_ROW_ORDINAL_AT);
  out = fill1(putHead(out, table, 5), rows, 0);
  // first_seen, last_seen, last_event_time, records, readings, rejected, duplicates: as staged.
  for (let i: u32 = 0; i < 7; i++) {
    const field: usize = C.DEVICE_ROW_FIRST_SEEN_AT + (i << 3);
    out = put8(putHead(out, table, 6 + i), head, field);
  }
  out = put8(putHead(out, table, 13), head, C.DEVICE_ROW_CLOCK_OFFSET_AT);
  return put8(putHead(out, table, 14), head, C.DEVICE_ROW_CLOCK_DRIFT_AT);
}

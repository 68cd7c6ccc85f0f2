/**
 * Rows of quality_1m, staged and sealed. Not facts: views read them. Layout, behind the head that
 * every row has (shared/control.ts): minute i64, log time i64, sequence u64, ordinal u32, expires
 * u32, good and total of six dimensions u64, identity.
 */
import {
  fill1, fill2, put4, put8, putHead, putTexts, putVersion,
} from '../block';
import { Device, identityOf } from '../device';
import { control, durable } from '../memory';
import { planQualityRetentionMs } from '../plan';
import { StageTable, addRow, expiresAt } from '../rows';
import { TABLE_QUALITY } from '../shared/plan-layout';
import { turnOf } from '../work';

const MINUTE_AT: usize = 16;
const LOG_TIME_AT: usize = 24;
const SEQUENCE_AT: usize = 32;
const ORDINAL_AT: usize = 40;
const EXPIRES_AT: usize = 44;
const COUNTERS_AT: usize = 48;
const COUNTERS: u32 = 12;
const IDENTITY_AT: usize = COUNTERS_AT + COUNTERS * 8;

/** `counters`: good and total of each dimension, in the order of the columns. */
export function stageQuality(device: Device, minuteMs: i64, counters: usize): void {
  const turn = turnOf();
  const row = addRow(TABLE_QUALITY, <u32>IDENTITY_AT + device.identityBytes, 0);
  store<i64>(row, minuteMs, MINUTE_AT);
  store<i64>(row, durable().logClock, LOG_TIME_AT);
  store<u64>(row, turn.sequence, SEQUENCE_AT);
  store<u32>(row, turn.emissionOrdinal++, ORDINAL_AT);
  store<u32>(row, expiresAt(minuteMs, planQualityRetentionMs(control().plan)), EXPIRES_AT);
  memory.copy(row + COUNTERS_AT, counters, COUNTERS * 8);
  memory.copy(row + IDENTITY_AT, identityOf(device), device.identityBytes);
}

export function putQualities(out: usize, list: StageTable): usize {
  const head = list.head;
  const table: u32 = TABLE_QUALITY;
  for (let i: u32 = 0; i < 3; i++) out = putTexts(putHead(out, table, i), head, IDENTITY_AT, i);
  out = put8(putHead(out, table, 3), head, MINUTE_AT);
  out = fill2(putHead(out, table, 4), list.rows, control().partition);
  out = putVersion(putHead(out, table, 5), head, SEQUENCE_AT, ORDINAL_AT);
  out = fill1(putHead(out, table, 6), list.rows, 0);
  for (let i: u32 = 0; i < COUNTERS; i++) {
    out = put8(putHead(out, table, 7 + i), head, COUNTERS_AT + (<usize>i << 3));
  }
  out = put8(putHead(out, table, 19), head, LOG_TIME_AT);
  return put4(putHead(out, table, 20), head, EXPIRES_AT);
}

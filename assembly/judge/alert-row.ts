/**
 * Rows of `alerts`, which are the facts of alerts too: staged, and sealed into a block. In: the
 * alert's state when it is raised or cleared. Layout: shared/control.ts, ALERT_ROW_.
 */
import {
  fill1, fill2, fillText, nextRow, put1, put4, put8, putFarTexts, putHead, putVersion,
} from '../block';
import {
  channelAlert, channelId, channelName, channelNameBytes, metricAt, metricName, metricNameBytes,
} from '../channel';
import { Device, identityOf } from '../device';
import { control, durable } from '../memory';
import { planAlertRetentionMs, planChannelById } from '../plan';
import { StageTable, addFact, addRow, expiresAt } from '../rows';
import { AlertState } from '../series';
import { SEVERITY_INFO, SEVERITY_WARNING } from '../shared/abi';
import * as C from '../shared/control';
import {
  ALERT_ID_AT, ALERT_METRIC_AT, ALERT_NAME_AT, ALERT_NAME_BYTES_AT, ALERT_SEVERITY_AT,
  TABLE_ALERTS,
} from '../shared/plan-layout';
import { turnOf } from '../work';

const INFO = memory.data<u8>([0x69, 0x6e, 0x66, 0x6f]);
const WARNING = memory.data<u8>([0x77, 0x61, 0x72, 0x6e, 0x69, 0x6e, 0x67]);
const CRITICAL = memory.data<u8>([0x63, 0x72, 0x69, 0x74, 0x69, 0x63, 0x61, 0x6c]);
/** Channel, rule, severity and metric, which the staged row only names by number. */
const TEXTS_BYTES: u32 = 4 * 65;

/** Active: raised. Else cleared, at `event` by `value`. */
export function stageAlert(
  device: Device, channel: usize, alert: usize, state: AlertState, active: u32,
): usize {
  const turn = turnOf();
  const row = addRow(TABLE_ALERTS, C.ALERT_ROW_IDENTITY + device.identityBytes, TEXTS_BYTES);
  store<i64>(row, state.raisedAt, C.ALERT_ROW_RAISED_AT);
  store<u64>(row, state.raisedSequence, C.ALERT_ROW_RAISED_SEQUENCE_AT);
  store<u32>(row, state.raisedOrdinal, C.ALERT_ROW_RAISED_ORDINAL_AT);
  store<u32>(row, active, C.ALERT_ROW_ACTIVE_AT);
  store<i64>(row, state.since, C.ALERT_ROW_SINCE_AT);
  store<f64>(row, state.value, C.ALERT_ROW_VALUE_AT);
  store<f64>(row, state.peak, C.ALERT_ROW_PEAK_AT);
  store<i64>(row, 0, C.ALERT_ROW_CLEARED_AT);
  store<f64>(row, 0, C.ALERT_ROW_CLEARED_VALUE_AT);
  store<u64>(row, turn.sequence, C.ALERT_ROW_SEQUENCE_AT);
  store<u32>(row, turn.emissionOrdinal++, C.ALERT_ROW_ORDINAL_AT);
  store<i64>(row, durable().logClock, C.ALERT_ROW_LOG_TIME_AT);
  const retention = planAlertRetentionMs(control().plan);
  store<u32>(row, expiresAt(state.raisedAt, retention), C.ALERT_ROW_EXPIRES_AT);
  store<u32>(row, channelId(channel), C.ALERT_ROW_CHANNEL_AT);
  store<u32>(row, load<u32>(alert, ALERT_ID_AT), C.ALERT_ROW_ALERT_AT);
  store<u32>(row, C.ALERT_ROW_IDENTITY, C.ALERT_ROW_IDENTITY_AT);
  memory.copy(row + C.ALERT_ROW_IDENTITY, identityOf(device), device.identityBytes);
  addFact(row, C.ROW_ALERT);
  return row;
}

export function putAlerts(out: usize, list: StageTable): usize {
  const head = list.head;
  const table: u32 = TABLE_ALERTS;
  for (let i: u32 = 0; i < 3; i++) {
    out = putFarTexts(putHead(out, table, i), head, C.ALERT_ROW_IDENTITY_AT, i);
  }
  out = putNames(putHead(out, table, 3), head, NAME_CHANNEL);
  out = putNames(putHead(out, table, 4), head, NAME_RULE);
  out = put8(putHead(out, table, 5), head, C.ALERT_ROW_RAISED_AT);
  out = put8(putHead(out, table, 6), head, C.ALERT_ROW_RAISED_SEQUENCE_AT);
  out = put4(putHead(out, table, 7), head, C.ALERT_ROW_RAISED_ORDINAL_AT);
  out = putHead(out, table, 8);
  out = putVersion(out, head, C.ALERT_ROW_SEQUENCE_AT, C.ALERT_ROW_ORDINAL_AT);
  out = fill1(putHead(out, table, 9), list.rows, 0);
  out = putNames(putHead(out, table, 10), head, NAME_SEVERITY);
  out = putNames(putHead(out, table, 11), head, NAME_METRIC);
  out = put1(putHead(out, table, 12), head, C.ALERT_ROW_ACTIVE_AT);
  out = put8(putHead(out, table, 13), head, C.ALERT_ROW_VALUE_AT);
  out = put8(putHead(out, table, 14), head, C.ALERT_ROW_PEAK_AT);
  out = put8(putHead(out, table, 15), head, C.ALERT_ROW_SINCE_AT);
  out = put8(putHead(out, table, 16), head, C.ALERT_ROW_CLEARED_AT);
  out = put8(putHead(out, table, 17), head, C.ALERT_ROW_CLEARED_VALUE_AT);
  out = put8(putHead(out, table, 18), head, C.ALERT_ROW_LOG_TIME_AT);
  out = fill2(putHead(out, table, 19), list.rows, control().partition);
  return put4(putHead(out, table, 20), head, C.ALERT_ROW_EXPIRES_AT);
}

const NAME_CHANNEL: u32 = 0;
const NAME_RULE: u32 = 1;
const NAME_SEVERITY: u32 = 2;
const NAME_METRIC: u32 = 3;

function putNames(out: usize, head: usize, which: u32): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    const channel = planChannelById(control().plan, load<u32>(row, C.ALERT_ROW_CHANNEL_AT));
    const alert = channelAlert(channel, load<u32>(row, C.ALERT_ROW_ALERT_AT));
    const metric = metricAt(channel, load<u32>(alert, ALERT_METRIC_AT));
    if (which == NAME_CHANNEL) {
      out = fillText(out, 1, channelName(channel), channelNameBytes(channel));
    } else if (which == NAME_RULE) {
      const name = alert + load<u32>(alert, ALERT_NAME_AT);
      out = fillText(out, 1, name, load<u32>(alert, ALERT_NAME_BYTES_AT));
    } else if (which == NAME_METRIC) {
      out = fillText(out, 1, metricName(metric), metricNameBytes(metric));
    } else {
      out = putSeverity(out, load<u32>(alert, ALERT_SEVERITY_AT));
    }
  }
  return out;
}

function putSeverity(out: usize, severity: u32): usize {
  if (severity == SEVERITY_INFO) return fillText(out, 1, INFO, 4);
  if (severity == SEVERITY_WARNING) return fillText(out, 1, WARNING, 7);
  return fillText(out, 1, CRITICAL, 8);
}

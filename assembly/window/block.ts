/**
 * Native blocks of agg_<window>, gathered from staged rows (columns: src/model/table.ts). In: the
 * rows of one table. Out: where the block ended.
 *
 *   Array(Array(T))  ┌ end of each row's metrics u64 ┬ end of each metric's bins u64 ┬ bins ┐
 */
import {
  fill1, fill2, fillText, nextRow, put4, put8, putFarTexts, putHead, putVersion,
} from '../block';
import { channelName, channelNameBytes, metricAt, metricName, metricNameBytes } from '../channel';
import { COLUMNS_AT, control } from '../memory';
import { planChannelById } from '../plan';
import { StageTable } from '../rows';
import * as C from '../shared/control';

/** count, sum, min, max, first, first_time, …, mean, m2, score, integral: as staged. */
const FIELDS: u32 = 14;
const FIELDS_AT: u32 = 10;

@inline function metricsOf(row: usize): u32 { return load<u32>(row, C.WINDOW_ROW_METRIC_COUNT_AT); }

export function putWindows(out: usize, list: StageTable, table: u32): usize {
  const rows = list.rows;
  const head = list.head;
  out = putHead(out, table, 0);
  for (let i: u32 = 0; i < rows; i++) out = putCore(out);
  for (let i: u32 = 0; i < 3; i++) {
    out = putFarTexts(putHead(out, table, 1 + i), head, C.WINDOW_ROW_IDENTITY_AT, i);
  }
  out = putChannelNames(putHead(out, table, 4), head);
  out = put8(putHead(out, table, 5), head, C.WINDOW_ROW_START_AT);
  out = put8(putHead(out, table, 6), head, C.WINDOW_ROW_FRAGMENT_AT);
  out = putHead(out, table, 7);
  out = putVersion(out, head, C.WINDOW_ROW_SEQUENCE_AT, C.WINDOW_ROW_ORDINAL_AT);
  out = putDeleted(putHead(out, table, 8), head);
  out = putMetricNames(putEnds(putHead(out, table, 9), head), head);
  out = putMetrics(out, list, table);
  for (let i: u32 = 0; i < 2; i++) {
    out = putBinEnds(putEnds(putHead(out, table, 24 + i), head), head);
    out = putBins(out, head, i);
  }
  out = put4(putHead(out, table, 26), head, C.WINDOW_ROW_REVISION_AT);
  out = put8(putHead(out, table, 27), head, C.WINDOW_ROW_WATERMARK_AT);
  out = put8(putHead(out, table, 28), head, C.WINDOW_ROW_LOG_TIME_AT);
  out = put8(putHead(out, table, 29), head, C.WINDOW_ROW_END_AT);
  out = fill2(putHead(out, table, 30), rows, control().partition);
  return put4(putHead(out, table, 31), head, C.WINDOW_ROW_EXPIRES_AT);
}

/** The job's name, 'core', as a Native string. */
@inline
function putCore(out: usize): usize {
  store<u8>(out, 4);
  store<u32>(out, 0x65726f63, 1);
  return out + 5;
}

function putDeleted(out: usize, head: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    store<u8>(out++, <u8>(load<u32>(row, C.WINDOW_ROW_FLAGS_AT) & C.WINDOW_ROW_DELETED));
  }
  return out;
}

function putEnds(out: usize, head: usize): usize {
  let end: u64 = 0;
  for (let row = head; row != 0; row = nextRow(row)) {
    end += metricsOf(row);
    store<u64>(out, end);
    out += 8;
  }
  return out;
}

/**
 * Fields of the metrics, an array column each: their ends are the same, and every row is passed
 * over but once, its metrics being far more than a cache line.
 */
function putMetrics(out: usize, list: StageTable, table: u32): usize {
  const elements = list.elements << 3;
  let ends: usize = 0;
  for (let i: u32 = 0; i < FIELDS; i++) {
    out = putHead(out, table, FIELDS_AT + i);
    if (i == 0) ends = out;
    else memory.copy(out, ends, <usize>list.rows << 3);
    if (i == 0) putEnds(out, list.head);
    out += <usize>list.rows << 3;
    store<u32>(COLUMNS_AT + (<usize>i << 2), <u32>out);
    out += elements;
  }
  let place: usize = 0;
  for (let row = list.head; row != 0; row = nextRow(row)) {
    const count = metricsOf(row);
    let at = row + C.WINDOW_ROW_METRICS_AT + 8;
    for (let i: u32 = 0; i < count; i++) {
      for (let j: usize = 0; j < <usize>FIELDS; j++) {
        store<u64>(<usize>load<u32>(COLUMNS_AT + (j << 2)) + place, load<u64>(at + (j << 3)));
      }
      place += 8;
      at += C.WINDOW_METRIC_BYTES;
    }
  }
  return out;
}

function putBinEnds(out: usize, head: usize): usize {
  let end: u64 = 0;
  for (let row = head; row != 0; row = nextRow(row)) {
    const count = metricsOf(row);
    let at = row + C.WINDOW_ROW_METRICS_AT + C.WINDOW_METRIC_BINS_AT;
    for (let i: u32 = 0; i < count; i++) {
      end += load<u32>(at, 4);
      store<u64>(out, end);
      out += 8;
      at += C.WINDOW_METRIC_BYTES;
    }
  }
  return out;
}

/** Keys (`half` 0) or counts (1), which lie one behind the other. */
function putBins(out: usize, head: usize, half: u32): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    const count = metricsOf(row);
    let at = row + C.WINDOW_ROW_METRICS_AT + C.WINDOW_METRIC_BINS_AT;
    for (let i: u32 = 0; i < count; i++) {
      const bytes = load<u32>(at, 4) << 2;
      memory.copy(out, row + load<u32>(at) + half * bytes, bytes);
      out += bytes;
      at += C.WINDOW_METRIC_BYTES;
    }
  }
  return out;
}

@inline
function channelOf(row: usize): usize {
  return planChannelById(control().plan, load<u32>(row, C.WINDOW_ROW_CHANNEL_AT));
}

function putChannelNames(out: usize, head: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    const channel = channelOf(row);
    out = fillText(out, 1, channelName(channel), channelNameBytes(channel));
  }
  return out;
}

function putMetricNames(out: usize, head: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    const channel = channelOf(row);
    const count = metricsOf(row);
    let at = row + C.WINDOW_ROW_METRICS_AT;
    for (let i: u32 = 0; i < count; i++) {
      const metric = metricAt(channel, load<u32>(at));
      out = fillText(out, 1, metricName(metric), metricNameBytes(metric));
      at += C.WINDOW_METRIC_BYTES;
    }
  }
  return out;
}

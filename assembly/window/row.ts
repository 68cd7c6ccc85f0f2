/**
 * Rows of windows, which are facts too: what the parts of merge.ts are together, as it is staged
 * (layout: shared/control.ts). In: device, section, window and the frame of the row. Out: a row
 * with the next version of the message; none when the plan no longer has such a window.
 */
import { channelId, windowRetentionMs, windowTable } from '../channel';
import { Device, identityOf } from '../device';
import { NONE, control, durable } from '../memory';
import { planChannelById } from '../plan';
import { addFact, addRow, expiresAt, stageTable } from '../rows';
import { Section, windowStateAt } from '../series';
import * as C from '../shared/control';
import { turnOf } from '../work';
import { Accumulator, canonical, deviation, firstSequence, lastSequence } from './accumulator';
import { Cell, accumulatorAt, spanAt } from './cell';
import { plannedWindow } from './conform';
import {
  MERGE_END, binsBound, hasSpans, mergeBinsOf, mergeParts, mergedBins, metricsOfParts,
  scoreOfParts,
} from './merge';
import { BIN_BYTES, binAt, readingsIn } from './sketch';

/** What a row says beside its metrics. In scratch. */
@unmanaged
export class Frame {
  start: i64;
  end: i64;
  fragment: u64;
  revision: u32;
  /** WINDOW_ROW_DELETED, or 0. */
  flags: u32;
}
/** Sealed, a row has 17 ends of arrays, the job's and the channel's name more than staged. */
const ROW_EXTRA: u32 = 256;
/** A metric its name, and an end of an array more; bins are the same. */
const METRIC_EXTRA: u32 = 73;

export function frame(start: i64, end: i64, fragment: u64, revision: u32): Frame {
  const made = changetype<Frame>(MERGE_END);
  made.start = start;
  made.end = end;
  made.fragment = fragment;
  made.revision = revision;
  made.flags = 0;
  return made;
}

/** The window of the parts begun and added. */
export function stageWindow(device: Device, section: usize, window: u32, frame: Frame): void {
  const row = openRow(device, section, window, frame, true);
  if (row != 0) addFact(row, C.ROW_WINDOW);
}

/** The row of a key that is no more. */
export function stageTombstone(device: Device, section: usize, window: u32, frame: Frame): void {
  frame.flags = C.WINDOW_ROW_DELETED;
  const row = openRow(device, section, window, frame, false);
  if (row != 0) addFact(row, C.ROW_WINDOW);
}

function openRow(
  device: Device, sectionAt: usize, stored: u32, frame: Frame, hasMetrics: bool,
): usize {
  const section = changetype<Section>(sectionAt);
  const channel = planChannelById(control().plan, section.channel);
  const window = plannedWindow(channel, windowStateAt(sectionAt, stored));
  if (window < 0) return 0;
  const cell: usize = hasMetrics ? mergeParts() : 0;
  const present = hasMetrics ? presentIn(cell) : 0;
  const identityAt = C.WINDOW_ROW_METRICS_AT + present * C.WINDOW_METRIC_BYTES;
  const binsAt = (identityAt + device.identityBytes + 7) & ~7;
  const bound = hasMetrics ? binsBound() * <u32>BIN_BYTES : 0;
  const table = windowTable(channel, window);
  const row = addRow(table, binsAt + bound, ROW_EXTRA + present * METRIC_EXTRA);
  stageTable(table).elements += present;
  putFrame(row, section, frame);
  store<u32>(row, channelId(channel), C.WINDOW_ROW_CHANNEL_AT);
  store<u32>(row, window, C.WINDOW_ROW_WINDOW_AT);
  store<u32>(row, present, C.WINDOW_ROW_METRIC_COUNT_AT);
  const expires = expiresAt(frame.start, windowRetentionMs(channel, window));
  store<u32>(row, expires, C.WINDOW_ROW_EXPIRES_AT);
  store<u32>(row, identityAt, C.WINDOW_ROW_IDENTITY_AT);
  memory.copy(row + identityAt, identityOf(device), device.identityBytes);
  const used = present > 0 ? putMetrics(row, cell, binsAt) : binsAt;
  giveBack(row, binsAt + bound - used);
  return row;
}

function putFrame(row: usize, section: Section, frame: Frame): void {
  const turn = turnOf();
  store<i64>(row, frame.start, C.WINDOW_ROW_START_AT);
  store<i64>(row, frame.end, C.WINDOW_ROW_END_AT);
  store<u64>(row, frame.fragment, C.WINDOW_ROW_FRAGMENT_AT);
  store<u32>(row, frame.revision, C.WINDOW_ROW_REVISION_AT);
  store<u32>(row, frame.flags, C.WINDOW_ROW_FLAGS_AT);
  store<u64>(row, turn.sequence, C.WINDOW_ROW_SEQUENCE_AT);
  store<u32>(row, turn.emissionOrdinal++, C.WINDOW_ROW_ORDINAL_AT);
  // A count window may be full before there is a watermark.
  const watermark = section.watermark == NONE ? 0 : section.watermark;
  store<i64>(row, watermark, C.WINDOW_ROW_WATERMARK_AT);
  store<i64>(row, durable().logClock, C.WINDOW_ROW_LOG_TIME_AT);
}

function presentIn(cell: usize): u32 {
  const metrics = metricsOfParts();
  let present: u32 = 0;
  for (let i: u32 = 0; i < metrics; i++) {
    if (accumulatorAt(cell, i).count > 0) present++;
  }
  return present;
}

/** Aggregates, and their bins from `binsAt` on; gives where these end. */
function putMetrics(row: usize, cell: usize, binsAt: u32): u32 {
  const metrics = metricsOfParts();
  let at = row + C.WINDOW_ROW_METRICS_AT;
  for (let i: u32 = 0; i < metrics; i++) {
    const accumulator = accumulatorAt(cell, i);
    if (accumulator.count == 0) continue;
    putAggregate(at, i, accumulator, <f64>scoreOfParts(cell, i));
    putTimes(at, cell, i);
    let bins = mergeBinsOf(i);
    // A sketch that the plan began in the middle of the window would lie.
    if (bins > 0 && readingsIn(mergedBins(), bins) != accumulator.count) bins = 0;
    store<u32>(at, binsAt, C.WINDOW_METRIC_BINS_AT);
    store<u32>(at, bins, C.WINDOW_METRIC_BINS_AT + 4);
    putBins(row + binsAt, mergedBins(), bins);
    binsAt += bins * <u32>BIN_BYTES;
    at += C.WINDOW_METRIC_BYTES;
  }
  return binsAt;
}

function putAggregate(at: usize, ordinal: u32, a: Accumulator, score: f64): void {
  const sum = canonical(a.sum + a.compensation);
  const away = deviation(a);
  const squares = a.squares - away * away / <f64>a.count;
  store<u64>(at, ordinal);
  store<u64>(at, a.count, 8);
  store<f64>(at, sum, 16);
  store<f64>(at, a.min, 24);
  store<f64>(at, a.max, 32);
  store<f64>(at, a.first, 40);
  store<u64>(at, firstSequence(a), 56);
  store<f64>(at, a.last, 64);
  store<u64>(at, lastSequence(a), 80);
  store<f64>(at, canonical(sum / <f64>a.count), 88);
  store<f64>(at, squares < 0 ? 0 : canonical(squares), 96);
  store<f64>(at, score, 104);
  store<f64>(at, a.integral, 112);
}

function putTimes(at: usize, cell: usize, ordinal: u32): void {
  if (hasSpans(cell)) {
    const span = spanAt(cell, metricsOfParts(), ordinal);
    store<i64>(at, span.first, 48);
    store<i64>(at, span.last, 72);
    return;
  }
  const start = changetype<Cell>(cell).start;
  const accumulator = accumulatorAt(cell, ordinal);
  store<i64>(at, start + <i64>accumulator.firstOffset, 48);
  store<i64>(at, start + <i64>accumulator.lastOffset, 72);
}

/** Keys, then counts. */
function putBins(out: usize, bins: usize, count: u32): void {
  const counts = out + (<usize>count << 2);
  for (let i: u32 = 0; i < count; i++) {
    const bin = binAt(bins, i);
    store<i32>(out + (<usize>i << 2), bin.key);
    store<u32>(counts + (<usize>i << 2), bin.count);
  }
}

/** Staged bytes that the last row did not need after all: a multiple of 8. */
function giveBack(row: usize, bytes: u32): void {
  const turn = turnOf();
  turn.stageUsed -= bytes;
  turn.sealBytes -= bytes;
  store<u32>(row, load<u32>(row, C.ROW_BYTES_AT) - bytes, C.ROW_BYTES_AT);
}

/**
 * What a device holds of one channel: watermark, alerts, the latest value and score of every
 * metric, and the open cells of its windows. One section of the device block, sections ascending by
 * channel id:
 *
 *   section ┌ Section ┬ WindowState × windows ┬ AlertState × alerts ┬ series × metrics ┬ …
 *           … ┬ seasons × metrics ┬ cells of window 0 ┬ of 1 … ┐
 *   series  ┌ Latest ┬ Score, when the channel has scores ┐
 *   seasons ┌ Season × 168 hours of the week, when its scores are seasonal ┐
 *   cell    ┌ Cell ┬ Accumulator × metrics ┐            ascending by (start, fragment)
 *
 * A section follows the plan when a record of its channel is stored (`conform`): new metrics widen
 * it, windows that the plan no longer has are dropped, new ones are added. Timers and flush points
 * take it as it is, which is why a window remembers its length.
 */
import {
  channelAlertCount, channelId, channelMetricCount, channelScore, channelWindowCount,
  windowLengthMs,
} from './channel';
import { Device, channelsOf, deviceOf, insertBytes, removeBytes } from './device';
import { NONE } from './memory';
import { SCORE_NONE, SCORE_SEASONAL, SEASON_HOURS } from './shared/abi';

@unmanaged
export class Section {
  /** Of the whole section. */
  bytes: u32;
  channel: u32;
  windowCount: u32;
  metricCount: u32;
  alertCount: u32;
  /** SCORE_*: what its series and seasons look like. */
  score: u32;
  /** Cells that are unfired, and that are dirty. */
  unfired: u32;
  dirty: u32;
  watermark: i64;
  maxEvent: i64;
  /** Log time of the last record that stored a sample. */
  lastLog: i64;
  /** Log time at which it last folded into a fired cell, or opened a born-fired one. */
  lastLate: i64;
  /** Usual distance of its samples in event time, 0 before it is known. */
  cadence: i64;
}
export const SECTION_BYTES: usize = offsetof<Section>();

@unmanaged
export class WindowState {
  lengthMs: i64;
  /** Greatest start ever evicted, NONE before the first. */
  evictedMaxStart: i64;
  /** Counts foldings: the order of touches. */
  touches: u64;
  cellCount: u32;
  zero: u32;
}
export const WINDOW_STATE_BYTES: usize = offsetof<WindowState>();

/** An alert of the channel, by its id. All zero: idle. */
@unmanaged
export class AlertState {
  flags: u32;
  raisedOrdinal: u32;
  since: i64;
  raisedAt: i64;
  raisedSequence: u64;
  value: f64;
  peak: f64;
}
export const ALERT_STATE_BYTES: usize = offsetof<AlertState>();

@unmanaged
export class Latest {
  bits: u64;
  /** NONE: no value yet. */
  eventTime: i64;
  /** Event time of the first current reading that brought this value. */
  since: i64;
}
export const LATEST_BYTES: usize = offsetof<Latest>();

/** Running mean and variance of a series, behind its latest value. */
@unmanaged
export class Score {
  mean: f64;
  variance: f64;
  count: u32;
  zero: u32;
}
export const SCORE_BYTES: usize = offsetof<Score>();

/** The same for one hour of the week. */
@unmanaged
export class Season {
  count: u32;
  mean: f32;
  variance: f32;
}
export const SEASON_BYTES: usize = offsetof<Season>();
const SEASONS_BYTES: usize = SEASON_BYTES * SEASON_HOURS;

export const CELL_FIRED: u32 = 1;
export const CELL_DIRTY: u32 = 2;
/** Its first emission has happened. */
export const CELL_EMITTED: u32 = 4;

@unmanaged
export class Cell {
  start: i64;
  fragment: u64;
  touch: u64;
  revision: u32;
  flags: u32;
}
export const CELL_BYTES: usize = offsetof<Cell>();

/** Times are offsets from the start of the window: lengths are below 2³² ms. */
@unmanaged
export class Accumulator {
  count: u32;
  firstOffset: u32;
  lastOffset: u32;
  zero: u32;
  firstSequence: u64;
  lastSequence: u64;
  sum: f64;
  compensation: f64;
  min: f64;
  max: f64;
  first: f64;
  last: f64;
  mean: f64;
  m2: f64;
}
export const ACCUMULATOR_BYTES: usize = offsetof<Accumulator>();

@inline
export function cellBytes(metricCount: u32): usize {
  return CELL_BYTES + <usize>metricCount * ACCUMULATOR_BYTES;
}
@inline
export function windowStateAt(section: usize, window: u32): WindowState {
  return changetype<WindowState>(section + SECTION_BYTES + <usize>window * WINDOW_STATE_BYTES);
}
@inline
function alertsOf(section: usize): usize {
  const windows = <usize>changetype<Section>(section).windowCount * WINDOW_STATE_BYTES;
  return section + SECTION_BYTES + windows;
}
@inline
export function alertStateAt(section: usize, id: u32): AlertState {
  return changetype<AlertState>(alertsOf(section) + <usize>id * ALERT_STATE_BYTES);
}
@inline
function seriesBytes(score: u32): usize {
  return score == SCORE_NONE ? LATEST_BYTES : LATEST_BYTES + SCORE_BYTES;
}
@inline
export function latestAt(section: usize, ordinal: u32): Latest {
  const head = changetype<Section>(section);
  const series = alertsOf(section) + <usize>head.alertCount * ALERT_STATE_BYTES;
  return changetype<Latest>(series + <usize>ordinal * seriesBytes(head.score));
}
/** Only where the section has scores. */
@inline
export function scoreAt(section: usize, ordinal: u32): Score {
  return changetype<Score>(changetype<usize>(latestAt(section, ordinal)) + LATEST_BYTES);
}
/** Only where the section has seasonal scores; hours from 0. */
@inline
export function seasonAt(section: usize, ordinal: u32, hour: u32): Season {
  const seasons = changetype<usize>(latestAt(section, changetype<Section>(section).metricCount));
  return changetype<Season>(
    seasons + <usize>ordinal * SEASONS_BYTES + <usize>hour * SEASON_BYTES,
  );
}
@inline
function seasonsBytes(score: u32, metrics: u32): usize {
  return score == SCORE_SEASONAL ? <usize>metrics * SEASONS_BYTES : 0;
}
/** First cell of a window. */
export function cellsOf(sectionAt: usize, window: u32): usize {
  const section = changetype<Section>(sectionAt);
  let at = changetype<usize>(latestAt(sectionAt, section.metricCount)) +
    seasonsBytes(section.score, section.metricCount);
  const bytes = cellBytes(section.metricCount);
  for (let i: u32 = 0; i < window; i++) {
    at += <usize>windowStateAt(sectionAt, i).cellCount * bytes;
  }
  return at;
}
@inline
export function accumulatorAt(cell: usize, ordinal: u32): Accumulator {
  return changetype<Accumulator>(cell + CELL_BYTES + <usize>ordinal * ACCUMULATOR_BYTES);
}

/** The section at a place in the order of channels. */
export function sectionAt(device: Device, index: u32): usize {
  let at = channelsOf(device);
  for (let i: u32 = 0; i < index; i++) at += load<u32>(at);
  return at;
}

/** Address of the section, 0 when the device has none for the channel. */
export function findSection(device: Device, channel: u32): usize {
  let at = channelsOf(device);
  for (let i: u32 = 0; i < device.channelCount; i++) {
    if (changetype<Section>(at).channel == channel) return at;
    at += load<u32>(at);
  }
  return 0;
}

/**
 * Bytes that the channel's section may need beyond what it has, `samples` cells opened included.
 */
export function sectionGrowth(device: Device, channel: usize, samples: u32, cellsMax: u32): usize {
  const metrics = channelMetricCount(channel);
  const windows = channelWindowCount(channel);
  const cells = <usize>(windows * min(samples, cellsMax)) * cellBytes(metrics);
  let at: usize = 0;
  if (device !== null) at = findSection(device, channelId(channel));
  if (at == 0) return fixedBytes(channel) + cells;
  const section = changetype<Section>(at);
  if (follows(section, channel)) return cells;
  // Conforming widens every cell; at most all cells of all windows.
  const before = <usize>section.bytes / cellBytes(section.metricCount);
  return fixedBytes(channel) + cells + before * cellBytes(metrics);
}

/** Of a new section: all but cells. */
function fixedBytes(channel: usize): usize {
  const metrics = channelMetricCount(channel);
  const score = channelScore(channel);
  return (
    SECTION_BYTES +
    <usize>channelWindowCount(channel) * WINDOW_STATE_BYTES +
    <usize>channelAlertCount(channel) * ALERT_STATE_BYTES +
    <usize>metrics * seriesBytes(score) + seasonsBytes(score, metrics)
  );
}

function follows(section: Section, channel: usize): bool {
  if (section.metricCount < channelMetricCount(channel)) return false;
  if (section.alertCount < channelAlertCount(channel)) return false;
  if (section.score != channelScore(channel)) return false;
  const windows = channelWindowCount(channel);
  if (section.windowCount != windows) return false;
  for (let i: u32 = 0; i < windows; i++) {
    if (windowStateAt(changetype<usize>(section), i).lengthMs != windowLengthMs(channel, i)) {
      return false;
    }
  }
  return true;
}

/** The channel's section as the plan wants it, made or changed where needed; gives its offset. */
export function conform(slot: u32, channel: usize): usize {
  const device = deviceOf(slot);
  const at = findSection(device, channelId(channel));
  if (at == 0) return addSection(slot, channel);
  const offset = at - changetype<usize>(device);
  if (!follows(changetype<Section>(at), channel)) {
    widen(slot, offset, channelMetricCount(channel));
    matchScore(slot, offset, channelScore(channel));
    addAlerts(slot, offset, channelAlertCount(channel));
    matchWindows(slot, offset, channel);
  }
  return offset;
}

function addSection(slot: u32, channel: usize): usize {
  let device = deviceOf(slot);
  const id = channelId(channel);
  let at = channelsOf(device);
  for (let i: u32 = 0; i < device.channelCount && changetype<Section>(at).channel < id; i++) {
    at += load<u32>(at);
  }
  const offset = at - changetype<usize>(device);
  const metrics = channelMetricCount(channel);
  const windows = channelWindowCount(channel);
  const bytes = fixedBytes(channel);
  insertBytes(slot, offset, bytes);
  device = deviceOf(slot);
  device.channelCount++;
  const made = changetype<usize>(device) + offset;
  const section = changetype<Section>(made);
  section.bytes = <u32>bytes;
  section.channel = id;
  section.windowCount = windows;
  section.metricCount = metrics;
  section.alertCount = channelAlertCount(channel);
  section.score = channelScore(channel);
  section.watermark = NONE;
  section.maxEvent = NONE;
  section.lastLate = NONE;
  for (let i: u32 = 0; i < windows; i++) clearWindow(made, i, windowLengthMs(channel, i));
  for (let i: u32 = 0; i < metrics; i++) latestAt(made, i).eventTime = NONE;
  return offset;
}

function clearWindow(section: usize, window: u32, lengthMs: i64): void {
  const state = windowStateAt(section, window);
  state.lengthMs = lengthMs;
  state.evictedMaxStart = NONE;
}

/** Inserts zeros into a section; `place` is relative to the section. */
export function insertInSection(slot: u32, offset: usize, place: usize, bytes: usize): void {
  insertBytes(slot, offset + place, bytes);
  changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).bytes += <u32>bytes;
}

export function removeInSection(slot: u32, offset: usize, place: usize, bytes: usize): void {
  removeBytes(slot, offset + place, bytes);
  changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).bytes -= <u32>bytes;
}

/** Gives every cell and all series room for more metrics; from the back, so places hold. */
function widen(slot: u32, offset: usize, metrics: u32): void {
  const section = changetype<usize>(deviceOf(slot)) + offset;
  const old = changetype<Section>(section).metricCount;
  if (metrics <= old) return;
  const more = <usize>(metrics - old);
  let cells: u32 = 0;
  const windows = changetype<Section>(section).windowCount;
  for (let i: u32 = 0; i < windows; i++) cells += windowStateAt(section, i).cellCount;
  const first = cellsOf(section, 0) - section;
  for (let i = cells; i > 0; i--) {
    insertInSection(slot, offset, first + <usize>i * cellBytes(old), more * ACCUMULATOR_BYTES);
  }
  const score = changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).score;
  insertInSection(slot, offset, first, seasonsBytes(score, <u32>more));
  insertInSection(slot, offset, first - seasonsBytes(score, old), more * seriesBytes(score));
  const wide = changetype<usize>(deviceOf(slot)) + offset;
  changetype<Section>(wide).metricCount = metrics;
  for (let i = old; i < metrics; i++) latestAt(wide, i).eventTime = NONE;
}

/** Gives series and seasons the form of the plan's kind of score; what no longer fits goes. */
function matchScore(slot: u32, offset: usize, score: u32): void {
  const at = changetype<usize>(deviceOf(slot)) + offset;
  const section = changetype<Section>(at);
  const metrics = section.metricCount;
  const old = section.score;
  if (old == score) return;
  const cells = cellsOf(at, 0) - at;
  const seasons = seasonsBytes(old, metrics);
  const first = changetype<usize>(latestAt(at, 0)) - at;
  if (seasons > 0) removeInSection(slot, offset, cells - seasons, seasons);
  if (score == SCORE_SEASONAL) {
    insertInSection(slot, offset, cells - seasons, seasonsBytes(score, metrics));
  }
  // From the back, so that places in front hold.
  for (let i = metrics; i > 0; i--) {
    const place = first + <usize>(i - 1) * seriesBytes(old) + LATEST_BYTES;
    if (old == SCORE_NONE) insertInSection(slot, offset, place, SCORE_BYTES);
    if (score == SCORE_NONE) removeInSection(slot, offset, place, SCORE_BYTES);
  }
  changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).score = score;
}

/** Alerts are never taken away: a retired one stays idle. */
function addAlerts(slot: u32, offset: usize, alerts: u32): void {
  const at = changetype<usize>(deviceOf(slot)) + offset;
  const old = changetype<Section>(at).alertCount;
  if (alerts <= old) return;
  const place = changetype<usize>(latestAt(at, 0)) - at;
  insertInSection(slot, offset, place, <usize>(alerts - old) * ALERT_STATE_BYTES);
  changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).alertCount = alerts;
}

/** Makes the windows those of the plan, in its order: kept by length, dropped, or added empty. */
function matchWindows(slot: u32, offset: usize, channel: usize): void {
  const wanted = channelWindowCount(channel);
  for (let i: u32 = 0; i < wanted; i++) {
    const lengthMs = windowLengthMs(channel, i);
    // Whatever stands before the window of that length has no place in the plan's order: it goes.
    while (windowIndexFrom(slot, offset, i, lengthMs) > <i32>i) dropWindow(slot, offset, i);
    if (windowIndexFrom(slot, offset, i, lengthMs) == <i32>i) continue;
    const place = SECTION_BYTES + <usize>i * WINDOW_STATE_BYTES;
    insertInSection(slot, offset, place, WINDOW_STATE_BYTES);
    const section = changetype<usize>(deviceOf(slot)) + offset;
    changetype<Section>(section).windowCount++;
    clearWindow(section, i, lengthMs);
  }
  while (changetype<Section>(changetype<usize>(deviceOf(slot)) + offset).windowCount > wanted) {
    dropWindow(slot, offset, wanted);
  }
}

/** Index ≥ `from` of the window with that length, −1 when there is none. */
function windowIndexFrom(slot: u32, offset: usize, from: u32, lengthMs: i64): i32 {
  const section = changetype<usize>(deviceOf(slot)) + offset;
  const count = changetype<Section>(section).windowCount;
  for (let i = from; i < count; i++) {
    if (windowStateAt(section, i).lengthMs == lengthMs) return <i32>i;
  }
  return -1;
}

function dropWindow(slot: u32, offset: usize, window: u32): void {
  const at = changetype<usize>(deviceOf(slot)) + offset;
  const count = windowStateAt(at, window).cellCount;
  for (let i: u32 = 0; i < count; i++) removeCell(slot, offset, window, 0);
  const section = changetype<Section>(changetype<usize>(deviceOf(slot)) + offset);
  section.windowCount--;
  removeInSection(
    slot, offset, SECTION_BYTES + <usize>window * WINDOW_STATE_BYTES, WINDOW_STATE_BYTES,
  );
}

/** Takes a cell out, emitted or not; counts of unfired and dirty cells follow. */
export function removeCell(slot: u32, offset: usize, window: u32, index: u32): void {
  const device = deviceOf(slot);
  const at = changetype<usize>(device) + offset;
  const section = changetype<Section>(at);
  const bytes = cellBytes(section.metricCount);
  const place = cellsOf(at, window) + <usize>index * bytes - at;
  const flags = changetype<Cell>(at + place).flags;
  if ((flags & CELL_FIRED) == 0) {
    section.unfired--;
    device.unfired--;
  }
  if ((flags & CELL_DIRTY) != 0) {
    section.dirty--;
    device.dirty--;
  }
  windowStateAt(at, window).cellCount--;
  removeInSection(slot, offset, place, bytes);
}

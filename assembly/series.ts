/**
 * What a device holds of one channel: watermark, alerts, the latest value and score of every
 * metric, and the open cells of its windows. One section of the device block, sections ascending by
 * channel id:
 *
 *   section ┌ Section ┬ WindowState × windows ┬ AlertState × alerts ┬ series × metrics ┬ …
 *           … ┬ seasons × metrics ┬ cells of window 0 ┬ of 1 … ┐
 *   series  ┌ Latest ┬ since, when one is judged for it ┬ Score, when the channel has scores ┐
 *   seasons ┌ Season × 168 hours of the week, when its scores are seasonal ┐
 *
 * What a window holds is in window/cell.ts, how a section follows a plan in window/conform.ts.
 */
import { Device, channelsOf, deviceOf, insertBytes, removeBytes } from './device';
import { SCORE_NONE, SCORE_SEASONAL, SEASON_HOURS } from './shared/abi';

@unmanaged
export class Section {
  /** Of the whole section. */
  bytes: u32;
  channel: u16;
  alertCount: u16;
  windowCount: u8;
  metricCount: u8;
  /** SCORE_*: what its series and seasons look like. */
  score: u8;
  /** 1: its series tell since when their values stand. */
  stands: u8;
  /** Cells that are unfired, and that are dirty. */
  unfired: u16;
  dirty: u16;
  watermark: i64;
  maxEvent: i64;
  /** Log time of the last record that stored a sample. */
  lastLog: i64;
  /** Log time at which it last folded into a fired cell, or opened one with a fragment. */
  lastLate: i64;
  /** Usual distance of its samples in event time, 0 before it is known. */
  cadence: i64;
}
export const SECTION_BYTES: usize = offsetof<Section>();

@unmanaged
export class WindowState {
  /** Tumbling, hopping: ms; session: the longest, ms; count: samples. */
  length: u32;
  /** Hopping: ms between beginnings; session: the gap, ms; count: samples of a pane. Else 0. */
  step: u32;
  /** Of its part of the section: graves and cells. */
  bytes: u32;
  /** WINDOW_* | WINDOW_SKETCHES */
  shape: u8;
  cellCount: u8;
  /** Index of the cell folded into last: where the next reading most likely belongs. */
  touched: u8;
  /** Session: tombstones to be emitted. */
  graveCount: u8;
  /** Greatest start ever evicted, NONE before the first. */
  evictedMaxStart: i64;
  /** Hopping: end of the last window that has fired, NONE before the first. */
  firedThrough: i64;
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
}
export const LATEST_BYTES: usize = offsetof<Latest>();
/** Event time of the first current reading that brought the value. */
export const SINCE_BYTES: usize = 8;

/** Running mean and variance of a series. */
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
export function seriesBytes(score: u32, stands: u32): usize {
  const bytes = LATEST_BYTES + <usize>stands * SINCE_BYTES;
  return score == SCORE_NONE ? bytes : bytes + SCORE_BYTES;
}
@inline
export function latestAt(section: usize, ordinal: u32): Latest {
  const head = changetype<Section>(section);
  const series = alertsOf(section) + <usize>head.alertCount * ALERT_STATE_BYTES;
  return changetype<Latest>(series + <usize>ordinal * seriesBytes(head.score, head.stands));
}
/** Where a series tells since when its value stands, if it does. */
@inline
export function sinceAt(latest: Latest): usize {
  return changetype<usize>(latest) + LATEST_BYTES;
}
/** Only where the section has scores. */
@inline
export function scoreAt(section: usize, ordinal: u32): Score {
  const since = sinceAt(latestAt(section, ordinal));
  return changetype<Score>(since + changetype<Section>(section).stands * SINCE_BYTES);
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
export function seasonsBytes(score: u32, metrics: u32): usize {
  return score == SCORE_SEASONAL ? <usize>metrics * SEASONS_BYTES : 0;
}
/** Where the cells of window 0 begin. */
@inline
export function bodyOf(section: usize): usize {
  const head = changetype<Section>(section);
  const series = changetype<usize>(latestAt(section, 0));
  return bodyBehind(head, series, seriesBytes(head.score, head.stands));
}
/** The same, for whom has found the series and how long each is. */
@inline
export function bodyBehind(head: Section, series: usize, stride: usize): usize {
  const metrics = <u32>head.metricCount;
  return series + <usize>metrics * stride + seasonsBytes(head.score, metrics);
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

@inline
export function sectionOf(slot: u32, offset: usize): usize {
  return changetype<usize>(deviceOf(slot)) + offset;
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

/**
 * How a section follows the plan when a record of its channel is stored: new metrics widen it, new
 * alerts are added, another kind of score changes the form of its series, windows that the plan no
 * longer has are dropped and new ones begin empty (README, "Plans and windows"). Timers and flush
 * points take a section as it is, which is why a window remembers what it is.
 */
import {
  channelAlertCount, channelId, channelMetricCount, channelScore, channelStands,
  channelWindowCount, windowEveryMs, windowEverySamples, windowGapMs, windowKind, windowLengthMs,
  windowSamples, windowSketches,
} from '../channel';
import { channelsOf, deviceOf, insertBytes, reserveBytes } from '../device';
import { NONE, rouse, slotAt } from '../memory';
import {
  ALERT_STATE_BYTES, LATEST_BYTES, Latest, SCORE_BYTES, SECTION_BYTES, SINCE_BYTES, Section,
  WINDOW_STATE_BYTES, WindowState, bodyOf, findSection, insertInSection, latestAt, removeInSection,
  seasonsBytes, sectionOf, seriesBytes, sinceAt, windowStateAt,
} from '../series';
import { SCORE_NONE, WINDOW_COUNT, WINDOW_HOPPING, WINDOW_SESSION } from '../shared/abi';
import { ACCUMULATOR_BYTES, SPAN_BYTES } from './accumulator';
import {
  CELL_BYTES, KIND_BITS, WINDOW_SCORED, WINDOW_SKETCHES, cellAt, hasSketches, insertInPart, kindOf,
  newCellBytes, partOf, plainBytes, removeCell, removeInPart, scoreBytes, youngBytes,
} from './cell';
import { fixedBytes } from './growth';
import { unlistAll } from './list';
import { sketchBytes, sketchHeadBytes } from './sketch';

// --- what a window of the plan is ---------------------------------------------------------------
@inline
function shapeOf(channel: usize, index: u32): u32 {
  const scores = channelScore(channel) != SCORE_NONE ? WINDOW_SCORED : 0;
  const sketches = windowSketches(channel, index) ? WINDOW_SKETCHES : 0;
  return windowKind(channel, index) | scores | sketches;
}
@inline
export function lengthOf(channel: usize, index: u32): u32 {
  return windowKind(channel, index) == WINDOW_COUNT
    ? windowSamples(channel, index) : <u32>windowLengthMs(channel, index);
}
export function stepOf(channel: usize, index: u32): u32 {
  const kind = windowKind(channel, index);
  if (kind == WINDOW_COUNT) return windowEverySamples(channel, index);
  if (kind == WINDOW_HOPPING) return <u32>windowEveryMs(channel, index);
  return kind == WINDOW_SESSION ? <u32>windowGapMs(channel, index) : 0;
}
@inline
function isWindow(state: WindowState, channel: usize, index: u32): bool {
  return (
    kindOf(state) == windowKind(channel, index) &&
    state.length == lengthOf(channel, index) && state.step == stepOf(channel, index)
  );
}

/** Index in the plan of a window of the section, −1 when the plan has none like it. */
export function plannedWindow(channel: usize, state: WindowState): i32 {
  const windows = channelWindowCount(channel);
  for (let i: u32 = 0; i < windows; i++) {
    if (isWindow(state, channel, i)) return <i32>i;
  }
  return -1;
}

export function follows(section: Section, channel: usize): bool {
  if (section.metricCount < channelMetricCount(channel)) return false;
  if (section.alertCount < channelAlertCount(channel)) return false;
  if (section.score != channelScore(channel)) return false;
  if (section.stands != channelStands(channel)) return false;
  const windows = channelWindowCount(channel);
  if (section.windowCount != windows) return false;
  for (let i: u32 = 0; i < windows; i++) {
    const state = windowStateAt(changetype<usize>(section), i);
    if (!isWindow(state, channel, i) || <u32>state.shape != shapeOf(channel, i)) return false;
  }
  return true;
}

// --- conform ------------------------------------------------------------------------------------
/** The channel's section as the plan wants it, made or changed where needed; gives its offset. */
@inline
export function conform(slot: u32, channel: usize): usize {
  const device = deviceOf(slot);
  const id = channelId(channel);
  const isRight = id < 32 && ((slotAt(slot).conforming >> id) & 1) != 0;
  return isRight ? findSection(device, id) - changetype<usize>(device) : makeConform(slot, channel);
}

function makeConform(slot: u32, channel: usize): usize {
  const device = deviceOf(slot);
  const id = channelId(channel);
  if (id < 32) slotAt(slot).conforming |= 1 << id;
  const at = findSection(device, id);
  if (at == 0) return addSection(slot, channel);
  const offset = at - changetype<usize>(device);
  if (!follows(changetype<Section>(at), channel)) {
    rouse(slot);
    unlistAll(slot, offset);
    widen(slot, offset, channelMetricCount(channel));
    matchStands(slot, offset, channelStands(channel));
    matchScore(slot, offset, channelScore(channel));
    addAlerts(slot, offset, channelAlertCount(channel));
    matchWindows(slot, offset, channel);
  }
  return offset;
}

/** Of a device's first channel: a boot with two intervals. */
const KEY_BYTES_USUAL: usize = 72;

/** Room for the cells that the section's windows usually have beyond those that it has. */
export function sectionSpare(sectionAt: usize): usize {
  const section = changetype<Section>(sectionAt);
  const metrics = <u32>section.metricCount;
  let usual: usize = 0;
  let held: usize = 0;
  for (let i: u32 = 0; i < <u32>section.windowCount; i++) {
    const state = windowStateAt(sectionAt, i);
    usual += newCellBytes(state.shape, metrics) + youngBytes(state.shape, metrics);
    held += state.bytes;
  }
  return usual > held ? usual - held : 0;
}

/** Of a new section with the cells that it usually has: an old and a young one a window. */
function sectionUsual(channel: usize, metrics: u32): usize {
  let bytes = fixedBytes(channel, metrics);
  for (let i: u32 = 0; i < channelWindowCount(channel); i++) {
    const shape = shapeOf(channel, i);
    bytes += newCellBytes(shape, metrics) + youngBytes(shape, metrics);
  }
  return bytes;
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
  const bytes = fixedBytes(channel, metrics);
  const keys = device.channelCount == 0 ? KEY_BYTES_USUAL : 0;
  reserveBytes(slot, sectionUsual(channel, metrics) + keys);
  insertBytes(slot, offset, bytes);
  rouse(slot);
  device = deviceOf(slot);
  device.channelCount++;
  const made = changetype<usize>(device) + offset;
  const section = changetype<Section>(made);
  section.bytes = <u32>bytes;
  section.channel = <u16>id;
  section.windowCount = <u8>windows;
  section.metricCount = <u8>metrics;
  section.alertCount = <u16>channelAlertCount(channel);
  section.score = <u8>channelScore(channel);
  section.stands = <u8>channelStands(channel);
  section.watermark = NONE;
  section.maxEvent = NONE;
  section.lastLate = NONE;
  for (let i: u32 = 0; i < windows; i++) clearWindow(made, i, channel, i);
  for (let i: u32 = 0; i < metrics; i++) latestAt(made, i).eventTime = NONE;
  return offset;
}

function clearWindow(section: usize, window: u32, channel: usize, planned: u32): void {
  const state = windowStateAt(section, window);
  state.length = lengthOf(channel, planned);
  state.step = stepOf(channel, planned);
  state.shape = <u8>shapeOf(channel, planned);
  state.evictedMaxStart = NONE;
  state.firedThrough = NONE;
}

/** Gives every cell and all series room for more metrics; from the back, so that places hold. */
function widen(slot: u32, offset: usize, metrics: u32): void {
  const section = sectionOf(slot, offset);
  const head = changetype<Section>(section);
  const old = head.metricCount;
  if (metrics <= old) return;
  const score = head.score;
  const each = seriesBytes(score, head.stands);
  for (let window = head.windowCount; window > 0; window--) {
    // The cells of the window before may have moved the block.
    const state = windowStateAt(sectionOf(slot, offset), window - 1);
    for (let i = <u32>state.cellCount; i > 0; i--) {
      widenCell(slot, offset, window - 1, i - 1, metrics);
    }
  }
  const body = bodyOf(sectionOf(slot, offset)) - sectionOf(slot, offset);
  insertInSection(slot, offset, body, seasonsBytes(score, metrics - old));
  const series = body - seasonsBytes(score, old);
  insertInSection(slot, offset, series, <usize>(metrics - old) * each);
  const wide = sectionOf(slot, offset);
  changetype<Section>(wide).metricCount = <u8>metrics;
  for (let i = old; i < metrics; i++) latestAt(wide, i).eventTime = NONE;
}

/** Sketches, scores, spans, accumulators: room behind the old ones. Cells in front are not wide. */
function widenCell(slot: u32, offset: usize, window: u32, index: u32, metrics: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const old = changetype<Section>(section).metricCount;
  const more = <usize>(metrics - old);
  const cell = cellAt(section, window, index) - section;
  const shape = <u32>state.shape;
  const plain = plainBytes(shape, old);
  if (hasSketches(state)) {
    const heads = cell + plain + sketchHeadBytes(old);
    insertInPart(slot, offset, window, heads, sketchHeadBytes(metrics) - sketchHeadBytes(old));
  }
  const scores = scoreBytes(shape, old);
  insertInPart(slot, offset, window, cell + plain, scoreBytes(shape, metrics) - scores);
  if ((shape & KIND_BITS) == WINDOW_COUNT) {
    insertInPart(slot, offset, window, cell + plain - scores, more * SPAN_BYTES);
  }
  const accumulators = cell + CELL_BYTES + <usize>old * ACCUMULATOR_BYTES;
  insertInPart(slot, offset, window, accumulators, more * ACCUMULATOR_BYTES);
}

/** Values of a series that tells it anew stand since their own time. */
function matchStands(slot: u32, offset: usize, stands: u32): void {
  const section = changetype<Section>(sectionOf(slot, offset));
  if (section.stands == stands) return;
  // From the back, so that places in front hold.
  for (let i = <u32>section.metricCount; i > 0; i--) {
    const at = sectionOf(slot, offset);
    const place = sinceAt(latestAt(at, i - 1)) - at;
    if (stands == 0) {
      removeInSection(slot, offset, place, SINCE_BYTES);
      continue;
    }
    insertInSection(slot, offset, place, SINCE_BYTES);
    const since = sectionOf(slot, offset) + place;
    store<i64>(since, changetype<Latest>(since - LATEST_BYTES).eventTime);
  }
  changetype<Section>(sectionOf(slot, offset)).stands = <u8>stands;
}

/** Gives series and seasons the form of the plan's kind of score; what no longer fits goes. */
function matchScore(slot: u32, offset: usize, score: u32): void {
  const at = sectionOf(slot, offset);
  const section = changetype<Section>(at);
  const metrics = section.metricCount;
  const old = section.score;
  if (old == score) return;
  const body = bodyOf(at) - at;
  const seasons = seasonsBytes(old, metrics);
  const first = changetype<usize>(latestAt(at, 0)) - at;
  const each = seriesBytes(old, section.stands);
  const bare = seriesBytes(SCORE_NONE, section.stands);
  if (seasons > 0) removeInSection(slot, offset, body - seasons, seasons);
  insertInSection(slot, offset, body - seasons, seasonsBytes(score, metrics));
  // From the back, so that places in front hold.
  for (let i = metrics; i > 0; i--) {
    const place = first + <usize>(i - 1) * each + bare;
    if (old == SCORE_NONE) insertInSection(slot, offset, place, SCORE_BYTES);
    if (score == SCORE_NONE) removeInSection(slot, offset, place, SCORE_BYTES);
  }
  changetype<Section>(sectionOf(slot, offset)).score = <u8>score;
  if (old != SCORE_NONE && score != SCORE_NONE) return;
  const windows = <u32>changetype<Section>(sectionOf(slot, offset)).windowCount;
  for (let i: u32 = 0; i < windows; i++) matchScores(slot, offset, i, score != SCORE_NONE);
}

/** Gives every cell of a window scores of zero, or takes what it has. */
function matchScores(slot: u32, offset: usize, window: u32, wanted: bool): void {
  const section = sectionOf(slot, offset);
  const metrics = changetype<Section>(section).metricCount;
  const shape = <u32>windowStateAt(section, window).shape;
  const bare = shape & ~WINDOW_SCORED;
  const scores = scoreBytes(WINDOW_SCORED, metrics);
  for (let i = <u32>windowStateAt(section, window).cellCount; i > 0; i--) {
    const at = sectionOf(slot, offset);
    const place = cellAt(at, window, i - 1) + plainBytes(bare, metrics) - at;
    if (wanted) insertInPart(slot, offset, window, place, scores);
    else removeInPart(slot, offset, window, place, scores);
  }
  windowStateAt(sectionOf(slot, offset), window).shape =
    <u8>(wanted ? bare | WINDOW_SCORED : bare);
}

/** Alerts are never taken away: a retired one keeps its state. */
function addAlerts(slot: u32, offset: usize, alerts: u32): void {
  const at = sectionOf(slot, offset);
  const old = changetype<Section>(at).alertCount;
  if (alerts <= old) return;
  const place = changetype<usize>(latestAt(at, 0)) - at;
  insertInSection(slot, offset, place, <usize>(alerts - old) * ALERT_STATE_BYTES);
  changetype<Section>(sectionOf(slot, offset)).alertCount = <u16>alerts;
}

// --- windows ------------------------------------------------------------------------------------
/** Makes the windows those of the plan, in its order: kept, dropped, or added empty. */
function matchWindows(slot: u32, offset: usize, channel: usize): void {
  const wanted = channelWindowCount(channel);
  for (let i: u32 = 0; i < wanted; i++) {
    const from = windowFrom(slot, offset, i, channel);
    if (from >= 0) {
      moveWindow(sectionOf(slot, offset), <u32>from, i);
      matchSketches(slot, offset, i, (shapeOf(channel, i) & WINDOW_SKETCHES) != 0);
      continue;
    }
    const place = SECTION_BYTES + <usize>i * WINDOW_STATE_BYTES;
    insertInSection(slot, offset, place, WINDOW_STATE_BYTES);
    const section = sectionOf(slot, offset);
    changetype<Section>(section).windowCount++;
    clearWindow(section, i, channel, i);
  }
  while (changetype<Section>(sectionOf(slot, offset)).windowCount > wanted) {
    dropWindow(slot, offset, wanted);
  }
}

/** Index ≥ `planned` of the window that the plan has at `planned`, −1 when there is none. */
function windowFrom(slot: u32, offset: usize, planned: u32, channel: usize): i32 {
  const section = sectionOf(slot, offset);
  const count = changetype<Section>(section).windowCount;
  for (let i = planned; i < count; i++) {
    if (isWindow(windowStateAt(section, i), channel, planned)) return <i32>i;
  }
  return -1;
}

/** Puts a window in front of others of its section, in another order of the plan. */
function moveWindow(section: usize, from: u32, to: u32): void {
  if (from == to) return;
  const front = partOf(section, to);
  const part = partOf(section, from);
  rotate(front, part - front, part - front + windowStateAt(section, from).bytes);
  const passed = <usize>(from - to) * WINDOW_STATE_BYTES;
  rotate(changetype<usize>(windowStateAt(section, to)), passed, passed + WINDOW_STATE_BYTES);
}

/** Moves the first bytes behind the rest: in place, as there is no other room. */
function rotate(at: usize, first: usize, bytes: usize): void {
  reverse(at, first);
  reverse(at + first, bytes - first);
  reverse(at, bytes);
}

function reverse(at: usize, bytes: usize): void {
  if (bytes < 2) return;
  for (let low = at, high = at + bytes - 1; low < high; low++, high--) {
    const byte = load<u8>(low);
    store<u8>(low, load<u8>(high));
    store<u8>(high, byte);
  }
}

function dropWindow(slot: u32, offset: usize, window: u32): void {
  const count = <u32>windowStateAt(sectionOf(slot, offset), window).cellCount;
  for (let i: u32 = 0; i < count; i++) removeCell(slot, offset, window, 0);
  const at = sectionOf(slot, offset);
  const graves = windowStateAt(at, window).bytes;
  if (graves > 0) removeInPart(slot, offset, window, cellAt(at, window, 0) - graves - at, graves);
  changetype<Section>(sectionOf(slot, offset)).windowCount--;
  const place = SECTION_BYTES + <usize>window * WINDOW_STATE_BYTES;
  removeInSection(slot, offset, place, WINDOW_STATE_BYTES);
}

/** Gives every cell of a window sketches without bins, or takes what it has. */
function matchSketches(slot: u32, offset: usize, window: u32, wanted: bool): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  if (hasSketches(state) == wanted) return;
  const metrics = changetype<Section>(section).metricCount;
  const plain = plainBytes(state.shape, metrics);
  for (let i = <u32>state.cellCount; i > 0; i--) {
    const at = sectionOf(slot, offset);
    const tail = cellAt(at, window, i - 1) + plain;
    if (wanted) insertInPart(slot, offset, window, tail - at, sketchHeadBytes(metrics));
    else removeInPart(slot, offset, window, tail - at, sketchBytes(tail, metrics));
  }
  const changed = windowStateAt(sectionOf(slot, offset), window);
  const bare = <u32>changed.shape & ~WINDOW_SKETCHES;
  changed.shape = <u8>(wanted ? bare | WINDOW_SKETCHES : bare);
}

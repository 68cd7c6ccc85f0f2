/**
 * A stored sample into every window of its channel, then the watermark and what it passed. In: the
 * section by slot and offset, the sample's place in the decoded record, its event time. Out: folded
 * cells, staged rows. Where an output region is full the turn stops between two rows, and
 * `finishFold` goes on there.
 *
 * The ordinary case comes first: the cell that was folded into last is the one again.
 */
import { channelOutOfOrderMs } from '../channel';
import { READING_BYTES, Reading, Sample, readingAt, sampleAt } from '../decoded';
import { doubleOf } from '../judge/check';
import { DECODED_AT, readingScoreAt } from '../memory';
import { Section, WindowState, sectionOf, windowStateAt } from '../series';
import {
  KIND_TEXT, WINDOW_COUNT, WINDOW_HOPPING, WINDOW_SESSION, WINDOW_TUMBLING,
} from '../shared/abi';
import { OK } from '../shared/status';
import { scheduleDevice } from '../timer';
import { Turn, turnOf } from '../work';
import { fold, foldSpan } from './accumulator';
import {
  Cell, WINDOW_SCORED, accumulatorAt, cellAt, hasSketches, insertInPart, kindOf, partOf,
  raiseScore, scoresAt, sketchesAt, spanAt,
} from './cell';
import { countPane, countSample } from './count';
import { fireWindows, isDue } from './fire';
import { hoppingPane, isOpenPane, touchPane } from './hop';
import { isListed, openEntry, putScore, putValue, unlist } from './list';
import { joinSessions, sessionCell } from './session';
import { Bin, addBins, binAt, binCount, binsOf, countInBin, keyOf, placeOfKey } from './sketch';
import { touchFired, tumblingCell } from './tumble';

/** Turn.foldPhase */
const FOLD_DONE: u32 = 0;
const FOLD_WINDOWS: u32 = 1;
const FOLD_FIRING: u32 = 2;

/** Folds the accepted readings of a sample; what a full region keeps back, `finishFold` does. */
export function foldSample(slot: u32, offset: usize, sampleIndex: u32, event: i64): void {
  const turn = turnOf();
  turn.foldPhase = FOLD_WINDOWS;
  turn.foldSlot = slot;
  turn.foldOffset = offset;
  turn.foldSample = sampleIndex;
  turn.foldEvent = event;
  turn.foldTouch = (turn.sequence << 16) | turn.sampleOrdinal;
  turn.foldWindow = 0;
  foldWindows(turn);
}

/** Moves the watermark after a stored sample and fires what it passed. */
export function moveWatermark(slot: u32, offset: usize, channel: usize, event: i64): void {
  const turn = turnOf();
  turn.foldChannel = channel;
  if (turn.foldPhase == FOLD_DONE) passWatermark(turn);
}

/** Goes on with a fold that a full output region stopped; false when it is full again. */
@inline
export function finishFold(): bool {
  return turnOf().foldPhase == FOLD_DONE || continueFold();
}

function continueFold(): bool {
  const turn = turnOf();
  if (turn.foldPhase == FOLD_WINDOWS) {
    if (!foldWindows(turn)) return false;
    passWatermark(turn);
  } else {
    fire(turn);
  }
  if (turn.foldPhase != FOLD_DONE) return false;
  scheduleDevice(turn.foldSlot);
  return true;
}

function passWatermark(turn: Turn): void {
  const at = sectionOf(turn.foldSlot, turn.foldOffset);
  const section = changetype<Section>(at);
  if (turn.foldEvent > section.maxEvent) section.maxEvent = turn.foldEvent;
  const bound =
    min(section.maxEvent, turn.stampMs) - channelOutOfOrderMs(turn.foldChannel) - 1;
  if (bound > section.watermark) section.watermark = bound;
  if (isDue(at, section.watermark)) fire(turn);
}

function fire(turn: Turn): void {
  const section = changetype<Section>(sectionOf(turn.foldSlot, turn.foldOffset));
  const isDone = fireWindows(turn.foldSlot, turn.foldOffset, section.watermark);
  turn.foldPhase = isDone ? FOLD_DONE : FOLD_FIRING;
}

// --- windows ------------------------------------------------------------------------------------
/** From the turn's cursor on; false: a row is due and an output region is full. */
function foldWindows(turn: Turn): bool {
  const slot = turn.foldSlot;
  const offset = turn.foldOffset;
  let section = sectionOf(slot, offset);
  const windows = changetype<Section>(section).windowCount;
  let part = partOf(section, turn.foldWindow);
  for (let window = turn.foldWindow; window < windows; window++) {
    let cell = touchedCell(section, window, part, turn.foldEvent);
    if (cell == 0) {
      turn.foldWindow = window;
      cell = findCell(slot, offset, window, turn.foldEvent);
      if (cell == 0) return false;
    }
    section = foldCell(turn, window, cell);
    part = partOf(section, window + 1);
  }
  turn.foldPhase = FOLD_DONE;
  return true;
}

/** The cell folded into last, when the event belongs there too; 0 = look for it. */
@inline
function touchedCell(section: usize, window: u32, part: usize, event: i64): usize {
  const state = windowStateAt(section, window);
  if (state.touched >= state.cellCount || kindOf(state) > <u32>WINDOW_HOPPING) return 0;
  let at = part;
  if (state.touched > 0) at = cellAt(section, window, state.touched);
  const cell = changetype<Cell>(at);
  const isHop = kindOf(state) == WINDOW_HOPPING;
  const length = isHop ? state.step : state.length;
  if (<u64>(event - cell.start) >= <u64>length) return 0;
  return isHop && !isOpenPane(state, cell) ? 0 : at;
}

function findCell(slot: u32, offset: usize, window: u32, event: i64): usize {
  switch (kindOf(windowStateAt(sectionOf(slot, offset), window))) {
    case WINDOW_TUMBLING: return tumblingCell(slot, offset, window, event);
    case WINDOW_HOPPING: return hoppingPane(slot, offset, window, event);
    case WINDOW_SESSION: return sessionCell(slot, offset, window, event);
    default: return countPane(slot, offset, window, event);
  }
}

/** Gives the section's address, since new bins may have moved it. */
@inline
function foldCell(turn: Turn, window: u32, at: usize): usize {
  const slot = turn.foldSlot;
  const offset = turn.foldOffset;
  const state = windowStateAt(sectionOf(slot, offset), window);
  const kind = kindOf(state);
  // Read before a list that grows may move the block.
  const isSketched = hasSketches(state);
  const sample = sampleAt(DECODED_AT, turn.foldSample);
  const cell = changetype<Cell>(at);
  if (kind == WINDOW_COUNT) {
    foldSpans(turn, window, sample, at);
  } else {
    if (kind != WINDOW_SESSION) cell.touch = turn.foldTouch;
    if (kind == WINDOW_HOPPING) touchPane(slot, offset, window, cell);
    else touchFired(slot, offset, cell);
    const since = <u32>(turn.foldEvent - cell.start);
    if (isListed(at)) foldYoung(turn, window, at, since);
    else foldReadings(sample, at, since, scoresOfFold(turn, window, at));
  }
  if (isSketched) countInSketches(turn, sample, window, at - sectionOf(slot, offset));
  if (kind == WINDOW_COUNT) countSample(slot, offset, window, turn.foldEvent);
  if (kind == WINDOW_SESSION) joinSessions(slot, offset, window);
  return sectionOf(slot, offset);
}

// --- readings -----------------------------------------------------------------------------------
@inline
function isFolded(reading: Reading): bool {
  return reading.status == OK && reading.kind != KIND_TEXT;
}

/** Scores of a cell of accumulators, 0: it has none. */
@inline
function scoresOfFold(turn: Turn, window: u32, cell: usize): usize {
  const section = sectionOf(turn.foldSlot, turn.foldOffset);
  const shape = windowStateAt(section, window).shape;
  return scoresAt(cell, shape, changetype<Section>(section).metricCount);
}

/** The accepted readings of a sample into a cell, `at` ms behind its start. */
@inline
export function foldReadings(sample: Sample, cell: usize, at: u32, scores: usize): void {
  const sequence = turnOf().sequence;
  const first = changetype<usize>(readingAt(DECODED_AT, sample.readingFirst));
  const end = first + <usize>sample.readingCount * READING_BYTES;
  for (let place = first; place < end; place += READING_BYTES) {
    const reading = changetype<Reading>(place);
    if (!isFolded(reading)) continue;
    const value = doubleOf(reading.kind, reading.bits);
    fold(accumulatorAt(cell, reading.ordinal), value, at, sequence);
    if (scores == 0) continue;
    const index = sample.readingFirst + <u32>((place - first) / READING_BYTES);
    raiseScore(scores, reading.ordinal, load<f32>(readingScoreAt(index)));
  }
}

/** Into the list of a young cell, which becomes accumulators when it is full. */
function foldYoung(turn: Turn, window: u32, at: usize, since: u32): void {
  const section = sectionOf(turn.foldSlot, turn.foldOffset);
  const sample = sampleAt(DECODED_AT, turn.foldSample);
  const metrics = <u32>changetype<Section>(section).metricCount;
  const shape = <u32>windowStateAt(section, window).shape;
  const entry = openEntry(at, shape, metrics, since, turn.sequence);
  if (entry == 0) {
    const cell = unlist(turn.foldSlot, turn.foldOffset, window, at - section);
    foldReadings(sample, cell, since, scoresOfFold(turn, window, cell));
    return;
  }
  listReadings(sample, entry, metrics, (shape & WINDOW_SCORED) != 0);
}

/** The accepted readings of a sample into its entry. */
export function listReadings(sample: Sample, entry: usize, metrics: u32, scored: bool): void {
  const end = sample.readingFirst + sample.readingCount;
  for (let i = sample.readingFirst; i < end; i++) {
    const reading = readingAt(DECODED_AT, i);
    if (!isFolded(reading)) continue;
    putValue(entry, reading.ordinal, doubleOf(reading.kind, reading.bits));
    if (scored) putScore(entry, metrics, reading.ordinal, load<f32>(readingScoreAt(i)));
  }
}

function foldSpans(turn: Turn, window: u32, sample: Sample, cell: usize): void {
  const section = changetype<Section>(sectionOf(turn.foldSlot, turn.foldOffset));
  const metrics = section.metricCount;
  const scores = scoresOfFold(turn, window, cell);
  const end = sample.readingFirst + sample.readingCount;
  for (let i = sample.readingFirst; i < end; i++) {
    const reading = readingAt(DECODED_AT, i);
    if (!isFolded(reading)) continue;
    foldSpan(
      accumulatorAt(cell, reading.ordinal), spanAt(cell, metrics, reading.ordinal),
      doubleOf(reading.kind, reading.bits), turn.foldEvent, turn.sequence,
    );
    if (scores != 0) raiseScore(scores, reading.ordinal, load<f32>(readingScoreAt(i)));
  }
}

/** `place` is that of the cell in its section. */
export function countInSketches(turn: Turn, sample: Sample, window: u32, place: usize): void {
  const end = sample.readingFirst + sample.readingCount;
  for (let i = sample.readingFirst; i < end; i++) {
    const reading = readingAt(DECODED_AT, i);
    if (!isFolded(reading)) continue;
    const key = keyOf(doubleOf(reading.kind, reading.bits));
    countInSketch(turn, window, place, reading.ordinal, key);
  }
}

function countInSketch(turn: Turn, window: u32, place: usize, ordinal: u32, key: i32): void {
  const section = sectionOf(turn.foldSlot, turn.foldOffset);
  const metrics = changetype<Section>(section).metricCount;
  const shape = windowStateAt(section, window).shape;
  const sketches = sketchesAt(section + place, shape, metrics);
  const bins = binsOf(sketches, metrics, ordinal);
  const count = binCount(sketches, ordinal);
  const index = placeOfKey(bins, count, key);
  if (countInBin(bins, count, index, key)) return;
  addBins(sketches, ordinal, 1);
  const bin = changetype<usize>(binAt(bins, index)) - section;
  insertInPart(turn.foldSlot, turn.foldOffset, window, bin, offsetof<Bin>());
  const made = changetype<Bin>(sectionOf(turn.foldSlot, turn.foldOffset) + bin);
  made.key = key;
  made.count = 1;
}

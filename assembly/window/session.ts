/**
 * Session windows: a cell per session, from its first event to its last, closed by a gap of
 * silence (README, "Session"). The key of its row is its start: a session that begins earlier than
 * was said, or that joins an earlier one, leaves a grave (grave.ts).
 *
 *      a        b            a             an event between them joins a, then they belong together
 *   ├──────┤ … ├───┤  ►  ├───────────┤     and b joins a; its row dies
 *
 * In: a section by slot and offset, and a window of it. Out: staged rows as tumbling ones, merged
 * cells. A session never spans more than the window's length.
 */
import { deviceOf } from '../device';
import { Section, WindowState, sectionOf, windowStateAt } from '../series';
import { WINDOW_COUNT } from '../shared/abi';
import { Accumulator } from './accumulator';
import {
  CELL_EMITTED, CELL_FIRED, Cell, accumulatorAt, cellAt, cellBytes, cellsOf, evict, hasSketches,
  insertCell, insertInPart, placeOf, raiseScore, removeCell, removeInPart, scoresAt, sketchesAt,
  spanAt,
} from './cell';
import { addGrave } from './grave';
import { addPart, beginParts, mergeBinsOf, mergeParts, mergedBins, scoreOfParts } from './merge';
import { BIN_BYTES, addBins, binCount, binsOf } from './sketch';
import {
  beginCell, endOf, isLost, isSettled, makeRoom, newFragment, touchFired,
} from './tumble';

@inline
function lastOf(cell: Cell): i64 {
  return <i64>cell.touch;
}

/** The session that an event belongs to, or a new one; 0: an output region is full. */
export function sessionCell(slot: u32, offset: usize, window: u32, event: i64): usize {
  const index = findSession(sectionOf(slot, offset), window, event, event, -1);
  if (index < 0) {
    if (!makeRoom(slot, offset, window)) return 0;
    return openSession(slot, offset, window, event);
  }
  const at = cellAt(sectionOf(slot, offset), window, index);
  if (event < changetype<Cell>(at).start) beginEarlier(slot, offset, window, index, event);
  const section = sectionOf(slot, offset);
  const joined = cellAt(section, window, index);
  const cell = changetype<Cell>(joined);
  if (event > lastOf(cell)) cell.touch = <u64>event;
  windowStateAt(section, window).touched = <u8>index;
  return joined;
}

/** After a fold: the session may now belong together with another. */
export function joinSessions(slot: u32, offset: usize, window: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  if (state.cellCount == 1) return;
  const index = <i32>state.touched;
  const cell = changetype<Cell>(cellAt(section, window, index));
  const other = findSession(section, window, cell.start, lastOf(cell), index);
  if (other >= 0) join(slot, offset, window, min(index, other), max(index, other));
}

/** Index of the lowest session, but `not`, that belongs together with [first, last]; −1: none. */
function findSession(sectionAt: usize, window: u32, first: i64, last: i64, not: i32): i32 {
  const state = windowStateAt(sectionAt, window);
  const metrics = changetype<Section>(sectionAt).metricCount;
  const gap = <i64>state.step;
  const longest = <i64>state.length;
  let at = cellsOf(sectionAt, window);
  for (let i: i32 = 0; i < <i32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const cell = changetype<Cell>(at);
    if (i == not || cell.start - gap >= last || first >= lastOf(cell) + gap) continue;
    if (max(last, lastOf(cell)) - min(first, cell.start) <= longest) return i;
  }
  return -1;
}

function openSession(slot: u32, offset: usize, window: u32, event: i64): usize {
  const at = insertCell(slot, offset, window, placeOf(sectionOf(slot, offset), window, event));
  const cell = changetype<Cell>(at);
  cell.start = event;
  cell.touch = <u64>event;
  const state = windowStateAt(sectionOf(slot, offset), window);
  beginCell(slot, offset, window, cell, endOf(state, cell));
  return at;
}

/** Its row, if there is one, is no more: the session will be emitted under another key. */
function bury(slot: u32, offset: usize, window: u32, index: u32): void {
  const section = sectionOf(slot, offset);
  const cell = changetype<Cell>(cellAt(section, window, index));
  if ((cell.flags & CELL_EMITTED) == 0) return;
  const end = endOf(windowStateAt(section, window), cell);
  const revision = cell.revision + 1;
  cell.flags &= ~CELL_EMITTED;
  cell.revision = 0;
  addGrave(slot, offset, window, cell.start, end, cell.fragment, revision);
}

function beginEarlier(slot: u32, offset: usize, window: u32, index: u32, event: i64): void {
  bury(slot, offset, window, index);
  const section = sectionOf(slot, offset);
  const at = cellAt(section, window, index);
  const cell = changetype<Cell>(at);
  const earlier = <u32>(cell.start - event);
  const metrics = changetype<Section>(section).metricCount;
  for (let i: u32 = 0; i < metrics; i++) {
    const accumulator = accumulatorAt(at, i);
    if (accumulator.count == 0) continue;
    accumulator.firstOffset += earlier;
    accumulator.lastOffset += earlier;
  }
  cell.start = event;
  if (cell.fragment == 0 && isLost(windowStateAt(section, window), event)) {
    cell.fragment = newFragment();
  }
}

// --- merge --------------------------------------------------------------------------------------
/** Merges the later session into the earlier one, whose state the merged one has. */
function join(slot: u32, offset: usize, window: u32, into: u32, from: u32): void {
  bury(slot, offset, window, from);
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const at = cellAt(section, window, into);
  const other = cellAt(section, window, from);
  const cell = changetype<Cell>(at);
  beginParts(section, state);
  addPart(at);
  addPart(other);
  takeMerged(at, mergeParts(), state.shape, changetype<Section>(section).metricCount);
  cell.touch = <u64>max(lastOf(cell), lastOf(changetype<Cell>(other)));
  if (hasSketches(state)) joinSketches(slot, offset, window, into, from);
  removeCell(slot, offset, window, from);
  touchFired(slot, offset, changetype<Cell>(cellAt(sectionOf(slot, offset), window, into)));
}

/** Copies what is merged into a cell, times as offsets from its start. */
function takeMerged(at: usize, merged: usize, shape: u32, metrics: u32): void {
  const scores = scoresAt(at, shape, metrics);
  const start = changetype<Cell>(at).start;
  for (let i: u32 = 0; i < metrics; i++) {
    const accumulator: Accumulator = accumulatorAt(merged, i);
    if (accumulator.count == 0) continue;
    const span = spanAt(merged, metrics, i);
    accumulator.firstOffset = <u32>(span.first - start);
    accumulator.lastOffset = <u32>(span.last - start);
    memory.copy(
      changetype<usize>(accumulatorAt(at, i)), changetype<usize>(accumulator),
      offsetof<Accumulator>(),
    );
    if (scores != 0) raiseScore(scores, i, scoreOfParts(merged, i));
  }
}

/** Metric by metric: the bins of `from` leave before those of `into` grow, so that all fits. */
function joinSketches(slot: u32, offset: usize, window: u32, into: u32, from: u32): void {
  const metrics = changetype<Section>(sectionOf(slot, offset)).metricCount;
  for (let i: u32 = 0; i < metrics; i++) {
    const section = sectionOf(slot, offset);
    const state = windowStateAt(section, window);
    const other = sketchesAt(cellAt(section, window, from), state.shape, metrics);
    const theirs = binCount(other, i);
    if (theirs == 0) continue;
    beginParts(section, state);
    addPart(cellAt(section, window, into));
    addPart(cellAt(section, window, from));
    const count = mergeBinsOf(i);
    const bins = binsOf(other, metrics, i) - section;
    addBins(other, i, -<i32>theirs);
    removeInPart(slot, offset, window, bins, <usize>theirs * BIN_BYTES);
    growBins(slot, offset, window, into, i, count);
  }
}

/** Makes the merged bins those of a cell's metric. */
function growBins(
  slot: u32, offset: usize, window: u32, index: u32, ordinal: u32, count: u32,
): void {
  const section = sectionOf(slot, offset);
  const metrics = changetype<Section>(section).metricCount;
  const shape = windowStateAt(section, window).shape;
  const sketches = sketchesAt(cellAt(section, window, index), shape, metrics);
  const own = binCount(sketches, ordinal);
  const bins = binsOf(sketches, metrics, ordinal) - section;
  addBins(sketches, ordinal, <i32>(count - own));
  const behind = bins + <usize>own * BIN_BYTES;
  insertInPart(slot, offset, window, behind, <usize>(count - own) * BIN_BYTES);
  memory.copy(sectionOf(slot, offset) + bins, mergedBins(), <usize>count * BIN_BYTES);
}

// --- eviction -----------------------------------------------------------------------------------
/** Sessions that have fired leave when nothing can come any more that would not be too late. */
export function evictSessions(slot: u32, offset: usize, window: u32, latenessMs: i64): void {
  const count = <u32>windowStateAt(sectionOf(slot, offset), window).cellCount;
  for (let i = count; i > 0; i--) {
    const section = sectionOf(slot, offset);
    const state: WindowState = windowStateAt(section, window);
    const cell = changetype<Cell>(cellAt(section, window, i - 1));
    if ((cell.flags & CELL_FIRED) == 0) continue;
    if (isSettled(changetype<Section>(section), endOf(state, cell), latenessMs)) {
      evict(slot, offset, window, i - 1);
    }
  }
}

/**
 * Hopping windows: cells are panes of the length of a hop; a window ends at E, a multiple of the
 * hop, and is the merge of its panes in [E − length, E), per fragment (README, "Hopping").
 *
 *   panes    │ 0 │ 1 │ 2 │ 3 │ 4 │        firedThrough: the greatest E whose window has fired;
 *   windows  └───────────┘                a pane before it that changes is dirty, a pane whose
 *                └───────────┘            windows have all fired is fired
 *
 * In: a section by slot and offset, and a window of it. Out: staged rows, one (E, fragment) at a
 * time. Where a full output region stops, `Turn.hopEnd` and `hopFragment` say where to go on.
 */
import { deviceOf, unvisited } from '../device';
import { NONE, durable } from '../memory';
import { rowsFull } from '../rows';
import { Section, WindowState, sectionOf, windowStateAt } from '../series';
import { OPEN_WINDOWS_MAX } from '../shared/abi';
import { turnOf } from '../work';
import {
  CELL_DIRTY, CELL_FIRED, Cell, cellAt, cellBytes, cellsOf, clearDirty, countUnfired, evict,
  insertCell, placeOf, setDirty, setFired, startOf,
} from './cell';
import { addPart, beginParts, partCount, revisionOfParts } from './merge';
import { frame, stageWindow } from './row';
import { evictFired, openFragment } from './tumble';

const LAST: i64 = i64.MAX_VALUE;
const NO_FRAGMENT: u64 = u64.MAX_VALUE;

// --- fold -------------------------------------------------------------------------------------
/** The pane of the time that may still be folded into, or a new one; 0: an output is full. */
export function hoppingPane(slot: u32, offset: usize, window: u32, event: i64): usize {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const start = startOf(event, state.step);
  const index = placeOf(section, window, start);
  if (index > 0) {
    const at = cellAt(section, window, index - 1);
    const pane = changetype<Cell>(at);
    if (pane.start == start && (pane.fragment != 0 || !sharesLost(state, start))) {
      state.touched = <u8>(index - 1);
      return at;
    }
  }
  if (!makePaneRoom(slot, offset, window)) return 0;
  const place = placeOf(sectionOf(slot, offset), window, start);
  const at = insertCell(slot, offset, window, place);
  const pane = changetype<Cell>(at);
  const grown = windowStateAt(sectionOf(slot, offset), window);
  pane.start = start;
  if (sharesLost(grown, start)) openFragment(sectionOf(slot, offset), pane);
  if (start + <i64>grown.length <= grown.firedThrough) pane.flags = CELL_FIRED;
  else countUnfired(slot, offset);
  return at;
}

/** True when some window that holds the pane may have held one that was given up. */
@inline
function sharesLost(state: WindowState, start: i64): bool {
  if (state.evictedMaxStart == NONE) return false;
  return start <= state.evictedMaxStart + <i64>state.length - <i64>state.step;
}

/** True when `hoppingPane` would give this pane for a time in it. */
@inline
export function isOpenPane(state: WindowState, pane: Cell): bool {
  return pane.fragment != 0 || !sharesLost(state, pane.start);
}

/** A fold makes a pane dirty when a window that holds it has fired, and its section late. */
@inline
export function touchPane(slot: u32, offset: usize, window: u32, pane: Cell): void {
  const state = windowStateAt(sectionOf(slot, offset), window);
  if (pane.start + <i64>state.step > state.firedThrough) return;
  changetype<Section>(sectionOf(slot, offset)).lastLate = durable().logClock;
  setDirty(slot, offset, pane);
}

/** Where there is no room for another pane: revisions, the lowest pane's windows, and it goes. */
function makePaneRoom(slot: u32, offset: usize, window: u32): bool {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const panesMax = <u32>OPEN_WINDOWS_MAX + state.length / state.step;
  if (<u32>state.cellCount < panesMax) return true;
  if (!flushPanes(slot, offset, window)) return false;
  const lowest = changetype<Cell>(cellsOf(section, window)).start;
  if (!fireThrough(slot, offset, window, lowest + <i64>state.length)) return false;
  evict(slot, offset, window, 0);
  return true;
}

// --- firing -----------------------------------------------------------------------------------
/** Fires what ends at or before `limit` + 1; all that holds a pane when it is the greatest i64. */
export function firePanes(slot: u32, offset: usize, window: u32, limit: i64): bool {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  if (limit != LAST) {
    return fireThrough(slot, offset, window, startOf(limit + 1, state.step));
  }
  const count = <u32>state.cellCount;
  if (count == 0) return true;
  const last = changetype<Cell>(cellAt(section, window, count - 1)).start;
  return fireThrough(slot, offset, window, last + <i64>state.length);
}

function fireThrough(slot: u32, offset: usize, window: u32, through: i64): bool {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  if (state.firedThrough >= through) return true;
  for (;;) {
    const end = nextEnd(section, window, state.firedThrough, false);
    if (end > through) break;
    if (!emitEnd(slot, offset, window, end, false)) return false;
    setFiredThrough(slot, offset, window, end);
    unvisited(deviceOf(slot));
  }
  setFiredThrough(slot, offset, window, through);
  return true;
}

/** Least E > `after` of a window that holds a pane, or a dirty one; the greatest i64 = none. */
function nextEnd(sectionAt: usize, window: u32, after: i64, isDirty: bool): i64 {
  const state = windowStateAt(sectionAt, window);
  const metrics = changetype<Section>(sectionAt).metricCount;
  const step = <i64>state.step;
  let least = LAST;
  let at = cellsOf(sectionAt, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const pane = changetype<Cell>(at);
    if (isDirty && (pane.flags & CELL_DIRTY) == 0) continue;
    if (pane.start + <i64>state.length <= after) continue;
    const first = pane.start + step;
    least = min(least, first > after ? first : after + step);
  }
  return least;
}

function setFiredThrough(slot: u32, offset: usize, window: u32, end: i64): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  state.firedThrough = end;
  const metrics = changetype<Section>(section).metricCount;
  let at = cellsOf(section, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const pane = changetype<Cell>(at);
    if (pane.start + <i64>state.length > end) return;
    if ((pane.flags & CELL_FIRED) == 0) setFired(slot, offset, pane);
  }
}

// --- emission ---------------------------------------------------------------------------------
/** The windows that end at `end`, one per fragment; of those with a dirty pane, if so wanted. */
function emitEnd(slot: u32, offset: usize, window: u32, end: i64, isDirty: bool): bool {
  const turn = turnOf();
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const start = end - <i64>state.length;
  for (;;) {
    const fragment = nextFragment(section, window, end, isDirty);
    if (fragment == NO_FRAGMENT) break;
    if (rowsFull()) return false;
    gather(section, window, end, fragment);
    assert(partCount() > 0, 'a fragment has a pane');
    const head = frame(start, end, fragment, revisionOfParts());
    stageWindow(deviceOf(slot), section, window, head);
    turn.hopFragment = fragment + 1;
  }
  turn.hopFragment = 0;
  return true;
}

/** Least fragment, from the turn's cursor on, of the panes of the window that ends at `end`. */
function nextFragment(sectionAt: usize, window: u32, end: i64, isDirty: bool): u64 {
  const from = turnOf().hopFragment;
  const state = windowStateAt(sectionAt, window);
  const metrics = changetype<Section>(sectionAt).metricCount;
  let least = NO_FRAGMENT;
  let at = cellsOf(sectionAt, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const pane = changetype<Cell>(at);
    if (pane.start >= end) break;
    if (pane.start < end - <i64>state.length || pane.fragment < from) continue;
    if (isDirty && (pane.flags & CELL_DIRTY) == 0) continue;
    least = min(least, pane.fragment);
  }
  return least;
}

/** The panes of one fragment of the window that ends at `end` become parts. */
function gather(sectionAt: usize, window: u32, end: i64, fragment: u64): void {
  const state = windowStateAt(sectionAt, window);
  const metrics = changetype<Section>(sectionAt).metricCount;
  beginParts(sectionAt, state);
  let at = cellsOf(sectionAt, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const pane = changetype<Cell>(at);
    if (pane.start >= end) break;
    if (pane.start >= end - <i64>state.length && pane.fragment == fragment) addPart(at);
  }
}

/** Flush point: emits again what holds a dirty pane. */
export function flushPanes(slot: u32, offset: usize, window: u32): bool {
  const turn = turnOf();
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  if (nextEnd(section, window, NONE, true) == LAST) return true;
  if (turn.hopEnd == NONE) {
    turn.hopEnd = nextEnd(section, window, NONE, true);
    reviseDirty(slot, offset, window, false);
  }
  while (turn.hopEnd <= state.firedThrough) {
    if (!emitEnd(slot, offset, window, turn.hopEnd, true)) return false;
    turn.hopEnd = nextEnd(section, window, turn.hopEnd, true);
  }
  turn.hopEnd = NONE;
  reviseDirty(slot, offset, window, true);
  return true;
}

/** Gives the dirty panes their next revision, or makes them clean. */
function reviseDirty(slot: u32, offset: usize, window: u32, isDone: bool): void {
  const section = sectionOf(slot, offset);
  const state: WindowState = windowStateAt(section, window);
  const metrics = changetype<Section>(section).metricCount;
  let at = cellsOf(section, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const pane = changetype<Cell>(at);
    if ((pane.flags & CELL_DIRTY) == 0) continue;
    if (isDone) clearDirty(slot, offset, pane);
    else pane.revision++;
  }
}

/** Panes whose windows have all fired leave, as fired cells do. */
@inline
export function evictPanes(slot: u32, offset: usize, window: u32, latenessMs: i64): void {
  evictFired(slot, offset, window, latenessMs);
}

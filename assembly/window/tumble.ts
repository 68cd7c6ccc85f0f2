/**
 * Tumbling windows: cells that open, fold, fire, are emitted and evicted (README, "Windows").
 *
 *            fold, end passed                    fold               flush point
 *   (none) ─────────────────► fired, dirty ◄──────────── fired, clean ──────────► evicted
 *      │ fold                    │ flush point: emitted      ▲
 *      └───────► unfired ────────┼───────────────────────────┘
 *                        watermark or idle time: emitted
 *
 * Sessions live alike: what they share is here too. In: a section by slot and offset, and a window
 * of it. Out: staged rows, one at a time: a full output region stops in front of the next one, and
 * the flags of the cells say where to go on.
 */
import { deviceOf, unvisited } from '../device';
import { NONE, durable, rouse } from '../memory';
import { rowsFull } from '../rows';
import { Section, WindowState, sectionOf, windowStateAt } from '../series';
import { OPEN_WINDOWS_MAX, WINDOW_SESSION } from '../shared/abi';
import { turnOf } from '../work';
import {
  CELL_DIRTY, CELL_EMITTED, CELL_FIRED, Cell, cellAt, cellBytes, cellsOf, clearDirty, countUnfired,
  evict, insertCell, kindOf, placeOf, setDirty, setFired, startOf,
} from './cell';
import { addPart, beginParts } from './merge';
import { frame, stageWindow } from './row';
import { emitGraves } from './grave';

/** Behind the last millisecond of a cell. */
@inline
export function endOf(state: WindowState, cell: Cell): i64 {
  if (kindOf(state) == WINDOW_SESSION) return <i64>cell.touch + <i64>state.step;
  return cell.start + <i64>state.length;
}

// --- fold -------------------------------------------------------------------------------------
/** The cell of the time's window, opened when there is none; 0: an output region is full. */
export function tumblingCell(slot: u32, offset: usize, window: u32, event: i64): usize {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const start = startOf(event, state.length);
  const index = placeOf(section, window, start);
  if (index > 0) {
    const at = cellAt(section, window, index - 1);
    if (changetype<Cell>(at).start == start) {
      state.touched = <u8>(index - 1);
      return at;
    }
  }
  if (!makeRoom(slot, offset, window)) return 0;
  const place = placeOf(sectionOf(slot, offset), window, start);
  // Read before the block may move.
  const end = start + <i64>state.length;
  const at = insertCell(slot, offset, window, place);
  const cell = changetype<Cell>(at);
  cell.start = start;
  beginCell(slot, offset, window, cell, end);
  return at;
}

/** Gives a new cell its fragment; it is born fired when the watermark has passed its end. */
export function beginCell(
  slot: u32, offset: usize, window: u32, cell: Cell, end: i64,
): void {
  const section = sectionOf(slot, offset);
  if (isLost(windowStateAt(section, window), cell.start)) openFragment(section, cell);
  if (end - 1 <= changetype<Section>(section).watermark) {
    cell.flags |= CELL_FIRED;
    rouse(slot);
  } else countUnfired(slot, offset);
}

/** True when a cell of that start may have been given up already. */
@inline
export function isLost(state: WindowState, start: i64): bool {
  return state.evictedMaxStart != NONE && start <= state.evictedMaxStart;
}
/** What comes for a cell that was given up is late. */
export function openFragment(section: usize, cell: Cell): void {
  cell.fragment = newFragment();
  changetype<Section>(section).lastLate = durable().logClock;
}
@inline
export function newFragment(): u64 {
  const turn = turnOf();
  return (turn.sequence << 16) | turn.fragmentOrdinal++;
}

/** A fold makes a fired cell dirty, and its section late. */
@inline
export function touchFired(slot: u32, offset: usize, cell: Cell): void {
  if ((cell.flags & CELL_FIRED) == 0) return;
  changetype<Section>(sectionOf(slot, offset)).lastLate = durable().logClock;
  setDirty(slot, offset, cell);
}

/**
 * Where there is no room for another cell: emits, if need be, and evicts the lowest fired one, or
 * the lowest if none is fired. False: an output region is full.
 */
export function makeRoom(slot: u32, offset: usize, window: u32): bool {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const count = <u32>state.cellCount;
  if (count < <u32>OPEN_WINDOWS_MAX) return true;
  let index: u32 = 0;
  for (let i: u32 = count; i > 0; i--) {
    if ((changetype<Cell>(cellAt(section, window, i - 1)).flags & CELL_FIRED) != 0) index = i - 1;
  }
  const cell = changetype<Cell>(cellAt(section, window, index));
  if ((cell.flags & (CELL_FIRED | CELL_DIRTY)) != CELL_FIRED) {
    if (!emitCell(slot, offset, window, index)) return false;
  }
  evict(slot, offset, window, index);
  return true;
}

// --- emission ---------------------------------------------------------------------------------
/** Stages a cell with its next revision; false: an output region is full. */
export function emitCell(slot: u32, offset: usize, window: u32, index: u32): bool {
  if (!emitGraves(slot, offset, window) || rowsFull()) return false;
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const at = cellAt(section, window, index);
  const cell = changetype<Cell>(at);
  if ((cell.flags & CELL_EMITTED) != 0) cell.revision++;
  cell.flags |= CELL_EMITTED;
  clearDirty(slot, offset, cell);
  beginParts(section, state);
  addPart(at);
  const head = frame(cell.start, endOf(state, cell), cell.fragment, cell.revision);
  stageWindow(deviceOf(slot), section, window, head);
  return true;
}

/** Fires and emits the unfired cells that end at or before `limit`, in order. */
export function fireCells(slot: u32, offset: usize, window: u32, limit: i64): bool {
  const state = windowStateAt(sectionOf(slot, offset), window);
  const metrics = changetype<Section>(sectionOf(slot, offset)).metricCount;
  let at = cellsOf(sectionOf(slot, offset), window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++) {
    const cell = changetype<Cell>(at);
    const due = endOf(state, cell) - 1 <= limit;
    // Sessions may end in another order than they begin.
    if (!due && kindOf(state) != WINDOW_SESSION) break;
    if (due && (cell.flags & CELL_FIRED) == 0) {
      if (!emitCell(slot, offset, window, i)) return false;
      // Tombstones in front of the cells are gone.
      at = cellAt(sectionOf(slot, offset), window, i);
      setFired(slot, offset, changetype<Cell>(at));
      unvisited(deviceOf(slot));
    }
    at += cellBytes(state, at, metrics);
  }
  return true;
}

/** Flush point: emits the dirty cells. */
export function flushCells(slot: u32, offset: usize, window: u32): bool {
  const section = sectionOf(slot, offset);
  const count = <u32>windowStateAt(section, window).cellCount;
  for (let i: u32 = 0; i < count; i++) {
    const cell = changetype<Cell>(cellAt(section, window, i));
    if ((cell.flags & CELL_DIRTY) == 0) continue;
    if (!emitCell(slot, offset, window, i)) return false;
  }
  return true;
}

// --- eviction ---------------------------------------------------------------------------------
/**
 * Evicts fired cells. While readings come late, the last one and the one touched last stay until
 * their lateness is over.
 */
export function evictFired(
  slot: u32, offset: usize, window: u32, latenessMs: i64,
): void {
  const section = sectionOf(slot, offset);
  const head = changetype<Section>(section);
  const state = windowStateAt(section, window);
  const keeps = head.lastLate != NONE && durable().logClock - head.lastLate <= latenessMs;
  let last: i32 = -1;
  let touched: i32 = -1;
  let touch: u64 = 0;
  const count = <i32>state.cellCount;
  let at = cellsOf(section, window);
  for (let i = 0; i < count; i++) {
    const cell = changetype<Cell>(at);
    if ((cell.flags & CELL_FIRED) != 0) {
      last = i;
      if (cell.touch > touch) {
        touch = cell.touch;
        touched = i;
      }
    }
    at += cellBytes(state, at, head.metricCount);
  }
  if (last < 0) return;
  // From the last on, so that places in front hold; a removal never moves the block.
  for (let i = last; i >= 0; i--) {
    const cell = changetype<Cell>(cellAt(section, window, i));
    if ((cell.flags & CELL_FIRED) == 0) continue;
    const kept = keeps && (i == last || i == touched);
    if (!kept || isSettled(head, endOf(state, cell), latenessMs)) evict(slot, offset, window, i);
  }
}

/** True when no reading can come for a cell any more that would not be too late. */
@inline
export function isSettled(section: Section, end: i64, latenessMs: i64): bool {
  return section.watermark != NONE && section.watermark >= end + latenessMs - 1;
}

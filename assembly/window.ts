/**
 * Windows: cells that open, fold, fire, are emitted and evicted (README, "Windows").
 *
 *            fold, end passed                    fold               flush point
 *   (none) ─────────────────► fired, dirty ◄──────────── fired, clean ──────────► evicted
 *      │ fold                    │ flush point: emitted      ▲
 *      └───────► unfired ────────┼───────────────────────────┘
 *                        watermark or idle time: emitted
 *
 * In: offsets of sections, since opening and evicting move what lies behind. Out: staged rows.
 */
import { channelLatenessMs, channelOutOfOrderMs } from './channel';
import { DECODED_AT, NONE } from './memory';
import { DEVICE_UNVISITED, Device, deviceOf, unvisited } from './device';
import { readingAt, sampleAt } from './decoded';
import { canonical, stageWindow } from './rows';
import {
  Accumulator, CELL_DIRTY, CELL_EMITTED, CELL_FIRED, Cell, Section, accumulatorAt, cellBytes,
  cellsOf, insertInSection, removeCell, windowStateAt,
} from './series';
import { KIND_INTEGER, KIND_BOOLEAN, OPEN_WINDOWS_MAX } from './shared/abi';
import { OK } from './shared/status';
import { turnOf } from './work';

@inline
export function sectionOf(slot: u32, offset: usize): usize {
  return changetype<usize>(deviceOf(slot)) + offset;
}

/** Start of the window that holds the time. */
@inline
function startOf(time: i64, length: i64): i64 {
  const rest = time % length;
  return rest < 0 ? time - rest - length : time - rest;
}

// --- fold -------------------------------------------------------------------------------------
/** Folds the accepted readings of a sample into every window of its channel. */
export function foldSample(slot: u32, offset: usize, sampleIndex: u32, event: i64): void {
  const windows = changetype<Section>(sectionOf(slot, offset)).windowCount;
  const sample = sampleAt(DECODED_AT, sampleIndex);
  const sequence = turnOf().sequence;
  for (let window: u32 = 0; window < windows; window++) {
    const cell = openCell(slot, offset, window, event);
    const at = <u32>(event - changetype<Cell>(cell).start);
    for (let i: u32 = 0; i < sample.readingCount; i++) {
      const reading = readingAt(DECODED_AT, sample.readingFirst + i);
      if (reading.status != OK) continue;
      fold(accumulatorAt(cell, reading.ordinal), valueOf(reading.kind, reading.bits), at, sequence);
    }
  }
}

@inline
function valueOf(kind: u32, bits: u64): f64 {
  if (kind == KIND_INTEGER) return <f64>(<i64>bits);
  return kind == KIND_BOOLEAN ? <f64>bits : reinterpret<f64>(bits);
}

function fold(a: Accumulator, value: f64, at: u32, sequence: u64): void {
  const sum = a.sum;
  const total = sum + value;
  const lost = abs<f64>(sum) >= abs<f64>(value) ? (sum - total) + value : (value - total) + sum;
  a.compensation = canonical(a.compensation + lost);
  a.sum = canonical(total);
  const first = a.count == 0;
  a.count++;
  const away = value - a.mean;
  a.mean = canonical(a.mean + away / <f64>a.count);
  a.m2 = canonical(a.m2 + away * (value - a.mean));
  if (first || value < a.min) a.min = value;
  if (first || value > a.max) a.max = value;
  if (first || at < a.firstOffset) {
    a.first = value;
    a.firstOffset = at;
    a.firstSequence = sequence;
  }
  if (first || at >= a.lastOffset) {
    a.last = value;
    a.lastOffset = at;
    a.lastSequence = sequence;
  }
}

/** The newest cell of the time's window, opened when there is none; touched, and dirty if fired. */
function openCell(slot: u32, offset: usize, window: u32, event: i64): usize {
  const start = startOf(event, windowStateAt(sectionOf(slot, offset), window).lengthMs);
  const index = placeOf(sectionOf(slot, offset), window, start);
  let at = cellAt(sectionOf(slot, offset), window, index - 1);
  if (index == 0 || changetype<Cell>(at).start != start) {
    if (windowStateAt(sectionOf(slot, offset), window).cellCount == OPEN_WINDOWS_MAX) {
      makeRoom(slot, offset, window);
    }
    at = insertCell(slot, offset, window, start);
  }
  const device = deviceOf(slot);
  const section = changetype<Section>(sectionOf(slot, offset));
  const cell = changetype<Cell>(at);
  cell.touch = ++windowStateAt(changetype<usize>(section), window).touches;
  if ((cell.flags & (CELL_FIRED | CELL_DIRTY)) == CELL_FIRED) {
    cell.flags |= CELL_DIRTY;
    section.dirty++;
    device.dirty++;
  }
  return at;
}

@inline
function cellAt(section: usize, window: u32, index: u32): usize {
  const bytes = cellBytes(changetype<Section>(section).metricCount);
  return cellsOf(section, window) + <usize>index * bytes;
}

/** Number of cells that do not start after `start`. */
function placeOf(section: usize, window: u32, start: i64): u32 {
  const bytes = cellBytes(changetype<Section>(section).metricCount);
  const cells = cellsOf(section, window);
  let index = windowStateAt(section, window).cellCount;
  while (index > 0 && changetype<Cell>(cells + <usize>(index - 1) * bytes).start > start) index--;
  return index;
}

function insertCell(slot: u32, offset: usize, window: u32, start: i64): usize {
  let section = sectionOf(slot, offset);
  const place = cellAt(section, window, placeOf(section, window, start)) - section;
  insertInSection(
    slot, offset, place, cellBytes(changetype<Section>(section).metricCount),
  );
  section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  state.cellCount++;
  const cell = changetype<Cell>(section + place);
  cell.start = start;
  const turn = turnOf();
  const again = state.evictedMaxStart != NONE && start <= state.evictedMaxStart;
  cell.fragment = again ? (turn.sequence << 16) | turn.fragmentOrdinal++ : 0;
  const device = deviceOf(slot);
  if (start + state.lengthMs - 1 <= changetype<Section>(section).watermark) {
    cell.flags = CELL_FIRED;
  } else {
    changetype<Section>(section).unfired++;
    device.unfired++;
  }
  return section + place;
}

/** Emits, if need be, and evicts the lowest fired cell, or the lowest if none is fired. */
function makeRoom(slot: u32, offset: usize, window: u32): void {
  const section = sectionOf(slot, offset);
  const count = windowStateAt(section, window).cellCount;
  let index: u32 = 0;
  while (index < count) {
    if ((changetype<Cell>(cellAt(section, window, index)).flags & CELL_FIRED) != 0) break;
    index++;
  }
  if (index == count) index = 0;
  const cell = changetype<Cell>(cellAt(section, window, index));
  if ((cell.flags & (CELL_FIRED | CELL_DIRTY)) != CELL_FIRED) {
    emit(deviceOf(slot), section, window, changetype<usize>(cell));
  }
  evict(slot, offset, window, index);
}

function evict(slot: u32, offset: usize, window: u32, index: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const start = changetype<Cell>(cellAt(section, window, index)).start;
  if (start > state.evictedMaxStart) state.evictedMaxStart = start;
  removeCell(slot, offset, window, index);
}

// --- emission ---------------------------------------------------------------------------------
/** Stages the cell with its next revision. */
function emit(device: Device, section: usize, window: u32, at: usize): void {
  const cell = changetype<Cell>(at);
  if ((cell.flags & CELL_EMITTED) != 0) cell.revision++;
  cell.flags |= CELL_EMITTED;
  if ((cell.flags & CELL_DIRTY) != 0) {
    cell.flags &= ~CELL_DIRTY;
    changetype<Section>(section).dirty--;
    device.dirty--;
  }
  stageWindow(device, section, window, at);
}

/** Fires and emits the unfired cells that end at or before `limit`, in order. */
export function fireCells(slot: u32, offset: usize, limit: i64): void {
  const at = sectionOf(slot, offset);
  const section = changetype<Section>(at);
  if (section.unfired == 0) return;
  const device = deviceOf(slot);
  const bytes = cellBytes(section.metricCount);
  for (let window: u32 = 0; window < section.windowCount; window++) {
    const state = windowStateAt(at, window);
    let cells = cellsOf(at, window);
    for (let i: u32 = 0; i < state.cellCount; i++, cells += bytes) {
      const cell = changetype<Cell>(cells);
      if (cell.start + state.lengthMs - 1 > limit) break;
      if ((cell.flags & CELL_FIRED) != 0) continue;
      cell.flags |= CELL_FIRED;
      section.unfired--;
      device.unfired--;
      emit(device, at, window, cells);
      unvisited(device, DEVICE_UNVISITED);
    }
  }
}

/** Moves the watermark after a stored sample and fires what it passed. */
export function moveWatermark(slot: u32, offset: usize, channel: usize, event: i64): void {
  const section = changetype<Section>(sectionOf(slot, offset));
  if (event > section.maxEvent) section.maxEvent = event;
  const bound = min(section.maxEvent, turnOf().stampMs) - channelOutOfOrderMs(channel) - 1;
  if (bound <= section.watermark) return;
  section.watermark = bound;
  fireCells(slot, offset, bound);
}

/** Goes on with a fold that a full output region stopped; false when it is full again. */
@inline
export function finishFold(): bool {
  return true;
}

/** Flush point: emits the dirty cells of a section, then evicts what need not stay. */
export function flushCells(slot: u32, offset: usize, channel: usize): void {
  const at = sectionOf(slot, offset);
  const section = changetype<Section>(at);
  const bytes = cellBytes(section.metricCount);
  for (let window: u32 = 0; window < section.windowCount && section.dirty > 0; window++) {
    const state = windowStateAt(at, window);
    let cells = cellsOf(at, window);
    for (let i: u32 = 0; i < state.cellCount; i++, cells += bytes) {
      if ((changetype<Cell>(cells).flags & CELL_DIRTY) == 0) continue;
      emit(deviceOf(slot), at, window, cells);
    }
  }
  for (let window: u32 = 0; window < section.windowCount; window++) {
    evictSettled(slot, offset, channelLatenessMs(channel), window);
  }
}

/** Keeps of the fired cells the last one and the one touched last, until their lateness is over. */
function evictSettled(slot: u32, offset: usize, latenessMs: i64, window: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const watermark = changetype<Section>(section).watermark;
  let last: i32 = -1;
  let touched: i32 = -1;
  let touch: u64 = 0;
  const count = <i32>state.cellCount;
  for (let i = 0; i < count; i++) {
    const cell = changetype<Cell>(cellAt(section, window, i));
    if ((cell.flags & CELL_FIRED) == 0) continue;
    last = i;
    if (cell.touch > touch) {
      touch = cell.touch;
      touched = i;
    }
  }
  // From the last on, so that places in front hold; a removal never moves the block.
  for (let i = count - 1; i >= 0; i--) {
    const cell = changetype<Cell>(cellAt(section, window, i));
    if ((cell.flags & CELL_FIRED) == 0) continue;
    const settled = watermark != NONE && watermark >= cell.start + state.lengthMs + latenessMs - 1;
    if (settled || (i != last && i != touched)) evict(slot, offset, window, i);
  }
}

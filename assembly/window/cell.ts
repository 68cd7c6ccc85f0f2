/**
 * Cells: what a window of a channel holds of one stretch of time. They lie in the window's part of
 * its section, ascending by (start, fragment); panes of count windows in log order:
 *
 *   part  ┌ Grave × graves ┬ cell ┬ cell … ┐
 *   cell  ┌ Cell ┬ Accumulator × metrics ┬ Span × metrics (count)
 *         ┬ greatest score f32 × metrics, to 8 bytes (scored) ┬ sketches (sketch.ts) ┐
 *         ┌ Cell ┬ its samples (list.ts) ┐ while a tumbling one without sketches is young
 *
 * In: a section by slot and offset, because inserting moves what lies behind. Invariant: the counts
 * of unfired and dirty cells in section and device are those of the cells' flags.
 */
import { deviceOf } from '../device';
import { rouse } from '../memory';
import {
  Section, WindowState, bodyOf, insertInSection, removeInSection, sectionOf, windowStateAt,
} from '../series';
import { WINDOW_COUNT, WINDOW_TUMBLING } from '../shared/abi';
import { ACCUMULATOR_BYTES, Accumulator, SPAN_BYTES, Span } from './accumulator';
import { sketchBytes, sketchHeadBytes } from './sketch';

/** In WindowState.shape, above the kind: what its cells have besides accumulators. */
export const WINDOW_SKETCHES: u32 = 8;
export const WINDOW_SCORED: u32 = 16;
export const KIND_BITS: u32 = 7;

/** Tumbling: no more comes in order; session: closed; pane: all windows that hold it have fired. */
export const CELL_FIRED: u32 = 1;
/** Changed since an emission of it, while fired; pane: while some window that holds it is. */
export const CELL_DIRTY: u32 = 2;
/** Its first emission has happened. */
export const CELL_EMITTED: u32 = 4;
/** It lists its samples (list.ts). */
export const CELL_LISTED: u32 = 8;
/** Its state beside its form. */
export const CELL_STATE: u32 = CELL_FIRED | CELL_DIRTY | CELL_EMITTED;
/** From here on flags count the samples of the list. */
export const CELL_SAMPLE: u32 = 256;
/**
 * Samples of a list: one that opens the cell, and one that lets the cell before it fire, which the
 * next flush point takes away.
 */
export const LIST_MAX: u32 = 2;
/** A bit each in an entry. */
const LISTED_METRICS_MAX: u32 = 32;
/** Of an entry without its values. */
export const ENTRY_BYTES: usize = 16;

@unmanaged
export class Cell {
  /** Session: its first event; pane of a count window: its least event. */
  start: i64;
  /** Pane of a count window: its samples so far. */
  fragment: u64;
  /**
   * Order of the last fold into it: sequence << 16 | sample. Session: its last event; pane of a
   * count window: its greatest event.
   */
  touch: u64;
  revision: u32;
  flags: u32;
}
export const CELL_BYTES: usize = offsetof<Cell>();

/** Key of a session's row that is no more, until its tombstone is emitted. */
@unmanaged
export class Grave {
  start: i64;
  end: i64;
  fragment: u64;
  revision: u32;
  zero: u32;
}
export const GRAVE_BYTES: usize = offsetof<Grave>();

@inline
export function kindOf(state: WindowState): u32 {
  return <u32>state.shape & KIND_BITS;
}
@inline
export function hasSketches(state: WindowState): bool {
  return (<u32>state.shape & WINDOW_SKETCHES) != 0;
}

// --- where things lie ---------------------------------------------------------------------------
/** Part of a window. */
@inline
export function partOf(section: usize, window: u32): usize {
  let at = bodyOf(section);
  for (let i: u32 = 0; i < window; i++) at += windowStateAt(section, i).bytes;
  return at;
}
/** First cell of a window. */
@inline
export function cellsOf(section: usize, window: u32): usize {
  return partOf(section, window) +
    <usize>windowStateAt(section, window).graveCount * GRAVE_BYTES;
}

/** A score per metric where the shape has scores. */
@inline
export function scoreBytes(shape: u32, metrics: u32): usize {
  return (shape & WINDOW_SCORED) != 0 ? <usize>(metrics * 4 + 7) & ~7 : 0;
}
/** Of a cell without scores and sketches. */
@inline
function bareBytes(shape: u32, metrics: u32): usize {
  const isCount = (shape & KIND_BITS) == WINDOW_COUNT;
  return CELL_BYTES +
    <usize>metrics * (isCount ? ACCUMULATOR_BYTES + SPAN_BYTES : ACCUMULATOR_BYTES);
}
/** Of a cell without its sketches. */
@inline
export function plainBytes(shape: u32, metrics: u32): usize {
  return bareBytes(shape, metrics) + scoreBytes(shape, metrics);
}
@inline
export function entryBytes(shape: u32, metrics: u32): usize {
  return ENTRY_BYTES + (<usize>metrics << 3) + scoreBytes(shape, metrics);
}
@inline
export function listBytes(shape: u32, metrics: u32): usize {
  return <usize>LIST_MAX * entryBytes(shape, metrics);
}
/** Of a new cell that lists its samples; 0 where windows of the shape do not, or it is longer. */
export function youngBytes(shape: u32, metrics: u32): usize {
  if ((shape & ~WINDOW_SCORED) != WINDOW_TUMBLING || metrics > LISTED_METRICS_MAX) return 0;
  const bytes = listBytes(shape, metrics);
  return CELL_BYTES + bytes < plainBytes(shape, metrics) ? CELL_BYTES + bytes : 0;
}
/** Of a new cell with accumulators. */
@inline
export function newCellBytes(shape: u32, metrics: u32): usize {
  const bytes = plainBytes(shape, metrics);
  return (shape & WINDOW_SKETCHES) != 0 ? bytes + sketchHeadBytes(metrics) : bytes;
}
@inline
export function cellBytes(state: WindowState, cell: usize, metrics: u32): usize {
  if ((changetype<Cell>(cell).flags & CELL_LISTED) != 0) {
    return CELL_BYTES + listBytes(state.shape, metrics);
  }
  const bytes = plainBytes(state.shape, metrics);
  return hasSketches(state) ? bytes + sketchBytes(cell + bytes, metrics) : bytes;
}
/** Address of a cell, or behind the last one. */
export function cellAt(section: usize, window: u32, index: u32): usize {
  const state = windowStateAt(section, window);
  const metrics = changetype<Section>(section).metricCount;
  let at = cellsOf(section, window);
  if (!hasSketches(state) && kindOf(state) != WINDOW_TUMBLING) {
    return at + <usize>index * plainBytes(state.shape, metrics);
  }
  for (let i: u32 = 0; i < index; i++) at += cellBytes(state, at, metrics);
  return at;
}
@inline
export function accumulatorAt(cell: usize, ordinal: u32): Accumulator {
  return changetype<Accumulator>(cell + CELL_BYTES + <usize>ordinal * ACCUMULATOR_BYTES);
}
/** Only in panes of count windows, and in merged windows. */
@inline
export function spanAt(cell: usize, metrics: u32, ordinal: u32): Span {
  const spans = cell + CELL_BYTES + <usize>metrics * ACCUMULATOR_BYTES;
  return changetype<Span>(spans + <usize>ordinal * SPAN_BYTES);
}
/** Greatest scores of a cell of accumulators, by metric; 0 when the shape has none. */
@inline
export function scoresAt(cell: usize, shape: u32, metrics: u32): usize {
  return (shape & WINDOW_SCORED) != 0 ? cell + bareBytes(shape, metrics) : 0;
}
/** Only of windows with sketches. */
@inline
export function sketchesAt(cell: usize, shape: u32, metrics: u32): usize {
  return cell + plainBytes(shape, metrics);
}

@inline
export function raiseScore(scores: usize, ordinal: u32, score: f32): void {
  const at = scores + (<usize>ordinal << 2);
  if (score > load<f32>(at)) store<f32>(at, score);
}

/** Start of the window, of a length in ms, that holds the time. */
@inline
export function startOf(time: i64, length: u32): i64 {
  const rest = time % <i64>length;
  return rest < 0 ? time - rest - <i64>length : time - rest;
}

/** Number of cells that do not start after `start`. */
export function placeOf(section: usize, window: u32, start: i64): u32 {
  const state = windowStateAt(section, window);
  const metrics = changetype<Section>(section).metricCount;
  let at = cellsOf(section, window);
  let index: u32 = 0;
  for (; index < <u32>state.cellCount; index++) {
    if (changetype<Cell>(at).start > start) break;
    at += cellBytes(state, at, metrics);
  }
  return index;
}

// --- growth -------------------------------------------------------------------------------------
/** Inserts zeros into a window's part; `place` is relative to the section. */
export function insertInPart(
  slot: u32, offset: usize, window: u32, place: usize, bytes: usize,
): void {
  insertInSection(slot, offset, place, bytes);
  windowStateAt(sectionOf(slot, offset), window).bytes += <u32>bytes;
}
export function removeInPart(
  slot: u32, offset: usize, window: u32, place: usize, bytes: usize,
): void {
  removeInSection(slot, offset, place, bytes);
  windowStateAt(sectionOf(slot, offset), window).bytes -= <u32>bytes;
}

/** A new cell of zeros in front of the `index`-th; gives its address. */
export function insertCell(slot: u32, offset: usize, window: u32, index: u32): usize {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const place = cellAt(section, window, index) - section;
  const metrics = <u32>changetype<Section>(section).metricCount;
  const young = youngBytes(state.shape, metrics);
  const isList = young > 0;
  insertInPart(slot, offset, window, place, isList ? young : newCellBytes(state.shape, metrics));
  const grown = windowStateAt(sectionOf(slot, offset), window);
  const cell = changetype<Cell>(sectionOf(slot, offset) + place);
  if (isList) cell.flags = CELL_LISTED;
  grown.cellCount++;
  grown.touched = <u8>index;
  return changetype<usize>(cell);
}

/** Takes a cell out, emitted or not; counts of unfired and dirty cells follow. */
export function removeCell(slot: u32, offset: usize, window: u32, index: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const at = cellAt(section, window, index);
  settle(slot, offset, changetype<Cell>(at));
  state.cellCount--;
  // Where it was touched last a search begins; any cell will do.
  if (<u32>state.touched > index) state.touched--;
  else if (<u32>state.touched == index) state.touched = 0;
  const bytes = cellBytes(state, at, changetype<Section>(section).metricCount);
  removeInPart(slot, offset, window, at - section, bytes);
}

/** Takes a cell and remembers that it, and so all before it, were given up. */
export function evict(slot: u32, offset: usize, window: u32, index: u32): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const start = changetype<Cell>(cellAt(section, window, index)).start;
  if (start > state.evictedMaxStart) state.evictedMaxStart = start;
  removeCell(slot, offset, window, index);
}

/** The cell's share in the counts of unfired and dirty ones goes. */
function settle(slot: u32, offset: usize, cell: Cell): void {
  if ((cell.flags & CELL_FIRED) == 0) setFired(slot, offset, cell);
  clearDirty(slot, offset, cell);
}

// --- flags --------------------------------------------------------------------------------------
/** Counts a new cell as unfired. */
@inline
export function countUnfired(slot: u32, offset: usize): void {
  changetype<Section>(sectionOf(slot, offset)).unfired++;
  deviceOf(slot).unfired++;
}
@inline
export function setFired(slot: u32, offset: usize, cell: Cell): void {
  cell.flags |= CELL_FIRED;
  rouse(slot);
  changetype<Section>(sectionOf(slot, offset)).unfired--;
  deviceOf(slot).unfired--;
}
@inline
export function setDirty(slot: u32, offset: usize, cell: Cell): void {
  if ((cell.flags & CELL_DIRTY) != 0) return;
  cell.flags |= CELL_DIRTY;
  rouse(slot);
  changetype<Section>(sectionOf(slot, offset)).dirty++;
  deviceOf(slot).dirty++;
}
@inline
export function clearDirty(slot: u32, offset: usize, cell: Cell): void {
  if ((cell.flags & CELL_DIRTY) == 0) return;
  cell.flags &= ~CELL_DIRTY;
  changetype<Section>(sectionOf(slot, offset)).dirty--;
  deviceOf(slot).dirty--;
}

/**
 * Young cells: the first samples of a tumbling window are kept as they came. A device that closes
 * a window has begun the next one already; while the old cell waits for its flush point the new one
 * takes a fraction of it, and a window that never sees more samples stays small.
 *
 *   young cell  ┌ Cell ┬ entry × LIST_MAX ┐              Cell.flags count the entries in use
 *   entry       ┌ Entry ┬ value f64 × metrics ┬ score f32 × metrics, to 8 bytes (scored) ┐
 *
 * In: a cell with CELL_LISTED. Out: accumulators, by the folds that its samples would have had one
 * after the other. Invariant: what is emitted does not tell whether a cell was a list.
 */
import { Section, sectionOf, windowStateAt } from '../series';
import { ACCUMULATOR_BYTES, fold } from './accumulator';
import {
  CELL_BYTES, CELL_LISTED, CELL_SAMPLE, CELL_STATE, Cell, ENTRY_BYTES, LIST_MAX, WINDOW_SCORED,
  accumulatorAt, cellAt, entryBytes, insertInPart, listBytes, plainBytes, raiseScore, scoreBytes,
  scoresAt, spanAt,
} from './cell';
import { MERGED_AT, MERGED_SHAPE } from './merge';

/** One sample. */
@unmanaged
export class Entry {
  sequence: u64;
  /** From the start of the cell, ms. */
  offset: u32;
  /** Metrics that it has, a bit each. */
  present: u32;
}

@inline
export function isListed(cell: usize): bool {
  return (changetype<Cell>(cell).flags & CELL_LISTED) != 0;
}
/** The next sample makes it one of accumulators. */
@inline
export function isFullList(cell: usize): bool {
  const flags = changetype<Cell>(cell).flags;
  return (flags & CELL_LISTED) != 0 && flags / CELL_SAMPLE == LIST_MAX;
}
@inline
function entryAt(cell: usize, shape: u32, metrics: u32, index: u32): usize {
  return cell + CELL_BYTES + <usize>index * entryBytes(shape, metrics);
}
@inline
function valueAt(entry: usize, ordinal: u32): usize {
  return entry + ENTRY_BYTES + (<usize>ordinal << 3);
}
@inline
function scoreAt(entry: usize, metrics: u32, ordinal: u32): usize {
  return valueAt(entry, metrics) + (<usize>ordinal << 2);
}

/** The next entry, without readings; 0: the list is full. */
export function openEntry(
  cell: usize, shape: u32, metrics: u32, offset: u32, sequence: u64,
): usize {
  const count = changetype<Cell>(cell).flags / CELL_SAMPLE;
  if (count == LIST_MAX) return 0;
  changetype<Cell>(cell).flags += CELL_SAMPLE;
  const at = entryAt(cell, shape, metrics, count);
  const entry = changetype<Entry>(at);
  entry.sequence = sequence;
  entry.offset = offset;
  return at;
}

@inline
export function putValue(entry: usize, ordinal: u32, value: f64): void {
  const bit: u32 = 1 << ordinal;
  assert((changetype<Entry>(entry).present & bit) == 0, 'a sample has a metric once');
  changetype<Entry>(entry).present |= bit;
  store<f64>(valueAt(entry, ordinal), value);
}
@inline
export function putScore(entry: usize, metrics: u32, ordinal: u32, score: f32): void {
  store<f32>(scoreAt(entry, metrics, ordinal), score);
}

/** The list as a cell of all that cells can have, in scratch. */
export function unfold(cell: usize, shape: u32, metrics: u32): usize {
  memory.fill(MERGED_AT, 0, plainBytes(MERGED_SHAPE, metrics));
  const count = changetype<Cell>(cell).flags / CELL_SAMPLE;
  for (let i: u32 = 0; i < count; i++) foldEntry(entryAt(cell, shape, metrics, i), shape, metrics);
  const start = changetype<Cell>(cell).start;
  for (let i: u32 = 0; i < metrics; i++) {
    const accumulator = accumulatorAt(MERGED_AT, i);
    const span = spanAt(MERGED_AT, metrics, i);
    span.first = start + <i64>accumulator.firstOffset;
    span.last = start + <i64>accumulator.lastOffset;
  }
  return MERGED_AT;
}

function foldEntry(at: usize, shape: u32, metrics: u32): void {
  const entry = changetype<Entry>(at);
  const scores = scoresAt(MERGED_AT, MERGED_SHAPE, metrics);
  for (let left = entry.present; left != 0; left &= left - 1) {
    const ordinal = <u32>ctz(left);
    const value = load<f64>(valueAt(at, ordinal));
    fold(accumulatorAt(MERGED_AT, ordinal), value, entry.offset, entry.sequence);
    if ((shape & WINDOW_SCORED) == 0) continue;
    raiseScore(scores, ordinal, load<f32>(scoreAt(at, metrics, ordinal)));
  }
}

/** Makes the cell at `place` of the section one of accumulators; gives its address. */
export function unlist(slot: u32, offset: usize, window: u32, place: usize): usize {
  const section = sectionOf(slot, offset);
  const metrics = <u32>changetype<Section>(section).metricCount;
  const shape = <u32>windowStateAt(section, window).shape;
  const young = CELL_BYTES + listBytes(shape, metrics);
  const scores = scoreBytes(shape, metrics);
  unfold(section + place, shape, metrics);
  insertInPart(slot, offset, window, place + young, plainBytes(shape, metrics) - young);
  const at = sectionOf(slot, offset) + place;
  memory.copy(at + CELL_BYTES, MERGED_AT + CELL_BYTES, <usize>metrics * ACCUMULATOR_BYTES);
  if (scores > 0) {
    memory.copy(scoresAt(at, shape, metrics), scoresAt(MERGED_AT, MERGED_SHAPE, metrics), scores);
  }
  changetype<Cell>(at).flags &= CELL_STATE;
  return at;
}

/** The same for all cells of a section, before its form changes. */
export function unlistAll(slot: u32, offset: usize): void {
  const windows = <u32>changetype<Section>(sectionOf(slot, offset)).windowCount;
  for (let window: u32 = 0; window < windows; window++) {
    const cells = <u32>windowStateAt(sectionOf(slot, offset), window).cellCount;
    for (let i: u32 = 0; i < cells; i++) {
      const section = sectionOf(slot, offset);
      const at = cellAt(section, window, i);
      if (isListed(at)) unlist(slot, offset, window, at - section);
    }
  }
}

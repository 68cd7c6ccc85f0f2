/**
 * Graves: keys of sessions' rows that are no more, because the session got an earlier start or was
 * merged into another. In: the key. Out: a tombstone, before anything else of the window is
 * emitted, so that a later session of the same start is not taken for dead. In the order they
 * arose. At most one a cell: a session has no row under its new key before its tombstone is out.
 */
import { deviceOf } from '../device';
import { rowsFull } from '../rows';
import { sectionOf, windowStateAt } from '../series';
import { GRAVE_BYTES, Grave, cellsOf, insertInPart, partOf, removeInPart } from './cell';
import { frame, stageTombstone } from './row';

/** Moves the cells. */
export function addGrave(
  slot: u32, offset: usize, window: u32,
  start: i64, end: i64, fragment: u64, revision: u32,
): void {
  const section = sectionOf(slot, offset);
  const place = cellsOf(section, window) - section;
  insertInPart(slot, offset, window, place, GRAVE_BYTES);
  windowStateAt(sectionOf(slot, offset), window).graveCount++;
  const grave = changetype<Grave>(sectionOf(slot, offset) + place);
  grave.start = start;
  grave.end = end;
  grave.fragment = fragment;
  grave.revision = revision;
}

/** Stages the tombstones of a window; false: an output region is full. */
export function emitGraves(slot: u32, offset: usize, window: u32): bool {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  while (state.graveCount > 0) {
    if (rowsFull()) return false;
    const at = partOf(section, window);
    const grave = changetype<Grave>(at);
    const head = frame(grave.start, grave.end, grave.fragment, grave.revision);
    stageTombstone(deviceOf(slot), section, window, head);
    state.graveCount--;
    removeInPart(slot, offset, window, at - section, GRAVE_BYTES);
  }
  return true;
}

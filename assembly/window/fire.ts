/**
 * What happens to all windows of a section: those that the watermark or idle time passed fire, a
 * flush point emits what changed and evicts what need not stay. In: a section by slot and offset.
 * Out: staged rows, in window order. Every row is a unit of work: false means that an output region
 * is full, and calling again goes on behind the last row.
 */
import { channelLatenessMs } from '../channel';
import { NONE } from '../memory';
import { Section, WindowState, bodyOf, sectionOf, windowStateAt } from '../series';
import { WINDOW_COUNT, WINDOW_HOPPING, WINDOW_SESSION } from '../shared/abi';
import { CELL_FIRED, Cell, GRAVE_BYTES, cellBytes, kindOf } from './cell';
import { emitGraves } from './grave';
import { evictPanes, firePanes, flushPanes } from './hop';
import { evictSessions } from './session';
import { endOf, evictFired, fireCells, flushCells } from './tumble';

/** True when something ends at or before `limit` and has not fired. */
export function isDue(sectionAt: usize, limit: i64): bool {
  const section = changetype<Section>(sectionAt);
  let part = bodyOf(sectionAt);
  for (let i: u32 = 0; i < section.windowCount; i++) {
    const state = windowStateAt(sectionAt, i);
    if (isWindowDue(state, part, section.metricCount, limit)) return true;
    part += state.bytes;
  }
  return false;
}

@inline
function isWindowDue(state: WindowState, part: usize, metrics: u32, limit: i64): bool {
  const kind = kindOf(state);
  if (kind == WINDOW_COUNT) return false;
  if (kind == WINDOW_HOPPING) {
    const through = state.firedThrough;
    return through == NONE || limit + 1 - through >= <i64>state.step;
  }
  let at = part + <usize>state.graveCount * GRAVE_BYTES;
  for (let i: u32 = 0; i < <u32>state.cellCount; i++) {
    const cell = changetype<Cell>(at);
    const ended = endOf(state, cell) - 1 <= limit;
    if (ended && (cell.flags & CELL_FIRED) == 0) return true;
    if (!ended && kind != WINDOW_SESSION) return false;
    at += cellBytes(state, at, metrics);
  }
  return false;
}

/** Fires what ends at or before `limit`; everything when it is the greatest i64. */
export function fireWindows(slot: u32, offset: usize, limit: i64): bool {
  const windows = changetype<Section>(sectionOf(slot, offset)).windowCount;
  for (let i: u32 = 0; i < windows; i++) {
    const kind = kindOf(windowStateAt(sectionOf(slot, offset), i));
    if (kind == WINDOW_COUNT) continue;
    const isDone = kind == WINDOW_HOPPING
      ? firePanes(slot, offset, i, limit) : fireCells(slot, offset, i, limit);
    if (!isDone) return false;
  }
  return true;
}

/** Flush point: tombstones, then what is dirty, then evictions. */
export function flushWindows(slot: u32, offset: usize, channel: usize): bool {
  const section = changetype<Section>(sectionOf(slot, offset));
  const windows = section.windowCount;
  for (let i: u32 = 0; i < windows; i++) {
    if (!emitGraves(slot, offset, i)) return false;
  }
  for (let i: u32 = 0; i < windows && section.dirty > 0; i++) {
    const isHop = kindOf(windowStateAt(sectionOf(slot, offset), i)) == WINDOW_HOPPING;
    const isDone = isHop ? flushPanes(slot, offset, i) : flushCells(slot, offset, i);
    if (!isDone) return false;
  }
  const latenessMs = channelLatenessMs(channel);
  for (let i: u32 = 0; i < windows; i++) evictWindow(slot, offset, i, latenessMs);
  return true;
}

function evictWindow(slot: u32, offset: usize, window: u32, latenessMs: i64): void {
  switch (kindOf(windowStateAt(sectionOf(slot, offset), window))) {
    case WINDOW_COUNT: break;
    case WINDOW_HOPPING: evictPanes(slot, offset, window, latenessMs); break;
    case WINDOW_SESSION: evictSessions(slot, offset, window, latenessMs); break;
    default: evictFired(slot, offset, window, latenessMs);
  }
}

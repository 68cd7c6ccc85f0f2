/**
 * Count windows: panes of so many samples, in log order; the merge of the last length/step panes
 * is emitted when one is full (README, "Count"). They know neither watermark nor timers.
 *
 *   panes │ full │ full │ filling …      length/step − 1 full ones stay
 *
 * In: a section by slot and offset, and a window of it. Out: staged rows.
 */
import { deviceOf } from '../device';
import { rowsFull } from '../rows';
import { WindowState, sectionOf, windowStateAt } from '../series';
import { CELL_FIRED, Cell, cellAt, insertCell, removeCell } from './cell';
import { addPart, beginParts } from './merge';
import { frame, stageWindow } from './row';
import { newFragment } from './tumble';

/** Samples of a pane so far. */
@inline
function samplesOf(pane: Cell): u64 {
  return pane.fragment;
}

/** The pane that is filling, or a new one; 0: an output region is full and a row is due. */
export function countPane(slot: u32, offset: usize, window: u32, event: i64): usize {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const count = <u32>state.cellCount;
  if (count > 0) {
    const at = cellAt(section, window, count - 1);
    const samples = samplesOf(changetype<Cell>(at));
    if (samples < state.step) {
      const isDue = samples + 1 == state.step && count == panesOf(state);
      return isDue && rowsFull() ? 0 : at;
    }
  }
  if (state.step == 1 && count + 1 == panesOf(state) && rowsFull()) return 0;
  const at = insertCell(slot, offset, window, count);
  const pane = changetype<Cell>(at);
  pane.start = event;
  pane.touch = <u64>event;
  pane.flags = CELL_FIRED;
  return at;
}

@inline
function panesOf(state: WindowState): u32 {
  return state.length / state.step;
}

/** Counts the sample just folded; a full window is emitted and its oldest pane leaves. */
export function countSample(slot: u32, offset: usize, window: u32, event: i64): void {
  const section = sectionOf(slot, offset);
  const state = windowStateAt(section, window);
  const count = <u32>state.cellCount;
  const pane = changetype<Cell>(cellAt(section, window, count - 1));
  pane.fragment++;
  if (event < pane.start) pane.start = event;
  if (event > <i64>pane.touch) pane.touch = <u64>event;
  if (samplesOf(pane) < state.step || count < panesOf(state)) return;
  let first = i64.MAX_VALUE;
  let last = i64.MIN_VALUE;
  beginParts(section, state);
  for (let i: u32 = 0; i < count; i++) {
    const at = cellAt(section, window, i);
    first = min(first, changetype<Cell>(at).start);
    last = max(last, <i64>changetype<Cell>(at).touch);
    addPart(at);
  }
  stageWindow(deviceOf(slot), section, window, frame(first, last + 1, newFragment(), 0));
  removeCell(slot, offset, window, 0);
}

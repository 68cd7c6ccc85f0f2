/**
 * A new generation begins where a state was restored: the log lost its tail, or goes on from a
 * savepoint. In: the imported state of an older generation. Out: marks, so that the next flush
 * point emits again whatever the older generation may have written from above the cut: fired
 * windows that are still held, raised alerts, devices, the ledger's block. Rows that only that
 * generation opened have keys of their own, and views cut them off.
 */
import { channelAlert, channelAlertCount } from './channel';
import {
  DEVICE_REPEATED, DEVICE_UNPUBLISHED, Device, deviceOf, touchDevice,
} from './device';
import { isRaised } from './judge/alert';
import { stageAlert } from './judge/alert-row';
import { MARK_FLUSH, control, durable, rouse, setMark } from './memory';
import { planChannelById } from './plan';
import { Section, alertStateAt, sectionAt, windowStateAt } from './series';
import { rowsFull } from './rows';
import { WINDOW_COUNT, WINDOW_HOPPING } from './shared/abi';
import { Cell, CELL_FIRED, cellBytes, cellsOf, kindOf, setDirty } from './window/cell';

/** Only upwards: a state that is read under its own generation stays as it is. */
export function beginGeneration(generation: u32): void {
  const d = durable();
  if (<u64>generation <= d.generation) return;
  d.generation = generation;
  d.blockChanged = 1;
  for (let slot: u32 = 0; slot < control().deviceCount; slot++) repeatDevice(slot);
}

function repeatDevice(slot: u32): void {
  const device = deviceOf(slot);
  device.flags |= DEVICE_UNPUBLISHED | DEVICE_REPEATED;
  const channels = <u32>device.channelCount;
  for (let i: u32 = 0; i < channels; i++) {
    const section = sectionAt(device, i);
    const windows = <u32>changetype<Section>(section).windowCount;
    for (let window: u32 = 0; window < windows; window++) {
      repeatWindow(slot, section - changetype<usize>(device), window);
    }
  }
  setMark(MARK_FLUSH, slot);
  touchDevice(slot);
  rouse(slot);
}

/** Count windows are emitted once, when they are full: there is nothing to repeat. */
function repeatWindow(slot: u32, offset: usize, window: u32): void {
  const section = changetype<usize>(deviceOf(slot)) + offset;
  const state = windowStateAt(section, window);
  const kind = kindOf(state);
  if (kind == WINDOW_COUNT) return;
  const metrics = changetype<Section>(section).metricCount;
  let at = cellsOf(section, window);
  for (let i: u32 = 0; i < <u32>state.cellCount; i++, at += cellBytes(state, at, metrics)) {
    const cell = changetype<Cell>(at);
    const isOut = kind == WINDOW_HOPPING
      ? cell.start + <i64>state.step <= state.firedThrough
      : (cell.flags & CELL_FIRED) != 0;
    if (isOut) setDirty(slot, offset, cell);
  }
}

/** Flush point: raised alerts of a section that is repeated; false: an output region is full. */
export function repeatAlerts(device: Device, section: usize): bool {
  if ((device.flags & DEVICE_REPEATED) == 0) return true;
  if (rowsFull()) return false;
  const channel = planChannelById(control().plan, changetype<Section>(section).channel);
  const count = min(channelAlertCount(channel), <u32>changetype<Section>(section).alertCount);
  for (let id: u32 = 0; id < count; id++) {
    const state = alertStateAt(section, id);
    if (isRaised(state)) stageAlert(device, channel, channelAlert(channel, id), state, 1);
  }
  return true;
}

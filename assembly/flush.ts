/**
 * The flush point: a tick, or a sequence ≡ 0 mod FLUSH_SEQUENCES. Visits the devices that have
 * something unflushed in slot order: dirty windows, evictions, then row and shadow when due; last
 * the ledger. One section of a device, or its shadow, is one unit of work.
 */
import { INTERVAL_BYTES } from './boot';
import { released } from './capture';
import {
  DEVICE_REPEATED, DEVICE_UNPUBLISHED, DEVICE_UNVISITED, Device, deviceOf, releaseBytes,
  touchDevice,
} from './device';
import { repeatAlerts } from './generation';
import {
  MARK_FLUSH, NONE, calmTime, clearMark, control, durable, nextMarked, nextVisit, setCalm,
} from './memory';
import { flushQuality, qualityPending } from './judge/quality';
import { planChannelById, planShadowIntervalMs } from './plan';
import { rowsFull, stageDevice, stageLedger } from './rows';
import { Section, sectionAt, windowStateAt } from './series';
import { WINDOW_COUNT, WINDOW_TUMBLING } from './shared/abi';
import { timersPending } from './timer';
import { warmVisits } from './warm';
import { kindOf } from './window/cell';
import { sectionSpare } from './window/conform';
import { flushWindows } from './window/fire';
import { turnOf } from './work';

/** Goes on at the turn's flush cursors; false when an output region is full. */
export function flushDevices(): bool {
  if (!flushQuality()) return false;
  const turn = turnOf();
  const c = control();
  const now = calmTime(durable().logClock);
  for (;;) {
    const slot = nextVisit(turn.flushSlot, now);
    if (slot >= c.deviceCount) break;
    if (slot != turn.flushSlot) {
      turn.flushSlot = slot;
      turn.flushSection = 0;
    }
    if (slot >= turn.flushWarm) turn.flushWarm = warmVisits(slot, now);
    if (!flushDevice(slot)) return false;
    turn.flushSlot = slot + 1;
    turn.flushSection = 0;
  }
  if (rowsFull()) return false;
  if (durable().blockChanged != 0) stageLedger();
  return true;
}

function flushDevice(slot: u32): bool {
  if (!released(slot)) return false;
  const turn = turnOf();
  while (turn.flushSection < deviceOf(slot).channelCount) {
    if (rowsFull()) return false;
    const device = deviceOf(slot);
    const at = sectionAt(device, turn.flushSection);
    const channel = planChannelById(control().plan, changetype<Section>(at).channel);
    if (!flushWindows(slot, at - changetype<usize>(device), channel)) return false;
    if (!repeatAlerts(deviceOf(slot), sectionAt(deviceOf(slot), turn.flushSection))) return false;
    turn.flushSection++;
  }
  if (rowsFull()) return false;
  const device = deviceOf(slot);
  device.flags &= ~(DEVICE_UNVISITED | DEVICE_REPEATED);
  touchDevice(slot);
  if (shadowDue(device)) {
    stageDevice(device);
    device.lastShadow = durable().logClock;
    device.flags &= ~DEVICE_UNPUBLISHED;
  }
  if (device.flags == 0) clearMark(MARK_FLUSH, slot);
  const calm = isCalm(device);
  setCalm(slot, calm ? calmTime(nextShadow(device)) : 0);
  if (calm) releaseBytes(slot, <usize>device.bytes + spareBytes(device));
  return true;
}

/** What its channels usually take beyond what they have now. */
function spareBytes(device: Device): usize {
  let spare = INTERVAL_BYTES;
  let at = sectionAt(device, 0);
  for (let i: u32 = 0; i < <u32>device.channelCount; i++) {
    spare += sectionSpare(at);
    at += changetype<Section>(at).bytes;
  }
  return spare;
}

/**
 * True when a visit changes nothing until a shadow is due, whatever records come: nothing is dirty
 * and no fired cell waits to be evicted. What fires, or makes a cell dirty, rouses the slot.
 */
function isCalm(device: Device): bool {
  if (device.dirty > 0) return false;
  let cells: u32 = 0;
  let at = sectionAt(device, 0);
  for (let i: u32 = 0; i < device.channelCount; i++) {
    const windows = changetype<Section>(at).windowCount;
    for (let window: u32 = 0; window < windows; window++) {
      const state = windowStateAt(at, window);
      if (kindOf(state) == WINDOW_COUNT) continue;
      if (kindOf(state) != WINDOW_TUMBLING) return false;
      cells += state.cellCount;
    }
    at += changetype<Section>(at).bytes;
  }
  return cells == device.unfired;
}

@inline
function nextShadow(device: Device): i64 {
  if (device.lastShadow == NONE) return 0;
  return device.lastShadow + planShadowIntervalMs(control().plan);
}

@inline
function shadowDue(device: Device): bool {
  if ((device.flags & DEVICE_UNPUBLISHED) == 0) return false;
  if (device.lastShadow == NONE) return true;
  return durable().logClock - device.lastShadow >= planShadowIntervalMs(control().plan);
}

/** True when only a tick would bring something out: windows, shadows or the ledger's row. */
export function needsTicks(): bool {
  if (durable().blockChanged != 0 || timersPending() || qualityPending()) return true;
  const c = control();
  let slot = nextMarked(MARK_FLUSH, 0);
  while (slot < c.deviceCount) {
    const device = deviceOf(slot);
    if (device.dirty > 0 || (device.flags & DEVICE_UNPUBLISHED) != 0) return true;
    slot = nextMarked(MARK_FLUSH, slot + 1);
  }
  return false;
}

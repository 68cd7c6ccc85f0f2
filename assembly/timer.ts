/**
 * Timers: a heap with one entry per device that may have unfired windows. An entry's key is never
 * later than the device's real deadline; it is corrected when it comes to the top, so that devices
 * fire in (deadline, slot) order and the channels of one deadline by id. Rebuilt from the devices.
 */
import { released } from './capture';
import { channelIdleMs } from './channel';
import { Device, deviceOf, touchDevice } from './device';
import { HEAP_BYTES, Slot, control, durable, rouse, slotAt } from './memory';
import { planChannelById } from './plan';
import { rowsFull } from './rows';
import { Section, sectionAt } from './series';
import { fireWindows } from './window/fire';

@unmanaged
class Timer {
  key: i64;
  slot: u32;
}

@inline
function timerAt(place: u32): Timer {
  return changetype<Timer>(control().heap + <usize>place * HEAP_BYTES);
}

@inline
function earlier(left: Timer, right: Timer): bool {
  return left.key < right.key || (left.key == right.key && left.slot < right.slot);
}

function swap(left: u32, right: u32): void {
  const a = timerAt(left);
  const b = timerAt(right);
  const key = a.key;
  const slot = a.slot;
  a.key = b.key;
  a.slot = b.slot;
  b.key = key;
  b.slot = slot;
  slotAt(a.slot).heapAt = left + 1;
  slotAt(b.slot).heapAt = right + 1;
}

function siftUp(place: u32): void {
  while (place > 0) {
    const parent = (place - 1) >> 1;
    if (!earlier(timerAt(place), timerAt(parent))) return;
    swap(place, parent);
    place = parent;
  }
}

function siftDown(place: u32): void {
  const count = control().heapCount;
  for (;;) {
    const left: u32 = 2 * place + 1;
    if (left >= count) return;
    const right = left + 1;
    const least = right < count && earlier(timerAt(right), timerAt(left)) ? right : left;
    if (!earlier(timerAt(least), timerAt(place))) return;
    swap(place, least);
    place = least;
  }
}

/** Log time at which the section's unfired windows fire. */
@inline
function deadlineOf(section: Section): i64 {
  const channel = planChannelById(control().plan, section.channel);
  return max(section.lastLog, durable().idleFloor) + channelIdleMs(channel);
}

/** Least deadline of the device's channels; the greatest i64 when nothing is unfired. */
function deviceDeadline(device: Device): i64 {
  let least = i64.MAX_VALUE;
  if (device.unfired == 0) return least;
  for (let i: u32 = 0; i < device.channelCount; i++) {
    const section = changetype<Section>(sectionAt(device, i));
    if (section.unfired > 0) least = min(least, deadlineOf(section));
  }
  return least;
}

/**
 * The same after a sample was stored: only its channel's deadline has changed, and an entry is
 * never later than those of the others.
 */
@inline
export function scheduleStored(slot: u32, channel: usize): void {
  if (!isScheduled(slotAt(slot), channel)) scheduleDevice(slot);
}
/** True when the device's entry is early enough for a sample that is stored now. */
@inline
export function isScheduled(entry: Slot, channel: usize): bool {
  const at = entry.heapAt;
  const d = durable();
  const deadline = max(d.logClock, d.idleFloor) + channelIdleMs(channel);
  return at != 0 && deadline >= timerAt(at - 1).key;
}

/** Puts the device where its deadline belongs, or leaves an entry that is early enough. */
export function scheduleDevice(slot: u32): void {
  const device = deviceOf(slot);
  if (device.unfired == 0) return;
  const deadline = deviceDeadline(device);
  const entry = slotAt(slot);
  const c = control();
  if (entry.heapAt == 0) {
    const place = c.heapCount++;
    const timer = timerAt(place);
    timer.key = deadline;
    timer.slot = slot;
    entry.heapAt = place + 1;
    siftUp(place);
    return;
  }
  const timer = timerAt(entry.heapAt - 1);
  if (deadline >= timer.key) return;
  timer.key = deadline;
  siftUp(entry.heapAt - 1);
}

function removeFirst(): void {
  const c = control();
  slotAt(timerAt(0).slot).heapAt = 0;
  const last = --c.heapCount;
  if (last == 0) return;
  const timer = timerAt(last);
  const first = timerAt(0);
  first.key = timer.key;
  first.slot = timer.slot;
  slotAt(first.slot).heapAt = 1;
  siftDown(0);
}

/** Corrects the first entry; false when it was right already. */
function correctFirst(): bool {
  const timer = timerAt(0);
  const deadline = deviceDeadline(deviceOf(timer.slot));
  if (deadline == i64.MAX_VALUE) {
    removeFirst();
    return true;
  }
  if (deadline == timer.key) return false;
  timer.key = deadline;
  siftDown(0);
  return true;
}

/** Fires what is due at `logClock`; false when an output region is full: call again. */
export function fireTimers(): bool {
  const c = control();
  const now = durable().logClock;
  while (c.heapCount > 0 && timerAt(0).key <= now) {
    if (rowsFull()) return false;
    if (correctFirst()) continue;
    const timer = timerAt(0);
    if (!fireChannel(timer.slot, timer.key)) return false;
  }
  return true;
}

/**
 * Fires the first of the channels that has this deadline; its others follow in turn. False:
 * an output region is full, the rest of the channel follows when the turn goes on.
 */
function fireChannel(slot: u32, deadline: i64): bool {
  const device = deviceOf(slot);
  for (let i: u32 = 0; i < device.channelCount; i++) {
    const at = sectionAt(device, i);
    const section = changetype<Section>(at);
    if (section.unfired == 0 || deadlineOf(section) != deadline) continue;
    if (!released(slot)) return false;
    touchDevice(slot);
    return fireWindows(slot, at - changetype<usize>(device), i64.MAX_VALUE);
  }
  return true;
}

/**
 * True when some device has unfired windows. Drops entries on the way that are no longer needed.
 */
export function timersPending(): bool {
  const c = control();
  while (c.heapCount > 0) {
    if (deviceOf(timerAt(0).slot).unfired > 0) return true;
    removeFirst();
  }
  return false;
}

/**
 * Builds the heap anew, lets the next flush point look at every device and the next sample of a
 * channel at the form of its section: after an import, and when a plan changes how long idle times
 * or shadow intervals are, or what windows there are.
 */
export function rebuildTimers(): void {
  const c = control();
  c.heapCount = 0;
  for (let slot: u32 = 0; slot < c.deviceCount; slot++) {
    slotAt(slot).heapAt = 0;
    slotAt(slot).conforming = 0;
    rouse(slot);
    scheduleDevice(slot);
  }
}

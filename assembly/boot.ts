/**
 * Deduplication by boot and sequence: up to 4 boots a device, each with the intervals of sequences
 * received above a floor. What lies at or below the floor and in no interval is unknown, never
 * guessed to be a duplicate.
 *
 *   boot ┌ Boot ┬ low u64, high u64 (both received) × capacity, ascending, apart by more than 1 ┐
 */
import { BOOTS_PER_DEVICE_MAX, INTERVALS_PER_BOOT_MAX } from './shared/abi';
import { DEDUP_UNKNOWN, DUPLICATE, OK } from './shared/status';
import { Device, bootsOf, deviceOf, insertBytes, removeBytes } from './device';
import { Record, turnOf } from './work';

@unmanaged
class Boot {
  id: u64;
  floor: u64;
  /** Greatest event time of its remembered records. */
  maxEvent: i64;
  /** Log sequence of the last remembered one. */
  lastSequence: u64;
  count: u32;
  capacity: u32;
}
const BOOT_BYTES: usize = offsetof<Boot>();
export const INTERVAL_BYTES: usize = 16;
const CAPACITY_FIRST: u32 = 1;

/** What remembering a key may add to the block. */
export const BOOT_GROWTH: usize = BOOT_BYTES + <usize>INTERVALS_PER_BOOT_MAX * INTERVAL_BYTES;

@inline
function sizeOf(boot: Boot): usize {
  return BOOT_BYTES + <usize>boot.capacity * INTERVAL_BYTES;
}
@inline
function intervalAt(boot: usize, index: u32): usize {
  return boot + BOOT_BYTES + <usize>index * INTERVAL_BYTES;
}

/** Where the boot is in the device's block, 0 when it is unknown. */
@inline
export function findBoot(device: Device, bootId: u64): usize {
  let at = bootsOf(device);
  for (let i: u32 = 0; i < device.bootCount; i++) {
    const boot = changetype<Boot>(at);
    if (boot.id == bootId) return at - changetype<usize>(device);
    at += sizeOf(boot);
  }
  return 0;
}

@inline
export function judgeBoot(device: Device, offset: usize, sequence: u64, event: i64): i32 {
  if (offset == 0) return event <= device.bootFloor ? DEDUP_UNKNOWN : OK;
  const at = changetype<usize>(device) + offset;
  const boot = changetype<Boot>(at);
  // A device's next event is usually behind the last interval, where no floor is.
  let i = boot.count;
  if (i > 0 && sequence > load<u64>(intervalAt(at, i - 1), 8)) return OK;
  for (; i > 0; i--) {
    const interval = intervalAt(at, i - 1);
    if (sequence > load<u64>(interval, 8)) break;
    if (sequence >= load<u64>(interval)) return DUPLICATE;
  }
  return sequence <= boot.floor ? DEDUP_UNKNOWN : OK;
}

/** Evicts the boot whose last record is oldest (then the lowest id), lifting the device's floor. */
function evictBoot(slot: u32): void {
  const device = deviceOf(slot);
  let at = bootsOf(device);
  let oldest = at;
  for (let i: u32 = 0; i < device.bootCount; i++) {
    const boot = changetype<Boot>(at);
    const candidate = changetype<Boot>(oldest);
    if (
      boot.lastSequence < candidate.lastSequence ||
      (boot.lastSequence == candidate.lastSequence && boot.id < candidate.id)
    ) oldest = at;
    at += sizeOf(boot);
  }
  const boot = changetype<Boot>(oldest);
  if (boot.maxEvent > device.bootFloor) device.bootFloor = boot.maxEvent;
  const bytes = sizeOf(boot);
  device.bootCount--;
  device.bootsBytes -= <u16>bytes;
  removeBytes(slot, oldest - changetype<usize>(device), bytes);
}

function addBoot(slot: u32, bootId: u64, event: i64): usize {
  if (deviceOf(slot).bootCount == BOOTS_PER_DEVICE_MAX) evictBoot(slot);
  let device = deviceOf(slot);
  const offset = bootsOf(device) + device.bootsBytes - changetype<usize>(device);
  const bytes = BOOT_BYTES + <usize>CAPACITY_FIRST * INTERVAL_BYTES;
  insertBytes(slot, offset, bytes);
  device = deviceOf(slot);
  device.bootCount++;
  device.bootsBytes += <u16>bytes;
  const boot = changetype<Boot>(changetype<usize>(device) + offset);
  boot.id = bootId;
  boot.maxEvent = event;
  boot.capacity = CAPACITY_FIRST;
  return changetype<usize>(boot);
}

/** Enters a sequence that `judgeBoot` found new; boots lie in front of all that grew since. */
export function rememberBoot(record: Record): void {
  const slot = <u32>record.slot;
  const sequence = record.sequence;
  const event = record.event;
  let at = changetype<usize>(deviceOf(slot)) + record.bootOffset;
  if (record.bootOffset == 0) at = addBoot(slot, record.bootId, event);
  const boot = changetype<Boot>(at);
  if (event > boot.maxEvent) boot.maxEvent = event;
  boot.lastSequence = turnOf().sequence;
  // The event behind the last one: what nearly all are.
  if (boot.count > 0) {
    const last = intervalAt(at, boot.count - 1);
    if (load<u64>(last, 8) == sequence - 1) {
      store<u64>(last, sequence, 8);
      return;
    }
  }
  // `place`: the first interval above the sequence.
  let place = boot.count;
  while (place > 0 && load<u64>(intervalAt(at, place - 1)) > sequence) place--;
  const joinsLower = place > 0 && load<u64>(intervalAt(at, place - 1), 8) == sequence - 1;
  const joinsUpper = place < boot.count && load<u64>(intervalAt(at, place)) == sequence + 1;
  if (joinsLower && joinsUpper) {
    store<u64>(intervalAt(at, place - 1), load<u64>(intervalAt(at, place), 8), 8);
    closeInterval(boot, place);
  } else if (joinsLower) {
    store<u64>(intervalAt(at, place - 1), sequence, 8);
  } else if (joinsUpper) {
    store<u64>(intervalAt(at, place), sequence);
  } else {
    openInterval(slot, at, place, sequence);
  }
}

function closeInterval(boot: Boot, place: u32): void {
  const at = intervalAt(changetype<usize>(boot), place);
  boot.count--;
  const behind = <usize>(boot.count - place) * INTERVAL_BYTES;
  memory.copy(at, at + INTERVAL_BYTES, behind);
  memory.fill(at + behind, 0, INTERVAL_BYTES);
}

function openInterval(slot: u32, at: usize, place: u32, sequence: u64): void {
  let boot = changetype<Boot>(at);
  if (boot.count == INTERVALS_PER_BOOT_MAX) {
    // The seventeenth: the lowest goes and lifts the floor to its end; it may be the new one.
    if (place == 0) {
      boot.floor = sequence;
      return;
    }
    boot.floor = load<u64>(intervalAt(at, 0), 8);
    closeInterval(boot, 0);
    place--;
  } else if (boot.count == boot.capacity) {
    const offset = at - changetype<usize>(deviceOf(slot));
    const more = boot.capacity;
    insertBytes(slot, offset + sizeOf(boot), <usize>more * INTERVAL_BYTES);
    const device = deviceOf(slot);
    device.bootsBytes += <u16>(more * <u32>INTERVAL_BYTES);
    at = changetype<usize>(device) + offset;
    boot = changetype<Boot>(at);
    boot.capacity += more;
  }
  const gap = intervalAt(at, place);
  memory.copy(gap + INTERVAL_BYTES, gap, <usize>(boot.count - place) * INTERVAL_BYTES);
  store<u64>(gap, sequence);
  store<u64>(gap, sequence, 8);
  boot.count++;
}

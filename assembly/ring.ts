/**
 * Deduplication by event id: the last ids of a device, first in first out, found by a scan over
 * 32-bit fingerprints and settled by comparing all bytes.
 *
 *   ring ┌ fingerprint u32 × capacity (0 = free) ┬ length u8 × capacity ┬ entry × capacity ┐
 *   entry ┌ event time i64 ┬ log time i64 ┬ id, zeros up to the stride ┐
 *
 * The capacity is a multiple of 8 and doubles; the stride is the longest id's length so far,
 * rounded up to 8. Growing puts the oldest entry first.
 */
import { DEDUP_UNKNOWN, DUPLICATE, OK } from './shared/status';
import {
  Device, aligned, deviceOf, insertBytes, removeBytes, ringOf, ringSize,
} from './device';
import { control, durable } from './memory';
import { planDedupHorizonMs, planIdsPerDevice } from './plan';
import { equalBytes, nameHash } from './text';

const CAPACITY_FIRST: u32 = 8;
const TIMES_BYTES: u32 = 16;

@inline function entryBytes(stride: u32): u32 { return TIMES_BYTES + stride; }
@inline
function lengthAt(ring: usize, capacity: u32, place: u32): usize {
  return ring + (<usize>capacity << 2) + place;
}
@inline
function entryAt(ring: usize, capacity: u32, stride: u32, place: u32): usize {
  return ring + <usize>capacity * 5 + <usize>place * entryBytes(stride);
}
@inline
function fingerprint(id: usize, bytes: u32): u32 {
  const hash = nameHash(id, bytes);
  return hash == 0 ? 1 : hash;
}

@inline
function grown(capacity: u32, idsMax: u32): u32 {
  const doubled = max(capacity << 1, CAPACITY_FIRST);
  return min(doubled, max((idsMax + 7) & ~7, capacity + 8));
}

/** What remembering an id may add to the block, a ring in the making beside the old one. */
export function ringGrowth(device: Device, idBytes: u32): usize {
  const idsMax = planIdsPerDevice(control().plan);
  if (device === null) return ringSize(grown(0, idsMax), aligned(idBytes));
  const stride = max(<u32>device.ringStride, aligned(idBytes));
  const full = device.ringCount == device.ringCapacity;
  if (!full && stride == device.ringStride) return 0;
  return ringSize(full ? grown(device.ringCapacity, idsMax) : device.ringCapacity, stride);
}

/** Least place ≥ `from` with this fingerprint; the capacity when there is none. */
function findPlace(ring: usize, capacity: u32, print: u32, from: u32): u32 {
  let place = from;
  if (ASC_FEATURE_SIMD) {
    const wanted = i32x4.splat(print);
    while (place < capacity && (place & 3) != 0) {
      if (load<u32>(ring + (<usize>place << 2)) == print) return place;
      place++;
    }
    for (; place < capacity; place += 4) {
      const found = i32x4.bitmask(i32x4.eq(v128.load(ring + (<usize>place << 2)), wanted));
      if (found != 0) return place + <u32>ctz(found);
    }
    return capacity;
  }
  while (place < capacity && load<u32>(ring + (<usize>place << 2)) != print) place++;
  return place;
}

export function judgeId(device: Device, id: usize, bytes: u32, event: i64): i32 {
  const ring = ringOf(device);
  const capacity = device.ringCapacity;
  const print = fingerprint(id, bytes);
  let place = findPlace(ring, capacity, print, 0);
  while (place < capacity) {
    const entry = entryAt(ring, capacity, device.ringStride, place);
    if (
      load<u8>(lengthAt(ring, capacity, place)) == bytes &&
      equalBytes(entry + TIMES_BYTES, id, bytes)
    ) return DUPLICATE;
    place = findPlace(ring, capacity, print, place + 1);
  }
  return event <= device.idFloor ? DEDUP_UNKNOWN : OK;
}

/** Forgets the oldest id and lifts the floor to its event time. */
function evictOldest(device: Device): void {
  const ring = ringOf(device);
  const place = device.ringHead;
  const stride = device.ringStride;
  const entry = entryAt(ring, device.ringCapacity, stride, place);
  const event = load<i64>(entry);
  if (event > device.idFloor) device.idFloor = event;
  store<u32>(ring + (<usize>place << 2), 0);
  store<u8>(lengthAt(ring, device.ringCapacity, place), 0);
  memory.fill(entry, 0, entryBytes(stride));
  device.ringHead = place + 1 == device.ringCapacity ? 0 : place + 1;
  device.ringCount--;
}

/** Makes the ring of another capacity or stride, the oldest entry first. */
function reshape(slot: u32, capacity: u32, stride: u32): void {
  let device = deviceOf(slot);
  const offset = ringOf(device) - changetype<usize>(device);
  const oldBytes = ringSize(device.ringCapacity, device.ringStride);
  const oldCapacity = device.ringCapacity;
  const oldStride = device.ringStride;
  const bytes = ringSize(capacity, stride);
  insertBytes(slot, offset, bytes);
  device = deviceOf(slot);
  const ring = changetype<usize>(device) + offset;
  const old = ring + bytes;
  for (let i: u32 = 0; i < device.ringCount; i++) {
    let place = device.ringHead + i;
    if (place >= oldCapacity) place -= oldCapacity;
    store<u32>(ring + (<usize>i << 2), load<u32>(old + (<usize>place << 2)));
    store<u8>(lengthAt(ring, capacity, i), load<u8>(lengthAt(old, oldCapacity, place)));
    const from = entryAt(old, oldCapacity, oldStride, place);
    memory.copy(entryAt(ring, capacity, stride, i), from, entryBytes(oldStride));
  }
  removeBytes(slot, offset + bytes, oldBytes);
  device.ringCapacity = capacity;
  device.ringStride = <u8>stride;
  device.ringHead = 0;
}

/** Enters an id that `judgeId` found new. */
export function rememberId(slot: u32, id: usize, bytes: u32, event: i64): void {
  const idsMax = planIdsPerDevice(control().plan);
  const now = durable().logClock;
  const horizon = now - planDedupHorizonMs(control().plan);
  let device = deviceOf(slot);
  while (device.ringCount > 0) {
    const oldest = entryAt(
      ringOf(device), device.ringCapacity, device.ringStride, device.ringHead,
    );
    if (device.ringCount < idsMax && load<i64>(oldest, 8) >= horizon) break;
    evictOldest(device);
  }
  const stride = max(<u32>device.ringStride, aligned(bytes));
  const full = device.ringCount == device.ringCapacity;
  if (full || stride != device.ringStride) {
    reshape(slot, full ? grown(device.ringCapacity, idsMax) : device.ringCapacity, stride);
    device = deviceOf(slot);
  }
  const capacity = device.ringCapacity;
  const ring = ringOf(device);
  let place = device.ringHead + device.ringCount;
  if (place >= capacity) place -= capacity;
  device.ringCount++;
  store<u32>(ring + (<usize>place << 2), fingerprint(id, bytes));
  store<u8>(lengthAt(ring, capacity, place), <u8>bytes);
  const entry = entryAt(ring, capacity, stride, place);
  store<i64>(entry, event);
  store<i64>(entry, now, 8);
  memory.copy(entry + TIMES_BYTES, id, bytes);
}

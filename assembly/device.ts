/**
 * Devices: one compact block each, and the index that finds them. A block holds everything the
 * partition knows of a device, packed without gaps, so that its bytes depend on the log alone:
 *
 *   ┌ Device ┬ identity ┬ boots (boot.ts) ┬ id ring (ring.ts) ┬ contents (judge/content.ts)
 *   ┬ aliases (judge/alias.ts) ┬ quality (judge/quality.ts) ┬ channels by id (series.ts) ┐
 *
 * Parts grow by `insertBytes`, which moves what lies behind (and, when the block is full, the
 * block): addresses into a block are stale after it, offsets in front of the place are not.
 */
import {
  INDEX_BYTES, MARK_CHANGED, MARK_FLUSH, NONE, control, durable, rouse, setMark, setMarks, slotAt,
} from './memory';
import { NO_SPARK_SEQUENCE } from './decoded';
import { poolAllocate, poolFits, poolFree, poolRoom } from './pool';
import { identityHash } from './identity';
import { equalWords } from './text';
import { Record, identityScratch } from './work';

/** Device.flags: a window fired since a flush point last visited it. */
export const DEVICE_UNVISITED: u8 = 1;
/** Reached by a record since its shadow was last published. */
export const DEVICE_UNPUBLISHED: u8 = 2;
/** Raised alerts are emitted again: a generation has begun (generation.ts). */
export const DEVICE_REPEATED: u8 = 4;

/** Counts are as wide as their limits in shared/abi.ts ask for; what has none stays wide. */
@unmanaged
export class Device {
  /** Of the whole block, a multiple of 8. */
  bytes: u32;
  slot: u32;
  /** Of contents, aliases and quality together. */
  partsBytes: u32;
  /** Cells that are dirty, and cells that are unfired, of all channels. */
  dirty: u32;
  unfired: u32;
  ringCapacity: u32;
  ringCount: u32;
  ringHead: u32;
  contentCapacity: u32;
  contentCount: u32;
  contentHead: u32;
  /** Bucket of the clock model (judge/clock.ts), and minute of the dead letters: of log time. */
  clockBucket: u32;
  letterMinute: u32;
  letterCount: u32;
  bootsBytes: u16;
  channelCount: u16;
  aliasCount: u16;
  /** Sparkplug's seq of the next record, NO_SPARK_SEQUENCE while unknown. */
  sparkNext: u16;
  identityBytes: u8;
  bootCount: u8;
  flags: u8;
  ringStride: u8;
  qualityBytes: u8;
  zero: u8;
  zero2: u16;
  /** NONE while there is none. */
  clockLeast: i64;
  clockBefore: i64;
  firstSeen: i64;
  lastSeen: i64;
  /** Greatest stored event time, NONE before the first. */
  lastEvent: i64;
  lastShadow: i64;
  records: u64;
  readings: u64;
  rejected: u64;
  duplicates: u64;
  bootFloor: i64;
  idFloor: i64;
}
export const DEVICE_BYTES: usize = offsetof<Device>();
/** A new block of the longest identity, growth included: what registering may take. */
export const REGISTER_BYTES: usize = 640;

@inline export function aligned(bytes: u32): u32 { return (bytes + 7) & ~7; }
@inline
export function deviceOf(slot: u32): Device {
  return changetype<Device>(slotAt(slot).block);
}
/** Three strings, each with a length byte before it: as in a Native column. */
@inline
export function identityOf(device: Device): usize {
  return changetype<usize>(device) + DEVICE_BYTES;
}
@inline
export function bootsOf(device: Device): usize {
  return identityOf(device) + aligned(device.identityBytes);
}
@inline
export function ringOf(device: Device): usize {
  return bootsOf(device) + device.bootsBytes;
}
/** Of the ring of ids (ring.ts): fingerprint, length, two times and an id of `stride` a place. */
@inline
export function ringSize(capacity: u32, stride: u32): u32 { return capacity * (21 + stride); }
@inline
export function partsOf(device: Device): usize {
  return ringOf(device) + ringSize(device.ringCapacity, device.ringStride);
}
@inline
export function channelsOf(device: Device): usize {
  return partsOf(device) + device.partsBytes;
}

@inline
export function touchDevice(slot: u32): void {
  setMark(MARK_CHANGED, slot);
}

/** A record reaches the device: it has changed, and is to be published. */
@inline
export function reachDevice(device: Device, slot: u32): void {
  device.flags |= DEVICE_UNPUBLISHED;
  setMarks(slot);
}

/** A window fired: the next flush point is to visit the device. */
@inline
export function unvisited(device: Device): void {
  device.flags |= DEVICE_UNVISITED;
  setMark(MARK_FLUSH, device.slot);
  rouse(device.slot);
}

// --- growth -----------------------------------------------------------------------------------
/** From here on it is a cell, a section, a ring: what is small comes again soon. */
const LARGE_BYTES: usize = 64;

/** With a sixteenth to spare. */
@inline
function roomFor(bytes: usize): usize {
  return (bytes + (bytes >> 4) + 31) & ~15;
}

/**
 * True when the pool surely has room to grow a block of `bytes` by `growth`, in however many steps:
 * a free piece of four times the last size has, beside the block that is copied from, at least
 * three times that size left in at most two pieces.
 */
export function growthFits(bytes: usize, growth: usize): bool {
  return growth == 0 || poolFits(roomFor(bytes + growth) << 2);
}

/** Growth that surely fits a wide pool (poolIsWide), even of a block as long. */
export const GROWTH_SMALL: usize = 1024 * 1024;

/** Opens a gap of zeros at `offset` of the block. Room was checked by `growthFits`. */
export function insertBytes(slot: u32, offset: usize, bytes: usize): void {
  const entry = slotAt(slot);
  const old = entry.block;
  const used = <usize>load<u32>(old);
  let block = old;
  if (used + bytes > poolRoom(old)) {
    block = poolAllocate(bytes < LARGE_BYTES ? roomFor(used + bytes) : used + bytes);
    assert(block != 0, 'room for a device block was checked before');
    memory.copy(block, old, offset);
    entry.block = block;
  }
  memory.copy(block + offset + bytes, old + offset, used - offset);
  memory.fill(block + offset, 0, bytes);
  store<u32>(block, <u32>(used + bytes));
  if (block != old) poolFree(old);
}

/**
 * Makes room for what usually comes, so that the block need not move for it: blocks of one size
 * leave no holes behind that the next one does not fit into. Asked for as growth, as it is room.
 */
export function reserveBytes(slot: u32, bytes: usize): void {
  const block = slotAt(slot).block;
  const wanted = <usize>load<u32>(block) + bytes;
  if (wanted > poolRoom(block)) moveBlock(slot, wanted);
}

/**
 * Gives back what a block has beyond the `bytes` that it usually needs, when it is more than growth
 * leaves to spare: what was needed for once must not be kept for good.
 */
export function releaseBytes(slot: u32, bytes: usize): void {
  if (poolRoom(slotAt(slot).block) > roomFor(bytes)) moveBlock(slot, bytes);
}

/** Moves the block to one of `bytes`, as many as it uses at least; it stays if there is none. */
function moveBlock(slot: u32, bytes: usize): void {
  const entry = slotAt(slot);
  const old = entry.block;
  const block = poolAllocate(bytes);
  if (block == 0) return;
  memory.copy(block, old, load<u32>(old));
  entry.block = block;
  poolFree(old);
}

/** Closes a gap. The block stays where it is. */
export function removeBytes(slot: u32, offset: usize, bytes: usize): void {
  const block = slotAt(slot).block;
  const used = <usize>load<u32>(block);
  memory.copy(block + offset, block + offset + bytes, used - offset - bytes);
  store<u32>(block, <u32>(used - bytes));
}

// --- index ------------------------------------------------------------------------------------
/** Slot of the record's device, −1 when there is none. */
export function findDevice(record: Record): i32 {
  const c = control();
  const index = c.index;
  const mask = c.indexMask;
  const hash = record.identityHash;
  let place = hash & mask;
  while (true) {
    const at = index + <usize>place * INDEX_BYTES;
    const slot = load<u32>(at, 4);
    if (slot == 0) return -1;
    if (load<u32>(at) == hash && isDevice(deviceOf(slot - 1), record)) return <i32>(slot - 1);
    place = (place + 1) & mask;
  }
}

@inline
function isDevice(device: Device, record: Record): bool {
  const bytes = record.identityBytes;
  if (device.identityBytes != bytes) return false;
  return equalWords(identityOf(device), identityScratch(record), bytes);
}

export function indexDevice(slot: u32): void {
  const device = deviceOf(slot);
  const hash = identityHash(identityOf(device), device.identityBytes);
  const c = control();
  let place = hash & c.indexMask;
  while (load<u32>(c.index + <usize>place * INDEX_BYTES, 4) != 0) place = (place + 1) & c.indexMask;
  const at = c.index + <usize>place * INDEX_BYTES;
  store<u32>(at, hash);
  store<u32>(at, slot + 1, 4);
}

/** True when a device can be registered without running out of memory. */
export function registerFits(): bool {
  const c = control();
  return c.deviceCount < c.slotsMax && poolFits(REGISTER_BYTES);
}

/** Gives the device the next slot. Room was checked by `registerFits`. */
export function registerDevice(record: Record): u32 {
  const bytes = record.identityBytes;
  const used = DEVICE_BYTES + aligned(bytes);
  const block = poolAllocate(roomFor(used));
  assert(block != 0, 'room for a new device was checked before');
  memory.fill(block, 0, used);
  const c = control();
  const slot = c.deviceCount++;
  const entry = slotAt(slot);
  entry.block = block;
  entry.heapAt = 0;
  rouse(slot);
  entry.conforming = 0;
  const device = changetype<Device>(block);
  device.bytes = <u32>used;
  device.slot = slot;
  device.identityBytes = <u8>bytes;
  device.lastEvent = NONE;
  device.lastShadow = NONE;
  device.bootFloor = NONE;
  device.idFloor = NONE;
  device.clockLeast = NONE;
  device.clockBefore = NONE;
  device.sparkNext = <u16>NO_SPARK_SEQUENCE;
  device.firstSeen = durable().logClock;
  memory.copy(identityOf(device), identityScratch(record), bytes);
  durable().deviceCount = c.deviceCount;
  indexDevice(slot);
  return slot;
}

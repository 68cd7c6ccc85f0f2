/**
 * Deduplication by content, for records without a key whose samples all have their own time: the
 * last digests of a device, first in first out. There is no floor: what was forgotten is new again.
 *
 *   contents ┌ low u64 × capacity ┬ high u64 × capacity ┬ log time i64 × capacity ┐
 *
 * Places that hold nothing are zero. The capacity doubles; growing puts the oldest first.
 */
import { channelId } from '../channel';
import { Device, deviceOf, insertBytes, partsOf, removeBytes } from '../device';
import { control, durable } from '../memory';
import { planContentsPerDevice, planDedupHorizonMs } from '../plan';
import { DUPLICATE, OK } from '../shared/status';
import { KEY_CONTENT, Record } from '../work';

const PLACE_BYTES: u32 = 24;
const CAPACITY_FIRST: u32 = 8;
const SEED_LOW: u64 = 0x9e3779b97f4a7c15;
const SEED_HIGH: u64 = 0xc2b2ae3d27d4eb4f;
const FACTOR_LOW: u64 = 0xff51afd7ed558ccd;
const FACTOR_HIGH: u64 = 0x9fb21c651e98df25;

@inline
export function contentBytes(device: Device): u32 { return device.contentCapacity * PLACE_BYTES; }
@inline
function lowAt(contents: usize, place: u32): usize { return contents + (<usize>place << 3); }
@inline
function highAt(contents: usize, capacity: u32, place: u32): usize {
  return contents + (<usize>(capacity + place) << 3);
}
@inline
function timeAt(contents: usize, capacity: u32, place: u32): usize {
  return contents + (<usize>(2 * capacity + place) << 3);
}

@inline
function mixLow(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * FACTOR_LOW;
  return hash ^ (hash >> 29);
}
@inline
function mixHigh(hash: u64, word: u64): u64 {
  hash = rotl<u64>(hash + word, 27) * FACTOR_HIGH;
  return hash ^ (hash >> 32);
}

/** Makes the digest of channel and payload the record's key. */
export function keyByContent(record: Record): void {
  const end = record.payloadAt + record.payloadBytes;
  const head = (<u64>channelId(record.channel) << 32) | <u64>record.payloadBytes;
  let low = mixLow(SEED_LOW, head);
  let high = mixHigh(SEED_HIGH, head);
  let at = record.payloadAt;
  for (; at + 8 <= end; at += 8) {
    const word = load<u64>(at);
    low = mixLow(low, word);
    high = mixHigh(high, word);
  }
  let word: u64 = 0;
  for (let shift: u64 = 0; at < end; at++, shift += 8) word |= <u64>load<u8>(at) << shift;
  low = mixLow(low, word);
  high = mixHigh(high, word);
  record.keyKind = KEY_CONTENT;
  record.bootId = mixLow(low, SEED_LOW);
  record.sequence = mixHigh(high, SEED_HIGH);
}

export function judgeContent(device: Device, low: u64, high: u64): i32 {
  const contents = partsOf(device);
  const capacity = device.contentCapacity;
  let place = device.contentHead;
  for (let i: u32 = 0; i < device.contentCount; i++) {
    if (load<u64>(lowAt(contents, place)) == low) {
      if (load<u64>(highAt(contents, capacity, place)) == high) return DUPLICATE;
    }
    place = place + 1 == capacity ? 0 : place + 1;
  }
  return OK;
}

/** One is remembered in any case, so that a retry is known. */
@inline
function contentsMax(): u32 { return max(planContentsPerDevice(control().plan), 1); }

@inline
function grown(capacity: u32, most: u32): u32 {
  return min(max(capacity << 1, CAPACITY_FIRST), max(most, capacity + 1));
}

/** What remembering a content may add to the block, the new table beside the old one. */
export function contentGrowth(device: Device): usize {
  if (device !== null && device.contentCount < device.contentCapacity) return 0;
  const capacity = device === null ? 0 : device.contentCapacity;
  return <usize>grown(capacity, contentsMax()) * PLACE_BYTES;
}

function evictOldest(device: Device): void {
  const contents = partsOf(device);
  const place = device.contentHead;
  store<u64>(lowAt(contents, place), 0);
  store<u64>(highAt(contents, device.contentCapacity, place), 0);
  store<u64>(timeAt(contents, device.contentCapacity, place), 0);
  device.contentHead = place + 1 == device.contentCapacity ? 0 : place + 1;
  device.contentCount--;
}

function grow(slot: u32, capacity: u32): void {
  let device = deviceOf(slot);
  const old = device.contentCapacity;
  const head = device.contentHead;
  const bytes = capacity * PLACE_BYTES;
  const offset = partsOf(device) - changetype<usize>(device);
  insertBytes(slot, offset, bytes);
  device = deviceOf(slot);
  const to = changetype<usize>(device) + offset;
  const from = to + bytes;
  for (let i: u32 = 0; i < device.contentCount; i++) {
    const place = head + i >= old ? head + i - old : head + i;
    store<u64>(lowAt(to, i), load<u64>(lowAt(from, place)));
    store<u64>(highAt(to, capacity, i), load<u64>(highAt(from, old, place)));
    store<u64>(timeAt(to, capacity, i), load<u64>(timeAt(from, old, place)));
  }
  removeBytes(slot, offset + bytes, old * PLACE_BYTES);
  device.partsBytes += bytes - old * PLACE_BYTES;
  device.contentCapacity = capacity;
  device.contentHead = 0;
}

/** Enters a content that `judgeContent` found new. */
export function rememberContent(slot: u32, low: u64, high: u64): void {
  const most = contentsMax();
  const now = durable().logClock;
  const horizon = now - planDedupHorizonMs(control().plan);
  let device = deviceOf(slot);
  while (device.contentCount > 0) {
    const oldest = timeAt(partsOf(device), device.contentCapacity, device.contentHead);
    if (device.contentCount < most && load<i64>(oldest) >= horizon) break;
    evictOldest(device);
  }
  if (device.contentCount == device.contentCapacity) {
    grow(slot, grown(device.contentCapacity, most));
    device = deviceOf(slot);
  }
  const capacity = device.contentCapacity;
  const contents = partsOf(device);
  let place = device.contentHead + device.contentCount++;
  if (place >= capacity) place -= capacity;
  store<u64>(lowAt(contents, place), low);
  store<u64>(highAt(contents, capacity, place), high);
  store<i64>(timeAt(contents, capacity, place), now);
}

/**
 * Values that a message has said so far, for one sample or for the record: the last one of a leaf
 * counts, and they come out in the order in which these last ones stand in the payload. Scratch.
 *
 *  scope   0 ┌ count u32 ┬ zero u32 ┐
 *          8 ├ slots: bits u64, tag u32, place u32, nanos i32, zero u32 (24 × LEAVES_MAX) ┤
 *            ├ order: leaf u32, or NOBODY (ORDER_MAX)                                     ┤
 *            └ counters u32 of repeated fields (LEAVES_MAX)                               ┘
 *
 * A leaf has a value when order[its place] is itself and its place is below count: nothing needs
 * to be cleared when a scope begins.
 */
import { LEAVES_MAX } from '../../shared/protobuf-program';

@unmanaged
export class Slot {
  /** What scalar.ts reads; a Timestamp's seconds. */
  bits: u64;
  /** Address of the tag. */
  tag: u32;
  place: u32;
  nanos: i32;
  zero: u32;
}

const SLOT_BYTES: usize = 24;
const SLOTS_AT: usize = 8;
const ORDER_AT: usize = SLOTS_AT + <usize>LEAVES_MAX * SLOT_BYTES;
/** Some times the leaves, so that what is said again seldom makes room. */
const ORDER_MAX: u32 = 256;
const COUNTERS_AT: usize = ORDER_AT + <usize>ORDER_MAX * 4;
export const SCOPE_BYTES: usize = COUNTERS_AT + <usize>LEAVES_MAX * 4;
export const NOBODY: u32 = 0xffffffff;

@inline
export function slotOf(scope: usize, leaf: u32): Slot {
  return changetype<Slot>(scope + SLOTS_AT + <usize>leaf * SLOT_BYTES);
}
@inline
export function orderedCount(scope: usize): u32 {
  return load<u32>(scope);
}
/** Leaf with the value at a place, or NOBODY. */
@inline
export function orderedLeaf(scope: usize, place: u32): u32 {
  return load<u32>(scope + (<usize>place << 2), ORDER_AT);
}
@inline
function setOrdered(scope: usize, place: u32, leaf: u32): void {
  store<u32>(scope + (<usize>place << 2), leaf, ORDER_AT);
}

export function openScope(scope: usize, counters: u32): void {
  store<u32>(scope, 0);
  for (let i: u32 = 0; i < counters; i++) store<u32>(scope + (<usize>i << 2), 0, COUNTERS_AT);
}

@inline
export function hasValue(scope: usize, leaf: u32): bool {
  const place = slotOf(scope, leaf).place;
  return place < orderedCount(scope) && orderedLeaf(scope, place) == leaf;
}

export function setLeaf(scope: usize, leaf: u32, bits: u64, tag: usize): void {
  if (hasValue(scope, leaf)) setOrdered(scope, slotOf(scope, leaf).place, NOBODY);
  if (orderedCount(scope) == ORDER_MAX) closeGaps(scope);
  const place = orderedCount(scope);
  const slot = slotOf(scope, leaf);
  slot.bits = bits;
  slot.tag = <u32>tag;
  slot.place = place;
  setOrdered(scope, place, leaf);
  store<u32>(scope, place + 1);
}

function closeGaps(scope: usize): void {
  let kept: u32 = 0;
  for (let place: u32 = 0; place < ORDER_MAX; place++) {
    const leaf = orderedLeaf(scope, place);
    if (leaf == NOBODY) continue;
    slotOf(scope, leaf).place = kept;
    setOrdered(scope, kept++, leaf);
  }
  store<u32>(scope, kept);
}

export function forgetLeaves(scope: usize, first: u32, end: u32): void {
  for (let leaf = first; leaf < end; leaf++) {
    if (hasValue(scope, leaf)) setOrdered(scope, slotOf(scope, leaf).place, NOBODY);
  }
}

export function forgetCounters(scope: usize, first: u32, end: u32): void {
  for (let i = first; i < end; i++) store<u32>(scope + (<usize>i << 2), 0, COUNTERS_AT);
}

/** How many elements came before this one. */
@inline
export function countElement(scope: usize, counter: u32): u32 {
  const at = scope + (<usize>counter << 2);
  const index = load<u32>(at, COUNTERS_AT);
  store<u32>(at, index + 1, COUNTERS_AT);
  return index;
}

/**
 * The pool: blocks of any size, for devices and the plan image. Two-level segregated fit with
 * boundary tags, so that neighbours merge when freed: a fleet whose devices all grow wastes little.
 *
 *   block   0 ┌ bytes u32 of it all, lowest bit 1 = free ┬ address of the one before u32 ┐
 *           8 ├ content; in a free block: next free u32, previous free u32 …             ┤
 *
 * In: sizes in bytes. Out: addresses of contents, multiples of 8. Invariant: two free blocks never
 * lie side by side. Where a block lies is no state: only its content is.
 */
import { POOL_AT, control } from './memory';

const TAG_BYTES: usize = 8;
const BLOCK_MIN: usize = 64;
/** Sizes between two powers of two fall into 8 classes. */
const FINE_BITS: u32 = 3;
const FINE: u32 = 1 << FINE_BITS;

// POOL_AT: bit set of coarse classes u32, then a bit set of fine classes u8 × 32, then list heads.
const FINE_SETS_AT: usize = POOL_AT + 8;
const HEADS_AT: usize = POOL_AT + 64;

@inline function sizeOf(block: usize): usize { return load<u32>(block) & ~7; }
@inline function isFree(block: usize): bool { return (load<u32>(block) & 1) != 0; }
@inline function before(block: usize): usize { return load<u32>(block, 4); }
@inline
function setSize(block: usize, bytes: usize, free: u32): void {
  store<u32>(block, <u32>bytes | free);
}
@inline function setBefore(block: usize, other: usize): void { store<u32>(block, <u32>other, 4); }
@inline function nextFree(block: usize): usize { return load<u32>(block, 8); }
@inline function previousFree(block: usize): usize { return load<u32>(block, 12); }

@inline function coarseOf(bytes: usize): u32 { return 31 - clz(<u32>bytes); }
@inline
function fineOf(bytes: usize, coarse: u32): u32 {
  return (<u32>bytes >> (coarse - FINE_BITS)) & (FINE - 1);
}
@inline
function headAt(coarse: u32, fine: u32): usize {
  return HEADS_AT + (<usize>((coarse << FINE_BITS) + fine) << 2);
}

function link(block: usize): void {
  const bytes = sizeOf(block);
  const coarse = coarseOf(bytes);
  const fine = fineOf(bytes, coarse);
  const head = headAt(coarse, fine);
  const first = load<u32>(head);
  store<u32>(block, first, 8);
  store<u32>(block, 0, 12);
  if (first != 0) store<u32>(first, <u32>block, 12);
  store<u32>(head, <u32>block);
  store<u32>(POOL_AT, load<u32>(POOL_AT) | (1 << coarse));
  store<u8>(FINE_SETS_AT + coarse, load<u8>(FINE_SETS_AT + coarse) | (<u8>1 << <u8>fine));
}

function unlink(block: usize): void {
  const next = nextFree(block);
  const previous = previousFree(block);
  if (next != 0) store<u32>(next, <u32>previous, 12);
  if (previous != 0) {
    store<u32>(previous, <u32>next, 8);
    return;
  }
  const bytes = sizeOf(block);
  const coarse = coarseOf(bytes);
  const fine = fineOf(bytes, coarse);
  store<u32>(headAt(coarse, fine), <u32>next);
  if (next != 0) return;
  const set = load<u8>(FINE_SETS_AT + coarse) & ~(<u8>1 << <u8>fine);
  store<u8>(FINE_SETS_AT + coarse, set);
  if (set == 0) store<u32>(POOL_AT, load<u32>(POOL_AT) & ~(1 << coarse));
}

@inline
function blockBytes(bytes: usize): usize {
  const whole = (bytes + TAG_BYTES + 15) & ~15;
  return whole < BLOCK_MIN ? BLOCK_MIN : whole;
}

/**
 * A free block of at least `bytes` in all, 0 when there is none. Looks only into classes that fit
 * surely.
 */
function find(bytes: usize): usize {
  let coarse = coarseOf(bytes);
  const rounded = bytes + (<usize>1 << (coarse - FINE_BITS)) - 1;
  coarse = coarseOf(rounded);
  const fine = fineOf(rounded, coarse);
  let set: u32 = load<u8>(FINE_SETS_AT + coarse) & (0xff << fine);
  if (set == 0) {
    const coarser = coarse >= 31 ? 0 : load<u32>(POOL_AT) & (~(<u32>0) << (coarse + 1));
    if (coarser == 0) return 0;
    coarse = ctz(coarser);
    set = load<u8>(FINE_SETS_AT + coarse);
  }
  return load<u32>(headAt(coarse, ctz(set)));
}

/** Makes [at, end) one free block, closed by an empty one that is never free. */
export function poolOpen(at: usize, end: usize): void {
  const bytes = (end - at - TAG_BYTES) & ~15;
  const last = at + bytes;
  setSize(at, bytes, 1);
  setBefore(at, 0);
  setSize(last, 0, 0);
  setBefore(last, at);
  link(at);
  control().poolBytes = <u32>bytes;
}

/** True when `poolAllocate(bytes)` would succeed. */
export function poolFits(bytes: usize): bool {
  return bytes < (1 << 30) && find(blockBytes(bytes)) != 0;
}

/** True when there surely is a free piece of 16 MiB; without looking for one. */
@inline
export function poolIsWide(): bool { return load<u32>(POOL_AT) >> 24 != 0; }

/** Content of at least `bytes`, not cleared; 0 when there is no room. */
export function poolAllocate(bytes: usize): usize {
  if (bytes >= 1 << 30) return 0;
  const wanted = blockBytes(bytes);
  const block = find(wanted);
  if (block == 0) return 0;
  unlink(block);
  let size = sizeOf(block);
  if (size - wanted >= BLOCK_MIN) {
    const rest = block + wanted;
    setSize(rest, size - wanted, 1);
    setBefore(rest, block);
    setBefore(block + size, rest);
    link(rest);
    size = wanted;
  }
  setSize(block, size, 0);
  control().poolUsed += <u32>size;
  return block + TAG_BYTES;
}

export function poolFree(content: usize): void {
  let block = content - TAG_BYTES;
  let size = sizeOf(block);
  // The debug build leaves nothing to read there: an address kept too long shows at once.
  if (!ASC_NO_ASSERT) memory.fill(content, 0xdb, size - TAG_BYTES);
  control().poolUsed -= <u32>size;
  const after = block + size;
  if (isFree(after)) {
    unlink(after);
    size += sizeOf(after);
  }
  const previous = before(block);
  if (previous != 0 && isFree(previous)) {
    unlink(previous);
    size += sizeOf(previous);
    block = previous;
  }
  setSize(block, size, 1);
  setBefore(block + size, block);
  link(block);
}

/** Bytes that the content may use. */
@inline
export function poolRoom(content: usize): usize {
  return sizeOf(content - TAG_BYTES) - TAG_BYTES;
}

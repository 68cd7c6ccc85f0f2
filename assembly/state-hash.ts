/**
 * The hash of the state: the sum of the hashes of header, texts and device blocks, mod 2^64. In:
 * the memory. Out: `Control.stateHash`. A sum has no order, so that a device can be taken out and
 * put in again: an export keeps the hash of every block and hashes only those that it copies.
 */
import { DURABLE_AT, DURABLE_BYTES, HASH_BYTES, control, slotAt } from './memory';
import { hashTexts } from './judge/dictionary-state';

const SEED: u64 = 0x9e3779b97f4a7c15;
const FACTOR: u64 = 0xff51afd7ed558ccd;

@inline
function mixed(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * FACTOR;
  return hash ^ (hash >> 29);
}

/** Of words of 8 bytes; `bytes` is a multiple of 8. Every step is a bijection of the word. */
export function hashWords(at: usize, bytes: u32): u64 {
  let hash = SEED ^ <u64>bytes;
  for (const end = at + bytes; at < end; at += 8) hash = mixed(hash, load<u64>(at));
  return mixed(hash ^ (hash >> 32), SEED);
}

@inline
function hashBlock(slot: u32): u64 {
  const block = slotAt(slot).block;
  return hashWords(block, load<u32>(block));
}

/** Of everything as it is now. */
export function hashState(): void {
  const c = control();
  let sum = hashWords(DURABLE_AT, <u32>DURABLE_BYTES) + hashTexts();
  for (let slot: u32 = 0; slot < c.deviceCount; slot++) sum += hashBlock(slot);
  c.stateHash = sum;
}

/** The same of what was imported, keeping the hashes of the blocks. */
export function hashImported(): void {
  const c = control();
  c.devicesHash = 0;
  memory.fill(c.hashes, 0, <usize>c.slotsMax * HASH_BYTES);
  for (let slot: u32 = 0; slot < c.deviceCount; slot++) keepHash(slot);
  c.stateHash = hashWords(DURABLE_AT, <u32>DURABLE_BYTES) + hashTexts() + c.devicesHash;
}

/** The block as it is now takes the place of what it was in the sum; true when that is the same. */
export function keepHash(slot: u32): bool {
  const c = control();
  const at = c.hashes + <usize>slot * HASH_BYTES;
  const before = load<u64>(at);
  const now = hashBlock(slot);
  store<u64>(at, now);
  c.devicesHash += now - before;
  return now == before;
}

/**
 * The dictionary out of and into the memory, and its part of the state's hash. It only ever grows:
 * an export of what changed carries the texts behind those of the last acknowledged one.
 *
 *   piece ┌ TEXTS_SLOT u32 ┬ id of the first − 1 u32 ┬ count u32 ┬ bytes u32 ┬ texts … zeros ┐
 *   text  ┌ bytes u16 ┬ UTF-8 ┐
 */
import { control, durable } from '../memory';
import { TEXT_BYTES_MAX } from '../shared/abi';
import { RESULT_DONE, RESULT_MEMORY_FULL, RESULT_STATE_BAD } from '../shared/control';
import { enterText, findText, textAt } from './dictionary';

/** In the place of a slot; no device has it. */
export const TEXTS_SLOT: u32 = 0xfffffffe;
const PIECE_BYTES: usize = 16;
const LENGTH_BYTES: usize = 2;
/** Of the longest, half a millisecond. */
const HASHED_AT_ONCE: u32 = 1024;

export function captureTexts(all: u32): void {
  const c = control();
  if (c.textsCaptured != c.textCount || c.textsHashed == 0) {
    c.textsHash = SEED ^ <u64>c.textCount;
    c.textsHashed = 0;
  }
  c.textsCaptured = c.textCount;
  c.exportText = all != 0 ? 0 : c.textsSaved;
}

export function releaseTexts(acknowledged: u32): void {
  const c = control();
  if (acknowledged != 0) c.textsSaved = c.textsCaptured;
}

/** Writes a piece at `at` with as many texts as fit before `end`; where it ends, `at` if none. */
export function exportTexts(at: usize, end: usize): usize {
  const c = control();
  let out = at + PIECE_BYTES;
  const first = c.exportText;
  while (c.exportText < c.textsCaptured) {
    const text = textAt(c.exportText + 1);
    const bytes = LENGTH_BYTES + <usize>load<u16>(text);
    if (out + bytes + 8 > end) break;
    memory.copy(out, text, bytes);
    out += bytes;
    c.exportText++;
  }
  if (c.exportText == first) return at;
  while ((out & 7) != 0) store<u8>(out++, 0);
  store<u32>(at, TEXTS_SLOT);
  store<u32>(at, first, 4);
  store<u32>(at, c.exportText - first, 8);
  store<u32>(at, <u32>(out - at - PIECE_BYTES), 12);
  return out;
}

/** Everything captured is in a piece. */
export function textsExported(): bool {
  return control().exportText >= control().textsCaptured;
}

/** Enters the texts of a piece whose bytes are all there; those known already are passed over. */
export function importTexts(at: usize): i32 {
  const first = load<u32>(at, 4);
  const count = load<u32>(at, 8);
  const end = at + PIECE_BYTES + load<u32>(at, 12);
  // Of an older checkpoint than any with what comes before: a later one has them too, or the
  // texts are too few in the end.
  if (first > control().textCount) return RESULT_DONE;
  let place = at + PIECE_BYTES;
  for (let i: u32 = 0; i < count; i++) {
    if (place + LENGTH_BYTES > end) return RESULT_STATE_BAD;
    const bytes = <u32>load<u16>(place);
    place += LENGTH_BYTES;
    if (bytes > <u32>TEXT_BYTES_MAX || place + bytes > end) return RESULT_STATE_BAD;
    if (first + i >= control().textCount) {
      if (findText(place, bytes) != 0) return RESULT_STATE_BAD;
      if (!enterText(place, bytes)) return RESULT_MEMORY_FULL;
    }
    place += bytes;
  }
  return RESULT_DONE;
}

/** The texts are those that the header counts. */
export function textsComplete(): bool {
  return durable().textCount == <u64>control().textCount;
}

/** After an import: what was imported is saved. */
export function textsSaved(): void {
  control().textsSaved = control().textCount;
}

const SEED: u64 = 0xd6e8feb86659fd93;
const FACTOR: u64 = 0xff51afd7ed558ccd;

@inline
function mixed(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * FACTOR;
  return hash ^ (hash >> 29);
}

export function hashTexts(): u64 {
  const count = control().textCount;
  let hash = SEED ^ <u64>count;
  for (let id: u32 = 1; id <= count; id++) hash = hashText(hash, id);
  return hash;
}

function hashText(before: u64, id: u32): u64 {
  let hash = before;
  let at = textAt(id);
  const end = at + LENGTH_BYTES + <usize>load<u16>(at);
  for (; at + 8 <= end; at += 8) hash = mixed(hash, load<u64>(at));
  let word: u64 = 0;
  for (let shift: u64 = 0; at < end; at++, shift += 8) word |= <u64>load<u8>(at) << shift;
  return mixed(hash, word);
}

/** Hashes some more of the texts of an export; true when `textsHash` is that of all of them. */
export function hashSomeTexts(): bool {
  const c = control();
  const last = min(c.textsCaptured, c.textsHashed + HASHED_AT_ONCE);
  while (c.textsHashed < last) c.textsHash = hashText(c.textsHash, ++c.textsHashed);
  return c.textsHashed == c.textsCaptured;
}

/**
 * The partition's texts: every stored text once, numbered from 1 in the order in which they were
 * first stored; 0 is no text. In: UTF-8 bytes. Out: ids, which rows and latest values hold, and
 * texts by id. State is the list alone; the table and its hash index are built anew.
 *
 *   table ┌ address u32 × capacity ┬ hash u32, id u32 (0 = free) × 2 · capacity ┐
 *   text  ┌ bytes u16 ┬ UTF-8 ┐   in pages of the pool, where it stays: never moved, never freed
 *
 * The hash begins with a secret of the memory (identity.ts), so that chosen texts do not collide.
 */
import { KIND_TEXT } from '../shared/abi';
import { DECODED_AT, INDEX_KEY_AT, control, durable } from '../memory';
import { decodedAt, readingAt } from '../decoded';
import { planTextsMax } from '../plan';
import { poolAllocate, poolFree } from '../pool';
import { OK } from '../shared/status';
import { equalBytes } from '../text';

const PAGE_BYTES: usize = 8192;
const LENGTH_BYTES: usize = 2;
const CAPACITY_FIRST: u32 = 64;
/** Of the table per text: its address and two places of the index. */
const PLACE_BYTES: usize = 20;
const MIX: u64 = 0x9e3779b97f4a7c15;

@inline
function slotsAt(): usize {
  const c = control();
  return c.texts + (<usize>c.textCapacity << 2);
}

/** Address of the text's length (u16), its bytes behind it. */
@inline
export function textAt(id: u32): usize {
  return load<u32>(control().texts + (<usize>(id - 1) << 2));
}
@inline
export function textBytes(id: u32): u32 { return load<u16>(textAt(id)); }

@inline
function mixed(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * MIX;
  return hash ^ (hash >> 29);
}

function hashText(at: usize, bytes: u32): u32 {
  let hash = mixed(control().textSeed, bytes);
  const end = at + bytes;
  for (; at + 8 <= end; at += 8) hash = mixed(hash, load<u64>(at));
  let word: u64 = 0;
  for (let shift: u64 = 0; at < end; at++, shift += 8) word |= <u64>load<u8>(at) << shift;
  return <u32>(mixed(hash, word) >> 16);
}

/** 0 when it is not in the dictionary. */
export function findText(at: usize, bytes: u32): u32 {
  const c = control();
  if (c.textCount == 0) return 0;
  const mask = 2 * c.textCapacity - 1;
  const slots = slotsAt();
  const hash = hashText(at, bytes);
  let place = hash & mask;
  let id = load<u32>(slots + (<usize>place << 3), 4);
  while (id != 0) {
    if (load<u32>(slots + (<usize>place << 3)) == hash) {
      const text = textAt(id);
      if (load<u16>(text) == bytes && equalBytes(text + LENGTH_BYTES, at, bytes)) return id;
    }
    place = (place + 1) & mask;
    id = load<u32>(slots + (<usize>place << 3), 4);
  }
  return 0;
}

function putSlot(hash: u32, id: u32): void {
  const mask = 2 * control().textCapacity - 1;
  const slots = slotsAt();
  let place = hash & mask;
  while (load<u32>(slots + (<usize>place << 3), 4) != 0) place = (place + 1) & mask;
  store<u32>(slots + (<usize>place << 3), hash);
  store<u32>(slots + (<usize>place << 3), id, 4);
}

/** Makes the table large enough for `texts` more; false when the pool has no room for it. */
function growTable(texts: u32): bool {
  const c = control();
  const wanted = c.textCount + texts;
  if (wanted <= c.textCapacity) return true;
  let capacity = max(c.textCapacity, CAPACITY_FIRST);
  while (capacity < wanted) capacity <<= 1;
  const table = poolAllocate(<usize>capacity * PLACE_BYTES);
  if (table == 0) return false;
  const old = c.texts;
  memory.fill(table, 0, <usize>capacity * PLACE_BYTES);
  memory.copy(table, old, <usize>c.textCount << 2);
  c.texts = table;
  c.textCapacity = capacity;
  if (old == 0) c.textSeed = load<u64>(INDEX_KEY_AT);
  for (let id: u32 = 1; id <= c.textCount; id++) {
    const text = textAt(id);
    putSlot(hashText(text + LENGTH_BYTES, load<u16>(text)), id);
  }
  if (old != 0) poolFree(old);
  return true;
}

/**
 * Bytes of pages that the texts of the decoded record may need, after the table was made large
 * enough for them; −1 when it cannot be.
 */
export function textGrowth(): isize {
  const count = decodedAt(DECODED_AT).readingCount;
  const c = control();
  const most = planTextsMax(c.plan);
  let texts: u32 = 0;
  let bytes: usize = 0;
  for (let i: u32 = 0; i < count; i++) {
    const reading = readingAt(DECODED_AT, i);
    if (reading.kind != KIND_TEXT || reading.status != OK) continue;
    const length = <u32>(reading.bits >> 32);
    if (findText(<usize><u32>reading.bits, length) != 0) continue;
    texts++;
    bytes += LENGTH_BYTES + length;
  }
  if (texts == 0) return 0;
  texts = c.textCount >= most ? 0 : min(texts, most - c.textCount);
  if (!growTable(texts)) return -1;
  if (bytes <= c.textPageEnd - c.textPageAt) return 0;
  // A page is left when the next text does not fit: at most that text's bytes are wasted.
  return <isize>((bytes / (PAGE_BYTES - 260) + 1) * (PAGE_BYTES + 64));
}

/** Id of the text, entered when it is new; 0 when it is new and the dictionary is full. */
export function keepText(at: usize, bytes: u32): u32 {
  const found = findText(at, bytes);
  if (found != 0) return found;
  if (control().textCount >= planTextsMax(control().plan)) return 0;
  const entered = enterText(at, bytes);
  assert(entered, 'room for the texts of a record was checked before');
  return control().textCount;
}

/** A new last text; false when the pool has no room. */
export function enterText(at: usize, bytes: u32): bool {
  const c = control();
  const size = LENGTH_BYTES + bytes;
  if (!growTable(1)) return false;
  if (c.textPageEnd - c.textPageAt < size) {
    const page = poolAllocate(PAGE_BYTES);
    if (page == 0) return false;
    c.textPageAt = page;
    c.textPageEnd = page + PAGE_BYTES;
  }
  const text = c.textPageAt;
  store<u16>(text, <u16>bytes);
  memory.copy(text + LENGTH_BYTES, at, bytes);
  c.textPageAt += size;
  const id = ++c.textCount;
  durable().textCount = id;
  store<u32>(c.texts + (<usize>(id - 1) << 2), <u32>text);
  putSlot(hashText(at, bytes), id);
  return true;
}

/** A text's address, and its length in the upper half: how rows tell a text to the host. */
export function textPlace(id: u32): u64 {
  return (<u64>textBytes(id) << 32) | <u64>(textAt(id) + LENGTH_BYTES);
}

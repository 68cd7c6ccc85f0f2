/**
 * State out of and into the memory, and its hash. State is `Durable`, the device blocks by slot,
 * and the texts (judge/dictionary-state.ts), which come first.
 *
 *   chunk  ┌ magic u32 ┬ bytes u32 ┬ semantics u32 ┬ pieces u32 ┬ pieces … ┐
 *   piece  ┌ slot u32 ┬ block bytes u32 ┬ offset u32 ┬ bytes u32 ┬ part of a block or Durable ┐
 *
 * A chunk has at most EXPORT_CHUNK_BYTES; a larger block is split over several. The last chunk of
 * an export ends with the header piece. Marks: a device that changed is marked, an export captures
 * the marks, and they are gone only when the export was acknowledged.
 */
import { INTERVAL_BYTES } from './boot';
import { Device, channelsOf, deviceOf, indexDevice } from './device';
import {
  DURABLE_AT, DURABLE_BYTES, EXPORT_AT, INDEX_BYTES, MARK_CAPTURED, MARK_CHANGED, MARK_FLUSH,
  MARK_COUNT, control, durable, nextMarked, setMark, slotAt,
} from './memory';
import { poolAllocate, poolFree, poolRoom } from './pool';
import { SECTION_BYTES, Section, WINDOW_STATE_BYTES } from './series';
import { CHANNELS_MAX, SEMANTICS_VERSION } from './shared/abi';
import {
  EXPORT_CHUNK_BYTES, RESULT_DONE, RESULT_MEMORY_FULL, RESULT_STATE_BAD,
} from './shared/control';
import {
  TEXTS_SLOT, captureTexts, exportTexts, hashTexts, importTexts, releaseTexts, textsComplete,
  textsExported, textsSaved,
} from './judge/dictionary-state';
import { markQuality } from './judge/quality';
import { rebuildTimers } from './timer';
import { sectionSpare } from './window/conform';

/** "MRS" and the layout version. */
const MAGIC: u32 = 0x0153524d;
const HEAD_BYTES: usize = 16;
const PIECE_BYTES: usize = 16;
/** A place of the ring of ids takes no less (device.ts): bounds what is not proven yet. */
const RING_PLACE_BYTES_LEAST: u64 = 21;
/** Slot of the piece that holds `Durable`. */
const HEADER_SLOT: u32 = 0xffffffff;

// --- export -----------------------------------------------------------------------------------
/** Captures the marks; 1 = all devices are exported, not only the marked ones. */
export function exportBegin(all: u32): void {
  const c = control();
  const bytes = c.markBytes;
  const changed = c.marks + <usize>(MARK_CHANGED * bytes);
  const captured = c.marks + <usize>(MARK_CAPTURED * bytes);
  for (let at: usize = 0; at < bytes; at += 8) {
    store<u64>(captured + at, load<u64>(captured + at) | load<u64>(changed + at));
    store<u64>(changed + at, 0);
  }
  captureTexts(all);
  c.exportAll = all;
  c.exportSlot = 0;
  c.exportOffset = 0;
  c.exportDone = 0;
}

/** Writes the next chunk at EXPORT_AT; its bytes, 0 behind the last. */
export function exportNext(): u32 {
  const c = control();
  if (c.exportDone != 0) return 0;
  const end = EXPORT_AT + EXPORT_CHUNK_BYTES;
  let at = EXPORT_AT + HEAD_BYTES;
  let pieces: u32 = 0;
  const behind = exportTexts(at, end);
  if (behind != at) pieces++;
  at = behind;
  for (;;) {
    const slot = c.exportAll != 0 ? c.exportSlot : nextMarked(MARK_CAPTURED, c.exportSlot);
    const isHeader = slot >= c.deviceCount;
    const source = isHeader ? DURABLE_AT : slotAt(slot).block;
    const total: u32 = isHeader ? <u32>DURABLE_BYTES : deviceOf(slot).bytes;
    if (slot != c.exportSlot) c.exportOffset = 0;
    c.exportSlot = slot;
    if (end - at < PIECE_BYTES + 8 || !textsExported()) break;
    const room = <u32>(end - at - PIECE_BYTES) & ~7;
    const bytes = min(total - c.exportOffset, room);
    // The header stays whole, and a block is not split for the sake of a few bytes.
    if (bytes < total - c.exportOffset && (isHeader || room < 4096)) break;
    store<u32>(at, isHeader ? HEADER_SLOT : slot);
    store<u32>(at, total, 4);
    store<u32>(at, c.exportOffset, 8);
    store<u32>(at, bytes, 12);
    memory.copy(at + PIECE_BYTES, source + c.exportOffset, bytes);
    at += PIECE_BYTES + bytes;
    pieces++;
    if (isHeader) {
      c.exportDone = 1;
      break;
    }
    c.exportOffset += bytes;
    if (c.exportOffset < total) break;
    c.exportOffset = 0;
    c.exportSlot = slot + 1;
  }
  const size = <u32>(at - EXPORT_AT);
  store<u32>(EXPORT_AT, MAGIC);
  store<u32>(EXPORT_AT, size, 4);
  store<u32>(EXPORT_AT, SEMANTICS_VERSION, 8);
  store<u32>(EXPORT_AT, pieces, 12);
  return size;
}

export function exportEnd(acknowledged: u32): void {
  const c = control();
  releaseTexts(acknowledged);
  const bytes = c.markBytes;
  const changed = c.marks + <usize>(MARK_CHANGED * bytes);
  const captured = c.marks + <usize>(MARK_CAPTURED * bytes);
  for (let at: usize = 0; at < bytes; at += 8) {
    const back: u64 = acknowledged != 0 ? 0 : load<u64>(captured + at);
    store<u64>(changed + at, load<u64>(changed + at) | back);
    store<u64>(captured + at, 0);
  }
}

// --- import -----------------------------------------------------------------------------------
/** Applies the chunk of `bytes` at EXPORT_AT. Later chunks win. */
export function importChunk(bytes: u32): i32 {
  if (bytes < <u32>HEAD_BYTES || load<u32>(EXPORT_AT) != MAGIC) return RESULT_STATE_BAD;
  if (load<u32>(EXPORT_AT, 4) != bytes) return RESULT_STATE_BAD;
  if (load<u32>(EXPORT_AT, 8) != SEMANTICS_VERSION) return RESULT_STATE_BAD;
  const end = EXPORT_AT + bytes;
  let at = EXPORT_AT + HEAD_BYTES;
  while (at < end) {
    if (end - at < PIECE_BYTES) return RESULT_STATE_BAD;
    const length = load<u32>(at, 12);
    if (length > <u32>(end - at - PIECE_BYTES)) return RESULT_STATE_BAD;
    const result = importPiece(at, length);
    if (result != RESULT_DONE) return result;
    at += PIECE_BYTES + length;
  }
  return RESULT_DONE;
}

function importPiece(at: usize, length: u32): i32 {
  const c = control();
  const slot = load<u32>(at);
  const total = load<u32>(at, 4);
  const offset = load<u32>(at, 8);
  if (slot == TEXTS_SLOT) return importTexts(at);
  if (offset > total || length > total - offset) return RESULT_STATE_BAD;
  if (slot == HEADER_SLOT) {
    if (total != <u32>DURABLE_BYTES || length != total) return RESULT_STATE_BAD;
    memory.copy(DURABLE_AT, at + PIECE_BYTES, total);
    c.importSeen = 1;
    return RESULT_DONE;
  }
  if (total < <u32>offsetof<Device>()) return RESULT_STATE_BAD;
  if (slot >= c.slotsMax) return RESULT_MEMORY_FULL;
  const entry = slotAt(slot);
  if (offset == 0) {
    if (entry.block != 0) poolFree(entry.block);
    const spare = length == total ? spareOf(at + PIECE_BYTES, total) : 0;
    entry.block = poolAllocate(<usize>total + spare);
    if (entry.block == 0) entry.block = poolAllocate(total);
    if (entry.block == 0) return RESULT_MEMORY_FULL;
    memory.fill(entry.block, 0, total);
  }
  if (entry.block == 0) return RESULT_STATE_BAD;
  memory.copy(entry.block + offset, at + PIECE_BYTES, length);
  return RESULT_DONE;
}

/** Room that a block usually has beyond its bytes. They are not proven yet: 0 where they lie. */
function spareOf(block: usize, bytes: u32): usize {
  const device = changetype<Device>(block);
  const end = block + bytes;
  const channels = <u32>device.channelCount;
  if (channels > <u32>CHANNELS_MAX || device.bytes != bytes) return 0;
  if (<u64>device.partsBytes + <u64>device.ringCapacity * RING_PLACE_BYTES_LEAST > bytes) return 0;
  let spare: usize = channels > 0 ? INTERVAL_BYTES : 0;
  let at = channelsOf(device);
  for (let i: u32 = 0; i < channels; i++) {
    if (at > end || end - at < SECTION_BYTES) return 0;
    const section = changetype<Section>(at);
    if (section.bytes > <u32>(end - at)) return 0;
    const least = SECTION_BYTES + <usize>section.windowCount * WINDOW_STATE_BYTES;
    if (section.bytes < <u32>least) return 0;
    spare += sectionSpare(at);
    at += section.bytes;
  }
  // A block with little in it is not expected to become a great one.
  return spare <= <usize>bytes << 3 ? spare : 0;
}

/** All devices of the header are there, each inside its block: the hash can be taken now. */
export function importCheck(): i32 {
  const c = control();
  const count = durable().deviceCount;
  if (c.importSeen == 0 || count > c.slotsMax || !textsComplete()) return RESULT_STATE_BAD;
  for (let slot: u32 = 0; slot < <u32>count; slot++) {
    const block = slotAt(slot).block;
    if (block == 0) return RESULT_STATE_BAD;
    const device = deviceOf(slot);
    if (device.slot != slot || device.bytes > <u32>poolRoom(block)) return RESULT_STATE_BAD;
  }
  c.deviceCount = <u32>count;
  return RESULT_DONE;
}

/** Rebuilds index, marks and timers from the imported blocks, whose hash was right. */
export function importEnd(): void {
  const c = control();
  memory.fill(c.index, 0, (<usize>c.indexMask + 1) * INDEX_BYTES);
  memory.fill(c.marks, 0, <usize>MARK_COUNT * c.markBytes);
  textsSaved();
  for (let slot: u32 = 0; slot < c.deviceCount; slot++) {
    const device = deviceOf(slot);
    indexDevice(slot);
    markQuality(slot);
    if (device.flags != 0 || device.dirty > 0) setMark(MARK_FLUSH, slot);
  }
  c.position = durable().position;
  c.logClock = durable().logClock;
  rebuildTimers();
}

// --- hash -------------------------------------------------------------------------------------
const SEED: u64 = 0x9e3779b97f4a7c15;
const FACTOR: u64 = 0xff51afd7ed558ccd;

@inline
function mixed(hash: u64, word: u64): u64 {
  hash = (hash ^ word) * FACTOR;
  return hash ^ (hash >> 29);
}

/** Of words of 8 bytes; `bytes` is a multiple of 8. Every step is a bijection of the word. */
function hashWords(at: usize, bytes: u32): u64 {
  let hash = SEED ^ <u64>bytes;
  for (const end = at + bytes; at < end; at += 8) hash = mixed(hash, load<u64>(at));
  return mixed(hash ^ (hash >> 32), SEED);
}

/** Sum of the hashes of header, texts and devices: a device could be taken out and put in again. */
export function hashState(): void {
  const c = control();
  let sum = hashWords(DURABLE_AT, <u32>DURABLE_BYTES) + hashTexts();
  for (let slot: u32 = 0; slot < c.deviceCount; slot++) {
    sum += hashWords(slotAt(slot).block, deviceOf(slot).bytes);
  }
  c.stateHash = sum;
}

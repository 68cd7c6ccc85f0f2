/**
 * State out of the memory, as it was when the export began. State is `Durable`, the device blocks
 * by slot, and the texts (judge/dictionary-state.ts). Out: chunks, and the hash of what they hold.
 *
 *   chunk  ┌ magic u32 ┬ bytes u32 ┬ semantics u32 ┬ pieces u32 ┬ pieces … ┐
 *   piece  ┌ slot u32 ┬ block bytes u32 ┬ offset u32 ┬ bytes u32 ┬ part of a block or Durable ┐
 *
 * A chunk has at most EXPORT_CHUNK_BYTES; a larger block is split over several. The last chunk
 * ends with the header piece; pieces of devices have no order. An export begins by marking what it
 * has to copy, which takes no time; it copies between turns, as much at once as the host asks for,
 * and what a turn is about to change before that (`released`). No copy waits outside the chunks:
 * when they are full, or too small for the block, the turn stops in front of it.
 *
 * Marks: a device that changed is marked, an export captures the marks, and they are gone only when
 * the export was acknowledged. The slice of those that did not change is not captured.
 */
import { deviceOf } from './device';
import {
  CAPTURED_AT, DURABLE_AT, DURABLE_BYTES, EXPORT_AT, MARK_CAPTURED, MARK_CHANGED, MARK_WAITING,
  clearMark, control, isMarked, nextMarked, slotAt,
} from './memory';
import { SEMANTICS_VERSION } from './shared/abi';
import { EXPORT_CHUNKS_MAX, EXPORT_CHUNK_BYTES } from './shared/control';
import {
  captureTexts, exportTexts, hashSomeTexts, releaseTexts, textsExported,
} from './judge/dictionary-state';
import { hashWords, keepHash } from './state-hash';

/** "MRS" and the layout version. */
export const MAGIC: u32 = 0x0153524d;
export const HEAD_BYTES: usize = 16;
export const PIECE_BYTES: usize = 16;
/** Slot of the piece that holds `Durable`. */
export const HEADER_SLOT: u32 = 0xffffffff;
const CHUNKS_MAX: u32 = EXPORT_CHUNKS_MAX;
/** A block is not split for the sake of fewer bytes. */
const SPLIT_LEAST: u32 = 4096;

/**
 * Marks what to copy: what changed, or all, or what changed and of every `slices` words of 64 slots
 * the one at `slice`. The texts of slice 0 are all texts.
 */
export function beginExport(all: u32, slice: u32, slices: u32): void {
  const c = control();
  const bytes = c.markBytes;
  const changed = c.marks + <usize>(MARK_CHANGED * bytes);
  const captured = c.marks + <usize>(MARK_CAPTURED * bytes);
  const waiting = c.marks + <usize>(MARK_WAITING * bytes);
  const words = (c.deviceCount + 63) >> 6;
  for (let word: u32 = 0; word < words; word++) {
    const at = <usize>word << 3;
    const marks = load<u64>(captured + at) | load<u64>(changed + at);
    const whole = all != 0 || (slices != 0 && word % slices == slice);
    store<u64>(captured + at, marks);
    store<u64>(changed + at, 0);
    store<u64>(waiting + at, whole ? <u64>(-1) : marks);
  }
  // Of the last word only the slots that there are: the next device is not of this state.
  const rest = c.deviceCount & 63;
  if (rest != 0) {
    const last = waiting + (<usize>(words - 1) << 3);
    store<u64>(last, load<u64>(last) & ((<u64>1 << rest) - 1));
  }
  memory.copy(CAPTURED_AT, DURABLE_AT, DURABLE_BYTES);
  captureTexts(all != 0 || (slices != 0 && slice == 0) ? 1 : 0);
  c.exportSlot = 0;
  c.exportOffset = 0;
  c.exportWanted = 0;
  c.exportReady = 0;
  c.exportOpen = 1;
  openChunk();
}

/** Gives the marks back when the export came to nothing, also in the middle of it. */
export function endExport(acknowledged: u32): void {
  const c = control();
  releaseTexts(acknowledged);
  const bytes = c.markBytes;
  const changed = c.marks + <usize>(MARK_CHANGED * bytes);
  const captured = c.marks + <usize>(MARK_CAPTURED * bytes);
  const words = (c.deviceCount + 63) >> 6;
  for (let at: usize = 0; at < <usize>words << 3; at += 8) {
    const back: u64 = acknowledged != 0 ? 0 : load<u64>(captured + at);
    store<u64>(changed + at, load<u64>(changed + at) | back);
    store<u64>(captured + at, 0);
  }
  c.exportOpen = 0;
  c.exportWanted = 0;
  c.exportReady = 0;
}

// --- what a turn asks -------------------------------------------------------------------------
/**
 * Before anything of a device changes: true when no export needs its block as it is, be it because
 * it was copied now. False: the turn stops here, and comes here again after the host has filled.
 */
@inline
export function released(slot: u32): bool {
  return control().exportOpen == 0 || !isMarked(MARK_WAITING, slot) || release(slot);
}

function release(slot: u32): bool {
  const c = control();
  if (c.exportOffset == 0 && c.exportReady < CHUNKS_MAX) {
    const bytes = deviceOf(slot).bytes;
    if (bytes + <u32>PIECE_BYTES > chunkRoom()) closeChunk();
    if (c.exportReady < CHUNKS_MAX && bytes + <u32>PIECE_BYTES <= chunkRoom()) {
      putBlock(slot);
      return true;
    }
  }
  c.exportWanted = slot + 1;
  return false;
}

// --- chunks -----------------------------------------------------------------------------------
@inline
function chunkAt(): usize {
  return EXPORT_AT + <usize>control().exportReady * EXPORT_CHUNK_BYTES;
}
@inline
function chunkRoom(): u32 {
  return <u32>(chunkAt() + EXPORT_CHUNK_BYTES - control().exportAt);
}

function openChunk(): void {
  const c = control();
  c.exportAt = chunkAt() + HEAD_BYTES;
  c.exportPieces = 0;
}

/** What is in it may be taken. */
function closeChunk(): void {
  const c = control();
  const at = chunkAt();
  if (c.exportPieces == 0) return;
  store<u32>(at, MAGIC);
  store<u32>(at, <u32>(c.exportAt - at), 4);
  store<u32>(at, SEMANTICS_VERSION, 8);
  store<u32>(at, c.exportPieces, 12);
  c.exportReady++;
  openChunk();
}

/** The chunks that were ready are taken: the one being filled takes the first place. */
export function takeExport(): void {
  const c = control();
  if (c.exportReady == 0) return;
  const at = chunkAt();
  const bytes = c.exportReady < CHUNKS_MAX ? c.exportAt - at : HEAD_BYTES;
  c.exportReady = 0;
  memory.copy(EXPORT_AT, at, bytes);
  c.exportAt = EXPORT_AT + bytes;
}

function putPiece(slot: u32, source: usize, total: u32, offset: u32, bytes: u32): void {
  const c = control();
  const at = c.exportAt;
  store<u32>(at, slot);
  store<u32>(at, total, 4);
  store<u32>(at, offset, 8);
  store<u32>(at, bytes, 12);
  memory.copy(at + PIECE_BYTES, source + offset, bytes);
  c.exportAt = at + PIECE_BYTES + bytes;
  c.exportPieces++;
}

/** What is left of the block, or as much as the chunk holds; room was checked. */
function putBlock(slot: u32): void {
  const c = control();
  const block = slotAt(slot).block;
  const total = load<u32>(block);
  const offset = c.exportOffset;
  const bytes = min(total - offset, (chunkRoom() - <u32>PIECE_BYTES) & ~7);
  putPiece(slot, block, total, offset, bytes);
  c.exportSplit = slot;
  c.exportOffset = offset + bytes;
  if (c.exportOffset < total) return;
  c.exportOffset = 0;
  clearMark(MARK_WAITING, slot);
  if (c.exportWanted == slot + 1) c.exportWanted = 0;
  const same = keepHash(slot);
  assert(same || isMarked(MARK_CAPTURED, slot), 'a block changed that is not marked');
}

/**
 * Copies about `bytes`, at least the block that a turn waits for; 1 when everything is in chunks
 * and `stateHash` is the hash of it. Stops when the chunks are full.
 */
export function fillExport(bytes: u32): u32 {
  const c = control();
  let left = <i32>bytes;
  while (c.exportOpen != 0 && (left > 0 || c.exportWanted != 0)) {
    if (c.exportReady >= CHUNKS_MAX) return 0;
    const room = chunkRoom();
    const slot = nextToCopy();
    if (c.exportWanted == 0 && !textsExported()) {
      const at = c.exportAt;
      c.exportAt = exportTexts(at, chunkAt() + EXPORT_CHUNK_BYTES);
      if (c.exportAt == at) closeChunk();
      else c.exportPieces++;
    } else if (slot < c.deviceCount) {
      const rest = deviceOf(slot).bytes - c.exportOffset + <u32>PIECE_BYTES;
      if (rest > room && room < SPLIT_LEAST + <u32>PIECE_BYTES) closeChunk();
      else putBlock(slot);
    } else if (!hashSomeTexts()) {
      left -= EXPORT_CHUNK_BYTES;
    } else if (room < <u32>(PIECE_BYTES + DURABLE_BYTES)) {
      closeChunk();
    } else {
      putPiece(HEADER_SLOT, CAPTURED_AT, <u32>DURABLE_BYTES, 0, <u32>DURABLE_BYTES);
      c.stateHash = hashWords(CAPTURED_AT, <u32>DURABLE_BYTES) + c.textsHash + c.devicesHash;
      c.exportOpen = 0;
      closeChunk();
      return 1;
    }
    left -= <i32>max(room - min(chunkRoom(), room), 64);
  }
  return c.exportOpen == 0 ? 1 : 0;
}

/** A split block first, then the one that a turn waits for, then the others by slot. */
function nextToCopy(): u32 {
  const c = control();
  if (c.exportOffset != 0) return c.exportSplit;
  if (c.exportWanted != 0) return c.exportWanted - 1;
  c.exportSlot = nextMarked(MARK_WAITING, c.exportSlot);
  return c.exportSlot;
}

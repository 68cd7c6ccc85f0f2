/**
 * State into a fresh memory, chunk by chunk (their layout: capture.ts). Nothing is believed before
 * the hash was right; index, marks and timers are built only then.
 */
import { INTERVAL_BYTES } from './boot';
import { HEADER_SLOT, HEAD_BYTES, MAGIC, PIECE_BYTES } from './capture';
import { Device, channelsOf, deviceOf, indexDevice } from './device';
import {
  DURABLE_AT, DURABLE_BYTES, EXPORT_AT, INDEX_BYTES, MARK_COUNT, MARK_FLUSH, control, durable,
  setMark, slotAt,
} from './memory';
import { poolAllocate, poolFree, poolRoom } from './pool';
import { SECTION_BYTES, Section, WINDOW_STATE_BYTES } from './series';
import { CHANNELS_MAX, SEMANTICS_VERSION } from './shared/abi';
import { RESULT_DONE, RESULT_MEMORY_FULL, RESULT_STATE_BAD } from './shared/control';
import { TEXTS_SLOT, importTexts, textsComplete, textsSaved } from './judge/dictionary-state';
import { markQuality } from './judge/quality';
import { hashImported } from './state-hash';
import { rebuildTimers } from './timer';
import { sectionSpare } from './window/conform';

/** A place of the ring of ids takes no less (device.ts): bounds what is not proven yet. */
const RING_PLACE_BYTES_LEAST: u64 = 21;

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
    if (length < total) memory.fill(entry.block, 0, total);
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

/** All devices of the header are there, each inside its block: leaves the hash. */
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
  hashImported();
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

/**
 * The map of a partition's memory and the fixed records at its start. Nothing here computes.
 *
 *  0 ┌ read-only data of the module (tables of the decoders) ┐ below STATE_BASE
 *    ├ control · durable · turn · pool lists · stage tables · skips        64 KiB
 *    ├ decoded record                                                     768 KiB
 *    ├ two input regions                                                    2 MiB
 *    ├ staged rows                                                          6 MiB
 *    ├ sealed blocks                                                        9 MiB
 *    ├ export chunks (capture.ts)                                        1.5 MiB
 *    ├ scores of a record's readings · a window being merged              128 KiB
 *    ├ slots · index · timer heap · calms · hashes · marks   by the memory's size
 *    └ pool: device blocks and the plan image             the rest
 *
 * Only `Durable` and the device blocks are state: hashed and checkpointed. The rest is scratch or
 * is built anew from them.
 */
import { CHUNK_BYTES_MAX, READINGS_PER_RECORD_MAX } from './shared/abi';
import {
  CONTROL_BLOCK_COUNT_AT, CONTROL_INDEX_AT, CONTROL_INDEX_KEY_AT, CONTROL_LETTER_AT,
  CONTROL_LOG_CLOCK_AT, CONTROL_PLAN_AT,
  CONTROL_PLAN_PENDING_AT, CONTROL_SEQUENCE_AT, CONTROL_SKIP_COUNT_AT, CONTROL_SLOTS_MAX_AT,
  CONTROL_STATE_HASH_AT, CONTROL_TURN_WORD_AT, EXPORT_CHUNKS_MAX, EXPORT_CHUNK_BYTES, SKIPS_MAX,
  SKIP_BYTES, STATE_BASE, CONTROL_EXPORT_READY_AT,
} from './shared/control';
import { STATUS_COUNT } from './shared/status';
import { DECODED_BYTES } from './decoded';

export const NONE: i64 = i64.MIN_VALUE;

const KIB: usize = 1024;
export const CONTROL_AT: usize = STATE_BASE;
export const INDEX_KEY_AT: usize = CONTROL_AT + CONTROL_INDEX_KEY_AT;
export const DURABLE_AT: usize = CONTROL_AT + 1 * KIB;
export const TURN_AT: usize = CONTROL_AT + 3 * KIB;
export const POOL_AT: usize = CONTROL_AT + 5 * KIB;
/** Address u32 of each array column of a window's block while it is written. */
export const COLUMNS_AT: usize = CONTROL_AT + 7 * KIB;
export const SKIPS_AT: usize = CONTROL_AT + 8 * KIB;
/** Descriptors of sealed blocks: at most one per table. */
export const BLOCKS_AT: usize = SKIPS_AT + SKIPS_MAX * SKIP_BYTES;
export const TABLES_MAX: usize = 1296;
export const STAGE_TABLES_AT: usize = BLOCKS_AT + TABLES_MAX * 16;
export const DECODED_AT: usize = CONTROL_AT + 64 * KIB;
/** `Durable` as it was when an export began. */
export const CAPTURED_AT: usize = DECODED_AT - 2 * KIB;
export const INPUT_AT: usize = DECODED_AT + 768 * KIB;
export const STAGE_AT: usize = INPUT_AT + 2 * CHUNK_BYTES_MAX;
export const STAGE_BYTES: usize = 6144 * KIB;
export const OUTPUT_AT: usize = STAGE_AT + STAGE_BYTES;
export const OUTPUT_BYTES: usize = 9216 * KIB;
export const EXPORT_AT: usize = OUTPUT_AT + OUTPUT_BYTES;
/** Import chunks are put here too. */
export const EXPORT_BYTES: usize = EXPORT_CHUNKS_MAX * EXPORT_CHUNK_BYTES;
/** f32 per reading of the decoded record. */
export const READING_SCORES_AT: usize = EXPORT_AT + EXPORT_BYTES;
/** A window of several cells while it is merged (window/merge.ts). */
export const MERGE_AT: usize = READING_SCORES_AT + 64 * KIB;
/** Records read ahead (work.ts). */
export const RECORDS_AT: usize = MERGE_AT + 64 * KIB;
export const VARIABLE_AT: usize = RECORDS_AT + 64 * KIB;

/**
 * Most that one unit of work stages or seals: 260 windows of 64 metrics (all windows of a channel
 * fire at once) and a sample row, or the shadow of a device with 256 channels.
 */
export const STAGE_RESERVE: usize = 2048 * KIB;
export const OUTPUT_RESERVE: usize = 4096 * KIB;

/** Memory per slot: what a device of two metrics with two windows takes. */
const BYTES_PER_SLOT: usize = 1024;

/** What the host reads; offsets are those of shared/control.ts (checked when the module starts). */
@unmanaged
export class Control {
  abi: u32;
  turnWord: u32;
  position: u64;
  logClock: i64;
  sequence: u64;
  recordIndex: u32;
  needsTicks: u32;
  messageOpen: u32;
  planPending: u32;
  deviceCount: u32;
  poolBytes: u32;
  poolUsed: u32;
  slotsMax: u32;
  input: u32;
  blocks: u32;
  blockCount: u32;
  fact: u32;
  letter: u32;
  export: u32;
  skips: u32;
  skipCount: u32;
  stateHash: u64;
  plan: u32;
  zero: u32;
  /** Chunks of an export that the host may take, and the slot + 1 of a block a turn waits for. */
  exportReady: u32;
  exportWanted: u32;
  // From here on the kernel's own.
  slots: usize;
  index: usize;
  indexMask: u32;
  heap: usize;
  heapCount: u32;
  marks: usize;
  markBytes: u32;
  partition: u32;
  /** 1: blocks of an export wait to be copied; what changes one must copy it first. */
  exportOpen: u32;
  exportSlot: u32;
  /** How much of the block of `exportSplit` is in chunks; 0: no block is split. */
  exportOffset: u32;
  exportSplit: u32;
  /** The chunk being filled: where its next piece goes, and its pieces. */
  exportAt: usize;
  exportPieces: u32;
  importSeen: u32;
  // Texts of the partition (judge/dictionary.ts): table and page, and up to where they are saved.
  texts: usize;
  textCapacity: u32;
  textCount: u32;
  textSeed: u64;
  textPageAt: usize;
  textPageEnd: usize;
  textsSaved: u32;
  textsCaptured: u32;
  exportText: u32;
  /** By slot: before this log time (calmTime) a flush point changes nothing of the device. */
  calms: usize;
  /** By slot: hash of the device's block in the last export, 0 before; and the sum of them. */
  hashes: usize;
  devicesHash: u64;
  /** Of the texts up to `textsHashed`, out of the `textsCaptured` that an export has. */
  textsHash: u64;
  textsHashed: u32;
}

/** The partition header: state, hashed and checkpointed. Multiples of 8 bytes, no padding. */
@unmanaged
export class Durable {
  position: u64;
  logClock: i64;
  idleFloor: i64;
  generation: u64;
  planHash: u64;
  deviceCount: u64;
  letterMinute: i64;
  letterCount: u64;
  /** Texts in the dictionary: its last id. */
  textCount: u64;
  /** Log minute of the last flush point that looked for quality of earlier minutes. */
  qualityMinute: i64;
  // The ledger block being counted.
  block: u64;
  /** 1: changed since its row was last emitted. */
  blockChanged: u64;
  messages: u64;
  gapMessages: u64;
  recordsIn: u64;
  stored: u64;
  partly: u64;
  duplicate: u64;
  dedupUnknown: u64;
  tooLate: u64;
  rejected: u64;
  filtered: u64;
  skipped: u64;
  readingsDecoded: u64;
  readingsStored: u64;
  samplesStored: u64;
  // Then STATUS_COUNT × records u64 and STATUS_COUNT × readings u64.
}
export const DURABLE_RECORDS_AT: usize = 208;
export const DURABLE_READINGS_AT: usize = DURABLE_RECORDS_AT + STATUS_COUNT * 8;
export const DURABLE_BYTES: usize = DURABLE_READINGS_AT + STATUS_COUNT * 8;

/** One slot of a device: where its block is and where it stands in the timer heap. */
@unmanaged
export class Slot {
  block: usize;
  /** Place in the timer heap + 1; 0 = not in it. */
  heapAt: u32;
  /** By channel id below 32: its section follows the plan in force (window/conform.ts). */
  conforming: u32;
  zero: u32;
}
export const SLOT_BYTES: usize = offsetof<Slot>();
export const INDEX_BYTES: usize = 8;
export const HEAP_BYTES: usize = 12;
const CALM_BYTES: usize = 4;
export const HASH_BYTES: usize = 8;

/** Bit sets over slots, one behind the other. */
export const MARK_FLUSH: u32 = 0;
export const MARK_CHANGED: u32 = 1;
export const MARK_CAPTURED: u32 = 2;
/** The device has counters of a minute of quality. */
export const MARK_QUALITY: u32 = 3;
/** The block waits to be copied by the export that is open. */
export const MARK_WAITING: u32 = 4;
export const MARK_COUNT: u32 = 5;

@inline export function control(): Control { return changetype<Control>(CONTROL_AT); }
@inline export function durable(): Durable { return changetype<Durable>(DURABLE_AT); }
@inline
export function slotAt(slot: u32): Slot {
  return changetype<Slot>(control().slots + (<usize>slot) * SLOT_BYTES);
}

/**
 * Score of a reading of the decoded record: where the check of state leaves it and the windows
 * find it. Zero where the channel has no scores.
 */
@inline
export function readingScoreAt(index: u32): usize {
  return READING_SCORES_AT + (<usize>index << 2);
}

@inline
function wordOf(mark: u32, slot: u32): usize {
  const c = control();
  const first = mark == 0 ? c.marks : c.marks + <usize>mark * c.markBytes;
  return first + ((<usize>slot >> 6) << 3);
}
@inline
export function setMark(mark: u32, slot: u32): void {
  const at = wordOf(mark, slot);
  store<u64>(at, load<u64>(at) | (<u64>1 << (slot & 63)));
}
/** Both marks of a device that a record reaches: MARK_FLUSH and MARK_CHANGED. */
@inline
export function setMarks(slot: u32): void {
  const c = control();
  const bit = <u64>1 << (slot & 63);
  const flush = c.marks + ((<usize>slot >> 6) << 3);
  store<u64>(flush, load<u64>(flush) | bit);
  const changed = flush + c.markBytes;
  store<u64>(changed, load<u64>(changed) | bit);
}
@inline
export function clearMark(mark: u32, slot: u32): void {
  const at = wordOf(mark, slot);
  store<u64>(at, load<u64>(at) & ~(<u64>1 << (slot & 63)));
}

@inline
export function isMarked(mark: u32, slot: u32): bool {
  return (load<u64>(wordOf(mark, slot)) >> (slot & 63) & 1) != 0;
}

/** Least slot ≥ `from` that has the mark; `deviceCount` or more when there is none. */
export function nextMarked(mark: u32, from: u32): u32 {
  const count = control().deviceCount;
  if (from >= count) return count;
  let word = load<u64>(wordOf(mark, from)) & (~(<u64>0) << (from & 63));
  let slot = from & ~63;
  while (word == 0) {
    slot += 64;
    if (slot >= count) return count;
    word = load<u64>(wordOf(mark, slot));
  }
  return slot + <u32>ctz(word);
}

/** A log time as calms have it: 1,024 ms are one; earlier ones are never greater. */
@inline
export function calmTime(timeMs: i64): u32 {
  return timeMs <= 0 ? 0 : <u32>min(timeMs >> 10, <i64>u32.MAX_VALUE);
}
@inline
export function setCalm(slot: u32, calm: u32): void {
  store<u32>(control().calms + (<usize>slot << 2), calm);
}
/** The next flush point looks at the device. */
@inline
export function rouse(slot: u32): void { setCalm(slot, 0); }

/** Least slot ≥ `from` that a flush point at `now` (calmTime) visits; `deviceCount`: none. */
export function nextVisit(from: u32, now: u32): u32 {
  const count = control().deviceCount;
  if (from >= count) return count;
  let word = load<u64>(wordOf(MARK_FLUSH, from)) & (~(<u64>0) << (from & 63));
  for (let first = from & ~63; first < count;) {
    if (word != 0) word &= dueOf(word, first, now);
    if (word != 0) return first + <u32>ctz(word);
    first += 64;
    word = load<u64>(wordOf(MARK_FLUSH, first));
  }
  return count;
}

/** Of the 64 slots from `first` on those that are not calm; those of `word` at least. */
@inline
function dueOf(word: u64, first: u32, now: u32): u64 {
  const calms = control().calms + (<usize>first << 2);
  let due: u64 = 0;
  if (ASC_FEATURE_SIMD) {
    const time = i32x4.splat(<i32>now);
    for (let i: usize = 0; i < 64; i += 16) {
      const at = calms + (i << 2);
      const low = i16x8.narrow_i32x4_s(
        i32x4.le_u(v128.load(at), time), i32x4.le_u(v128.load(at, 16), time),
      );
      const high = i16x8.narrow_i32x4_s(
        i32x4.le_u(v128.load(at, 32), time), i32x4.le_u(v128.load(at, 48), time),
      );
      due |= <u64>(<u32>i8x16.bitmask(i8x16.narrow_i16x8_s(low, high))) << i;
    }
    return due;
  }
  for (; word != 0; word &= word - 1) {
    const i = <usize>ctz(word);
    if (load<u32>(calms + (i << 2)) <= now) due |= <u64>1 << i;
  }
  return due;
}

@inline function alignUp(at: usize, to: usize): usize { return (at + to - 1) & ~(to - 1); }

/**
 * Lays out the parts whose size follows the memory's; gives where the pool begins, 0 = too small.
 */
export function layOut(memoryBytes: usize): usize {
  const c = control();
  if (memoryBytes < VARIABLE_AT + 4096 * KIB) return 0;
  const slotsMax = (((memoryBytes - VARIABLE_AT) / BYTES_PER_SLOT) & ~63) + 64;
  let indexSize: usize = 1024;
  while (indexSize * 3 < slotsMax * 4) indexSize <<= 1;
  c.slotsMax = <u32>slotsMax;
  c.slots = VARIABLE_AT;
  c.index = alignUp(c.slots + slotsMax * SLOT_BYTES, 64);
  c.indexMask = <u32>(indexSize - 1);
  c.heap = c.index + indexSize * INDEX_BYTES;
  c.calms = alignUp(c.heap + slotsMax * HEAP_BYTES, 64);
  c.hashes = alignUp(c.calms + slotsMax * CALM_BYTES, 64);
  c.marks = alignUp(c.hashes + slotsMax * HASH_BYTES, 64);
  c.markBytes = <u32>((slotsMax + 64) >> 3) & ~7;
  return alignUp(c.marks + <usize>MARK_COUNT * c.markBytes, 4096);
}

/** That the classes above lie as the host believes; folds to a constant. */
export function mapIsRight(): bool {
  return (
    offsetof<Control>('turnWord') == CONTROL_TURN_WORD_AT &&
    offsetof<Control>('logClock') == CONTROL_LOG_CLOCK_AT &&
    offsetof<Control>('sequence') == CONTROL_SEQUENCE_AT &&
    offsetof<Control>('planPending') == CONTROL_PLAN_PENDING_AT &&
    offsetof<Control>('slotsMax') == CONTROL_SLOTS_MAX_AT &&
    offsetof<Control>('blockCount') == CONTROL_BLOCK_COUNT_AT &&
    offsetof<Control>('letter') == CONTROL_LETTER_AT &&
    offsetof<Control>('skipCount') == CONTROL_SKIP_COUNT_AT &&
    offsetof<Control>('stateHash') == CONTROL_STATE_HASH_AT &&
    offsetof<Control>('plan') == CONTROL_PLAN_AT &&
    offsetof<Control>('index') == CONTROL_INDEX_AT &&
    offsetof<Control>() <= <usize>CONTROL_INDEX_KEY_AT &&
    offsetof<Durable>() == DURABLE_RECORDS_AT &&
    offsetof<Control>('exportReady') == CONTROL_EXPORT_READY_AT &&
    STAGE_TABLES_AT + TABLES_MAX * 16 <= CAPTURED_AT &&
    CAPTURED_AT + DURABLE_BYTES <= DECODED_AT &&
    DECODED_AT + DECODED_BYTES <= INPUT_AT &&
    READING_SCORES_AT + (<usize>READINGS_PER_RECORD_MAX << 2) <= MERGE_AT
  );
}

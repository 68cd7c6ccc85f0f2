/**
 * Brings what the next records will need into the processor's caches, all of it at once: their
 * index entries, then slots, then device blocks. Misses that would come one after the other, record
 * by record, are then waited for together. In: the slice of records of batch.ts. Out: the hashes of
 * their identities; whatever else is loaded here is looked up again.
 */
import { hashRecord } from './identity';
import {
  HEAP_BYTES, INDEX_BYTES, RECORDS_AT, SLOT_BYTES, Slot, control, nextVisit, slotAt,
} from './memory';
import { Record, recordAt, turnOf } from './work';

const LINE_BYTES: usize = 64;
/** Of a block: beyond it lie cells of other windows or channels. */
const BLOCK_BYTES_MAX: u32 = 4096;
/** Fewer records do not share enough misses to pay for the passes. */
const RECORDS_MIN: u32 = 4;

export function warmSlice(count: u32): void {
  const c = control();
  const index = c.index;
  const mask = c.indexMask;
  const devices = c.deviceCount;
  for (let i: u32 = 0; i < count; i++) {
    const record = recordAt(i);
    hashRecord(record);
    const place = <usize>(record.identityHash & mask);
    record.slot = <i32>load<u32>(index + place * INDEX_BYTES, 4) - 1;
  }
  if (count < RECORDS_MIN) return;
  const slots = c.slots;
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const record = recordAt(i);
    const slot = <u32>record.slot;
    if (record.named != 0 && slot < devices) {
      const entry = changetype<Slot>(slots + <usize>slot * SLOT_BYTES);
      record.channel = entry.block;
      sum += load<u32>(c.heap + <usize>entry.heapAt * HEAP_BYTES);
    } else record.channel = 0;
  }
  for (let i: u32 = 0; i < count; i++) {
    const block = recordAt(i).channel;
    if (block != 0) recordAt(i).offset = load<u32>(block);
  }
  for (let i: u32 = 0; i < count; i++) sum += warmBlock(recordAt(i));
  // Kept, so that the loads are not thought useless.
  turnOf().warmed = sum;
}

/** Loads a word of every line; leaves the record as it was. */
@inline
function warmBlock(record: Record): u32 {
  const block = record.channel;
  if (block == 0) return 0;
  const end = block + min(record.offset, BLOCK_BYTES_MAX);
  let at = block + LINE_BYTES;
  let sum: u32 = 0;
  for (; at + LINE_BYTES < end; at += 2 * LINE_BYTES) {
    sum += load<u32>(at) + load<u32>(at + LINE_BYTES);
  }
  if (at < end) sum += load<u32>(at);
  record.channel = 0;
  record.offset = 0;
  return sum;
}

/** Of a block that a flush point visits: header, section and window states. */
const VISIT_BYTES: usize = 768;
/** Blocks fetched together. */
const VISITS: usize = 64;

/**
 * The blocks of the next devices to be visited from `from` on, all at once; gives the slot behind
 * the last of them. The places of records are free between two slices.
 */
export function warmVisits(from: u32, now: u32): u32 {
  const devices = control().deviceCount;
  let count: usize = 0;
  let slot = from;
  while (count < VISITS) {
    const next = nextVisit(slot, now);
    if (next >= devices) {
      slot = devices;
      break;
    }
    store<u32>(RECORDS_AT + (count << 2), <u32>slotAt(next).block);
    count++;
    slot = next + 1;
  }
  // How long each is, which also brings its first line.
  for (let i: usize = 0; i < count; i++) {
    const at = RECORDS_AT + (i << 2);
    store<u32>(at, load<u32>(load<u32>(at)), VISITS << 2);
  }
  let sum: u32 = 0;
  for (let i: usize = 0; i < count; i++) {
    const block = <usize>load<u32>(RECORDS_AT + (i << 2));
    const bytes = min(<usize>load<u32>(RECORDS_AT + (i << 2), VISITS << 2), VISIT_BYTES);
    for (let at = LINE_BYTES; at < bytes; at += LINE_BYTES) sum += load<u32>(block + at);
  }
  turnOf().warmed = sum;
  return slot;
}

/**
 * What is in progress: the message, its record, and the cursors with which a turn goes on after
 * RESULT_MORE. Scratch: it never outlives a message and is neither hashed nor checkpointed.
 */
import { Situation } from './decoded';
import { RECORDS_AT, TURN_AT } from './memory';

@unmanaged
export class Turn {
  phase: u32;
  /** What the message is: KIND_* of entry.ts. */
  kind: u32;
  entryAt: usize;
  chunkEnd: usize;
  /** Of the message being applied. */
  sequence: u64;
  /** Its stamp in milliseconds; `logClock` is the log time, this is LOG of the specification. */
  stampMs: i64;
  emissionOrdinal: u32;
  sampleOrdinal: u32;
  fragmentOrdinal: u32;
  recordIndex: u32;
  bodyAt: usize;
  bodyEnd: usize;
  /** Where the next record of the batch begins. */
  recordAt: usize;
  /** Next sample of the record. */
  sample: u32;
  /** Flush point: slot and section to go on with. */
  flushSlot: u32;
  flushSection: u32;
  /** Blocks of marked devices before this slot were fetched already. */
  flushWarm: u32;
  /** The same for the pass over counters of quality. */
  qualitySlot: u32;
  // Staging of this turn's rows.
  stageUsed: u32;
  /** Upper bound of what they take as blocks. */
  sealBytes: u32;
  factTail: usize;
  letterTail: usize;
  outputUsed: u32;
  /** 1: a record of this message is on the skip list. */
  hasSkip: u32;
  /** The record being applied, and its place among the `sliceCount` that were read ahead. */
  record: usize;
  slicePlace: u32;
  sliceCount: u32;
  /** Channel of the record before, 0 when the plan has changed since: most often the next one's. */
  channel: usize;
  /** What warm.ts loaded. */
  warmed: u32;
  /** Last varint read (batch.ts). */
  varint: u64;
  // The sample that is being folded into its windows (window/fold.ts).
  foldPhase: u32;
  foldSlot: u32;
  foldOffset: usize;
  foldSample: u32;
  foldChannel: usize;
  /** Next window of the section. */
  foldWindow: u32;
  foldEvent: i64;
  /** Order of this fold among all: sequence << 16 | sample. */
  foldTouch: u64;
  /** End of the hopping window that is being emitted again, NONE = none, and its next fragment. */
  hopEnd: i64;
  hopFragment: u64;
}

/**
 * A record as its batch or subject gives it, then what became of it. From `bootId` to `event` the
 * order is that of `clearRecord`, which clears whole blocks.
 */
@unmanaged
export class Record {
  channelAt: usize;
  channelBytes: u32;
  payloadAt: usize;
  payloadBytes: u32;
  /** Milliseconds; clamped to the stamp. */
  received: i64;
  /** Of KEY_CONTENT the two halves of the digest. */
  bootId: u64;
  sequence: u64;
  /** KEY_* of the transport's key, or KEY_INVALID. */
  keyKind: u32;
  idAt: usize;
  idBytes: u32;
  /** 1: `identity` is filled; from openRecord on also that all four ids are well formed. */
  named: u32;
  identityBytes: u32;
  identityHash: u32;
  /** Slot of its device, −1 when it reached none. */
  slot: i32;
  /** Ordinal at the place below, or NO_METRIC. */
  metric: u32;
  /** Of the plan, 0 when unknown. */
  channel: usize;
  /** Lowest status of record, samples and readings, and the first place that has it. */
  status: i32;
  offset: u32;
  stored: u32;
  rejected: u32;
  /** 1: by its kind it holds nothing to store. */
  filtered: u32;
  /** Readings of the sample that are accepted although they are stuck or too fast … */
  suspects: u32;
  /** … or break a rule. */
  ruleSuspects: u32;
  /** Greatest event time over its samples, received when it has none. */
  event: i64;
  /** Of KEY_BOOT: where its boot is in the device's block, 0 = it has none yet. */
  bootOffset: usize;
  /** Headers of a native publish, and the length of the value found last. */
  headersAt: usize;
  headersBytes: u32;
  valueBytes: u32;
  /** What the transport says of the payload (field `kind`, header Millrace-Kind). */
  kindBytes: u32;
  kindAt: usize;
}

export const KEY_INVALID: u32 = 3;
/** None of its own: the digest of channel and payload. */
export const KEY_CONTENT: u32 = 4;
export const NO_METRIC: u32 = 0xffffffff;
/** Records read ahead: enough for their cache misses to be shared, few enough for a cache. */
export const RECORDS_SLICE: u32 = 128;
/** A record's identity lies behind it: three ids of 64 bytes, length bytes, rounded up twice. */
const IDENTITY_AT: usize = (offsetof<Record>() + 7) & ~7;
const RECORD_STRIDE: usize = 384;

/** What the decoder of the record may know besides its payload. */
@inline export function situationOf(): Situation { return changetype<Situation>(TURN_AT + 1536); }
@inline export function turnOf(): Turn { return changetype<Turn>(TURN_AT); }
@inline export function recordOf(): Record { return changetype<Record>(turnOf().record); }
/** One of RECORDS_SLICE places, and a spare one behind them. */
@inline
export function recordAt(place: u32): Record {
  return changetype<Record>(RECORDS_AT + <usize>place * RECORD_STRIDE);
}
/** u32 per ordinal: where the sample's readings are (judge/check.ts). */
@inline export function ruleScratch(): usize { return TURN_AT + 1792; }
/** Tenant, site and device of the record, each with a length byte before it. */
@inline
export function identityScratch(record: Record): usize {
  return changetype<usize>(record) + IDENTITY_AT;
}

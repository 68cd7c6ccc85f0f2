/**
 * A decode in progress, in scratch behind the readings (decoded.ts): where the payload ends, what
 * was refused so far, and the sample being filled. Decoders pass addresses along: a function that
 * reads something gives the address behind it, or 0 when the payload cannot be read there
 * (`trouble` then holds where). They read to the end even of what is refused otherwise, so that
 * the status with the lowest number wins whatever comes first in the payload.
 */
import { channelRequired } from './channel';
import {
  Decoded, decodedAt, DECODED_SCRATCH_AT, readingAt, sampleAt, Sample, Situation,
} from './decoded';
import { KEY_EVENT_ID, Reading, TIME_ABSENT, TIME_PRESENT } from './decoded';
import { Numeral } from './numeral';
import {
  EVENT_ID_BYTES_MAX, EVENT_TIME_MS_MAX, EVENT_TIME_MS_MIN, READINGS_PER_RECORD_MAX,
  SAMPLES_PER_RECORD_MAX,
} from './shared/abi';
import {
  EVENT_ID_INVALID, LIMIT_EXCEEDED, METRIC_UNKNOWN, OK, REQUIRED_MISSING, TIME_MALFORMED,
} from './shared/status';
import { zeroBlock } from './text';

export const ORDINAL_NONE: u32 = 0xffffffff;

// Scratch: Decoding and Numeral, id, members seen, open containers, text, big integers.
const NUMERAL_AT: usize = DECODED_SCRATCH_AT + 128;
const ID_AT: usize = DECODED_SCRATCH_AT + 256;
const SEEN_AT: usize = DECODED_SCRATCH_AT + 384;
const LEVELS_AT: usize = DECODED_SCRATCH_AT + 768;
const TEXT_AT: usize = DECODED_SCRATCH_AT + 9216;
export const LEVEL_BYTES: usize = TEXT_AT - LEVELS_AT;
const EXACT_AT: usize = DECODED_SCRATCH_AT + 81920;
/** 1 KiB: a SenML pack and a name. */
const PACK_AT: usize = DECODED_SCRATCH_AT + 83968;

@unmanaged
export class Decoding {
  payload: usize;
  /** Where the format's own bytes begin, behind a prefix; offsets count from `payload`. */
  start: usize;
  end: usize;
  channel: usize;
  /** Address where the payload stopped making sense. */
  trouble: usize;
  zero: u32;
  /** Last varint read. */
  varint: u64;
  // From here to `recordTimeAt`: clear when a record is begun (clearDecoding).
  /** Metrics of the sample being filled: a bit per ordinal. */
  seen: u64;
  /** Readings of declared metrics in all samples. */
  declared: u32;
  /** JSON: where the first container too deep begins; 0 = none. */
  deepAt: usize;
  /** JSON: where it first says what its format forbids, though it is JSON; 0 = nowhere. */
  wrongAt: usize;
  /** Bytes of texts kept in scratch. */
  textUsed: u32;
  /** Avro: the open sample, 0 = none. */
  sample: usize;
  /** Where the record's time, for all its samples, is said; 0 = nowhere. */
  recordTimeAt: usize;
  recordTimeMs: i64;
  /** The string just scanned has escapes. */
  escaped: u32;
  /** The string just unescaped has half of a surrogate pair. */
  lone: u32;
  /** Avro: its program, and where the block must end, 0 = anywhere. */
  program: usize;
  blockEnd: usize;
  /** CBOR: of the head just read; the string and the SenML label last read. */
  major: u32;
  info: u32;
  stringAt: usize;
  stringBytes: u32;
  field: u32;
  situation: Situation;
}

/** Clears what a record's decoding begins without. */
@inline
export function clearDecoding(d: Decoding): void {
  const at = changetype<usize>(d);
  zeroBlock(at + offsetof<Decoding>('seen'));
  zeroBlock(at + offsetof<Decoding>('wrongAt'));
}

/** That blocks cleared here and in decode.ts are what they mean to clear; folds to a constant. */
export function decodingIsRight(): bool {
  return (
    offsetof<Decoding>('wrongAt') - offsetof<Decoding>('seen') == 16 &&
    offsetof<Decoding>('recordTimeAt') - offsetof<Decoding>('wrongAt') == 12 &&
    offsetof<Decoded>('idAt') == 16 && offsetof<Decoded>('sequence') == 32 &&
    offsetof<Decoded>('sparkSequence') == 48 && offsetof<Sample>('status') == 12 &&
    OK == 0 && TIME_ABSENT == 0
  );
}

@inline
export function decodingAt(out: usize): Decoding {
  return changetype<Decoding>(out + DECODED_SCRATCH_AT);
}
/** Where its record goes. */
@inline
export function outOf(d: Decoding): usize {
  return changetype<usize>(d) - DECODED_SCRATCH_AT;
}
@inline
export function numeralOf(d: Decoding): Numeral {
  return changetype<Numeral>(outOf(d) + NUMERAL_AT);
}
@inline
export function idBuffer(d: Decoding): usize {
  return outOf(d) + ID_AT;
}
/** Bits of members seen: MEMBERS_MAX of them. */
@inline
export function seenMembers(d: Decoding): usize {
  return outOf(d) + SEEN_AT;
}
/** A bit per level of nesting, for a payload of brackets alone; LEVEL_BYTES of them. */
@inline
export function levelBits(d: Decoding): usize {
  return outOf(d) + LEVELS_AT;
}
/**
 * Where the next text without its escapes goes, behind those kept: they are cut from one payload,
 * and there is room for the longest.
 */
@inline
export function textBuffer(d: Decoding): usize {
  return outOf(d) + TEXT_AT + d.textUsed;
}
/** The text in textBuffer stays until the record is done. */
@inline
export function keepText(d: Decoding, bytes: u32): void {
  d.textUsed += bytes;
}
@inline
export function packScratch(d: Decoding): usize {
  return outOf(d) + PACK_AT;
}
@inline
export function exactScratch(d: Decoding): usize {
  return outOf(d) + EXACT_AT;
}

/** The payload cannot be read at `at`: gives 0 for the reader to hand on. */
@inline
export function stop(d: Decoding, at: usize): usize {
  d.trouble = at;
  return 0;
}

/** What is readable but must not be said at `at`; the first place counts. */
@inline
export function wrong(d: Decoding, at: usize): void {
  if (d.wrongAt == 0) d.wrongAt = at;
}

/** Notes a status of the record; the lowest number wins. */
export function refuse(d: Decoding, status: i32, at: usize): void {
  const decoded = decodedAt(outOf(d));
  if (decoded.status != OK && decoded.status <= status) return;
  decoded.status = status;
  decoded.offset = <u32>(at - d.payload);
}

// --- samples and readings ------------------------------------------------------------------------
/** Begins a sample. Beyond the limit the last place is used again: the record is refused. */
@inline
export function openSample(d: Decoding, at: usize): Sample {
  const decoded = decodedAt(outOf(d));
  let index = decoded.sampleCount++;
  if (index >= <u32>SAMPLES_PER_RECORD_MAX) {
    refuse(d, LIMIT_EXCEEDED, d.payload);
    index = SAMPLES_PER_RECORD_MAX - 1;
  }
  const sample = sampleAt(outOf(d), index);
  const offset = <u32>(at - d.payload);
  // Time, kind of time and status.
  zeroBlock(changetype<usize>(sample));
  sample.offset = offset;
  sample.timeOffset = offset;
  sample.flags = 0;
  sample.expectMs = 0;
  sample.metric = ORDINAL_NONE;
  sample.readingFirst = decoded.readingCount;
  d.seen = 0;
  return sample;
}

@inline
export function closeSample(d: Decoding, sample: Sample): void {
  sample.readingCount = decodedAt(outOf(d)).readingCount - sample.readingFirst;
  const missing = channelRequired(d.channel) & ~d.seen;
  if (missing != 0 && sample.status == OK) {
    sample.status = REQUIRED_MISSING;
    sample.metric = <u32>ctz(missing);
  }
}

/** The sample's event time; malformed when no table can hold it. */
@inline
export function setTime(sample: Sample, timeMs: i64): void {
  if (timeMs < EVENT_TIME_MS_MIN || timeMs > EVENT_TIME_MS_MAX) {
    sample.status = TIME_MALFORMED;
    return;
  }
  sample.eventTimeMs = timeMs;
  sample.timeKind = TIME_PRESENT;
}

/** Gives every sample the record's time, if the record says one. */
export function spreadTime(d: Decoding): void {
  if (d.recordTimeAt == 0) return;
  const count = min<u32>(decodedAt(outOf(d)).sampleCount, SAMPLES_PER_RECORD_MAX);
  for (let i: u32 = 0; i < count; i++) {
    const sample = sampleAt(outOf(d), i);
    sample.timeOffset = <u32>(d.recordTimeAt - d.payload);
    setTime(sample, d.recordTimeMs);
    // What is wrong with the time goes before what is missing.
    if (sample.status == TIME_MALFORMED) sample.metric = ORDINAL_NONE;
  }
}

/** Begins a declared metric's reading, refused or not; false when the sample has one already. */
@inline
export function markSeen(d: Decoding, ordinal: u32): bool {
  const bit = (<u64>1) << ordinal;
  if ((d.seen & bit) != 0) return false;
  d.seen |= bit;
  d.declared++;
  return true;
}

/** The next place for a reading; beyond the limit the last one again. */
@inline
export function nextReading(d: Decoding, at: usize): Reading {
  const decoded = decodedAt(outOf(d));
  let index = decoded.readingCount++;
  if (index >= <u32>READINGS_PER_RECORD_MAX) {
    refuse(d, LIMIT_EXCEEDED, d.payload);
    index = READINGS_PER_RECORD_MAX - 1;
  }
  const reading = readingAt(outOf(d), index);
  reading.offset = <u32>(at - d.payload);
  return reading;
}

export function addUnknown(d: Decoding, at: usize): void {
  const reading = nextReading(d, at);
  reading.ordinal = ORDINAL_NONE;
  reading.status = METRIC_UNKNOWN;
  reading.kind = 0;
  reading.bits = 0;
}

/** The payload's event id: `bytes` at `idAt`. */
export function setEventId(d: Decoding, idAt: usize, bytes: u32): void {
  if (bytes == 0 || bytes > <u32>EVENT_ID_BYTES_MAX) {
    refuse(d, EVENT_ID_INVALID, d.payload);
    return;
  }
  const decoded: Decoded = decodedAt(outOf(d));
  decoded.keyKind = KEY_EVENT_ID;
  decoded.idAt = idAt;
  decoded.idBytes = bytes;
}

/**
 * A decoded record, in scratch: what the decoders hand to the fold. One `Decoded`, followed by
 * tables of samples and of readings at fixed places. Valid until the next record is decoded.
 *
 * The decoder sets record status and offset, the payload's event key, times, and for every reading
 * its final status and canonical value. The fold judges times, dedups and stores.
 */
import { READINGS_PER_RECORD_MAX, SAMPLES_PER_RECORD_MAX } from './shared/abi';

/** Decoded.keyKind */
export const KEY_NONE: u32 = 0;
export const KEY_EVENT_ID: u32 = 1;
export const KEY_BOOT: u32 = 2;

@unmanaged
export class Decoded {
  /** PAYLOAD_MALFORMED … NO_READINGS, or OK. */
  status: i32;
  /** Byte offset in the payload of the first trouble with that status. */
  offset: u32;
  keyKind: u32;
  idBytes: u32;
  /** Where the id's bytes are (payload or scratch). */
  idAt: usize;
  sampleCount: u32;
  bootId: u64;
  sequence: u64;
  readingCount: u32;
  /** DECODED_* */
  flags: u32;
  /** Sparkplug's seq, 0 … 255; NO_SPARK_SEQUENCE when the payload has none. */
  sparkSequence: u32;
  zero: u32;
}
/** By its kind it holds nothing to store (a Sparkplug death): the record ends as `filtered`. */
export const DECODED_FILTERED: u32 = 1;
/** A Sparkplug birth: its aliases (aliasListAt in scratch) replace those of its name space. */
export const DECODED_BIRTH: u32 = 2;
export const NO_SPARK_SEQUENCE: u32 = 256;

/** Sample.timeKind */
export const TIME_ABSENT: u32 = 0;
export const TIME_PRESENT: u32 = 1;

@unmanaged
export class Sample {
  eventTimeMs: i64;
  timeKind: u32;
  /** OK, TIME_MALFORMED or REQUIRED_MISSING as the decoder sees it. */
  status: i32;
  /** Where the sample begins: for REQUIRED_MISSING. */
  offset: u32;
  /** Ordinal of the metric concerned (REQUIRED_MISSING), else 0xffffffff. */
  metric: u32;
  readingFirst: u32;
  readingCount: u32;
  /** Where its time is said, else where it begins: for what is wrong with the time. */
  timeOffset: u32;
  /** SAMPLE_* */
  flags: u32;
  /** The device promises its next sample within so much (SenML ut); 0 = it says nothing. */
  expectMs: u32;
  zero: u32;
}
export const SAMPLE_HISTORICAL: u32 = 1;

@unmanaged
export class Reading {
  /** Metric ordinal; 0xffffffff for METRIC_UNKNOWN. */
  ordinal: u32;
  /** OK, or METRIC_UNKNOWN … OUT_OF_RANGE; what state tells (RATE_EXCEEDED …) the fold adds. */
  status: i32;
  offset: u32;
  kind: u32;
  /**
   * Canonical value: bits of a double (number), an i64 (integer), 0 or 1 (boolean). Text: where it
   * lies, u32, and its length in the upper half; in the payload or in scratch.
   */
  bits: u64;
}

export const READING_BYTES: usize = offsetof<Reading>();

/** What a decoder may know besides the payload. All zero: nothing. */
@unmanaged
export class Situation {
  /** Received time, clamped to the log's: what SenML's relative times count from. */
  received: i64;
  /** What the transport says of the payload: `<type>[/<device>]` for Sparkplug. */
  kindAt: usize;
  kindBytes: u32;
  /** Entries that the device remembers (decode/alias-list.ts), 0 = none. */
  aliasesAt: usize;
  aliasCount: u32;
}

// --- where they lie -----------------------------------------------------------------------------
//
//   out ┌ Decoded ┬ samples (4,096 × 48) ┬ readings (16,384 × 24) ┬ scratch of the decoders ┐
//
// `out` must be aligned to 8. Nothing outside [out, out + DECODED_BYTES) is written.
export const DECODED_SAMPLES_AT: usize = 64;
export const DECODED_READINGS_AT: usize = DECODED_SAMPLES_AT + <usize>SAMPLES_PER_RECORD_MAX * 48;
export const DECODED_SCRATCH_AT: usize =
  DECODED_READINGS_AT + <usize>READINGS_PER_RECORD_MAX * READING_BYTES;
/** Room for a payload as text, for digits of as many texts as there are readings, for aliases. */
export const DECODED_SCRATCH_BYTES: usize = 190464;
export const DECODED_BYTES: usize = DECODED_SCRATCH_AT + DECODED_SCRATCH_BYTES;

@inline
export function decodedAt(out: usize): Decoded {
  return changetype<Decoded>(out);
}

@inline
export function sampleAt(out: usize, index: u32): Sample {
  return changetype<Sample>(out + DECODED_SAMPLES_AT + <usize>index * 48);
}

@inline
export function readingAt(out: usize, index: u32): Reading {
  return changetype<Reading>(out + DECODED_READINGS_AT + <usize>index * READING_BYTES);
}

/**
 * The ledger: what became of every record and reading of the current block of 65,536 sequences.
 * Invariants: records in = stored + partly + duplicate + dedup unknown + too late + rejected +
 * filtered + skipped; readings decoded = stored + those counted by reason.
 */
import {
  DURABLE_AT, DURABLE_BYTES, DURABLE_READINGS_AT, DURABLE_RECORDS_AT, Durable, durable,
} from './memory';
import { stageLedger } from './rows';
import { DEDUP_UNKNOWN, DUPLICATE, OK, SKIPPED, TOO_LATE } from './shared/status';

const BLOCK_BITS: u64 = 16;

/** Counts a message; the row of the block before is emitted when this one begins another. */
export function countMessage(sequence: u64): void {
  const d = durable();
  const block = sequence >> BLOCK_BITS;
  if (block != d.block) {
    if (d.blockChanged != 0) stageLedger();
    const counters = offsetof<Durable>('messages');
    memory.fill(DURABLE_AT + counters, 0, DURABLE_BYTES - counters);
    d.block = block;
  }
  d.gapMessages += sequence - d.position - 1;
  d.messages++;
  d.blockChanged = 1;
}

@inline
function addTo(table: usize, status: i32, count: u32): void {
  const at = DURABLE_AT + table + (<usize>status << 3);
  store<u64>(at, load<u64>(at) + count);
}

/** Counts a record whose kind says that it holds nothing to store. */
export function countFiltered(): void {
  durable().recordsIn++;
  durable().filtered++;
}

/** Counts a record by its lowest status and by how many of its readings were stored. */
export function countRecord(status: i32, stored: u32): void {
  const d = durable();
  d.recordsIn++;
  if (status != OK) addTo(DURABLE_RECORDS_AT, status, 1);
  if (status == OK) d.stored++;
  else if (stored > 0) d.partly++;
  else if (status == DUPLICATE) d.duplicate++;
  else if (status == DEDUP_UNKNOWN) d.dedupUnknown++;
  else if (status == SKIPPED) d.skipped++;
  else if (status == TOO_LATE) d.tooLate++;
  else d.rejected++;
}

export function countRejected(status: i32, readings: u32): void {
  durable().readingsDecoded += readings;
  addTo(DURABLE_READINGS_AT, status, readings);
}

export function countStored(readings: u32): void {
  const d = durable();
  d.readingsDecoded += readings;
  d.readingsStored += readings;
  d.samplesStored++;
}

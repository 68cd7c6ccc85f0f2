/**
 * The decode half alone, for tests: compiled by test/kernel/probe.ts into build/kernel, never part
 * of the kernel.
 */
import { channelProgram, channelTable, findMetric, metricOrdinal, windowTable } from '../channel';
import { DECODED_BYTES, decodedAt, readingAt, sampleAt } from '../decoded';
import { POWERS_OF_FIVE } from '../number-power';
import {
  planChannelById, planDeviceAllowed, planFindChannel, planMagicOk, planStatusText,
  planStatusTextBytes, planTableColumn, planTableColumnBytes, planTableColumnCount,
} from '../plan';
import { OK } from '../shared/status';
import { nameHash } from '../text';
import { decodeRecord } from './decode';

export { aliasListAt } from './alias-list';
export { decodeRecord };
export { findName } from './name';
export {
  channelProgram, channelTable, findMetric, metricOrdinal, nameHash, planChannelById,
  planDeviceAllowed, planFindChannel, planMagicOk, planStatusText, planStatusTextBytes,
  planTableColumn, planTableColumnBytes, planTableColumnCount, windowTable,
};

const PRIME: u32 = 0x01000193;

@inline
function mixed(hash: u32, bits: u64): u32 {
  return ((((hash ^ <u32>bits) * PRIME) ^ <u32>(bits >> 32)) * PRIME);
}

/**
 * Decodes payloads that lie one behind the other (length u32, bytes, zeros to a multiple of 4);
 * gives a hash of every time and every good number, in order: the parse bench's result.
 */
export function decodeAll(
  plan: usize, channel: usize, corpus: usize, count: u32, out: usize, situation: usize,
): u32 {
  let hash: u32 = 0x811c9dc5;
  let at = corpus;
  for (let i: u32 = 0; i < count; i++) {
    const bytes = load<u32>(at);
    decodeRecord(plan, channel, at + 4, bytes, out, situation);
    at += 4 + ((bytes + 3) & ~3);
    hash = decodedAt(out).status == OK ? hashDecoded(hash, out) : (hash ^ 0xdead) * PRIME;
  }
  return hash;
}

function hashDecoded(hash: u32, out: usize): u32 {
  const samples = decodedAt(out).sampleCount;
  for (let i: u32 = 0; i < samples; i++) {
    const sample = sampleAt(out, i);
    hash = mixed(hash, reinterpret<u64>(<f64>sample.eventTimeMs));
    const end = sample.readingFirst + sample.readingCount;
    for (let j = sample.readingFirst; j < end; j++) {
      const reading = readingAt(out, j);
      if (reading.status == OK) hash = mixed((hash ^ reading.ordinal) * PRIME, reading.bits);
    }
  }
  return hash;
}

export function powersOfFive(): usize {
  return POWERS_OF_FIVE;
}

export function decodedBytes(): usize {
  return DECODED_BYTES;
}

/** Decodes `count` payloads (address u32, bytes u32 each) `rounds` times: to measure decoders. */
export function decodeList(
  plan: usize, channel: usize, list: usize, count: u32, rounds: u32, out: usize, situation: usize,
): u32 {
  let good: u32 = 0;
  for (let round: u32 = 0; round < rounds; round++) {
    for (let i: u32 = 0; i < count; i++) {
      const at = list + (<usize>i << 3);
      decodeRecord(plan, channel, load<u32>(at), load<u32>(at, 4), out, situation);
      if (load<i32>(out) == 0) good++;
    }
  }
  return good;
}

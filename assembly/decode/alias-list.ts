/**
 * Sparkplug's aliases: which metric and which data type a number stands for. The decoder leaves
 * those of a birth in scratch; once the record is past dedup the device remembers them, and hands
 * them to the decoder with its next records (Situation.aliasesAt). Both lists have the same
 * entries.
 *
 *  list   0 ┌ count u32 ┬ space u32 ┐    of what the record is about
 *         8 ├ entries …             ┤
 *
 *  entry  0 ┌ alias u64 ┬ ordinal u32 ┬ data type u32 ┬ channel u32 ┬ space u32 ┐ 24 bytes
 *
 * A record with DECODED_BIRTH makes the device forget all its entries when `space` is SPACE_NODE
 * (whatever their channel), else those of the same channel and space; then the list's entries are
 * appended as they are. Deaths have the flag too, and an empty list. The entries of one birth have
 * one channel and one space and ascend strictly by alias, and the decoder counts on that: entries
 * stay in the order in which they were appended. The decoder refuses (LIMIT_EXCEEDED) what would
 * make a device remember more than ALIASES_MAX.
 */
import { DECODED_SCRATCH_AT, DECODED_SCRATCH_BYTES } from '../decoded';
import { ALIASES_MAX } from '../shared/abi';

@unmanaged
export class AliasList {
  count: u32;
  space: u32;
}

@unmanaged
export class Alias {
  alias: u64;
  /** Of the metric; ALIAS_UNDECLARED or ALIAS_OWN when it is none of the channel's. */
  ordinal: u32;
  /** Sparkplug's number of it; 0 when the birth says none. */
  dataType: u32;
  channel: u32;
  /** SPACE_NODE, else spaceOf the device's name. */
  space: u32;
}

export const ALIAS_BYTES: usize = 24;
export const ALIAS_LIST_HEADER_BYTES: usize = 8;
export const SPACE_NODE: u32 = 0;
/** A metric that the channel does not declare: METRIC_UNKNOWN, or ignored. */
export const ALIAS_UNDECLARED: u32 = 0xffffffff;
/** A metric of the protocol itself (bdSeq, Node Control/…): always ignored when undeclared. */
export const ALIAS_OWN: u32 = 0xfffffffe;

/** Behind the scratch of the other decoders (cursor.ts), over what only texts need. */
const LIST_AT: usize =
  DECODED_SCRATCH_AT + DECODED_SCRATCH_BYTES - ALIAS_LIST_HEADER_BYTES -
  <usize>ALIASES_MAX * ALIAS_BYTES;
const FNV32_OFFSET: u32 = 0x811c9dc5;
const FNV32_PRIME: u32 = 0x01000193;

/** The list that the decoder of the record left behind `out`; valid with DECODED_BIRTH. */
@inline
export function aliasListAt(out: usize): usize {
  return out + LIST_AT;
}

/** Entry of a list as aliasListAt gives it, header included. */
@inline
export function listedAlias(list: usize, index: u32): Alias {
  return changetype<Alias>(list + ALIAS_LIST_HEADER_BYTES + <usize>index * ALIAS_BYTES);
}

/** The name space of a device's metrics: FNV-1a of its name, never SPACE_NODE. */
export function spaceOf(device: usize, bytes: u32): u32 {
  let hash = FNV32_OFFSET;
  for (let i: u32 = 0; i < bytes; i++) {
    hash = (hash ^ <u32>load<u8>(device + i)) * FNV32_PRIME;
  }
  return hash == SPACE_NODE ? 1 : hash;
}

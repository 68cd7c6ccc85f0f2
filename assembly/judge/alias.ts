/**
 * Sparkplug's state of a device: the aliases that its births bound, and the sequence number that
 * its next record must have. In: what the decoder left of a record that is past dedup. Out: the
 * part `aliases` of the device block, entries as in decode/alias-list.ts.
 */
import {
  ALIAS_BYTES, ALIAS_LIST_HEADER_BYTES, Alias, AliasList, SPACE_NODE, aliasListAt,
} from '../decode/alias-list';
import { DECODED_BIRTH, NO_SPARK_SEQUENCE, decodedAt } from '../decoded';
import { Device, deviceOf, insertBytes, partsOf, removeBytes } from '../device';
import { channelId } from '../channel';
import { DECODED_AT } from '../memory';
import { contentBytes } from './content';

@inline
export function aliasesOf(device: Device): usize {
  return partsOf(device) + contentBytes(device);
}
@inline
function listOf(): AliasList { return changetype<AliasList>(aliasListAt(DECODED_AT)); }
@inline
function isBirth(): bool { return (decodedAt(DECODED_AT).flags & DECODED_BIRTH) != 0; }

/** What remembering the aliases of the record may add to its device's block. */
export function aliasGrowth(): usize {
  return isBirth() ? <usize>listOf().count * ALIAS_BYTES : 0;
}

/** Births and deaths replace what the device remembers of the node, or of one name space. */
export function rememberAliases(slot: u32, channel: usize): void {
  if (!isBirth()) return;
  const list = listOf();
  forget(slot, channelId(channel), list.space);
  if (list.count == 0) return;
  const bytes = <usize>list.count * ALIAS_BYTES;
  let device = deviceOf(slot);
  const end = aliasesOf(device) + <usize>device.aliasCount * ALIAS_BYTES;
  const offset = end - changetype<usize>(device);
  insertBytes(slot, offset, bytes);
  device = deviceOf(slot);
  const from = changetype<usize>(list) + ALIAS_LIST_HEADER_BYTES;
  memory.copy(changetype<usize>(device) + offset, from, bytes);
  device.aliasCount += <u16>list.count;
  device.partsBytes += <u32>bytes;
}

function forget(slot: u32, channel: u32, space: u32): void {
  const device = deviceOf(slot);
  const first = aliasesOf(device);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < device.aliasCount; i++) {
    const from = first + <usize>i * ALIAS_BYTES;
    const alias = changetype<Alias>(from);
    if (space == SPACE_NODE || (alias.space == space && alias.channel == channel)) continue;
    if (i != kept) memory.copy(first + <usize>kept * ALIAS_BYTES, from, ALIAS_BYTES);
    kept++;
  }
  const bytes = <usize>(device.aliasCount - kept) * ALIAS_BYTES;
  const offset = first + <usize>kept * ALIAS_BYTES - changetype<usize>(device);
  if (bytes > 0) removeBytes(slot, offset, bytes);
  device.aliasCount = <u16>kept;
  device.partsBytes -= <u32>bytes;
}

/** Messages of the node that are missing before this record; the next is expected after it. */
export function missedBefore(device: Device): u32 {
  const sequence = decodedAt(DECODED_AT).sparkSequence;
  if (sequence == NO_SPARK_SEQUENCE) return 0;
  const expected = device.sparkNext;
  device.sparkNext = <u16>((sequence + 1) & 255);
  const begins = isBirth() && listOf().space == SPACE_NODE;
  return begins || expected == NO_SPARK_SEQUENCE ? 0 : (sequence - expected) & 255;
}

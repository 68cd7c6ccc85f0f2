/**
 * Entries of maps: first the key, wherever it stands in the entry, then the value if a path names
 * the key. A later entry with the same key replaces an earlier one.
 */
import { stop } from '../../cursor';
import * as G from '../../shared/protobuf-program';
import { equalBytes, nameHash } from '../../text';
import { readTag, skipValue } from '../wire';
import { setDefault } from './leaf';
import { forget, readField } from './message';
import { readScalar } from './scalar';
import { Message } from './state';

const KEY_NUMBER: u32 = 1;
const VALUE_NUMBER: u32 = 2;
/** What no address is. */
const NOT_READ: usize = 1;

export function readEntry(m: Message, map: usize, at: usize, end: usize, tagAt: usize): bool {
  const key = readKey(m, map, at, end);
  if (key == NOT_READ) return false;
  if (key == 0) return true;
  const d = m.d;
  const field = key + G.KEY_FIELD_AT;
  const clear = load<u32>(key, G.KEY_CLEAR_AT);
  if (clear != 0) forget(m, m.program + clear);
  let isAbsent = true;
  while (at < end) {
    const innerAt = at;
    at = readTag(d, at, end);
    const tag = <u32>d.varint;
    if (tag >> 3 == VALUE_NUMBER) {
      isAbsent = false;
      at = readField(m, field, tag, at, end, innerAt);
    } else {
      at = skipValue(d, tag, at, end, innerAt);
    }
    if (at == 0) return false;
  }
  // An entry is there even when its value is left out for being the default.
  if (isAbsent && load<u32>(field, G.FIELD_ACTION_AT) == G.ACT_LEAF) {
    setDefault(m, field, end, tagAt);
  }
  return true;
}

/** Measures the entry; gives the record of its key, 0 when no path names it, or NOT_READ. */
function readKey(m: Message, map: usize, at: usize, end: usize): usize {
  const d = m.d;
  const type = load<u32>(map, G.MAP_KEY_TYPE_AT);
  // The default of every type of key, texts of no bytes included.
  let bits: u64 = 0;
  while (at < end) {
    const innerAt = at;
    at = readTag(d, at, end);
    if (at == 0) return NOT_READ;
    const tag = <u32>d.varint;
    const number = tag >> 3;
    const wire = tag & 7;
    if (number == KEY_NUMBER) {
      if (wire != load<u32>(map, G.MAP_KEY_WIRE_AT)) return stop(d, innerAt) + NOT_READ;
      at = readScalar(d, type, at, end, innerAt);
      bits = d.varint;
    } else {
      if (number == VALUE_NUMBER && wire != load<u32>(map, G.MAP_VALUE_WIRE_AT)) {
        return stop(d, innerAt) + NOT_READ;
      }
      at = skipValue(d, tag, at, end, innerAt);
    }
    if (at == 0) return NOT_READ;
  }
  if (type == G.TYPE_STRING) return findKey(m, map, <usize>(bits & 0xffffffff), <u32>(bits >> 32));
  m.key = bits;
  return findKey(m, map, changetype<usize>(m) + offsetof<Message>('key'), 8);
}

function findKey(m: Message, map: usize, at: usize, bytes: u32): usize {
  const mask = load<u32>(map, G.MAP_MASK_AT);
  const hash = nameHash(at, bytes);
  let slot = hash & mask;
  while (true) {
    const slotAt = map + G.MAP_SLOTS_AT + (<usize>slot << 3);
    const offset = load<u32>(slotAt, 4);
    if (offset == 0) return 0;
    if (load<u32>(slotAt) == hash) {
      const key = m.program + offset;
      const sameBytes = load<u32>(key, G.KEY_BYTES_AT) == bytes;
      if (sameBytes && equalBytes(m.program + load<u32>(key, G.KEY_AT), at, bytes)) return key;
    }
    slot = (slot + 1) & mask;
  }
}

/** A value at the end of a declared path, kept in the scope at hand. */
import { stop } from '../../cursor';
import * as G from '../../shared/protobuf-program';
import { readLength, readTag, skipValue } from '../wire';
import { readScalar } from './scalar';
import { hasValue, setLeaf, slotOf } from './scope';
import { Message } from './state';

@inline
export function readLeaf(m: Message, field: usize, at: usize, end: usize, tagAt: usize): usize {
  const type = load<u32>(field, G.FIELD_TYPE_AT);
  const leaf = load<u32>(field, G.FIELD_TARGET_AT);
  const d = m.d;
  if (type == G.TYPE_TIMESTAMP) {
    at = readLength(d, at, end, tagAt);
    if (at == 0) return 0;
    const next = at + <usize>d.varint;
    return readTimestamp(m, leaf, at, next, tagAt) ? next : 0;
  }
  const next = readScalar(d, type, at, end, tagAt);
  if (next != 0) setLeaf(m.scope, leaf, d.varint, tagAt);
  return next;
}

const SECONDS_TAG: u32 = 0x08;
const NANOS_NUMBER: u32 = 2;

/** google.protobuf.Timestamp; its fields merge, absent ones are 0. */
export function readTimestamp(m: Message, leaf: u32, at: usize, end: usize, tagAt: usize): bool {
  const d = m.d;
  const merges = hasValue(m.scope, leaf);
  const slot = slotOf(m.scope, leaf);
  let seconds: u64 = merges ? slot.bits : 0;
  let nanos: i32 = merges ? slot.nanos : 0;
  while (at < end) {
    const innerAt = at;
    at = readTag(d, at, end);
    if (at == 0) return false;
    const tag = <u32>d.varint;
    if (tag >> 3 <= NANOS_NUMBER) {
      if ((tag & 7) != 0) return stop(d, innerAt) != 0;
      at = readScalar(d, G.TYPE_INT64, at, end, innerAt);
      if (tag == SECONDS_TAG) seconds = d.varint;
      else nanos = <i32>d.varint;
    } else {
      at = skipValue(d, tag, at, end, innerAt);
    }
    if (at == 0) return false;
  }
  slot.nanos = nanos;
  setLeaf(m.scope, leaf, seconds, tagAt);
  return true;
}

/** A map's value that the entry leaves out: the default of its type. `at`: where it is not. */
export function setDefault(m: Message, field: usize, at: usize, tagAt: usize): void {
  const type = load<u32>(field, G.FIELD_TYPE_AT);
  const leaf = load<u32>(field, G.FIELD_TARGET_AT);
  const isText = type == G.TYPE_STRING || type == G.TYPE_BYTES;
  slotOf(m.scope, leaf).nanos = 0;
  setLeaf(m.scope, leaf, isText ? <u64>at : 0, tagAt);
}

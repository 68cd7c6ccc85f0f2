/**
 * Elements of repeated fields, counted over all places where the field stands; paths name some of
 * them by index. The others are measured only.
 */
import { stop } from '../../cursor';
import * as G from '../../shared/protobuf-program';
import { isUtf8 } from '../utf8';
import { readTimestamp } from './leaf';
import { readNode } from './message';
import { readScalar } from './scalar';
import { countElement, setLeaf } from './scope';
import { Message } from './state';

/** The field record of the next element, 0 = no path names it. */
@inline
function nextElement(m: Message, field: usize): usize {
  const elements = m.program + load<u32>(field, G.FIELD_TARGET_AT);
  const index = countElement(m.scope, load<u32>(elements, G.ELEMENTS_COUNTER_AT));
  if (index >= load<u32>(elements, G.ELEMENTS_COUNT_AT)) return 0;
  const offset = load<u32>(elements + (<usize>index << 2), G.ELEMENTS_FIELDS_AT);
  return offset == 0 ? 0 : m.program + offset;
}

/** A scalar of fixed length or a varint. */
export function readElement(m: Message, field: usize, at: usize, end: usize, tagAt: usize): usize {
  const next = readScalar(m.d, load<u32>(field, G.FIELD_TYPE_AT), at, end, tagAt);
  if (next == 0) return 0;
  const bits = m.d.varint;
  const element = nextElement(m, field);
  if (element != 0) setLeaf(m.scope, load<u32>(element, G.FIELD_TARGET_AT), bits, tagAt);
  return next;
}

export function readPacked(m: Message, field: usize, at: usize, end: usize, tagAt: usize): bool {
  while (at < end) {
    at = readElement(m, field, at, end, tagAt);
    if (at == 0) return false;
  }
  return true;
}

/** A text, bytes or a message, of which [at, end) is the content. */
export function readWide(m: Message, field: usize, at: usize, end: usize, tagAt: usize): bool {
  const element = nextElement(m, field);
  if (element == 0) return true;
  const target = load<u32>(element, G.FIELD_TARGET_AT);
  const type = load<u32>(element, G.FIELD_TYPE_AT);
  if (type == G.TYPE_MESSAGE) return readNode(m, m.program + target, at, end);
  if (type == G.TYPE_TIMESTAMP) return readTimestamp(m, target, at, end, tagAt);
  if (type == G.TYPE_STRING && !isUtf8(at, end)) return stop(m.d, tagAt) != 0;
  setLeaf(m.scope, target, (<u64>(end - at) << 32) | <u64>at, tagAt);
  return true;
}

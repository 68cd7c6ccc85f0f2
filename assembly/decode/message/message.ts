/**
 * Any Protobuf message, by the channel's decode program (shared/protobuf-program.ts).
 *
 * 1. The payload is walked field by field; each number is looked up in the node of its message.
 *    What is not there is passed over without being looked into.
 * 2. Scalars at the end of a declared path are kept in a scope (scope.ts): one for the record, and
 *    one for the sample at hand if samples are repeated messages. Nested messages merge and the
 *    last of a scalar wins, so nothing is judged before its scope ends.
 * 3. A member of a oneof forgets what the others have said, a map entry what an earlier one with
 *    the same key has said; both are ranges of leaves.
 * 4. At its end a scope is emitted (emit.ts) in the order of the payload.
 *
 * Depth is that of the declared paths: recursion ends where the program ends.
 */
import { channelProgram } from '../../channel';
import { closeSample, Decoding, openSample, outOf, stop, textBuffer } from '../../cursor';
import { decodedAt } from '../../decoded';
import * as G from '../../shared/protobuf-program';
import { readLength, readTag, skipValue, WIRE_BYTES } from '../wire';
import { readElement, readPacked, readWide } from './element';
import { emitRecord, emitSample } from './emit';
import { readEntry } from './entry';
import { readLeaf } from './leaf';
import { forgetCounters, forgetLeaves, openScope } from './scope';
import { Message, openMessage } from './state';

export function decodeMessage(d: Decoding): bool {
  const program = channelProgram(d.channel);
  const m = openMessage(d, program);
  openScope(m.scope, load<u32>(program, G.PROGRAM_COUNTER_COUNT_AT));
  const root = program + load<u32>(program, G.PROGRAM_ROOT_AT);
  if (load<u32>(program, G.PROGRAM_HAS_SAMPLES_AT) != 0) {
    if (!readNode(m, root, d.start, d.end)) return false;
    emitRecord(m);
    return true;
  }
  const sample = openSample(d, d.payload);
  if (!readNode(m, root, d.start, d.end)) return false;
  emitSample(m, sample);
  closeSample(d, sample);
  return true;
}

/** The record of a field number, 0 = it leads nowhere. */
@inline
function fieldOf(program: usize, node: usize, number: u32): usize {
  if (number < load<u32>(node, G.NODE_DIRECT_COUNT_AT)) {
    const offset = load<u32>(node + (<usize>number << 2), G.NODE_DIRECT_AT);
    return offset == 0 ? 0 : program + offset;
  }
  const sparse = load<u32>(node, G.NODE_SPARSE_AT);
  return sparse == 0 ? 0 : findSparse(program, node, program + sparse, number);
}

function findSparse(program: usize, node: usize, slots: usize, number: u32): usize {
  const mask = load<u32>(node, G.NODE_SPARSE_MASK_AT);
  let slot = number & mask;
  while (true) {
    const at = slots + (<usize>slot << 3);
    const found = load<u32>(at);
    if (found == number) return program + load<u32>(at, 4);
    if (found == 0) return 0;
    slot = (slot + 1) & mask;
  }
}

export function readNode(m: Message, node: usize, at: usize, end: usize): bool {
  const d = m.d;
  const program = m.program;
  while (at < end) {
    const tagAt = at;
    at = readTag(d, at, end);
    if (at == 0) return false;
    const tag = <u32>d.varint;
    const field = fieldOf(program, node, tag >> 3);
    at = field == 0
      ? skipValue(d, tag, at, end, tagAt)
      : readField(m, field, tag, at, end, tagAt);
    if (at == 0) return false;
  }
  return true;
}

export function readField(
  m: Message, field: usize, tag: u32, at: usize, end: usize, tagAt: usize,
): usize {
  const d = m.d;
  const wire = tag & 7;
  const isPacked = wire != load<u32>(field, G.FIELD_WIRE_AT);
  if (isPacked && (wire != WIRE_BYTES || load<u32>(field, G.FIELD_PACKED_AT) == 0)) {
    return stop(d, tagAt);
  }
  const clear = load<u32>(field, G.FIELD_CLEAR_AT);
  if (clear != 0) forget(m, m.program + clear);
  const action = load<u32>(field, G.FIELD_ACTION_AT);
  if (action == G.ACT_LEAF) return readLeaf(m, field, at, end, tagAt);
  if (action == G.ACT_NOTHING) return skipValue(d, tag, at, end, tagAt);
  if (action == G.ACT_ELEMENTS && wire != WIRE_BYTES) return readElement(m, field, at, end, tagAt);
  at = readLength(d, at, end, tagAt);
  if (at == 0) return 0;
  const next = at + <usize>d.varint;
  const target = m.program + load<u32>(field, G.FIELD_TARGET_AT);
  let read: bool;
  if (action == G.ACT_MESSAGE) read = readNode(m, target, at, next);
  else if (action == G.ACT_SAMPLES) read = readSample(m, target, at, next, tagAt);
  else if (action == G.ACT_MAP) read = readEntry(m, target, at, next, tagAt);
  else if (isPacked) read = readPacked(m, field, at, next, tagAt);
  else read = readWide(m, field, at, next, tagAt);
  return read ? next : 0;
}

function readSample(m: Message, node: usize, at: usize, end: usize, tagAt: usize): bool {
  const sample = openSample(m.d, tagAt);
  m.scope = m.sampleScope;
  openScope(m.scope, load<u32>(m.program, G.PROGRAM_COUNTER_COUNT_AT));
  if (!readNode(m, node, at, end)) return false;
  emitSample(m, sample);
  closeSample(m.d, sample);
  m.scope = m.recordScope;
  return true;
}

/** What a oneof or a map takes back. */
export function forget(m: Message, clear: usize): void {
  const count = load<u32>(clear, G.CLEAR_COUNT_AT);
  if (load<u32>(clear, G.CLEAR_SAMPLES_AT) != 0) {
    const decoded = decodedAt(outOf(m.d));
    decoded.sampleCount = 0;
    decoded.readingCount = 0;
    m.d.declared = 0;
    m.textAt = textBuffer(m.d);
  }
  for (let i: u32 = 0; i < count; i++) {
    const range = clear + G.CLEAR_RANGES_AT + <usize>i * G.RANGE_BYTES;
    const leaf = load<u32>(range, G.RANGE_LEAF_AT);
    forgetLeaves(m.scope, leaf, load<u32>(range, G.RANGE_LEAF_END_AT));
    const counter = load<u32>(range, G.RANGE_COUNTER_AT);
    forgetCounters(m.scope, counter, load<u32>(range, G.RANGE_COUNTER_END_AT));
  }
}

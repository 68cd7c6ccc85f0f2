/**
 * A value of Avro's binary encoding as a record of the log, by the channel's program
 * (shared/avro-program.ts): one sample, or one for each item of the array that the samples' path
 * leads to. Refused as PAYLOAD_MALFORMED at the innermost value that cannot be read: what runs past
 * the end, varints over their width, branches and symbols that there are not, sizes below 0, blocks
 * of another size than they say, and a key on a path that comes twice in a map. What follows a
 * container too deep is not read. Recursion is as deep as JSON_DEPTH_MAX, unions not counted.
 */
import { channelProgram } from '../../channel';
import { closeSample, Decoding, openSample, spreadTime, stop } from '../../cursor';
import { Sample } from '../../decoded';
import { JSON_DEPTH_MAX } from '../../shared/abi';
import * as A from '../../shared/avro-program';
import { equalBytes, nameHash } from '../../text';
import { actionCount, readBoolean, readDouble, readEnum, readInteger, readText } from './scalar';
import { readInt, readLong } from './varint';

export function decodeAvro(d: Decoding): bool {
  d.program = channelProgram(d.channel);
  const root = load<u32>(d.program, A.AVRO_ROOT_AT);
  const isOne = load<u32>(d.program, A.AVRO_HAS_SAMPLES_AT) == 0;
  if (isOne) d.sample = changetype<usize>(openSample(d, d.payload));
  const at = readValue(d, root, d.start, 0);
  if (at == 0) return d.deepAt != 0;
  if (at != d.end) return stop(d, at) != 0;
  if (isOne) closeSample(d, changetype<Sample>(d.sample));
  else spreadTime(d);
  return true;
}

/** The value of the node at this offset, inside `depth` containers. */
function readValue(d: Decoding, offset: u32, at: usize, depth: u32): usize {
  if (offset == 0) return at;
  const node = d.program + offset;
  switch (load<u32>(node, A.AVRO_TYPE_AT)) {
    case A.AVRO_BOOLEAN: return readBoolean(d, node, at);
    case A.AVRO_INT: return readInteger(d, node, at, true);
    case A.AVRO_LONG: return readInteger(d, node, at, false);
    case A.AVRO_FLOAT: return readDouble(d, node, at, true);
    case A.AVRO_DOUBLE: return readDouble(d, node, at, false);
    case A.AVRO_BYTES:
    case A.AVRO_STRING: return readText(d, node, at);
    case A.AVRO_FIXED: return passFixed(d, node, at);
    case A.AVRO_ENUM: return readEnum(d, node, at);
    case A.AVRO_UNION: {
      const next = readInt(d, at);
      if (next == 0) return 0;
      if (d.varint >= <u64>load<u32>(node, A.AVRO_COUNT_AT)) return stop(d, at);
      return readValue(d, childAt(d, node, <u32>d.varint), next, depth);
    }
    default: return readContainer(d, node, at, depth);
  }
}

function readContainer(d: Decoding, node: usize, at: usize, depth: u32): usize {
  if (depth == JSON_DEPTH_MAX) {
    d.deepAt = at;
    return 0;
  }
  const type = load<u32>(node, A.AVRO_TYPE_AT);
  if (type == A.AVRO_ARRAY) return readArray(d, node, at, depth + 1);
  if (type == A.AVRO_MAP) return readMap(d, node, at, depth + 1);
  for (let i: u32 = 0, count = load<u32>(node, A.AVRO_COUNT_AT); i < count; i++) {
    at = readValue(d, childAt(d, node, i), at, depth + 1);
    if (at == 0) return 0;
  }
  return at;
}

@inline
function childAt(d: Decoding, node: usize, index: u32): u32 {
  return load<u32>(
    d.program + load<u32>(node, A.AVRO_CHILDREN_AT) + (<usize>index << 2),
  );
}

function passFixed(d: Decoding, node: usize, at: usize): usize {
  const bytes = load<u32>(node, A.AVRO_SIZE_AT);
  return <u32>(d.end - at) < bytes ? stop(d, at) : at + bytes;
}

// --- blocks of items -----------------------------------------------------------------------------
/** d.blockEnd of a block that does not say its size. */
const OPEN_ENDED: usize = 0;

/** A block's count, into d.varint (0: the last one), and where it ends, into d.blockEnd. */
function readBlock(d: Decoding, at: usize): usize {
  let next = readLong(d, at);
  d.blockEnd = OPEN_ENDED;
  if (next == 0 || <i64>d.varint >= 0) return next;
  const count = 0 - d.varint;
  const size = next;
  next = readLong(d, size);
  if (next == 0) return 0;
  if (d.varint > <u64>(d.end - next)) return stop(d, size);
  d.blockEnd = next + <usize>d.varint;
  d.varint = count;
  return next;
}

function readArray(d: Decoding, node: usize, at: usize, depth: u32): usize {
  const item = childAt(d, node, 0);
  const isSamples = actionCount(node) != 0;
  while (true) {
    const blockAt = at;
    at = readBlock(d, at);
    if (at == 0 || d.varint == 0) return at;
    const blockEnd = d.blockEnd;
    // Items that take no bytes are passed over at once, however many a block says there are.
    let left: u64 = item == 0 ? 0 : d.varint;
    for (; left != 0; left--) {
      at = isSamples ? readSample(d, item, at, depth) : readValue(d, item, at, depth);
      if (at == 0) return 0;
    }
    if (endBlock(d, at, blockEnd, blockAt) == 0) return 0;
  }
}

/** `at`, or 0 when the block had to end elsewhere. */
@inline
function endBlock(d: Decoding, at: usize, blockEnd: usize, blockAt: usize): usize {
  return blockEnd == OPEN_ENDED || blockEnd == at ? at : stop(d, blockAt);
}

/** An item as a sample; null is none. */
function readSample(d: Decoding, item: u32, at: usize, depth: u32): usize {
  let value = at;
  if (load<u32>(d.program + item, A.AVRO_TYPE_AT) == A.AVRO_UNION) {
    value = readInt(d, at);
    if (value == 0) return 0;
    if (d.varint >= <u64>load<u32>(d.program + item, A.AVRO_COUNT_AT)) return stop(d, at);
    item = childAt(d, d.program + item, <u32>d.varint);
    if (item == 0) return value;
  }
  const sample = openSample(d, value);
  d.sample = changetype<usize>(sample);
  value = readValue(d, item, value, depth);
  d.sample = 0;
  if (value != 0) closeSample(d, sample);
  return value;
}

// --- maps ----------------------------------------------------------------------------------------
function readMap(d: Decoding, node: usize, at: usize, depth: u32): usize {
  const other = childAt(d, node, 0);
  // Keys on paths that came already: there are at most 128.
  let seenLow: u64 = 0;
  let seenHigh: u64 = 0;
  while (true) {
    const blockAt = at;
    at = readBlock(d, at);
    if (at == 0 || d.varint == 0) return at;
    const blockEnd = d.blockEnd;
    for (let left = d.varint; left != 0; left--) {
      const text = readLong(d, at);
      if (text == 0) return 0;
      if (d.varint > <u64>(d.end - text)) return stop(d, at);
      const key = findKey(d, node, text, <u32>d.varint);
      const next = text + <usize>d.varint;
      if (key != 0) {
        const index = load<u32>(key, A.AVRO_KEY_INDEX_AT);
        const bit = (<u64>1) << (index & 63);
        if (((index < 64 ? seenLow : seenHigh) & bit) != 0) return stop(d, at);
        if (index < 64) seenLow |= bit;
        else seenHigh |= bit;
      }
      at = readValue(d, key == 0 ? other : load<u32>(key, A.AVRO_KEY_NODE_AT), next, depth);
      if (at == 0) return 0;
    }
    if (endBlock(d, at, blockEnd, blockAt) == 0) return 0;
  }
}

/** The key that a path leads through, 0 = none. */
function findKey(d: Decoding, node: usize, text: usize, bytes: u32): usize {
  const names = load<u32>(node, A.AVRO_NAMES_AT);
  if (names == 0) return 0;
  const mask = load<u32>(node, A.AVRO_SIZE_AT);
  const hash = nameHash(text, bytes);
  let slot = hash & mask;
  while (true) {
    const at = d.program + names + (<usize>slot << 3);
    const offset = load<u32>(at, 4);
    if (offset == 0) return 0;
    const key = d.program + offset;
    if (
      load<u32>(at) == hash && load<u32>(key, A.AVRO_KEY_BYTES_AT) == bytes &&
      equalBytes(key + A.AVRO_KEY_TEXT_AT, text, bytes)
    ) return key;
    slot = (slot + 1) & mask;
  }
}

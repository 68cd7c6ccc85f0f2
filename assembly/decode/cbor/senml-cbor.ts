/**
 * A SenML pack as CBOR (RFC 8428 §6): an array of maps whose labels are numbers, or texts as in
 * JSON. Malformed is first what is no well-formed CBOR, then, at the first such place, what is no
 * SenML: a value of another type than its label's (tags are of none), what takeField forbids, a
 * record that cannot be resolved. A container too deep ends the reading.
 */
import { Decoding, exactScratch, keepText, stop, wrong } from '../../cursor';
import {
  beginPack, beginRecord, endPack, endRecord, FIELD_BASE_NAME, FIELD_BASE_TIME, FIELD_BASE_UNIT,
  FIELD_BASE_VALUE, FIELD_BASE_VERSION, FIELD_BOOLEAN, FIELD_DATA, FIELD_NAME, FIELD_OF_LABEL,
  FIELD_OTHER, FIELD_TEXT, FIELD_TIME, FIELD_UNIT, FIELD_UPDATE, FIELD_VALUE, fieldOf, Pack,
  PACK_DOUBLE, PACK_INTEGER, PACK_VERSION_MAX, setBaseName, takeField, updateMillis,
} from '../senml';
import {
  INFO_FALSE, INFO_OPEN, INFO_TRUE, isBreak, MAJOR_ARRAY, MAJOR_BYTES, MAJOR_MAP,
  MAJOR_NEGATIVE, MAJOR_OTHER, MAJOR_TEXT, MAJOR_UNSIGNED, readHead, readString, skipItem,
} from './item';
import { isInt64, isNumber, toDouble, toInt64, toSeconds } from './number';

const TEXTS: u32 = 1 << FIELD_BASE_NAME | 1 << FIELD_NAME | 1 << FIELD_BASE_UNIT
  | 1 << FIELD_UNIT | 1 << FIELD_TEXT;
/** Of a value in a record: the pack is 1 container, the record the second. */
const DEPTH: u32 = 2;
/** Labels of RFC 8428: −6 … 8. */
const LABEL_MAX: u64 = 8;
const LABEL_MIN: u64 = 5;

export function decodeSenmlCbor(d: Decoding): bool {
  const pack = beginPack(d);
  const at = readPack(d, pack, d.start);
  if (at == 0) return d.deepAt != 0;
  if (at != d.end) return stop(d, at) != 0;
  endPack(d, pack);
  return d.wrongAt == 0 || stop(d, d.wrongAt) != 0;
}

function readPack(d: Decoding, pack: Pack, begin: usize): usize {
  let at = readHead(d, begin);
  if (at == 0) return 0;
  if (d.major != MAJOR_ARRAY) {
    wrong(d, begin);
    return skipItem(d, begin, 0);
  }
  const isOpen = d.info == INFO_OPEN;
  const count = d.varint;
  if (isOpen ? isBreak(d, at) : count == 0) wrong(d, begin);
  for (let i: u64 = 0; isOpen || i < count; i++) {
    if (isOpen && isBreak(d, at)) return at + 1;
    const next = readHead(d, at);
    if (next == 0) return 0;
    if (d.major == MAJOR_MAP) {
      at = readRecord(d, pack, at, next);
    } else {
      wrong(d, at);
      at = skipItem(d, at, 1);
    }
    if (at == 0) return 0;
  }
  return at;
}

/** The record whose head, just read, is at `begin`. */
function readRecord(d: Decoding, pack: Pack, begin: usize, at: usize): usize {
  beginRecord(pack, begin);
  const isOpen = d.info == INFO_OPEN;
  const count = d.varint;
  for (let i: u64 = 0; isOpen || i < count; i++) {
    if (isOpen && isBreak(d, at)) {
      at++;
      break;
    }
    const labelAt = at;
    at = readLabel(d, pack, at);
    if (at == 0) return 0;
    const field = d.field;
    if (!takeField(pack, field)) wrong(d, labelAt);
    at = field >= FIELD_OTHER ? skipItem(d, at, DEPTH) : readField(d, pack, field, at);
    if (at == 0) return 0;
  }
  if (!endRecord(d, pack)) wrong(d, d.trouble);
  return at;
}

/** A label, as FIELD_* into d.field. */
function readLabel(d: Decoding, pack: Pack, at: usize): usize {
  const next = readHead(d, at);
  if (next == 0) return 0;
  d.field = FIELD_OTHER;
  if (d.major == MAJOR_UNSIGNED) {
    if (d.varint <= LABEL_MAX) d.field = <u32>(FIELD_OF_LABEL + <i32>d.varint);
    return next;
  }
  if (d.major == MAJOR_NEGATIVE) {
    if (d.varint <= LABEL_MIN) d.field = <u32>(FIELD_OF_LABEL - 1 - <i32>d.varint);
    return next;
  }
  if (d.major == MAJOR_TEXT) {
    const behind = readString(d, at, next);
    if (behind != 0) d.field = fieldOf(d.stringAt, d.stringBytes);
    return behind;
  }
  wrong(d, at);
  return skipItem(d, at, DEPTH);
}

/** The value of a field that RFC 8428 knows. */
function readField(d: Decoding, pack: Pack, field: u32, at: usize): usize {
  const next = readHead(d, at);
  if (next == 0) return 0;
  if ((1 << field & TEXTS) != 0) {
    if (d.major == MAJOR_TEXT) return readText(d, pack, field, at, next);
  } else if (field == FIELD_DATA) {
    if (d.major == MAJOR_BYTES) {
      pack.valueAt = at;
      return readString(d, at, next);
    }
  } else if (field == FIELD_BOOLEAN) {
    if (d.major == MAJOR_OTHER && (d.info == INFO_TRUE || d.info == INFO_FALSE)) {
      pack.valueAt = at;
      pack.truth = d.info == INFO_TRUE ? 1 : 0;
      return next;
    }
  } else if (isNumber(d)) {
    takeNumber(d, pack, field, at);
    return next;
  }
  wrong(d, at);
  return skipItem(d, at, DEPTH);
}

function readText(d: Decoding, pack: Pack, field: u32, at: usize, next: usize): usize {
  const isJoined = d.info == INFO_OPEN;
  const behind = readString(d, at, next);
  if (behind == 0) return 0;
  const text = d.stringAt;
  const bytes = d.stringBytes;
  if (isJoined) keepText(d, bytes);
  switch (field) {
    case FIELD_BASE_NAME:
      if (!setBaseName(pack, text, bytes)) wrong(d, at);
      break;
    case FIELD_NAME:
      pack.nameAt = text;
      pack.nameBytes = bytes;
      break;
    case FIELD_BASE_UNIT:
      pack.hasBaseUnit = 1;
      pack.baseUnitAt = text;
      pack.baseUnitBytes = bytes;
      break;
    case FIELD_UNIT:
      pack.unitAt = text;
      pack.unitBytes = bytes;
      break;
    default:
      pack.valueAt = at;
      pack.textAt = text;
      pack.textBytes = bytes;
      pack.textIsNone = 0;
  }
  return behind;
}

/** The number whose head was just read. */
function takeNumber(d: Decoding, pack: Pack, field: u32, at: usize): void {
  switch (field) {
    case FIELD_VALUE:
      pack.valueAt = at;
      pack.valueIs = isInt64(d) ? PACK_INTEGER : PACK_DOUBLE;
      if (pack.valueIs == PACK_INTEGER) pack.integer = toInt64(d);
      else pack.double = toDouble(d);
      break;
    case FIELD_BASE_VALUE:
      pack.baseIs = isInt64(d) ? PACK_INTEGER : PACK_DOUBLE;
      if (pack.baseIs == PACK_INTEGER) pack.baseInteger = toInt64(d);
      else pack.baseDouble = toDouble(d);
      break;
    case FIELD_TIME:
      pack.timeAt = at;
      pack.seconds = toSeconds(d, changetype<usize>(pack) + offsetof<Pack>('attos'));
      break;
    case FIELD_BASE_TIME:
      pack.hasBaseTime = 1;
      pack.baseTimeAt = at;
      pack.baseSeconds = toSeconds(d, changetype<usize>(pack) + offsetof<Pack>('baseAttos'));
      break;
    case FIELD_UPDATE:
      // Its attoseconds lie where nobody looks.
      pack.updateMs = updateMillis(toSeconds(d, exactScratch(d)), load<u64>(exactScratch(d)));
      break;
    case FIELD_BASE_VERSION: {
      const version = toDouble(d);
      const isOurs = version >= 1 && version <= PACK_VERSION_MAX && Math.trunc(version) == version;
      if (!isOurs) wrong(d, at);
      break;
    }
    default:
  }
}

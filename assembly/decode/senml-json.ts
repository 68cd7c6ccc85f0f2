/**
 * A SenML pack as JSON (RFC 8428 §5): an array of objects, read as strictly as any other JSON.
 * Malformed is first what is no JSON text, then, at the first such place, what is no SenML: a value
 * of another type than its label's, what takeField forbids, a record that cannot be resolved.
 */
import {
  Decoding, exactScratch, keepText, numeralOf, stop, textBuffer, wrong,
} from '../cursor';
import { toDouble } from '../number';
import {
  fitsInt64, isPlainInteger, Numeral, NUMERAL_NEGATIVE, toInt64,
} from '../numeral';
import { PAYLOAD_BYTES_MAX } from '../shared/abi';
import { skipColon, skipLiteral, skipNumber, skipValue } from './json-skip';
import { scanString, skipSpace, unescape } from './json-text';
import {
  ATTOS_PER_SECOND, beginPack, beginRecord, endPack, endRecord, FIELD_BASE_NAME, FIELD_BASE_TIME,
  FIELD_BASE_UNIT, FIELD_BASE_VALUE, FIELD_BASE_VERSION, FIELD_BOOLEAN,
  FIELD_DATA, FIELD_NAME, FIELD_OTHER, FIELD_TEXT, FIELD_TIME, FIELD_UNIT, FIELD_UPDATE,
  FIELD_VALUE, fieldOf, Pack, PACK_DOUBLE, PACK_INTEGER, PACK_SECONDS_MAX, PACK_VERSION_MAX,
  setBaseName, takeField, updateMillis,
} from './senml';

const OBJECT: u32 = 0x7b;
const ARRAY: u32 = 0x5b;
const QUOTE: u32 = 0x22;
/** Fields whose value is a string. */
const TEXTS: u32 = 1 << FIELD_BASE_NAME | 1 << FIELD_NAME | 1 << FIELD_BASE_UNIT
  | 1 << FIELD_UNIT | 1 << FIELD_TEXT | 1 << FIELD_DATA;
/** Of a member of a record: the pack is 1 container, the record the second. */
const DEPTH: u32 = 2;

export function decodeSenmlJson(d: Decoding): bool {
  const end = d.end;
  const pack = beginPack(d);
  let at = skipSpace(d.start, end);
  if (at < end && <u32>load<u8>(at) == ARRAY) {
    at = readPack(d, pack, at);
  } else {
    wrong(d, at);
    at = skipValue(d, at, 0);
  }
  if (at == 0) return false;
  at = skipSpace(at, end);
  if (at != end) return stop(d, at) != 0;
  endPack(d, pack);
  return d.wrongAt == 0 || stop(d, d.wrongAt) != 0;
}

/** The array at `at`, of one record or more; gives the address behind it. */
function readPack(d: Decoding, pack: Pack, at: usize): usize {
  const end = d.end;
  const pack0 = at;
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x5d) {
    wrong(d, pack0);
    return at + 1;
  }
  while (true) {
    if (at < end && <u32>load<u8>(at) == OBJECT) {
      at = readRecord(d, pack, at);
    } else {
      wrong(d, at);
      at = skipValue(d, at, 1);
    }
    if (at == 0) return 0;
    at = skipSpace(at, end);
    if (at >= end) return stop(d, end);
    const next = <u32>load<u8>(at);
    if (next == 0x5d) return at + 1;
    if (next != 0x2c) return stop(d, at);
    at = skipSpace(at + 1, end);
  }
}

function readRecord(d: Decoding, pack: Pack, at: usize): usize {
  const end = d.end;
  beginRecord(pack, at);
  at = skipSpace(at + 1, end);
  if (at < end && load<u8>(at) == 0x7d) return at + 1;
  while (true) {
    if (at >= end) return stop(d, end);
    if (<u32>load<u8>(at) != QUOTE) return stop(d, at);
    const quote = scanString(d, at + 1);
    if (quote == 0) return 0;
    const field = labelOf(d, at + 1, quote);
    if (!takeField(pack, field)) wrong(d, at);
    at = skipColon(d, quote + 1);
    if (at == 0) return 0;
    at = readField(d, pack, field, at);
    if (at == 0) return 0;
    at = skipSpace(at, end);
    if (at >= end) return stop(d, end);
    const next = <u32>load<u8>(at);
    if (next == 0x7d) break;
    if (next != 0x2c) return stop(d, at);
    at = skipSpace(at + 1, end);
  }
  if (!endRecord(d, pack)) wrong(d, d.trouble);
  return at + 1;
}

function labelOf(d: Decoding, at: usize, quote: usize): u32 {
  if (d.escaped == 0) return fieldOf(at, <u32>(quote - at));
  const text = textBuffer(d);
  return fieldOf(text, unescape(d, at, quote, text, PAYLOAD_BYTES_MAX));
}

/** The value of a field; gives the address behind it. */
function readField(d: Decoding, pack: Pack, field: u32, at: usize): usize {
  if (field >= FIELD_OTHER) return skipValue(d, at, DEPTH);
  const byte = <u32>load<u8>(at);
  if ((1 << field & TEXTS) != 0) {
    if (byte == QUOTE) return readText(d, pack, field, at);
  } else if (field == FIELD_BOOLEAN) {
    if (byte == 0x74 || byte == 0x66) {
      pack.valueAt = at;
      pack.truth = byte == 0x74 ? 1 : 0;
      return skipLiteral(d, at);
    }
  } else if (byte == 0x2d || byte - 0x30 <= 9) {
    return readNumber(d, pack, field, at);
  }
  wrong(d, at);
  return skipValue(d, at, DEPTH);
}

function readText(d: Decoding, pack: Pack, field: u32, at: usize): usize {
  const quote = scanString(d, at + 1);
  if (quote == 0) return 0;
  let text = at + 1;
  let bytes = <u32>(quote - text);
  d.lone = 0;
  if (d.escaped != 0) {
    text = textBuffer(d);
    bytes = unescape(d, at + 1, quote, text, PAYLOAD_BYTES_MAX);
    keepText(d, bytes);
  }
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
      pack.textIsNone = d.lone;
  }
  return quote + 1;
}

function readNumber(d: Decoding, pack: Pack, field: u32, at: usize): usize {
  const next = skipNumber(d, at);
  if (next == 0) return 0;
  const numeral = numeralOf(d);
  switch (field) {
    case FIELD_VALUE:
      pack.valueAt = at;
      pack.valueIs = isInt64(numeral) ? PACK_INTEGER : PACK_DOUBLE;
      if (pack.valueIs == PACK_INTEGER) pack.integer = toInt64(numeral);
      else pack.double = toDouble(numeral, exactScratch(d));
      break;
    case FIELD_BASE_VALUE:
      pack.baseIs = isInt64(numeral) ? PACK_INTEGER : PACK_DOUBLE;
      if (pack.baseIs == PACK_INTEGER) pack.baseInteger = toInt64(numeral);
      else pack.baseDouble = toDouble(numeral, exactScratch(d));
      break;
    case FIELD_TIME:
      pack.timeAt = at;
      pack.seconds = secondsOf(numeral, changetype<usize>(pack) + offsetof<Pack>('attos'));
      break;
    case FIELD_BASE_TIME:
      pack.hasBaseTime = 1;
      pack.baseTimeAt = at;
      pack.baseSeconds = secondsOf(numeral, changetype<usize>(pack) + offsetof<Pack>('baseAttos'));
      break;
    case FIELD_UPDATE:
      // Its attoseconds lie where nobody looks.
      pack.updateMs = updateMillis(secondsOf(numeral, exactScratch(d)), load<u64>(exactScratch(d)));
      break;
    case FIELD_BASE_VERSION:
      if (!isVersion(toDouble(numeral, exactScratch(d)))) wrong(d, at);
      break;
    default:
  }
  return next;
}

/** −0 is a double: an integer has no sign of zero. */
@inline
function isInt64(numeral: Numeral): bool {
  if (!isPlainInteger(numeral) || !fitsInt64(numeral)) return false;
  return numeral.digits != 0 || (numeral.flags & NUMERAL_NEGATIVE) == 0;
}

@inline
function isVersion(value: f64): bool {
  return value >= 1 && value <= PACK_VERSION_MAX && Math.trunc(value) == value;
}

/** Digits of a second before the point that count, and behind it. */
const SECOND_DIGITS: i32 = 12;
const ATTO_DIGITS: i32 = 18;

/** floor(value), at most ±PACK_SECONDS_MAX; what is left, in attoseconds, to `attosAt`. */
function secondsOf(numeral: Numeral, attosAt: usize): i64 {
  let seconds: i64 = 0;
  let attos: u64 = 0;
  let isMore = false;
  // Power of ten of the digit at hand; the point, where there is one, is not a digit.
  let power = numeral.exponentAll + <i32>(numeral.digitsEnd - numeral.digitsAt) - 1;
  if (hasPoint(numeral)) power--;
  for (let at = numeral.digitsAt; at < numeral.digitsEnd; at++) {
    const digit = <u64>load<u8>(at) - 0x30;
    if (digit > 9) continue;
    if (digit != 0) {
      if (power >= SECOND_DIGITS) seconds = PACK_SECONDS_MAX;
      else if (power >= 0) seconds += <i64>(digit * tenTo(power));
      else if (power >= -ATTO_DIGITS) attos += digit * tenTo(power + ATTO_DIGITS);
      else isMore = true;
    }
    power--;
  }
  if (seconds > PACK_SECONDS_MAX) seconds = PACK_SECONDS_MAX;
  if ((numeral.flags & NUMERAL_NEGATIVE) != 0) {
    seconds = -seconds;
    if (isMore) attos++;
    if (attos != 0) {
      seconds--;
      attos = ATTOS_PER_SECOND - attos;
    }
  }
  store<u64>(attosAt, attos);
  return seconds;
}

function hasPoint(numeral: Numeral): bool {
  for (let at = numeral.digitsAt; at < numeral.digitsEnd; at++) {
    if (load<u8>(at) == 0x2e) return true;
  }
  return false;
}

function tenTo(power: i32): u64 {
  let value: u64 = 1;
  for (; power > 0; power--) value *= 10;
  return value;
}

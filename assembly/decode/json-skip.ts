/**
 * Any JSON value, checked and passed over. Iterative: one bit per open container says what it is,
 * so that a payload of brackets alone costs neither stack nor more than linear time. Containers
 * deeper than JSON_DEPTH_MAX are noted, and read to their end: malformed goes before too deep.
 */
import { Decoding, levelBits, numeralOf, stop } from '../cursor';
import { passShort, scanNumber } from '../numeral';
import { JSON_DEPTH_MAX } from '../shared/abi';
import { scanString, skipSpace } from './json-text';

/** A value at `at` inside `depth` containers; gives the address behind it. */
export function skipValue(d: Decoding, at: usize, depth: u32): usize {
  const end = d.end;
  const bits = levelBits(d);
  let level: u32 = 0;
  while (true) {
    if (at >= end) return stop(d, end);
    const byte = <u32>load<u8>(at);
    if (byte == 0x7b || byte == 0x5b) {
      if (depth + level >= <u32>JSON_DEPTH_MAX && d.deepAt == 0) d.deepAt = at;
      const close = byte + 2;
      at = skipSpace(at + 1, end);
      if (at >= end) return stop(d, end);
      if (load<u8>(at) != close) {
        setObject(bits, level++, byte == 0x7b);
        if (byte == 0x7b) {
          at = skipKey(d, at);
          if (at == 0) return 0;
        }
        continue;
      }
      at++;
    } else {
      at = skipScalar(d, at);
      if (at == 0) return 0;
    }
    // Behind a value: close what ends here, or go on to the next member.
    while (true) {
      if (level == 0) return at;
      at = skipSpace(at, end);
      if (at >= end) return stop(d, end);
      const next = <u32>load<u8>(at);
      const object = isObject(bits, level - 1);
      if (next == 0x2c) {
        at = skipSpace(at + 1, end);
        if (object) at = skipKey(d, at);
        if (at == 0) return 0;
        break;
      }
      if (next != (object ? 0x7d : 0x5d)) return stop(d, at);
      level--;
      at++;
    }
  }
}

@inline
function setObject(bits: usize, level: u32, object: bool): void {
  const at = bits + (level >> 3);
  const bit = <u32>1 << (level & 7);
  const old = <u32>load<u8>(at);
  store<u8>(at, object ? old | bit : old & ~bit);
}

@inline
function isObject(bits: usize, level: u32): bool {
  return ((<u32>load<u8>(bits + (level >> 3)) >> (level & 7)) & 1) != 0;
}

/** A member's key, colon and the space around them; gives the address of the value. */
function skipKey(d: Decoding, at: usize): usize {
  const end = d.end;
  if (at >= end) return stop(d, end);
  if (load<u8>(at) != 0x22) return stop(d, at);
  const quote = scanString(d, at + 1);
  return quote == 0 ? 0 : skipColon(d, quote + 1);
}

/** Behind a key: the colon; gives the address of the value, before `end`. */
export function skipColon(d: Decoding, at: usize): usize {
  const end = d.end;
  at = skipSpace(at, end);
  if (at >= end) return stop(d, end);
  if (load<u8>(at) != 0x3a) return stop(d, at);
  at = skipSpace(at + 1, end);
  return at >= end ? stop(d, end) : at;
}

function skipScalar(d: Decoding, at: usize): usize {
  const byte = <u32>load<u8>(at);
  if (byte == 0x22) {
    const quote = scanString(d, at + 1);
    return quote == 0 ? 0 : quote + 1;
  }
  if (byte == 0x2d || byte - 0x30 <= 9) {
    if (ASC_FEATURE_SIMD) {
      const next = passShort(at, d.end);
      if (next != 0) return next;
    }
    return skipNumber(d, at);
  }
  return skipLiteral(d, at);
}

export function skipNumber(d: Decoding, at: usize): usize {
  const numeral = numeralOf(d);
  const next = scanNumber(numeral, at, d.end);
  return next == 0 ? stop(d, numeral.trouble) : next;
}

// Letters as a word.
const TRUE: u32 = 0x65757274;
const NULL: u32 = 0x6c6c756e;

/** `true`, `false` or `null`. */
export function skipLiteral(d: Decoding, at: usize): usize {
  if (at + 4 <= d.end) {
    const letters = load<u32>(at);
    if (letters == TRUE || letters == NULL) return at + 4;
  }
  switch (<u32>load<u8>(at)) {
    case 0x74:
      return skipLetters(d, at, TRUE, 4);
    case 0x66:
      return skipLetters(d, at, 0x65736c6166, 5);
    case 0x6e:
      return skipLetters(d, at, NULL, 4);
    default:
      return stop(d, at);
  }
}

function skipLetters(d: Decoding, at: usize, letters: u64, count: u32): usize {
  for (; count > 0; count--) {
    if (at >= d.end) return stop(d, d.end);
    if (load<u8>(at) != <u8>letters) return stop(d, at);
    letters >>= 8;
    at++;
  }
  return at;
}

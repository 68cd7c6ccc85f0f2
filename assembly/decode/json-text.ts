/**
 * JSON strings and white space. `scanString` checks a string as RFC 8259 and UTF-8 demand and stops
 * at the first byte that no valid text can have there; `unescape` then cannot fail. Escaped
 * surrogates without their partner are valid JSON: they become three bytes each, as if they were
 * characters, so that they equal no valid UTF-8, and are reported in d.lone.
 */
import { Decoding, stop } from '../cursor';

const ONES: u64 = 0x0101010101010101;
const HIGHS: u64 = 0x8080808080808080;
const QUOTES: u64 = 0x2222222222222222;
const BACKSLASHES: u64 = 0x5c5c5c5c5c5c5c5c;
const SPACES: u64 = 0x2020202020202020;

@inline
export function skipSpace(at: usize, end: usize): usize {
  return at < end && load<u8>(at) > 0x20 ? at : skipSpaces(at, end);
}

/** White space, of texts that are laid out for people long runs of it. */
function skipSpaces(at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    while (at + 16 <= end) {
      const text = v128.load(at);
      const breaks = v128.or(i8x16.eq(text, i8x16.splat(0x0a)), i8x16.eq(text, i8x16.splat(0x0d)));
      const blanks = v128.or(i8x16.eq(text, i8x16.splat(0x20)), i8x16.eq(text, i8x16.splat(0x09)));
      const others = ~<u32>i8x16.bitmask(v128.or(breaks, blanks)) & 0xffff;
      if (others != 0) return at + <usize>ctz(others);
      at += 16;
    }
  }
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) break;
    at++;
  }
  return at;
}

/** From behind the opening quote; gives the address of the closing one. Sets d.escaped. */
export function scanString(d: Decoding, at: usize): usize {
  const end = d.end;
  d.escaped = 0;
  at = skipPlain(at, end);
  return at < end && load<u8>(at) == 0x22 ? at : scanRest(d, at);
}

/** The same, without a call where 16 bytes hold the rest of the string. */
@inline
export function scanShortString(d: Decoding, at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    if (at + 16 <= end) {
      const marks = marksOf(v128.load(at));
      const quote = at + <usize>ctz(marks);
      if (marks != 0 && load<u8>(quote) == 0x22) {
        d.escaped = 0;
        return quote;
      }
    }
  }
  return scanString(d, at);
}

/** A string in which something else than its end came first. */
function scanRest(d: Decoding, at: usize): usize {
  const end = d.end;
  while (true) {
    if (at >= end) return stop(d, end);
    const byte = <u32>load<u8>(at);
    if (byte == 0x22) return at;
    if (byte == 0x5c) {
      d.escaped = 1;
      at = scanEscape(d, at + 1, end);
    } else if (byte < 0x20) {
      return stop(d, at);
    } else {
      at = scanWide(d, at, end);
    }
    if (at == 0) return 0;
    at = skipPlain(at, end);
  }
}

/** A bit per byte of 16 that is a quote, a backslash, a control character or not ASCII. */
@inline
function marksOf(text: v128): u32 {
  const ends = v128.or(i8x16.eq(text, i8x16.splat(0x22)), i8x16.eq(text, i8x16.splat(0x5c)));
  // As signed bytes control characters and what is not ASCII lie below the space.
  return <u32>i8x16.bitmask(v128.or(ends, i8x16.lt_s(text, i8x16.splat(0x20))));
}

/** To the first byte that is a quote, a backslash, a control character or not ASCII. */
@inline
function skipPlain(at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    while (at + 16 <= end) {
      const marks = marksOf(v128.load(at));
      if (marks != 0) return at + <usize>ctz(marks);
      at += 16;
    }
    if (at >= end) return at;
    // The last 16 bytes; what lies before `at` is shifted out.
    const marks = marksOf(v128.load(end - 16)) >> <u32>(at + 16 - end);
    return marks != 0 ? at + <usize>ctz(marks) : end;
  }
  while (at + 8 <= end) {
    const word = load<u64>(at);
    const quote = word ^ QUOTES;
    const backslash = word ^ BACKSLASHES;
    // A byte's high bit is right up to the first one set; borrows only disturb those above.
    const found = ((quote - ONES) & ~quote) | ((backslash - ONES) & ~backslash)
      | ((word - SPACES) & ~word) | word;
    const marks = found & HIGHS;
    if (marks != 0) return at + (<usize>ctz(marks) >> 3);
    at += 8;
  }
  while (at < end) {
    const byte = <u32>load<u8>(at);
    if (byte == 0x22 || byte == 0x5c || byte < 0x20 || byte >= 0x80) break;
    at++;
  }
  return at;
}

function scanEscape(d: Decoding, at: usize, end: usize): usize {
  if (at >= end) return stop(d, end);
  switch (<u32>load<u8>(at)) {
    case 0x22: case 0x5c: case 0x2f: case 0x62: case 0x66: case 0x6e: case 0x72: case 0x74:
      return at + 1;
    case 0x75:
      break;
    default:
      return stop(d, at);
  }
  for (let i = 0; i < 4; i++) {
    at++;
    if (at >= end) return stop(d, end);
    if (hexDigit(load<u8>(at)) > 15) return stop(d, at);
  }
  return at + 1;
}

/** A UTF-8 character of two to four bytes: no overlong forms, no surrogates, up to U+10FFFF. */
function scanWide(d: Decoding, at: usize, end: usize): usize {
  const lead = <u32>load<u8>(at);
  let low: u32 = 0x80;
  let high: u32 = 0xbf;
  let more = 1;
  if (lead < 0xc2 || lead > 0xf4) return stop(d, at);
  if (lead >= 0xf0) {
    more = 3;
    if (lead == 0xf0) low = 0x90;
    else if (lead == 0xf4) high = 0x8f;
  } else if (lead >= 0xe0) {
    more = 2;
    if (lead == 0xe0) low = 0xa0;
    else if (lead == 0xed) high = 0x9f;
  }
  at++;
  for (; more > 0; more--) {
    if (at >= end) return stop(d, end);
    const byte = <u32>load<u8>(at);
    if (byte < low || byte > high) return stop(d, at);
    low = 0x80;
    high = 0xbf;
    at++;
  }
  return at;
}

@inline
function hexDigit(byte: u32): u32 {
  const digit = byte - 0x30;
  if (digit <= 9) return digit;
  const letter = (byte | 0x20) - 0x61;
  return letter <= 5 ? letter + 10 : 255;
}

function hexUnit(at: usize): u32 {
  return (hexDigit(load<u8>(at)) << 12) | (hexDigit(load<u8>(at, 1)) << 8)
    | (hexDigit(load<u8>(at, 2)) << 4) | hexDigit(load<u8>(at, 3));
}

/**
 * A scanned string [at, end) without its escapes, to `to`; gives its bytes, or bytesMax + 1 when it
 * is longer than that. Writes at most bytesMax + 4 bytes. Sets d.lone.
 */
export function unescape(d: Decoding, at: usize, end: usize, to: usize, bytesMax: u32): u32 {
  d.lone = 0;
  let bytes: u32 = 0;
  while (at < end) {
    if (bytes > bytesMax) return bytesMax + 1;
    const byte = <u32>load<u8>(at++);
    if (byte != 0x5c) {
      store<u8>(to + bytes++, byte);
      continue;
    }
    const kind = <u32>load<u8>(at++);
    if (kind != 0x75) {
      store<u8>(to + bytes++, shortEscape(kind));
      continue;
    }
    let code = hexUnit(at);
    at += 4;
    if ((code & 0xf800) == 0xd800) {
      const low = code < 0xdc00 ? lowSurrogate(at, end) : 0;
      if (low != 0) {
        code = 0x10000 + ((code & 0x3ff) << 10) + (low & 0x3ff);
        at += 6;
      } else d.lone = 1;
    }
    bytes += storeUtf8(to + bytes, code);
  }
  return bytes > bytesMax ? bytesMax + 1 : bytes;
}

@inline
function shortEscape(kind: u32): u32 {
  switch (kind) {
    case 0x62: return 0x08;
    case 0x66: return 0x0c;
    case 0x6e: return 0x0a;
    case 0x72: return 0x0d;
    case 0x74: return 0x09;
    default: return kind;
  }
}

/** The low surrogate escaped at `at`, or 0. */
function lowSurrogate(at: usize, end: usize): u32 {
  if (at + 6 > end || load<u8>(at) != 0x5c || load<u8>(at, 1) != 0x75) return 0;
  const code = hexUnit(at + 2);
  return (code & 0xfc00) == 0xdc00 ? code : 0;
}

function storeUtf8(to: usize, code: u32): u32 {
  if (code < 0x80) {
    store<u8>(to, code);
    return 1;
  }
  if (code < 0x800) {
    store<u8>(to, 0xc0 | (code >> 6));
    store<u8>(to, 0x80 | (code & 0x3f), 1);
    return 2;
  }
  if (code < 0x10000) {
    store<u8>(to, 0xe0 | (code >> 12));
    store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 1);
    store<u8>(to, 0x80 | (code & 0x3f), 2);
    return 3;
  }
  store<u8>(to, 0xf0 | (code >> 18));
  store<u8>(to, 0x80 | ((code >> 12) & 0x3f), 1);
  store<u8>(to, 0x80 | ((code >> 6) & 0x3f), 2);
  store<u8>(to, 0x80 | (code & 0x3f), 3);
  return 4;
}

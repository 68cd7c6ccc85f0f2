/**
 * Time stamps to milliseconds since 1970, floored. ISO 8601: `YYYY-MM-DDThh:mm:ss`, with a
 * fraction of any length, and `Z` or `±hh:mm` (t and z too); a space may stand for `T`, and then
 * the zone may be absent (UTC). Epochs: a count of s, ms, µs or ns, as a JSON number or a string
 * of digits.
 */
import { MILLIS_OUTSIDE, Numeral, scanNumber, toMillis } from '../numeral';
import { TIME_ISO8601, TIME_MS, TIME_S, TIME_US } from '../shared/abi';

/** What no time stamp is. */
export const TIME_NONE: i64 = MILLIS_OUTSIDE;
/** Seconds beyond every table, and far below what overflows as milliseconds. */
const SECONDS_LIMIT: i64 = 1000000000000;

@inline
function epochShift(format: u32): i32 {
  return format == TIME_S ? 3 : format == TIME_MS ? 0 : format == TIME_US ? -3 : -6;
}

/** A number in an epoch format. */
export function epochToMillis(numeral: Numeral, format: u32): i64 {
  return toMillis(numeral, epochShift(format));
}

/** An integer in an epoch format; TIME_NONE for ISO 8601, and beyond every table. */
export function epochWholeToMillis(value: i64, format: u32): i64 {
  switch (format) {
    case TIME_S: return value > SECONDS_LIMIT || value < -SECONDS_LIMIT ? TIME_NONE : value * 1000;
    case TIME_MS: return value;
    case TIME_US: return floorDivide(value, 1000);
    case TIME_ISO8601: return TIME_NONE;
    default: return floorDivide(value, 1000000);
  }
}

@inline
function floorDivide(value: i64, by: i64): i64 {
  const quotient = value / by;
  return quotient * by > value ? quotient - 1 : quotient;
}

/** A string of digits in an epoch format; leading zeros do not matter. */
export function epochTextToMillis(numeral: Numeral, at: usize, end: usize, format: u32): i64 {
  for (let i = at; i < end; i++) if (<u32>load<u8>(i) - 0x30 > 9) return TIME_NONE;
  while (at + 1 < end && load<u8>(at) == 0x30) at++;
  if (scanNumber(numeral, at, end) == 0) return TIME_NONE;
  return epochToMillis(numeral, format);
}

/** Two digits, or a number beyond 99. */
@inline
function twoDigits(at: usize): u32 {
  const tens = <u32>load<u8>(at) - 0x30;
  const ones = <u32>load<u8>(at, 1) - 0x30;
  return tens > 9 || ones > 9 ? 100 : tens * 10 + ones;
}

export function isoToMillis(at: usize, end: usize): i64 {
  if (end - at < 19) return TIME_NONE;
  if (ASC_FEATURE_SIMD) {
    const timeMs = shortIsoToMillis(at, end);
    if (timeMs != TIME_NONE) return timeMs;
  }
  return anyIsoToMillis(at, end);
}

/**
 * YYYY-MM-DDThh:mm:ss, a fraction of three digits or none, Z: what nearly all devices write. All
 * digits at once; TIME_NONE = it is another one, or none.
 */
function shortIsoToMillis(at: usize, end: usize): i64 {
  const bytes = end - at;
  if ((bytes != 20 && bytes != 24) || load<u8>(end - 1) != 0x5a) return TIME_NONE;
  const text = v128.load(at);
  const values = i8x16.sub(text, i8x16.splat(0x30));
  const digits = <u32>i8x16.bitmask(i8x16.lt_u(values, i8x16.splat(10)));
  const marks = <u32>i8x16.bitmask(
    i8x16.eq(text, i8x16(0, 0, 0, 0, 0x2d, 0, 0, 0x2d, 0, 0, 0x54, 0, 0, 0x3a, 0, 0)),
  );
  if (((digits & ISO_DIGITS) | (marks & ISO_MARKS)) != 0xffff) return TIME_NONE;
  const pairs = i8x16.swizzle(
    values, i8x16(0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, -1, -1, -1, -1),
  );
  const twos = i16x8.add(
    i16x8.mul(v128.and(pairs, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(pairs, 8),
  );
  const second = twoDigits(at + 17);
  let millis: u32 = 0;
  if (bytes == 24) {
    const ones = <u32>load<u8>(at, 22) - 0x30;
    millis = twoDigits(at + 20) * 10 + ones;
    if (ones > 9 || millis > 999 || load<u8>(at, 19) != 0x2e) return TIME_NONE;
  }
  const year = <u32>i16x8.extract_lane_u(twos, 0) * 100 + <u32>i16x8.extract_lane_u(twos, 1);
  const month = <u32>i16x8.extract_lane_u(twos, 2);
  const day = <u32>i16x8.extract_lane_u(twos, 3);
  const hour = <u32>i16x8.extract_lane_u(twos, 4);
  const minute = <u32>i16x8.extract_lane_u(twos, 5);
  if (load<u8>(at, 16) != 0x3a || second > 59 || minute > 59 || hour > 23) return TIME_NONE;
  if (month - 1 > 11 || day - 1 >= daysInMonth(year, month)) return TIME_NONE;
  const ofDay = ((hour * 60 + minute) * 60 + second) * 1000 + millis;
  return <i64>daysSince1970(year, month, day) * 86400000 + <i64>ofDay;
}

/** Bits of the digits and of the marks between them, of the first 16 bytes. */
const ISO_DIGITS: u32 = 0xdb6f;
const ISO_MARKS: u32 = 0x2490;

function anyIsoToMillis(at: usize, end: usize): i64 {
  const century = twoDigits(at);
  const yearOfCentury = twoDigits(at + 2);
  const month = twoDigits(at + 5);
  const day = twoDigits(at + 8);
  const separator = <u32>load<u8>(at, 10);
  if (century > 99 || yearOfCentury > 99 || load<u8>(at, 4) != 0x2d || load<u8>(at, 7) != 0x2d) {
    return TIME_NONE;
  }
  if ((separator | 0x20) != 0x74 && separator != 0x20) return TIME_NONE;
  const year = century * 100 + yearOfCentury;
  if (month - 1 > 11 || day - 1 >= daysInMonth(year, month)) return TIME_NONE;
  const hour = twoDigits(at + 11);
  const minute = twoDigits(at + 14);
  const second = twoDigits(at + 17);
  if (hour > 23 || minute > 59 || second > 59) return TIME_NONE;
  if (load<u8>(at, 13) != 0x3a || load<u8>(at, 16) != 0x3a) return TIME_NONE;
  at += 19;
  let millis: u32 = 0;
  if (at < end && load<u8>(at) == 0x2e) {
    const fraction = ++at;
    // Digits beyond the third weigh nothing.
    let weight: u32 = 100;
    for (; at < end; at++) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      millis += digit * weight;
      weight /= 10;
    }
    if (at == fraction) return TIME_NONE;
  }
  const zone = zoneMinutes(at, end, separator == 0x20);
  if (zone == ZONE_NONE) return TIME_NONE;
  const minutes = <i64>(hour * 60 + minute) - zone;
  const days = <i64>daysSince1970(year, month, day);
  return (days * 1440 + minutes) * 60000 + <i64>(second * 1000 + millis);
}

const ZONE_NONE: i64 = 9999;

/** The rest of the text as an offset from UTC. */
function zoneMinutes(at: usize, end: usize, mayBeAbsent: bool): i64 {
  if (at == end) return mayBeAbsent ? 0 : ZONE_NONE;
  const sign = <u32>load<u8>(at);
  if ((sign | 0x20) == 0x7a) return at + 1 == end ? 0 : ZONE_NONE;
  if ((sign != 0x2b && sign != 0x2d) || end - at != 6 || load<u8>(at, 3) != 0x3a) return ZONE_NONE;
  const hours = twoDigits(at + 1);
  const minutes = twoDigits(at + 4);
  if (hours > 23 || minutes > 59) return ZONE_NONE;
  const offset = <i64>(hours * 60 + minutes);
  return sign == 0x2b ? offset : -offset;
}

function daysInMonth(year: u32, month: u32): u32 {
  if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/**
 * Proleptic Gregorian; years counted from March, so that the leap day is the last of a year, and
 * from 400 years before the first, so that none is negative.
 */
function daysSince1970(year: u32, month: u32, day: u32): i32 {
  const y = year + 400 - (month <= 2 ? 1 : 0);
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return <i32>(era * 146097 + dayOfEra) - 719468 - 146097;
}

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
  // YYYY-MM-DDThh:mm:ss
  if (end - at < 19) return TIME_NONE;
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
  let millis: i64 = 0;
  if (at < end && load<u8>(at) == 0x2e) {
    const fraction = ++at;
    let weight: i64 = 100;
    for (; at < end; at++) {
      const digit = <u32>load<u8>(at) - 0x30;
      if (digit > 9) break;
      millis += <i64>digit * weight;
      weight /= 10;
    }
    if (at == fraction) return TIME_NONE;
  }
  const zone = zoneMinutes(at, end, separator == 0x20);
  if (zone == ZONE_NONE) return TIME_NONE;
  const minutes = <i64>(hour * 60 + minute) - zone;
  return (daysSince1970(year, month, day) * 1440 + minutes) * 60000 + <i64>second * 1000 + millis;
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

/** Proleptic Gregorian; years counted from March, so that the leap day is the last of a year. */
function daysSince1970(year: u32, month: u32, day: u32): i64 {
  const y = <i64>year - (month <= 2 ? 1 : 0);
  const era = (y >= 0 ? y : y - 399) / 400;
  const yearOfEra = y - era * 400;
  const monthFromMarch = <i64>((month + 9) % 12);
  const dayOfYear = (153 * monthFromMarch + 2) / 5 + <i64>day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

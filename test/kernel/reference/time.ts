/**
 * Event times of JSON payloads. In: the node at the time path and the channel's format. Out: UTC
 * milliseconds, floored, or null when the time is malformed. Decimal numbers are read exactly.
 */
import type { TimeFormat } from '../../../src/model/plan.ts';
import type { Node } from './json.ts';

export const EVENT_TIME_MIN_MS = Date.UTC(1900, 0, 1);
export const EVENT_TIME_MAX_MS = Date.UTC(2300, 0, 1) - 1;

export function inTimeRange(ms: bigint): boolean {
  return ms >= BigInt(EVENT_TIME_MIN_MS) && ms <= BigInt(EVENT_TIME_MAX_MS);
}

export function readTime(node: Node, format: TimeFormat): number | null {
  if (format === 'iso8601') {
    return node.kind === 'string' ? readIso(node.value as string) : null;
  }
  if (node.kind === 'number') return readDecimal(node.text, format);
  const isDigits = node.kind === 'string' && /^[0-9]+$/.test(node.value as string);
  return isDigits ? readDecimal(node.value as string, format) : null;
}

/** Nanoseconds in one unit. */
const NANOSECONDS = { s: 10n ** 9n, ms: 10n ** 6n, us: 10n ** 3n, ns: 1n };

function readDecimal(text: string, unit: 's' | 'ms' | 'us' | 'ns'): number | null {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (!parts) return null;
  const [, sign, whole = '', fraction = '', exponentText = '0'] = parts;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  if (digits === 0n) return 0;
  const exponent = Number(exponentText) - fraction.length;
  // Beyond all ranges, and too long to compute with.
  if (Math.abs(exponent) > 100_000) return exponent > 0 ? null : digits < 0n ? -1 : 0;
  const scaled = digits * NANOSECONDS[unit] * 10n ** BigInt(Math.max(exponent, 0));
  const ms = floorDivide(scaled, 10n ** BigInt(Math.max(-exponent, 0)) * 10n ** 6n);
  return inTimeRange(ms) ? Number(ms) : null;
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

const ISO =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))?$/;

function readIso(text: string): number | null {
  const parts = ISO.exec(text);
  if (!parts) return null;
  // Only with a space between date and time may the zone be absent.
  if (text[10] !== ' ' && !/(?:[Zz]|[+-]\d\d:\d\d)$/.test(text.slice(19))) return null;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as number[];
  const [zoneHour, zoneMinute] = [Number(parts[9] ?? 0), Number(parts[10] ?? 0)];
  if (hour! > 23 || minute! > 59 || second! > 59 || zoneHour > 23 || zoneMinute > 59) return null;
  // Date.UTC reads years below 100 as 19xx; those are out of range anyway.
  if (year! < 1000) return null;
  const date = new Date(Date.UTC(year!, month! - 1, day!));
  if (date.getUTCMonth() !== month! - 1 || date.getUTCDate() !== day!) return null;
  const zone = (zoneHour * 60 + zoneMinute) * 60_000 * (parts[8] === '-' ? -1 : 1);
  const fraction = Number((parts[7] ?? '').padEnd(3, '0').slice(0, 3));
  const ms = date.getTime() + ((hour! * 60 + minute!) * 60 + second!) * 1000 + fraction - zone;
  return inTimeRange(BigInt(ms)) ? ms : null;
}

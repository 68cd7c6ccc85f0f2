/**
 * What `v_agg_1m` must say, worked out from what was acknowledged and nothing else. In: the fleet,
 * and of each lane how many entries count. Out: per device the events that are rows, and all
 * expected windows as the bytes ClickHouse must answer with (RowBinary). Short on purpose: every
 * window from all its readings at once, no watermark, no fragments.
 */
import type { Fleet, FleetDevice } from '../load/fleet.ts';

const WINDOW_MS = 60_000;

/** The columns and their order, as SQL; WindowBytes writes the same. */
export const WINDOW_SQL =
  'SELECT device, metric, toInt64(toUnixTimestamp64Milli(window_start)), toUInt64(count), ' +
  'toFloat64(sum), toFloat64(min), toFloat64(max), toFloat64(first), toFloat64(last), ' +
  'toInt64(toUnixTimestamp64Milli(first_time)), toInt64(toUnixTimestamp64Milli(last_time)) ' +
  'FROM v_agg_1m ORDER BY device, metric, window_start FORMAT RowBinary';

interface Window {
  count: number;
  sum: number;
  min: number;
  max: number;
  first: number;
  firstMs: number;
  last: number;
  lastMs: number;
}

export interface Expected {
  /** One row as the bytes it must be, by `device metric startMs`, in the order of the answer. */
  readonly rows: ReadonlyMap<string, Buffer>;
  readonly bytes: Buffer;
  /** Of each device: how many rows, and a sum that differs when any of them does. */
  readonly devices: ReadonlyMap<string, { readonly count: number; readonly digest: bigint }>;
  readonly fates: Readonly<Record<'stored' | 'partly' | 'tooOld' | 'rejected', number>>;
}

/** Of each device of a lane: how many of its events lie among the lane's first `entries`. */
export const eventsOf = (place: number, devices: number, entries: number): number =>
  Math.max(0, Math.ceil((entries - place) / devices));

export function expectedOf(fleet: Fleet, entries: readonly number[]): Expected {
  const fates = { stored: 0, partly: 0, tooOld: 0, rejected: 0 };
  const devices = new Map<string, { count: number; digest: bigint }>();
  const found: { key: string; order: string; bytes: Buffer }[] = [];
  for (const [partition, lane] of fleet.lanes.entries()) {
    for (const [place, device] of lane.entries()) {
      const windows = new Map<string, Window>();
      const events = eventsOf(place, lane.length, entries[partition] ?? 0);
      const own = { count: 0, digest: 0n };
      let digest = 0;
      for (let number = 0; number < events; number += 1) {
        const { fate, timeMs, values } = fleet.event(device, number);
        fates[fate] += 1;
        if (fate !== 'stored' && fate !== 'partly') continue;
        own.count += 1;
        digest += number * number; // exact: far below 2^53
        const start = Math.floor(timeMs / WINDOW_MS) * WINDOW_MS;
        for (const metric in values) fold(windows, `${metric} ${start}`, values[metric]!, timeMs);
      }
      own.digest = BigInt(digest);
      devices.set(device.identity.device, own);
      for (const [key, window] of windows) found.push(rowOf(device, key, window));
    }
  }
  found.sort((left, right) => (left.order < right.order ? -1 : 1));
  return {
    rows: new Map(found.map(({ key, bytes }) => [key, bytes])),
    bytes: Buffer.concat(found.map(({ bytes }) => bytes)),
    devices,
    fates,
  };
}

/** In the order of the log: of equal times the first stays first, the last becomes last. */
function fold(windows: Map<string, Window>, key: string, value: number, timeMs: number): void {
  const window = windows.get(key);
  if (!window) {
    const ends = { first: value, firstMs: timeMs, last: value, lastMs: timeMs };
    windows.set(key, { count: 1, sum: value, min: value, max: value, ...ends });
    return;
  }
  window.count += 1;
  window.sum += value;
  if (value < window.min) window.min = value;
  if (value > window.max) window.max = value;
  if (timeMs < window.firstMs) [window.first, window.firstMs] = [value, timeMs];
  if (timeMs >= window.lastMs) [window.last, window.lastMs] = [value, timeMs];
}

function rowOf({ identity }: FleetDevice, key: string, window: Window) {
  const [metric, start] = key.split(' ') as [string, string];
  const { count, sum, min, max, first, last, firstMs, lastMs } = window;
  const numbers = Buffer.alloc(9 * 8);
  numbers.writeBigInt64LE(BigInt(start), 0);
  numbers.writeBigUInt64LE(BigInt(count), 8);
  for (const [place, value] of [sum, min, max, first, last].entries()) {
    numbers.writeDoubleLE(value, 16 + 8 * place);
  }
  numbers.writeBigInt64LE(BigInt(firstMs), 56);
  numbers.writeBigInt64LE(BigInt(lastMs), 64);
  return {
    key: `${identity.device} ${metric} ${start}`,
    order: `${identity.device} ${metric} ${start.padStart(16, '0')}`,
    bytes: Buffer.concat([text(identity.device), text(metric), numbers]),
  };
}

/** Names are shorter than 128 bytes: their length is one byte. */
const text = (value: string): Buffer =>
  Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)]);

/** An answer cut into its rows, by the same keys. */
export function parseWindows(bytes: Buffer): Map<string, Buffer> {
  const rows = new Map<string, Buffer>();
  for (let at = 0; at < bytes.length; ) {
    const begin = at;
    const names: string[] = [];
    for (let name = 0; name < 2; name += 1) {
      const length = bytes[at]!;
      names.push(bytes.toString('utf8', at + 1, at + 1 + length));
      at += 1 + length;
    }
    const key = `${names.join(' ')} ${bytes.readBigInt64LE(at)}`;
    at += 9 * 8;
    rows.set(key, bytes.subarray(begin, at));
  }
  return rows;
}

/** For people. */
export function describeWindow(row: Buffer): string {
  let at = 0;
  for (let name = 0; name < 2; name += 1) at += 1 + row[at]!;
  const floats = [16, 24, 32, 40, 48].map((place) => row.readDoubleLE(at + place));
  const [sum, min, max, first, last] = floats;
  return (
    `count ${row.readBigUInt64LE(at + 8)} sum ${sum} min ${min} max ${max} first ${first} ` +
    `last ${last} from ${row.readBigInt64LE(at + 56)} to ${row.readBigInt64LE(at + 64)}`
  );
}

/**
 * One file on its way into the log: reads rows, gives each its key, sends them, and remembers how
 * far every row is answered. Keys depend on channel, file name and row alone, so that the same file
 * sent again, from anywhere in it, changes nothing:
 *
 *   bootId   = first 8 bytes of sha256("<channel>/<file name>")
 *   sequence = number of the device's row
 *
 * With an id column the row's id stands for both.
 */
import { createHash } from 'node:crypto';
import { basename, extname, join, resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Ingest } from '../../model/doors.ts';
import type { OperatingError } from '../../model/error.ts';
import type { EventKey } from '../../model/record.ts';
import { CursorFile } from './cursor.ts';
import { Delivery, type Refusal } from './delivery.ts';
import { type Row, readRows, unusable } from './row-file.ts';

const SAVE_EVERY_MS = 1_000;
const DEVICE_LENGTH_MAX = 64;

export interface FeedOptions {
  readonly file: string;
  readonly log: string;
  readonly channel: string;
  readonly tenant: string;
  readonly site: string;
  /** Null: the device column names it. */
  readonly device: string | null;
  readonly deviceColumn: string | null;
  readonly idColumn: string | null;
  readonly columns: ReadonlyMap<string, string> | null;
  readonly rowsPerSecond: number | null;
  readonly restart: boolean;
  /** Where cursors are kept. */
  readonly folder: string;
}

export interface FeedContext {
  readonly ingest: Ingest;
  readonly clock: Clock;
  /** No more rows are read. */
  readonly ending: AbortSignal;
  /** Answers are no longer waited for. */
  readonly cut: AbortSignal;
  readonly onTrouble: (error: OperatingError) => void;
  readonly onProgress: (rows: number) => void;
}

export interface FeedResult {
  readonly file: string;
  readonly device: string | null;
  /** Rows of the file that were read, all of them unless it was interrupted. */
  readonly rows: number;
  /** Of those, acknowledged by an earlier run and not sent again. */
  readonly already: number;
  readonly acknowledged: number;
  readonly refused: number;
  readonly refusals: readonly Refusal[];
  readonly positions: Delivery['positions'];
}

export async function feedFile(options: FeedOptions, context: FeedContext): Promise<FeedResult> {
  const cursor = new CursorFile(options.folder, cursorKey(options));
  const start = options.restart ? 0 : cursor.rows;
  const delivery = new Delivery({ ...context, signal: context.cut, start });
  const { clock, ending } = context;
  const pace = createPace(options.rowsPerSecond, clock, ending);
  const keyOf = createKeys(options);
  let rows = 0;
  let savedMs = clock.monotonicMs();
  try {
    for await (const row of readRows(options)) {
      if (ending.aborted) break;
      const record = recordOf(row, keyOf(row), options, clock);
      rows = row.number;
      if (row.number <= start) continue;
      await pace();
      if (ending.aborted) break;
      await delivery.send(row.number, record);
      if (clock.monotonicMs() - savedMs < SAVE_EVERY_MS) continue;
      savedMs = clock.monotonicMs();
      cursor.save(delivery.upTo);
      context.onProgress(delivery.upTo);
    }
    await delivery.drain();
  } finally {
    cursor.save(delivery.upTo);
    context.onProgress(delivery.upTo);
  }
  const { acknowledged, refused, refusals, positions } = delivery;
  const already = Math.min(start, rows);
  const { file, device } = options;
  return { file, device, rows, already, acknowledged, refused, refusals, positions };
}

/** The file's name as an id: 'Motor 7.csv' → 'Motor-7'. */
export function deviceName(file: string): string {
  const name = basename(file, extname(file)).replace(/[^A-Za-z0-9_-]+/g, '-');
  return name.replace(/^-+|-+$/g, '').slice(0, DEVICE_LENGTH_MAX) || 'file';
}

export function bootIdOf(channel: string, file: string): bigint {
  const hash = createHash('sha256').update(`${channel}/${basename(file)}`);
  return hash.digest().readBigUInt64BE(0);
}

function cursorKey(options: FeedOptions): string {
  const { log, channel, tenant, site, device, deviceColumn, idColumn, file } = options;
  const by = device ?? `column ${deviceColumn}`;
  return [log, channel, tenant, site, by, idColumn ?? '', resolve(file)].join('\n');
}

/** Sequences count each device's own rows: gaps would cost memory per device. */
function createKeys({ channel, file, device, idColumn }: FeedOptions): (row: Row) => EventKey {
  const bootId = bootIdOf(channel, file);
  const counts = new Map<string, bigint>();
  return (row) => {
    if (idColumn !== null) {
      if (row.id) return { eventId: row.id };
      throw unusable(file, `row ${row.number} has no id in column "${idColumn}"`);
    }
    if (device !== null) return { bootId, sequence: BigInt(row.number) };
    const name = row.device ?? '';
    const sequence = (counts.get(name) ?? 0n) + 1n;
    counts.set(name, sequence);
    return { bootId, sequence };
  };
}

function recordOf(row: Row, key: EventKey, options: FeedOptions, clock: Clock) {
  const { tenant, site, channel } = options;
  const device = options.device ?? row.device ?? '';
  const { payload } = row;
  return { identity: { tenant, site, device }, channel, receivedAtMs: clock.nowMs(), payload, key };
}

function createPace(rowsPerSecond: number | null, clock: Clock, signal: AbortSignal) {
  const startedMs = clock.monotonicMs();
  let sent = 0;
  return async () => {
    if (rowsPerSecond === null) return;
    const waitMs = startedMs + (sent * 1000) / rowsPerSecond - clock.monotonicMs();
    sent += 1;
    if (waitMs > 1) await clock.wait(waitMs, signal).catch(() => {});
  };
}

export const cursorFolder = (folder: string): string => join(folder, 'ingest');

/**
 * A row that ClickHouse refuses for what it holds → dead letter SINK_REFUSED. In: table, row,
 * reason. Out: the letter and its row in `dead_letters`. Its index lies above those of records in a
 * message, so that a letter of the kernel and one of the sink never share a key.
 */

import type { DeadLetter } from '../../model/fact.ts';
import { DEAD_LETTER_SAMPLE_BYTES } from '../../model/limit.ts';
import type { NativeValue } from './native-split.ts';

/** First index of letters about rows of `ch_…` tables; the sample's ordinal is added. */
export const SAMPLE_INDEX = 0x8000_0000;
/** First index of letters about rows of other tables; the emission's ordinal is added. */
export const EMISSION_INDEX = 0xc000_0000;
/** Last second that a DateTime holds: for ever. */
const NEVER_S = 4_294_967_295;

export interface Refusal {
  readonly table: string;
  readonly row: Readonly<Record<string, NativeValue>>;
  /** ClickHouse's code and text. */
  readonly code: number;
  readonly message: string;
  readonly generation: number;
  readonly letter: DeadLetter;
}

export interface RefusedRow {
  readonly table: string;
  readonly partition: number;
  readonly row: Readonly<Record<string, NativeValue>>;
  readonly bytes: number;
  readonly code: number;
  readonly message: string;
}

export function createRefusal(refused: RefusedRow): Refusal {
  const { table, row } = refused;
  const text = (name: string): string => String(row[name] ?? '');
  const big = (name: string): bigint => BigInt((row[name] ?? 0) as number | bigint);
  const isSample = table.startsWith('ch_');
  // Other tables carry generation(32) · sequence(64) · ordinal(32) in their version.
  const version = big('version');
  const sequence = isSample ? big('sequence') : (version >> 32n) & 0xffff_ffff_ffff_ffffn;
  const ordinal = isSample ? Number(big('ordinal')) : Number(version & 0xffff_ffffn);
  const first = isSample ? SAMPLE_INDEX : EMISSION_INDEX;
  const logTimeMs = Number(big('log_time'));
  return {
    table,
    row,
    code: refused.code,
    message: refused.message,
    generation: Number(isSample ? version : version >> 96n),
    letter: {
      identity:
        'device' in row
          ? { tenant: text('tenant'), site: text('site'), device: text('device') }
          : null,
      channel: isSample ? table.slice('ch_'.length) : text('channel'),
      reason: 'SINK_REFUSED',
      partition: refused.partition,
      sequence,
      index: first + (ordinal % (EMISSION_INDEX - SAMPLE_INDEX)),
      offset: 0,
      metric: '',
      receivedAtMs: 'received_at' in row ? Number(big('received_at')) : logTimeMs,
      logTimeMs,
      payloadBytes: refused.bytes,
      sample: new TextEncoder().encode(rowText(row)).slice(0, DEAD_LETTER_SAMPLE_BYTES),
    },
  };
}

/** Row of `dead_letters` as JSON; `retentionMs` 0 keeps it for ever. */
export function refusalRow(refusal: Refusal, log: string, retentionMs: number): object {
  const { letter } = refusal;
  const expiresS = Math.ceil((letter.logTimeMs + retentionMs) / 1_000);
  return {
    log,
    partition: letter.partition,
    sequence: `${letter.sequence}`,
    index: letter.index,
    tenant: letter.identity?.tenant ?? '',
    site: letter.identity?.site ?? '',
    device: letter.identity?.device ?? '',
    channel: letter.channel,
    reason: letter.reason,
    metric: letter.metric,
    offset: letter.offset,
    received_at: timeText(letter.receivedAtMs),
    log_time: timeText(letter.logTimeMs),
    payload_bytes: letter.payloadBytes,
    sample: Buffer.from(letter.sample).toString('utf8'),
    plan_hash: '0',
    version: refusal.generation,
    is_deleted: 0,
    expires_at: retentionMs === 0 ? NEVER_S : Math.min(NEVER_S, expiresS),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}

function rowText(row: Readonly<Record<string, NativeValue>>): string {
  return JSON.stringify(row, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
}

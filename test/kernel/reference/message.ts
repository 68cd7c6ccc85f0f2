/**
 * Log messages. In: one entry of a chunk. Out: what it asks for: a tick, a plan, or records in
 * order; null stands for the one BATCH_MALFORMED record of a message that cannot be read.
 */
import { ID_PATTERN } from '../../../src/model/record.ts';
import type { LogMessage } from '../../../src/wire/chunk.ts';
import { bootKey, headerKey, headerKind, idKey, type KeyField } from './key.ts';
import * as wire from './protobuf.ts';

/** A record as admitted; ids may be anything. */
export interface RawRecord {
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
  readonly channel: string;
  readonly receivedAtMs: bigint;
  readonly payload: Uint8Array;
  readonly key: KeyField;
  /** What the transport says of the payload; '' = nothing. */
  readonly kind: string;
  readonly index: number;
}

export type Request =
  | { readonly kind: 'tick' | 'plan' | 'ctl' }
  | { readonly kind: 'records'; readonly records: readonly RawRecord[] | null };

export function readMessage(message: LogMessage, logMs: number): Request {
  const tokens = message.subject.split('.').slice(3);
  const [kind] = tokens;
  if (tokens.length === 1 && kind === 'batch') {
    return { kind: 'records', records: readBatch(message.payload) };
  }
  if (tokens.length === 1 && (kind === 'tick' || kind === 'plan' || kind === 'ctl')) {
    return { kind };
  }
  const [, tenant, site, device, t, channel] = tokens;
  if (tokens.length !== 6 || kind !== 'iot' || t !== 't') return { kind: 'records', records: null };
  const record = {
    ...{ tenant: tenant!, site: site!, device: device!, channel: channel! },
    ...{ receivedAtMs: BigInt(logMs), payload: message.payload, index: 0 },
    key: headerKey(message.headers),
    kind: headerKind(message.headers),
  };
  return { kind: 'records', records: [record] };
}

function readBatch(body: Uint8Array): readonly RawRecord[] | null {
  try {
    const fields = wire
      .walk(body, { start: 0, end: body.length }, wire.RECORD_BATCH)
      .filter(({ number }) => number === 1);
    const inner = fields.map((field) => wire.walk(body, field, wire.RECORD));
    const { records } = wire.decodeRecordBatch(body);
    const read = records.map((record, index) => readRecord(record, inner[index]!, index));
    const named = read.every((each) => each.tenant && each.site && each.device && each.channel);
    return named && read.length > 0 ? read : null;
  } catch (error) {
    if (error instanceof wire.Malformed) return null;
    throw error;
  }
}

function readRecord(
  message: wire.RecordMessage,
  fields: readonly wire.Field[],
  index: number,
): RawRecord {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
  return {
    tenant: text(message.tenant),
    site: text(message.site),
    device: text(message.device),
    channel: text(message.channel),
    receivedAtMs: BigInt.asUintN(64, wire.whole(message.received_at_ms)),
    // An absent field is an array to protobufjs.
    payload: Uint8Array.from(message.payload),
    key: recordKey(message, fields),
    kind: Buffer.from(message.kind).toString('utf8'),
    index,
  };
}

function recordKey(message: wire.RecordMessage, fields: readonly wire.Field[]): KeyField {
  if (wire.last(fields, 7)) return idKey(message.event_id);
  if (!wire.last(fields, 8) && !wire.last(fields, 9)) return null;
  return bootKey(wire.whole(message.boot_id), wire.whole(message.sequence));
}

export function isIdentityValid(record: RawRecord): boolean {
  return [record.tenant, record.site, record.device, record.channel].every((id) =>
    ID_PATTERN.test(id),
  );
}

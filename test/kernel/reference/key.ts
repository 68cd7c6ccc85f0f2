/**
 * The key by which a record proves to be the same event again. In: what a carrier (batch, headers,
 * payload) holds. Out: a key, null when the carrier has none, or 'invalid' (EVENT_ID_INVALID).
 */
import { EVENT_ID_BYTES_MAX } from '../../../assembly/shared/abi.ts';

/** A key that the record carries. */
export type SentKey =
  /** Exact bytes, as latin1 text so that they can be compared and used in a Map. */
  | { readonly kind: 'id'; readonly id: string }
  | { readonly kind: 'boot'; readonly bootId: bigint; readonly sequence: bigint };

export type Key =
  | SentKey
  /** Of a record without key: what it says, where. The kernel keeps a digest of it. */
  | { readonly kind: 'content'; readonly content: string };

export type KeyField = SentKey | null | 'invalid';

const UINT64_END = 1n << 64n;

export function idKey(bytes: Uint8Array): KeyField {
  if (bytes.length === 0 || bytes.length > EVENT_ID_BYTES_MAX) return 'invalid';
  return { kind: 'id', id: Buffer.from(bytes).toString('latin1') };
}

export function bootKey(bootId: bigint, sequence: bigint): KeyField {
  return sequence === 0n ? 'invalid' : { kind: 'boot', bootId, sequence };
}

export function contentKey(channelId: number, payload: Uint8Array): Key {
  return { kind: 'content', content: `${channelId} ${Buffer.from(payload).toString('latin1')}` };
}

/** Headers of a native publish: raw "NATS/1.0\r\nName: value\r\n…\r\n\r\n". */
function readHeaders(headers: Uint8Array): Map<string, string> {
  const values = new Map<string, string>();
  const lines = Buffer.from(headers).toString('latin1').split('\r\n').slice(1);
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0 || values.has(line.slice(0, colon))) continue;
    values.set(line.slice(0, colon), line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, ''));
  }
  return values;
}

export function headerKind(headers: Uint8Array): string {
  return Buffer.from(readHeaders(headers).get('Millrace-Kind') ?? '', 'latin1').toString('utf8');
}

export function headerKey(headers: Uint8Array): KeyField {
  const values = readHeaders(headers);
  const id = values.get('Millrace-Event-Id');
  if (id !== undefined) return idKey(Buffer.from(id, 'latin1'));
  const boot = values.get('Millrace-Boot-Id');
  const sequence = values.get('Millrace-Sequence');
  if (boot === undefined && sequence === undefined) return null;
  // A boot id that is not sent is 0, as in Protobuf.
  const [bootId, number] = [boot === undefined ? 0n : decimal(boot), decimal(sequence)];
  return bootId === null || number === null ? 'invalid' : bootKey(bootId, number);
}

function decimal(text: string | undefined): bigint | null {
  if (text === undefined || !/^[0-9]{1,20}$/.test(text)) return null;
  const value = BigInt(text);
  return value < UINT64_END ? value : null;
}

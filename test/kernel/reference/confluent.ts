/**
 * The prefix of Confluent's serializers. In: a payload and its channel. Out: where the payload
 * behind it begins, or null when the prefix says something else than the channel lists.
 */
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { Payload } from './decode.ts';

export function prefixBytes(payload: Uint8Array, channel: PlanChannel): number | null {
  const bytes = Buffer.from(payload);
  if (bytes.length < 5 || bytes[0] !== 0) return null;
  if (!channel.schemaIds.includes(bytes.readUInt32BE(1))) return null;
  if (channel.format !== 'protobuf' && channel.format !== 'protobuf-message') return 5;
  const wanted = channel.schema?.kind === 'protobuf' ? channel.schema.indexPath : [0];
  const count = zigzag(bytes, 5);
  if (count === null) return null;
  const indexes: number[] = count.value === 0 ? [0] : [];
  let { next } = count;
  while (count.value !== 0 && indexes.length < wanted.length) {
    const index = zigzag(bytes, next);
    if (index === null) return null;
    indexes.push(index.value);
    next = index.next;
  }
  if (count.value !== 0 && count.value !== wanted.length) return null;
  return indexes.join() === wanted.join() ? next : null;
}

/** 32 bits in at most 5 bytes. */
function zigzag(bytes: Buffer, at: number): { value: number; next: number } | null {
  let value = 0n;
  for (let i = 0; i < 5 && at + i < bytes.length; i++) {
    const byte = bytes[at + i]!;
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte >= 128) continue;
    if (value >= 2n ** 32n) return null;
    const signed = value % 2n === 0n ? value / 2n : -(value + 1n) / 2n;
    return { value: Number(signed), next: at + i + 1 };
  }
  return null;
}

/** What was decoded behind a prefix, with offsets from the payload's beginning. */
export function behindPrefix(decoded: Payload, channel: PlanChannel, bytes: number): Payload {
  // A sample that is the whole payload, and a record, lie at 0.
  const isWhole = channel.format !== 'protobuf' && channel.samplesPath.length === 0;
  const samples = decoded.samples.map((sample) => ({
    ...sample,
    offset: isWhole ? 0 : sample.offset + bytes,
    timeOffset: isWhole && sample.timeMs === null ? 0 : sample.timeOffset + bytes,
    readings: sample.readings.map((reading) => ({ ...reading, offset: reading.offset + bytes })),
  }));
  return { ...decoded, samples };
}

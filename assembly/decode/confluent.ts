/**
 * The prefix of Confluent's serializers: a byte 0 and the id of the schema, four bytes, big endian;
 * for Protobuf then which message of the schema it is: how many indexes, and the indexes, zig-zag
 * varints; a single 0 stands for the path [0]. In: a decode at its beginning. Out: `start` behind
 * the prefix, or false when it is none, or says something else than what the channel lists.
 */
import { channelFormat, channelHasSchema } from '../channel';
import { Decoding } from '../cursor';
import { FORMAT_PROTOBUF, FORMAT_PROTOBUF_MESSAGE } from '../shared/abi';
import * as P from '../shared/plan-layout';
import { readInt } from './avro/varint';

const PREFIX_BYTES: usize = 5;

export function takePrefix(d: Decoding): bool {
  const at = d.payload;
  if (d.end - at < PREFIX_BYTES || load<u8>(at) != 0) return false;
  if (!channelHasSchema(d.channel, bswap<u32>(load<u32>(at, 1)))) return false;
  d.start = at + PREFIX_BYTES;
  const format = channelFormat(d.channel);
  return (format != FORMAT_PROTOBUF && format != FORMAT_PROTOBUF_MESSAGE) || takeIndexes(d);
}

/** True when the indexes are those of the channel's message. */
function takeIndexes(d: Decoding): bool {
  const list = d.channel + load<u32>(d.channel, P.CHANNEL_INDEXES_AT);
  const count = load<u32>(d.channel, P.CHANNEL_INDEX_COUNT_AT);
  let at = readInt(d, d.start);
  if (at == 0) return false;
  if (d.varint == 0) {
    d.start = at;
    return count == 1 && load<u32>(list) == 0;
  }
  if (d.varint != <u64>count) return false;
  for (let i: u32 = 0; i < count; i++) {
    at = readInt(d, at);
    if (at == 0 || d.varint != <u64>load<u32>(list + (<usize>i << 2))) return false;
  }
  d.start = at;
  return true;
}

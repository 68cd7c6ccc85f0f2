/**
 * One payload to one decoded record. In: the channel (address in the plan) and the payload's bytes,
 * any bytes. Out: `Decoded`, samples and readings behind `out` (decoded.ts). Reads nothing outside
 * the payload and the plan, writes nothing outside [out, out + DECODED_BYTES) but what JSON members
 * remember of the last object (json.ts), which changes no result; and never traps.
 */
import { channelFormat, channelFraming } from '../channel';
import { clearDecoding, Decoding, decodingAt, refuse } from '../cursor';
import { Decoded, decodedAt, NO_SPARK_SEQUENCE, Situation } from '../decoded';
import {
  FORMAT_AVRO, FORMAT_JSON, FORMAT_PROTOBUF_MESSAGE, FORMAT_SENML_CBOR, FORMAT_SENML_JSON,
  FORMAT_SPARKPLUG, FRAMING_CONFLUENT, PAYLOAD_BYTES_MAX,
} from '../shared/abi';
import {
  LIMIT_EXCEEDED, NO_READINGS, OK, PAYLOAD_MALFORMED, PAYLOAD_TOO_DEEP, SCHEMA_UNKNOWN,
} from '../shared/status';
import { zeroBlock } from '../text';
import { decodeAvro } from './avro/avro';
import { decodeSenmlCbor } from './cbor/senml-cbor';
import { takePrefix } from './confluent';
import { decodeJson } from './json';
import { decodeMessage } from './message/message';
import { decodeProtobuf } from './protobuf';
import { decodeSenmlJson } from './senml-json';
import { decodeSparkplug } from './sparkplug/sparkplug';

export function decodeRecord(
  plan: usize, channel: usize, payload: usize, payloadBytes: u32, out: usize, situation: usize,
): void {
  const d = begin(channel, payload, payloadBytes, out);
  d.situation = changetype<Situation>(situation);
  // What is too long is not read at all: scratch is made for what fits.
  if (payloadBytes > <u32>PAYLOAD_BYTES_MAX) {
    refuse(d, LIMIT_EXCEEDED, payload);
    return;
  }
  if (channelFraming(channel) == FRAMING_CONFLUENT && !takePrefix(d)) {
    refuse(d, SCHEMA_UNKNOWN, payload);
    return;
  }
  if (!decodeFormat(d)) refuse(d, PAYLOAD_MALFORMED, d.trouble);
  const decoded = decodedAt(out);
  if (d.deepAt != 0) refuse(d, PAYLOAD_TOO_DEEP, d.deepAt);
  // A Sparkplug record without declared metrics is nothing wrong: it ends as filtered.
  const isSparkplug = channelFormat(channel) == FORMAT_SPARKPLUG;
  if (d.declared == 0 && !isSparkplug) refuse(d, NO_READINGS, payload);
  if (decoded.status == OK) return;
  decoded.sampleCount = 0;
  decoded.readingCount = 0;
}

/** False when the payload cannot be read at `trouble`. */
function decodeFormat(d: Decoding): bool {
  switch (channelFormat(d.channel)) {
    case FORMAT_JSON: return decodeJson(d);
    case FORMAT_PROTOBUF_MESSAGE: return decodeMessage(d);
    case FORMAT_SENML_JSON: return decodeSenmlJson(d);
    case FORMAT_SPARKPLUG: return decodeSparkplug(d);
    case FORMAT_AVRO: return decodeAvro(d);
    case FORMAT_SENML_CBOR: return decodeSenmlCbor(d);
    default: return decodeProtobuf(d);
  }
}

function begin(channel: usize, payload: usize, payloadBytes: u32, out: usize): Decoding {
  const decoded = decodedAt(out);
  zeroBlock(out);
  zeroBlock(out + offsetof<Decoded>('idAt'));
  zeroBlock(out + offsetof<Decoded>('sequence'));
  decoded.sparkSequence = NO_SPARK_SEQUENCE;
  const d = decodingAt(out);
  clearDecoding(d);
  d.payload = payload;
  d.start = payload;
  d.end = payload + payloadBytes;
  d.channel = channel;
  d.trouble = payload;
  return d;
}

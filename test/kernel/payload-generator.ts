/**
 * Random payloads. In: a channel and what a device measured. Out: bytes in the channel's format, as
 * many devices would write them, and the kind that goes with them. And the same bytes damaged.
 */
import type { PlanChannel, PlanMetric } from '../../src/model/plan.ts';
import { avroOf } from './format/avro.ts';
import { jsonOf } from './format/json.ts';
import { messageOf } from './format/message.ts';
import { senmlOf } from './format/senml.ts';
import type { SparkplugNode } from './format/sparkplug.ts';
import {
  type Content,
  randomInteger,
  randomMetrics,
  randomNumber,
  randomText,
} from './format/value.ts';
import type { Random } from './random.ts';
import { encodeTelemetry, type ReadingInput, type SampleInput } from './telemetry.ts';

interface Message {
  readonly payload: Uint8Array;
  readonly kind?: string;
}

type Write = (random: Random, channel: PlanChannel, content: Content) => Uint8Array;

const WRITERS: Readonly<Record<Exclude<PlanChannel['format'], 'sparkplug'>, Write>> = {
  ...{ protobuf: protobufOf, 'protobuf-message': messageOf, json: jsonOf, avro: avroOf },
  ...{ 'senml-json': senmlOf, 'senml-cbor': senmlOf },
};

export function randomPayload(
  random: Random,
  channel: PlanChannel,
  given: { readonly content: Content; readonly node: SparkplugNode },
): Message {
  if (channel.format === 'sparkplug') return given.node.next(random, channel, given.content);
  const payload = WRITERS[channel.format](random, channel, given.content);
  return { payload: framed(random, channel, payload) };
}

function protobufOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  const samples = content.samples.map(({ timeMs, level }): SampleInput => {
    const readings = randomMetrics(random, channel).map((metric) =>
      protobufReading(random, metric, level),
    );
    if (random.chance(0.05)) readings.push({ metric: random.int(60, 70), number: 1 });
    if (random.chance(0.02)) readings.push({ name: 'nobody', number: 1 });
    return { ...(timeMs === undefined ? {} : { timeMs }), readings };
  });
  return encodeTelemetry({ samples, ...content.key });
}

/** Behind the Confluent prefix, where the channel has one; now and then with an unknown id. */
function framed(random: Random, channel: PlanChannel, payload: Uint8Array): Uint8Array {
  if (channel.framing === 'none') return payload;
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(random.chance(0.05) ? 9 : random.pick(channel.schemaIds), 1);
  return Buffer.concat([prefix, Buffer.from(indexesOf(random, channel)), payload]);
}

/** Of the message in its file: count and path as zig-zag varints, or 0 for the first. */
function indexesOf(random: Random, { format, schema }: PlanChannel): number[] {
  if (format !== 'protobuf' && format !== 'protobuf-message') return [];
  const path = schema?.kind === 'protobuf' ? schema.indexPath : [0];
  if (random.chance(0.03)) return random.pick([[2, 4], [4, 0, 0], [1], [], [6, 0, 0, 0]]);
  if (path.join() === '0' && random.chance(0.7)) return [0];
  return [path.length, ...path].map((each) => each * 2);
}

function protobufReading(random: Random, metric: PlanMetric, level: number): ReadingInput {
  const to = random.chance(0.8) ? { metric: metric.ordinal + 1 } : { name: metric.name };
  if (random.chance(0.01)) return to;
  if (random.chance(0.01)) return { ...to, number: random.pick([NaN, Infinity, -Infinity]) };
  const kind = random.chance(0.02)
    ? random.pick(['number', 'integer', 'boolean', 'text'] as const)
    : metric.kind;
  if (kind === 'integer') return { ...to, integer: randomInteger(random, level) };
  if (kind === 'text') return { ...to, text: randomText(random) };
  if (kind === 'boolean') return { ...to, boolean: random.chance(0.5) };
  if (random.chance(0.1)) return { ...to, integer: randomInteger(random, level) };
  return { ...to, number: randomNumber(random, level) };
}

// --- damage -------------------------------------------------------------------------------------
/** The same bytes with a few changes: what comes of it is for the oracle to say. */
export function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  let result = Buffer.from(bytes);
  for (let change = random.int(1, 3); change > 0; change -= 1) {
    const at = random.int(0, Math.max(0, result.length - 1));
    const kind = random.int(0, 4);
    if (kind === 0 && result.length > 0) result[at] = result[at]! ^ (1 << random.int(0, 7));
    else if (kind === 1) result = result.subarray(0, at);
    else if (kind === 2) {
      const inserted = random.chance(0.5)
        ? Buffer.from(random.pick(['"', '{', '}', ',', '\\', '0', ' ', '\u0001', 'e', '-', ']']))
        : random.bytes(random.int(1, 3));
      result = Buffer.concat([result.subarray(0, at), inserted, result.subarray(at)]);
    } else if (kind === 3 && result.length > 0) result[at] = random.bits() & 255;
    else {
      const end = Math.min(result.length, at + random.int(1, 8));
      result = Buffer.concat([result.subarray(0, at), result.subarray(end)]);
    }
  }
  return result;
}

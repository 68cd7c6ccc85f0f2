/**
 * Protobuf messages for generated logs: a .proto that holds a channel's paths and more, and
 * payloads by it as protobufjs encodes them, rearranged now and then. In: a channel. Out: the
 * text, and bytes.
 */
import protobuf from 'protobufjs';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { type Plain, rearranged } from '../message/value-generator.ts';
import type { Random } from '../random.ts';
import { timeText } from './time-text.ts';
import { type Branch, type Leaf, type Node, treeOf, variantOf } from './tree.ts';
import {
  type Content,
  type Measurement,
  randomInteger,
  randomMetrics,
  randomNumber,
  randomText,
} from './value.ts';

export const MESSAGE = 'Pack';

// --- schema -------------------------------------------------------------------------------------
const TIMESTAMP = 'google.protobuf.Timestamp';

/** The message is the file's first, or the second one inside the second, by the channel's id. */
export function protoOf(channel: PlanChannel): string {
  const pack = messageText(channel, MESSAGE, treeOf(channel));
  const other = 'message Other { optional int32 x = 1; }';
  const file =
    channel.id % 2 === 0 ? `${pack} ${other}` : `${other} message Outer { ${other} ${pack} }`;
  return [
    'syntax = "proto2"; package t; import "google/protobuf/timestamp.proto";',
    'enum E { on = 0; off = 1; idle = -7; odd = 70000; }',
    file,
  ].join('\n');
}

function messageText(channel: PlanChannel, name: string, { members }: Branch): string {
  const inner: string[] = [];
  const choice: string[] = [];
  const fields = [...members].map(([field, node], place) => {
    // The first field is one that nobody asks for.
    const number = place < 14 ? place + 2 : place + 2040;
    if (node.role === 'branch' || node.role === 'samples') {
      const type = `M_${field}`;
      inner.push(messageText(channel, type, node.role === 'branch' ? node : node.element));
      return `${node.role === 'branch' ? 'optional' : 'repeated'} ${type} ${field} = ${number};`;
    }
    const type = leafType(channel, node);
    const inside = node.role === 'metric' ? node.inside : null;
    if (inside === null && node.role === 'metric' && node.metric.ordinal % 6 === 3) {
      choice.push(`${type} ${field} = ${number};`);
      return '';
    }
    if (inside === null) return `optional ${type} ${field} = ${number};`;
    if ('key' in inside) return `map<string, ${type}> ${field} = ${number};`;
    const isPackable = type !== 'string';
    return `repeated ${type} ${field} = ${number}${isPackable ? ' [packed = true]' : ''};`;
  });
  const oneof = choice.length > 0 ? `oneof choice { ${choice.join(' ')} bytes nothing = 1; }` : '';
  const passed = choice.length > 0 ? '' : 'repeated bytes nothing = 1;';
  return `message ${name} { ${[...inner, passed, ...fields, oneof].join(' ')} }`;
}

function leafType(channel: PlanChannel, leaf: Leaf): string {
  if (leaf.role === 'id') return ['string', 'bytes', 'sint64', 'uint64'][channel.id % 4]!;
  if (leaf.role === 'time') {
    if (channel.timeFormat === 'iso8601' || channel.id === 3) return 'string';
    return channel.id % 2 === 0 ? TIMESTAMP : 'sfixed64';
  }
  const { metric } = leaf;
  if (metric.kind === 'boolean') return 'bool';
  if (metric.kind === 'integer') {
    return variantOf(channel, metric, ['sint64', 'int64', 'uint64', 'int32', 'E', 'fixed32']);
  }
  if (metric.kind === 'text') return variantOf(channel, metric, ['string', 'E', 'string']);
  return variantOf(channel, metric, ['double', 'float', 'double', 'sfixed64', 'sint32', 'double']);
}

const types = new WeakMap<PlanChannel, protobuf.Type>();

function typeOf(channel: PlanChannel): protobuf.Type {
  const known = types.get(channel);
  if (known !== undefined) return known;
  const root = new protobuf.Root();
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  protobuf.parse(protoOf(channel), root, { keepCase: true });
  const name = channel.id % 2 === 0 ? `t.${MESSAGE}` : `t.Outer.${MESSAGE}`;
  const type = root.resolveAll().lookupType(name);
  types.set(channel, type);
  return type;
}

// --- payload ------------------------------------------------------------------------------------
export function messageOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  const writer = new Writer(random, channel, content);
  const message = typeOf(channel).encode(writer.write() as never);
  const bytes = Uint8Array.from(message.finish());
  return random.chance(0.3) ? rearranged(random, bytes) : bytes;
}

const halves = (value: bigint, unsigned: boolean) => {
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned };
};

class Writer {
  readonly #random: Random;
  readonly #channel: PlanChannel;
  readonly #content: Content;

  constructor(random: Random, channel: PlanChannel, content: Content) {
    this.#random = random;
    this.#channel = channel;
    this.#content = content;
  }

  write(): Plain {
    return this.#message(treeOf(this.#channel), this.#content.samples[0]);
  }

  #message({ members }: Branch, sample: Measurement | undefined, given?: readonly PlanMetric[]) {
    const metrics =
      given ?? (sample === undefined ? [] : randomMetrics(this.#random, this.#channel));
    const message: Plain = {};
    for (const [name, node] of members) {
      const value = this.#value(node, { sample, metrics });
      if (value !== undefined) message[name] = value;
    }
    return message;
  }

  #value(
    node: Node,
    said: { readonly sample: Measurement | undefined; readonly metrics: readonly PlanMetric[] },
  ): unknown {
    const { sample, metrics } = said;
    switch (node.role) {
      case 'branch':
        return this.#message(node, sample, metrics);
      case 'samples':
        return this.#content.samples.map((each) => this.#message(node.element, each));
      case 'id':
        return this.#id(node);
      case 'time':
        return sample?.timeMs === undefined ? undefined : this.#time(node, sample.timeMs);
      case 'metric': {
        if (sample === undefined || !metrics.includes(node.metric)) return undefined;
        const value = () => this.#plain(leafType(this.#channel, node), sample.level);
        if (node.inside === null) return value();
        if ('key' in node.inside) return { other: value(), [node.inside.key]: value() };
        const length = node.inside.index + (this.#random.chance(0.9) ? 1 : this.#random.int(0, 3));
        return Array.from({ length }, value);
      }
    }
  }

  #id(leaf: Leaf): unknown {
    const { eventId, sequence } = this.#content.key;
    const type = leafType(this.#channel, leaf);
    if (type === 'string') return eventId;
    if (type === 'bytes') return eventId === undefined ? undefined : Buffer.from(eventId);
    return sequence === undefined ? undefined : halves(sequence, type === 'uint64');
  }

  #time(leaf: Leaf, timeMs: number): unknown {
    const { timeFormat } = this.#channel;
    const type = leafType(this.#channel, leaf);
    if (type === TIMESTAMP) {
      const seconds = Math.floor(timeMs / 1000);
      const nanos =
        (Math.floor(timeMs) - seconds * 1000) * 1_000_000 + this.#random.int(0, 999_999);
      return { seconds: halves(BigInt(seconds), false), nanos };
    }
    const text = timeText(this.#random, timeMs, timeFormat);
    return type === 'string' ? text : halves(BigInt(text), false);
  }

  #plain(type: string, level: number): unknown {
    const random = this.#random;
    if (type === 'bool') return random.chance(0.5);
    if (type === 'string') return randomText(random);
    if (type === 'E') return random.pick([0, 1, -7, 70000, 5]);
    if (type === 'float' || type === 'double') {
      const isOdd = random.chance(0.01);
      return isOdd ? random.pick([Number.NaN, Infinity]) : randomNumber(random, level);
    }
    const value = randomInteger(random, level);
    const isUnsigned = type.startsWith('u') || type.startsWith('f');
    if (type.endsWith('64')) return halves(value, isUnsigned);
    return Number(isUnsigned ? BigInt.asUintN(32, value) : BigInt.asIntN(32, value));
  }
}

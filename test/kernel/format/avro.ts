/**
 * Avro for generated logs: a schema that holds a channel's paths and more, and payloads by it. In:
 * a channel. Out: .avsc as an object, and bytes in every form that the encoding allows: blocks with
 * and without their size, integers padded with zeros.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { varint } from '../avro-generator.ts';
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

const SYMBOLS = ['on', 'off', 'idle', 'odd'];
const UNITS = { ms: 'timestamp-millis', us: 'timestamp-micros', ns: 'timestamp-nanos' } as const;

// --- schema -------------------------------------------------------------------------------------
/** What no path leads to, and must be passed over. */
const PASSED = { type: 'map', values: { type: 'array', items: ['null', 'bytes', 'float'] } };

export function avroSchemaOf(channel: PlanChannel): object {
  let names = 0;
  const record = ({ members }: Branch): object => ({
    ...{ type: 'record', name: `R${names++}` },
    fields: [
      { name: 'passed', type: PASSED },
      ...[...members].map(([name, node]) => ({ name, type: ['null', typeOf(node)] })),
    ],
  });
  const typeOf = (node: Node): object | string => {
    if (node.role === 'branch') return record(node);
    if (node.role === 'samples') return { type: 'array', items: record(node.element) };
    const type = leafType(channel, node);
    const bare = type === 'enum' ? { type, name: `E${names++}`, symbols: SYMBOLS } : type;
    return node.role === 'metric' && node.inside !== null ? { type: 'map', values: bare } : bare;
  };
  return record(treeOf(channel));
}

function leafType(channel: PlanChannel, leaf: Leaf): string | object {
  if (leaf.role === 'id') return channel.id % 2 === 0 ? 'string' : 'long';
  if (leaf.role === 'time') {
    const { timeFormat } = channel;
    if (timeFormat === 'iso8601' || channel.id === 3) return 'string';
    return timeFormat === 's' ? 'int' : { type: 'long', logicalType: UNITS[timeFormat] };
  }
  const { metric } = leaf;
  if (metric.kind === 'boolean') return 'boolean';
  if (metric.kind === 'integer') return variantOf(channel, metric, ['long', 'int']);
  if (metric.kind === 'text') return variantOf(channel, metric, ['string', 'enum', 'string']);
  return variantOf(channel, metric, ['double', 'double', 'float', 'long', 'int']);
}

// --- payload ------------------------------------------------------------------------------------
export function avroOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  return new Writer(random, channel, content).write();
}

/** What the record being written says. */
interface Said {
  readonly sample: Measurement | undefined;
  readonly metrics: readonly PlanMetric[];
}

class Writer {
  readonly #random: Random;
  readonly #channel: PlanChannel;
  readonly #content: Content;

  constructor(random: Random, channel: PlanChannel, content: Content) {
    this.#random = random;
    this.#channel = channel;
    this.#content = content;
  }

  write(): Buffer {
    return this.#record(treeOf(this.#channel), this.#said(this.#content.samples[0]));
  }

  #said(sample: Measurement | undefined): Said {
    const metrics = sample === undefined ? [] : randomMetrics(this.#random, this.#channel);
    return { sample, metrics };
  }

  #record({ members }: Branch, said: Said): Buffer {
    const fields = [...members.values()].map((node) => {
      const value = this.#value(node, said);
      return value === null ? this.#int(0n, 5) : Buffer.concat([this.#int(1n, 5), value]);
    });
    return Buffer.concat([this.#passed(), ...fields]);
  }

  /** Null: the null of its union. */
  #value(node: Node, said: Said): Buffer | null {
    switch (node.role) {
      case 'branch':
        return this.#random.chance(0.02) ? null : this.#record(node, said);
      case 'samples':
        return this.#samples(node.element);
      case 'id':
        return this.#id();
      case 'time':
        return this.#time(said.sample?.timeMs);
      case 'metric':
        if (said.sample === undefined || !said.metrics.includes(node.metric)) return null;
        return this.#metric(node, said.sample.level);
    }
  }

  #samples(element: Branch): Buffer {
    const items = this.#content.samples.map((each) => this.#record(element, this.#said(each)));
    const middle = this.#random.int(0, items.length);
    return this.#blocks([items.slice(0, middle), items.slice(middle)]);
  }

  #blocks(blocks: readonly (readonly Buffer[])[]): Buffer {
    const parts = blocks.flatMap((items) => {
      if (items.length === 0) return [];
      const [body, count] = [Buffer.concat(items), BigInt(items.length)];
      const isSized = this.#random.chance(0.5);
      const size = isSized ? [this.#int(BigInt(body.length), 10)] : [];
      return [this.#int(isSized ? -count : count, 10), ...size, body];
    });
    return Buffer.concat([...parts, this.#int(0n, 10)]);
  }

  #passed(): Buffer {
    const random = this.#random;
    if (random.chance(0.9)) return Buffer.of(0);
    const items = [Buffer.of(0), Buffer.of(2, 4, 1, 2), Buffer.of(4, 0, 0, 0, 0)];
    const array = this.#blocks([items.filter(() => random.chance(0.5))]);
    return this.#blocks([[Buffer.concat([this.#text('z'), array])]]);
  }

  #id(): Buffer | null {
    const { eventId, sequence } = this.#content.key;
    if (this.#channel.id % 2 === 1) return sequence === undefined ? null : this.#int(sequence, 10);
    return eventId === undefined ? null : this.#text(eventId);
  }

  #time(timeMs: number | undefined): Buffer | null {
    if (timeMs === undefined) return null;
    const { timeFormat } = this.#channel;
    const text = timeText(this.#random, timeMs, timeFormat);
    if (timeFormat === 'iso8601' || this.#channel.id === 3) return this.#text(text);
    return this.#int(BigInt(text), 10);
  }

  #metric(leaf: Leaf & { readonly role: 'metric' }, level: number): Buffer {
    const value = this.#plain(leafType(this.#channel, leaf), level);
    if (leaf.inside === null) return value;
    const entries = [Buffer.concat([this.#text('a key'), value])];
    const other = Buffer.concat([this.#text('other'), value]);
    if (this.#random.chance(0.3)) entries.push(other);
    if (this.#random.chance(0.3)) entries.reverse();
    // The one that a path leads to may be absent, or come twice.
    if (this.#random.chance(0.02)) entries.push(this.#random.chance(0.5) ? entries[0]! : other);
    return this.#blocks([entries]);
  }

  #plain(type: string | object, level: number): Buffer {
    const random = this.#random;
    if (type === 'boolean') return Buffer.of(random.chance(0.01) ? 2 : random.int(0, 1));
    if (type === 'string') return this.#text(randomText(random));
    if (type === 'enum') return this.#int(BigInt(random.int(0, random.chance(0.01) ? 4 : 3)), 5);
    if (type === 'long') return this.#int(randomInteger(random, level), 10);
    if (type === 'int') return this.#int(BigInt.asIntN(32, randomInteger(random, level)), 5);
    const odd = random.chance(0.01);
    const value = odd ? random.pick([Number.NaN, -Infinity]) : randomNumber(random, level);
    const bytes = Buffer.alloc(type === 'float' ? 4 : 8);
    if (type === 'float') bytes.writeFloatLE(value);
    else bytes.writeDoubleLE(value);
    return bytes;
  }

  #text(text: string): Buffer {
    const bytes = Buffer.from(text);
    return Buffer.concat([this.#int(BigInt(bytes.length), 10), bytes]);
  }

  #int(value: bigint, bytesMax: number): Buffer {
    const bytes = varint(value);
    if (bytes.length < bytesMax && this.#random.chance(0.01)) {
      bytes[bytes.length - 1]! |= 128;
      bytes.push(0);
    }
    return Buffer.from(bytes);
  }
}

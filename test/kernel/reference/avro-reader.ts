/**
 * Avro's binary encoding, read strictly and slowly. In: a payload and the schema's nodes. Out: a
 * tree of values with the places where they begin, or Malformed at the first place that cannot be
 * read. What lies on no path is read too, but strings there need not be UTF-8.
 */
import { JSON_DEPTH_MAX } from '../../../assembly/shared/abi.ts';
import type { AvroNode } from '../../../src/model/plan-schema.ts';
import { TooDeep } from './json.ts';
import { Malformed } from './protobuf.ts';

export interface AvroValue {
  readonly start: number;
  readonly value:
    | { readonly kind: 'null' | 'bytes' }
    | { readonly kind: 'boolean'; readonly boolean: boolean }
    | { readonly kind: 'integer'; readonly integer: bigint }
    | { readonly kind: 'double'; readonly double: number }
    | { readonly kind: 'text'; readonly text: string; readonly isEnum: boolean }
    | { readonly kind: 'members'; readonly members: ReadonlyMap<string, AvroValue> }
    | { readonly kind: 'items'; readonly items: readonly AvroValue[] };
}

/** The rest of a declared path; where `samples` ends, the paths below each item go on. */
export interface Rest {
  readonly names: readonly string[];
  readonly below: readonly Rest[];
}

export function readAvro(bytes: Uint8Array, nodes: readonly AvroNode[], rests: readonly Rest[]) {
  const reader = new Reader(bytes, nodes);
  const value = reader.read(0, rests, 0);
  if (reader.at < bytes.length) throw new Malformed(reader.at);
  return value;
}

class Reader {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly nodes: readonly AvroNode[];

  constructor(bytes: Uint8Array, nodes: readonly AvroNode[]) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.nodes = nodes;
  }

  read(index: number, rests: readonly Rest[], depth: number): AvroValue {
    const node = this.nodes[index]!;
    if (node.type === 'union') {
      const branch = this.choice(node.of);
      if (!isEmpty(this.nodes, branch)) return this.read(branch, rests, depth);
      return { start: this.at, value: { kind: 'null' } };
    }
    const start = this.at;
    return { start, value: this.value(node, index, rests, depth) };
  }

  private value(
    node: AvroNode,
    index: number,
    rests: readonly Rest[],
    depth: number,
  ): AvroValue['value'] {
    const start = this.at;
    switch (node.type) {
      case 'null':
        return { kind: 'null' };
      case 'boolean': {
        const byte = this.take(1)[0]!;
        if (byte > 1) throw new Malformed(start);
        return { kind: 'boolean', boolean: byte === 1 };
      }
      case 'int':
        return { kind: 'integer', integer: this.varint(32) };
      case 'long':
        return { kind: 'integer', integer: this.varint(64) };
      case 'float':
        this.take(4);
        return { kind: 'double', double: this.view.getFloat32(start, true) };
      case 'double':
        this.take(8);
        return { kind: 'double', double: this.view.getFloat64(start, true) };
      case 'bytes':
        this.text();
        return { kind: 'bytes' };
      case 'fixed':
        this.take(node.size);
        return { kind: 'bytes' };
      case 'string': {
        const text = Buffer.from(this.text());
        const isRead = rests.some(({ names }) => names.length === 0);
        if (isRead && !Buffer.from(text.toString()).equals(text)) throw new Malformed(start);
        return { kind: 'text', text: text.toString(), isEnum: false };
      }
      case 'enum':
        return { kind: 'text', text: this.choice(node.names), isEnum: true };
      default:
        if (isEmpty(this.nodes, index)) return { kind: 'members', members: new Map() };
        if (depth === JSON_DEPTH_MAX) throw new TooDeep(start);
        return this.container(node, rests, depth + 1);
    }
  }

  private container(node: AvroNode, rests: readonly Rest[], depth: number): AvroValue['value'] {
    const members = new Map<string, AvroValue>();
    if (node.type === 'record') {
      node.of.forEach((field, i) => {
        const name = node.names[i]!;
        members.set(name, this.read(field, within(rests, name), depth));
      });
      return { kind: 'members', members };
    }
    const of = node.of[0]!;
    if (node.type === 'map') {
      this.blocks(false, () => {
        const start = this.at;
        const key = Buffer.from(this.text()).toString('latin1');
        const inner = within(rests, Buffer.from(key, 'latin1').toString());
        if (inner.length > 0 && members.has(key)) throw new Malformed(start);
        members.set(key, this.read(of, inner, depth));
      });
      const named = [...members].map(
        ([key, value]) => [Buffer.from(key, 'latin1').toString(), value] as const,
      );
      return { kind: 'members', members: new Map(named) };
    }
    const items: AvroValue[] = [];
    const below = rests.filter(({ names }) => names.length === 0).flatMap((rest) => rest.below);
    this.blocks(isEmpty(this.nodes, of), () => items.push(this.read(of, below, depth)));
    return { kind: 'items', items };
  }

  /** Blocks up to the empty one; items that take no bytes are not counted out. */
  private blocks(areEmpty: boolean, item: () => void): void {
    while (true) {
      const start = this.at;
      let count = this.varint(64);
      if (count === 0n) return;
      let end = -1;
      if (count < 0n) {
        count = -count;
        const sizeAt = this.at;
        const size = this.varint(64);
        if (size < 0n || size > BigInt(this.bytes.length - this.at)) throw new Malformed(sizeAt);
        end = this.at + Number(size);
      }
      for (let left = areEmpty ? 0n : count; left > 0n; left--) item();
      if (end >= 0 && this.at !== end) throw new Malformed(start);
    }
  }

  private choice<T>(choices: readonly T[]): T {
    const start = this.at;
    const index = this.varint(32);
    if (index < 0n || index >= BigInt(choices.length)) throw new Malformed(start);
    return choices[Number(index)]!;
  }

  /** Zig-zag, in at most as many bytes as the width needs. */
  private varint(width: 32 | 64): bigint {
    const start = this.at;
    let value = 0n;
    for (let i = 0; i < Math.ceil(width / 7); i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) break;
      value |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte >= 128) continue;
      if (value >> BigInt(width) > 0n) break;
      return value % 2n === 0n ? value / 2n : -(value + 1n) / 2n;
    }
    throw new Malformed(start);
  }

  /** The bytes of a string, bytes or a key. */
  private text(): Uint8Array {
    const start = this.at;
    const length = this.varint(64);
    if (length < 0n || length > BigInt(this.bytes.length - this.at)) throw new Malformed(start);
    return this.take(Number(length));
  }

  private take(length: number): Uint8Array {
    if (this.bytes.length - this.at < length) throw new Malformed(this.at);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}

const within = (rests: readonly Rest[], name: string): Rest[] =>
  rests
    .filter(({ names }) => names[0] === name)
    .map(({ names, below }) => ({ names: names.slice(1), below }));

/** Whether every value of the type takes no bytes. */
function isEmpty(
  nodes: readonly AvroNode[],
  index: number,
  above: readonly number[] = [],
): boolean {
  const { type, of, size } = nodes[index]!;
  if (type === 'null' || (type === 'fixed' && size === 0)) return true;
  if (type !== 'record' || above.includes(index)) return false;
  return of.every((field) => isEmpty(nodes, field, [...above, index]));
}

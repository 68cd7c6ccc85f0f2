/**
 * Messages of any schema as trees of values, along the paths that somebody asks for. In: bytes, the
 * schema, the paths. Out: the root, merged as the encoding's specification says: the last of a
 * scalar wins, messages merge, a member of a oneof replaces the others, an entry of a map the one
 * before with its key.
 */
import { isUtf8 } from 'node:buffer';
import type {
  ProtobufField,
  ProtobufSchema,
  ProtobufType,
} from '../../../src/model/plan-schema.ts';
import { Malformed } from './protobuf.ts';
import {
  BYTES,
  FIXED32,
  FIXED64,
  fieldsOf,
  type Range,
  readVarint,
  VARINT,
} from './protobuf-wire.ts';

export interface Scalar {
  readonly kind: 'scalar';
  readonly type: ProtobufType;
  readonly of: number;
  readonly value: number | bigint | boolean | Uint8Array;
  readonly tagAt: number;
  /** When it was said, so that what was said later comes later. */
  readonly order: number;
}
export interface MessageValue {
  readonly kind: 'message';
  readonly tagAt: number;
  order: number;
  readonly fields: Map<string, Value>;
}
export interface ListValue {
  readonly kind: 'list';
  readonly items: (Scalar | MessageValue)[];
}
export interface MapValue {
  readonly kind: 'map';
  readonly entries: Map<string, Scalar | MessageValue>;
}
export type Value = Scalar | MessageValue | ListValue | MapValue;

/** Stands in a path for every element of a repeated field. */
export const EVERY = Symbol('every element');
export type Path = readonly (string | typeof EVERY)[];

const WIRES: Readonly<Record<ProtobufType, number>> = {
  ...{ double: FIXED64, fixed64: FIXED64, sfixed64: FIXED64 },
  ...{ float: FIXED32, fixed32: FIXED32, sfixed32: FIXED32 },
  ...{ int32: VARINT, int64: VARINT, uint32: VARINT, uint64: VARINT, sint32: VARINT },
  ...{ sint64: VARINT, bool: VARINT, enum: VARINT },
  ...{ string: BYTES, bytes: BYTES, message: BYTES, map: BYTES, group: 3 },
};

export class ValueReader {
  readonly #bytes: Uint8Array;
  readonly #schema: ProtobufSchema;
  readonly #onElement: (list: ListValue) => void;
  #order = 0;

  /** `onElement`: told when an element that EVERY names has been read. */
  constructor(
    bytes: Uint8Array,
    schema: ProtobufSchema,
    onElement: (list: ListValue) => void = () => {},
  ) {
    this.#bytes = bytes;
    this.#schema = schema;
    this.#onElement = onElement;
  }

  read(range: Range, paths: readonly Path[]): MessageValue {
    const root = this.#empty(0);
    this.#merge(root, range, { of: 0, paths });
    return root;
  }

  #empty(tagAt: number): MessageValue {
    return { kind: 'message', tagAt, order: this.#order++, fields: new Map() };
  }

  #merge(into: MessageValue, range: Range, want: { of: number; paths: readonly Path[] }): void {
    const fields = this.#schema.messages[want.of]?.fields ?? [];
    const leads = fields.filter(({ name }) => want.paths.some(([first]) => first === name));
    const oneofs = new Set(leads.map(({ oneof }) => oneof).filter((oneof) => oneof >= 0));
    const known = fields.filter((field) => leads.includes(field) || oneofs.has(field.oneof));
    for (const met of fieldsOf(this.#bytes, range)) {
      const field = known.find(({ number }) => number === met.number);
      if (field === undefined) continue;
      const wire = WIRES[field.type];
      const packed = field.repeated && wire !== BYTES && met.wire === BYTES;
      if (met.wire !== wire && !packed) throw new Malformed(met.tagAt);
      if (field.oneof >= 0) {
        for (const other of fields) {
          if (other !== field && other.oneof === field.oneof) into.fields.delete(other.name);
        }
      }
      const paths = want.paths
        .filter(([first]) => first === field.name)
        .map((path) => path.slice(1));
      if (paths.length > 0) this.#take(into, { field, met, packed, paths });
    }
  }

  #take(
    into: MessageValue,
    {
      field,
      met,
      packed,
      paths,
    }: {
      field: ProtobufField;
      met: Range & { readonly tagAt: number };
      packed: boolean;
      paths: readonly Path[];
    },
  ): void {
    const old = into.fields.get(field.name);
    if (field.type === 'map') {
      const map = old?.kind === 'map' ? old : { kind: 'map' as const, entries: new Map() };
      into.fields.set(field.name, map);
      this.#entry(map, field, { met, paths });
    } else if (field.repeated) {
      const list = old?.kind === 'list' ? old : { kind: 'list' as const, items: [] };
      into.fields.set(field.name, list);
      for (let at = met.start; packed && at < met.end; ) {
        const item = this.#scalar(field, { start: at, end: met.end }, met.tagAt);
        list.items.push(item.scalar);
        at = item.end;
      }
      if (!packed) this.#element(list, field, { met, paths });
    } else {
      into.fields.set(field.name, this.#single(old, field, { met, paths }));
    }
  }

  /** A singular value: a message merges into what was there. */
  #single(
    old: Value | undefined,
    { type, of }: Pick<ProtobufField, 'type' | 'of'>,
    { met, paths }: { met: Range & { readonly tagAt: number }; paths: readonly Path[] },
  ): Scalar | MessageValue {
    if (type !== 'message') return this.#scalar({ type, of }, met, met.tagAt).scalar;
    const before = old?.kind === 'message' ? old.fields : new Map<string, Value>();
    const message = { ...this.#empty(met.tagAt), fields: before };
    // Where a path ends in a message it is a Timestamp.
    const ends = paths.some((path) => path.length === 0);
    const all: Path[] = ends ? [['seconds'], ['nanos']] : [...paths];
    this.#merge(message, met, { of, paths: all });
    message.order = this.#order++;
    return message;
  }

  #element(
    list: ListValue,
    field: ProtobufField,
    { met, paths }: { met: Range & { readonly tagAt: number }; paths: readonly Path[] },
  ): void {
    const index = String(list.items.length);
    const wanted = paths.filter(([first]) => first === index || first === EVERY);
    if (wanted.length === 0 && WIRES[field.type] === BYTES) {
      list.items.push(this.#empty(met.tagAt));
      return;
    }
    const rest = wanted.map((path) => path.slice(1));
    list.items.push(this.#single(undefined, field, { met, paths: rest }));
    if (wanted.some(([first]) => first === EVERY)) this.#onElement(list);
  }

  #entry(
    map: MapValue,
    field: ProtobufField,
    { met, paths }: { met: Range & { readonly tagAt: number }; paths: readonly Path[] },
  ): void {
    const [key, value] = this.#schema.messages[field.of]!.fields;
    let name = key!.type === 'string' ? '' : key!.type === 'bool' ? 'false' : '0';
    const values: (Range & { readonly tagAt: number })[] = [];
    for (const inner of fieldsOf(this.#bytes, met)) {
      if (inner.number > 2) continue;
      const expected = inner.number === 1 ? key! : value!;
      if (inner.wire !== WIRES[expected.type]) throw new Malformed(inner.tagAt);
      if (inner.number === 2) values.push(inner);
      else name = textOf(this.#scalar(key!, inner, inner.tagAt).scalar);
    }
    const rest = paths.filter(([first]) => first === name).map((path) => path.slice(1));
    if (rest.length === 0) return;
    let said: Scalar | MessageValue | undefined;
    for (const each of values) said = this.#single(said, value!, { met: each, paths: rest });
    map.entries.set(name, said ?? this.#default(value!, met.tagAt));
  }

  #default({ type, of }: ProtobufField, tagAt: number): Scalar | MessageValue {
    if (type === 'message') return this.#empty(tagAt);
    const wide = type === 'string' || type === 'bytes';
    const floating = type === 'double' || type === 'float';
    const value = wide ? new Uint8Array() : type === 'bool' ? false : floating ? 0 : 0n;
    return { kind: 'scalar', type, of, value, tagAt, order: this.#order++ };
  }

  #scalar(
    { type, of }: Pick<ProtobufField, 'type' | 'of'>,
    range: Range,
    tagAt: number,
  ): { scalar: Scalar; end: number } {
    const { value, end } = this.#bits(type, range, tagAt);
    return { scalar: { kind: 'scalar', type, of, value, tagAt, order: this.#order++ }, end };
  }

  #bits(type: ProtobufType, { start, end }: Range, tagAt: number) {
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset);
    const wire = WIRES[type];
    if (wire === BYTES) {
      const value = this.#bytes.subarray(start, end);
      if (type === 'string' && !isUtf8(value)) throw new Malformed(tagAt);
      return { value, end };
    }
    if (wire === VARINT) {
      const { value, end: next } = readVarint(this.#bytes, { start, end }, tagAt);
      return { value: ofVarint(type, value), end: next };
    }
    const next = start + (wire === FIXED64 ? 8 : 4);
    if (next > end) throw new Malformed(tagAt);
    const value = {
      ...{ double: () => view.getFloat64(start, true), float: () => view.getFloat32(start, true) },
      fixed64: () => view.getBigUint64(start, true),
      sfixed64: () => view.getBigInt64(start, true),
      fixed32: () => BigInt(view.getUint32(start, true)),
      sfixed32: () => BigInt(view.getInt32(start, true)),
    }[type as 'double']();
    return { value, end: next };
  }
}

function ofVarint(type: ProtobufType, value: bigint): bigint | boolean {
  const unzigzag = (given: bigint): bigint => (given & 1n ? -(given >> 1n) - 1n : given >> 1n);
  switch (type) {
    case 'int32':
    case 'enum':
      return BigInt.asIntN(32, value);
    case 'int64':
      return BigInt.asIntN(64, value);
    case 'uint32':
      return BigInt.asUintN(32, value);
    case 'sint32':
      return unzigzag(BigInt.asUintN(32, value));
    case 'sint64':
      return unzigzag(value);
    case 'bool':
      return value !== 0n;
    default:
      return value;
  }
}

function textOf({ value }: Scalar): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);
}

/** What a path leads to, or undefined. */
export function valueAt(from: Value | undefined, path: Path): Value | undefined {
  const [name, ...rest] = path;
  if (from === undefined || name === undefined) return from;
  if (from.kind === 'message') return valueAt(from.fields.get(name as string), rest);
  if (from.kind === 'map') return valueAt(from.entries.get(name as string), rest);
  if (from.kind === 'list') return valueAt(from.items[Number(name)], rest);
  return undefined;
}

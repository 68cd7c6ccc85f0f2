/**
 * Avro schemas, channels that read from them, and payloads, at random. In: a seeded source. Out:
 * schemas of every type with recursion, channels whose paths the registry accepts, and values in
 * every form that the encoding allows: blocks of any number, with and without their size, and
 * integers padded with zeros.
 */
import type { PlanChannel, PlanMetric, TimeFormat, ValueKind } from '../../src/model/plan.ts';
import { channelOf, metricOf } from './plan-sample.ts';
import type { Random } from './random.ts';

/** A schema as .avsc says it. */
export type Json = string | readonly Json[] | { readonly [key: string]: unknown };
type Typed = { readonly type: string; readonly [key: string]: unknown };

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];
const FIELDS = ['a', 'b', 'c', 'time', 'id', 'value', 'on', 'x_1'];
const KEYS = ['a', 'b', 'é', 'engine', 'a key', ''];
const SYMBOLS = ['OFF', 'ON', 'IDLE', 'FAULT'];
const TEXTS = ['', 'a', 'ON', 'idle', 'née', '2026-07-01T10:00:00Z', '1767225600', 'x'.repeat(300)];

export class Schemas {
  readonly #random: Random;
  /** Records whose fields are being made, and finished ones: may be named again. */
  readonly #records: string[] = [];
  #names = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  root(): Json {
    return this.#random.chance(0.1) ? { type: 'map', values: this.#type(1) } : this.#record(0);
  }

  #type(depth: number): Json {
    const random = this.#random;
    const kind = random.int(0, depth > 4 ? 11 : 18);
    if (kind <= 7) return random.pick(PRIMITIVES);
    if (kind === 8) return random.pick(['double', 'long', 'int', 'boolean', 'string']);
    if (kind === 9) return this.#named('enum', { symbols: SYMBOLS.slice(0, random.int(1, 4)) });
    if (kind === 10) return this.#named('fixed', { size: random.int(0, 5) });
    if (kind === 11) {
      const logicalType = random.pick(['timestamp-millis', 'timestamp-micros', 'timestamp-nanos']);
      return random.pick([
        { type: 'long', logicalType },
        { type: 'bytes', logicalType: 'decimal', precision: 9 },
      ]);
    }
    if (kind <= 13) return this.#union(depth);
    if (kind <= 15) return { type: 'array', items: this.#inner(depth) };
    return kind === 16 ? { type: 'map', values: this.#inner(depth) } : this.#record(depth + 1);
  }

  /** A type, or a record by its name: what lies between makes it end. */
  #inner(depth: number): Json {
    const random = this.#random;
    if (this.#records.length > 0 && random.chance(0.15)) return random.pick(this.#records);
    return random.chance(0.3) ? this.#record(depth + 1) : this.#type(depth + 1);
  }

  #union(depth: number): Json {
    const random = this.#random;
    const known = this.#records.length;
    const other = this.#inner(depth);
    const isBranch = !Array.isArray(other) && other !== 'null';
    if (isBranch && random.chance(0.6)) {
      return random.chance(0.8) ? ['null', other] : [other, 'null'];
    }
    // What was made for nothing cannot be named.
    this.#records.length = known;
    return random.pick([['null', 'int', 'string'], ['double', 'boolean'], ['string'], ['null']]);
  }

  #record(depth: number): Json {
    const random = this.#random;
    const name = `R${this.#names++}`;
    this.#records.push(name);
    const names = FIELDS.filter(() => random.chance(0.4));
    return {
      ...{ type: 'record', name },
      fields: names.map((field) => ({ name: field, type: this.#type(depth) })),
    };
  }

  #named(type: string, more: object): Json {
    return { type, name: `${type[0]?.toUpperCase()}${this.#names++}`, ...more };
  }
}

/** Types by their names. */
export function namedTypes(schema: Json, named = new Map<string, Typed>()): Map<string, Typed> {
  if (typeof schema === 'string') return named;
  if (Array.isArray(schema)) {
    for (const branch of schema) namedTypes(branch, named);
    return named;
  }
  const typed = schema as Typed;
  if (typeof typed['name'] === 'string') named.set(typed['name'], typed);
  for (const key of ['items', 'values'])
    if (typed[key] !== undefined) namedTypes(typed[key] as Json, named);
  for (const { type } of (typed['fields'] ?? []) as { type: Json }[]) namedTypes(type, named);
  return named;
}

function resolve(schema: Json, named: ReadonlyMap<string, Typed>): Typed | readonly Json[] {
  if (Array.isArray(schema)) return schema;
  if (typeof schema === 'string') return named.get(schema) ?? { type: schema };
  return schema as Typed;
}

// --- channels -----------------------------------------------------------------------------------
interface Leaf {
  readonly path: readonly string[];
  readonly type: Typed;
}

/** Everything that paths lead to, arrays of samples among it; a few keys of each map. */
function leavesOf(
  schema: Json,
  named: ReadonlyMap<string, Typed>,
  random: Random,
  path: readonly string[] = [],
): Leaf[] {
  let type = resolve(schema, named);
  if (Array.isArray(type)) {
    const others = type.filter((branch) => branch !== 'null');
    if (others.length !== 1) return [];
    type = resolve(others[0]!, named) as Typed;
  }
  const { type: kind, fields, values } = type as Typed;
  if (path.length > 5) return [];
  if (kind === 'record') {
    return (fields as { name: string; type: Json }[]).flatMap((field) =>
      leavesOf(field.type, named, random, [...path, field.name]),
    );
  }
  if (kind !== 'map') return [{ path, type: type as Typed }];
  return KEYS.filter(() => random.chance(0.3)).flatMap((key) =>
    leavesOf(values as Json, named, random, [...path, key]),
  );
}

const KINDS: Readonly<Record<string, readonly ValueKind[]>> = {
  int: ['number', 'integer'],
  long: ['integer', 'number'],
  float: ['number'],
  double: ['number'],
  boolean: ['boolean'],
  string: ['text'],
  enum: ['text'],
};
const UNITS: Readonly<Record<string, TimeFormat>> = {
  'timestamp-millis': 'ms',
  'timestamp-micros': 'us',
  'timestamp-nanos': 'ns',
};

/** A channel that the registry accepts for the schema, without its schema. */
export function avroChannel(schema: Json, random: Random): PlanChannel {
  const named = namedTypes(schema);
  const ofRecord = leavesOf(schema, named, random);
  const arrays = ofRecord.flatMap(({ path, type }) => {
    if (type.type !== 'array') return [];
    const below = leavesOf(type['items'] as Json, named, random);
    return below.length > 0 && below[0]!.path.length > 0 ? [{ path, below }] : [];
  });
  const samples = arrays.length > 0 && random.chance(0.7) ? random.pick(arrays) : null;
  const ofSample = samples?.below ?? ofRecord;
  const timeOf = random.pick(['sample', 'record'] as const);
  const time = pickTime(timeOf === 'record' ? ofRecord : ofSample, random);
  const ids = ofRecord.filter(({ type }) => ['string', 'int', 'long'].includes(type.type));
  const isId = ids.length > 0 && random.chance(0.4);
  return channelOf(1, 'avro', {
    ...{ format: 'avro', timeOf, ...time, samplesPath: samples?.path ?? [] },
    eventIdPath: isId ? random.pick(ids).path : [],
    metrics: pickMetrics(ofSample, random),
  });
}

function pickTime(leaves: readonly Leaf[], random: Random) {
  const times = leaves.filter(({ type }) => ['string', 'long'].includes(type.type));
  if (times.length === 0 || random.chance(0.2)) return { timePath: [], timeFormat: 'ms' as const };
  const { path, type } = random.pick(times);
  const declared = UNITS[String(type['logicalType'])];
  const isText = type.type === 'string';
  const any = random.pick<TimeFormat>(isText ? ['iso8601', 's', 'ms'] : ['s', 'ms', 'us', 'ns']);
  return { timePath: path, timeFormat: declared ?? any };
}

function pickMetrics(leaves: readonly Leaf[], random: Random): PlanMetric[] {
  const usable = leaves.filter(({ type }) => KINDS[type.type] !== undefined);
  const chosen = usable.filter(() => random.chance(0.7)).slice(0, 60);
  return chosen.map(({ path, type }, i) =>
    metricOf(i, `m${i}`, {
      ...{ path, kind: random.pick(KINDS[type.type]!), required: random.chance(0.1) },
      ...(random.chance(0.2) ? { min: -50, max: 1000 } : {}),
      ...(random.chance(0.2) && type.type !== 'boolean' ? { scale: 0.5, offset: 1 } : {}),
      ...(type.type === 'enum' && random.chance(0.5) ? { values: ['ON', 'OFF'] } : {}),
    }),
  );
}

// --- payloads -----------------------------------------------------------------------------------
const TIMES = [1767225600n, 1767225600000n, 1767225600000000n, 1767225600000000000n, -1n];

export class Payloads {
  readonly #random: Random;
  readonly #named: ReadonlyMap<string, Typed>;
  readonly #schema: Json;

  constructor(schema: Json, random: Random) {
    this.#schema = schema;
    this.#random = random;
    this.#named = namedTypes(schema);
  }

  next(): Buffer {
    return Buffer.concat(this.#value(this.#schema, 0));
  }

  #value(schema: Json, depth: number): Buffer[] {
    const random = this.#random;
    const type = resolve(schema, this.#named);
    if (Array.isArray(type)) return this.#union(type, depth);
    const typed = type as Typed;
    switch (typed.type) {
      case 'null':
        return [];
      case 'boolean':
        return [Buffer.of(random.int(0, 1))];
      case 'int':
        return [this.#int(BigInt(random.pick([0, -1, 63, 64, 2 ** 31 - 1, -(2 ** 31), 300])), 5)];
      case 'long': {
        const wide = BigInt.asIntN(64, random.wide());
        const few = [0n, -1n, 42n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, wide];
        return [this.#int(random.pick(random.chance(0.5) ? TIMES : few), 10)];
      }
      case 'float':
      case 'double':
        return [this.#float(typed.type === 'float')];
      case 'bytes':
        return this.#sized(Buffer.from(random.bytes(random.int(0, 4))));
      case 'string':
        return this.#sized(Buffer.from(random.pick(TEXTS)));
      case 'fixed':
        return [Buffer.from(random.bytes(typed['size'] as number))];
      case 'enum':
        return [this.#int(BigInt(random.int(0, (typed['symbols'] as string[]).length - 1)), 5)];
      case 'record':
        return (typed['fields'] as { type: Json }[]).flatMap((each) =>
          this.#value(each.type, depth + 1),
        );
      default:
        return this.#blocks(typed, depth + 1);
    }
  }

  #union(branches: readonly Json[], depth: number): Buffer[] {
    // Down from some depth null, if there is one, so that recursion ends.
    const ends = branches.indexOf('null');
    const index = depth > 6 && ends >= 0 ? ends : this.#random.int(0, branches.length - 1);
    return [this.#int(BigInt(index), 5), ...this.#value(branches[index]!, depth)];
  }

  #blocks(typed: Typed, depth: number): Buffer[] {
    const random = this.#random;
    const parts: Buffer[] = [];
    const keys = KEYS.filter(() => random.chance(0.5));
    for (let blocks = depth > 6 ? 0 : random.int(0, 2); blocks > 0; blocks--) {
      const count = typed.type === 'map' ? Math.min(keys.length, 2) : random.int(1, 3);
      if (count === 0) continue;
      const items: Buffer[] = [];
      for (let i = 0; i < count; i++) {
        if (typed.type === 'map') items.push(...this.#sized(Buffer.from(keys.pop()!)));
        items.push(...this.#value((typed['items'] ?? typed['values']) as Json, depth));
      }
      const body = Buffer.concat(items);
      if (random.chance(0.5)) parts.push(this.#int(BigInt(count), 10), body);
      else parts.push(this.#int(-BigInt(count), 10), this.#int(BigInt(body.length), 10), body);
    }
    return [...parts, this.#int(0n, 10)];
  }

  #sized(bytes: Buffer): Buffer[] {
    return [this.#int(BigInt(bytes.length), 10), bytes];
  }

  #float(isFloat: boolean): Buffer {
    const random = this.#random;
    const few = [0, -0, 1.5, -40, 1e300, Number.NaN, Number.NEGATIVE_INFINITY, random.unit() * 99];
    const bytes = Buffer.alloc(isFloat ? 4 : 8);
    if (isFloat) bytes.writeFloatLE(random.pick(few.filter((each) => each !== 1e300)));
    else bytes.writeDoubleLE(random.pick(few));
    return bytes;
  }

  /** Zig-zag; now and then with zeros behind it, as far as its width allows. */
  #int(value: bigint, bytesMax: number): Buffer {
    const bytes = varint(value);
    if (bytes.length < bytesMax && this.#random.chance(0.03)) {
      bytes[bytes.length - 1]! |= 128;
      bytes.push(0);
    }
    return Buffer.from(bytes);
  }
}

export function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

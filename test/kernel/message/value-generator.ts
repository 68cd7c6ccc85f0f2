/**
 * Random messages of a schema. In: a type of protobufjs. Out: objects that it encodes, two of them
 * merged as the encoding demands, and their bytes damaged or rearranged.
 */
import protobuf from 'protobufjs';
import type { Random } from '../random.ts';
import { randomKey } from './schema-generator.ts';

export type Plain = { [name: string]: unknown };

const DEPTH_MAX = 4;
const TIMES = [
  '2026-03-01T12:00:00Z',
  '2026-03-01 12:00:00.5',
  '1772366400',
  '',
  'x',
  '99999999999',
];

/** `named`: enumerations have only numbers that have a name. */
export function randomMessage(
  random: Random,
  type: protobuf.Type,
  { depth = 0, named = false }: { depth?: number; named?: boolean } = {},
): Plain {
  const message: Plain = {};
  // Deeper messages are smaller, or a payload would soon be too long.
  const share = random.pick([0.3, 0.7, 1]) / (1 + depth / 2);
  const oneofs = new Set<protobuf.OneOf>();
  for (const field of type.fieldsArray.map((each) => each.resolve())) {
    if (!random.chance(share)) continue;
    if (field.partOf && !field.partOf.isProto3Optional) {
      if (oneofs.has(field.partOf)) continue;
      oneofs.add(field.partOf);
    }
    const isMessage = field.resolvedType instanceof protobuf.Type;
    if (isMessage && depth >= DEPTH_MAX) continue;
    message[field.name] = randomField(random, field, { depth, named });
  }
  return message;
}

interface Place {
  readonly depth: number;
  readonly named: boolean;
}

function randomField(random: Random, field: protobuf.Field, place: Place): unknown {
  const one = () => randomValue(random, field, place);
  const length = place.depth === 0 ? 4 : 2;
  if (field instanceof protobuf.MapField) {
    const keys = Array.from({ length: random.int(0, length) }, () =>
      randomKey(random, field.keyType),
    );
    return Object.fromEntries(keys.map((key) => [key, one()]));
  }
  return field.repeated ? Array.from({ length: random.int(0, length) }, one) : one();
}

/** 64-bit integers as protobufjs takes them. */
function halves(value: bigint, unsigned: boolean) {
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned };
}

function randomValue(random: Random, field: protobuf.FieldBase, place: Place): unknown {
  const type = field.resolvedType;
  if (type instanceof protobuf.Enum) {
    return random.pick([0, 1, -7, 70000, ...(place.named ? [] : [5, -5, 2 ** 31 - 1])]);
  }
  if (type?.name === 'Timestamp') return randomTimestamp(random);
  if (type instanceof protobuf.Type) {
    return randomMessage(random, type, { ...place, depth: place.depth + 1 });
  }
  switch (field.type) {
    case 'double':
      return random.pick([0, -0, 1.5, -20, 1e300, Number.NaN, Infinity, random.unit()]);
    case 'float':
      return random.pick([0, 0.1, -5, 3e38, Infinity, random.unit()]);
    case 'bool':
      return random.chance(0.5);
    case 'string':
      return random.pick(['', 'a', 'ONE', 'é𝄞', 'x'.repeat(300), ...TIMES]);
    case 'bytes':
      return random.bytes(random.pick([0, 1, 8, 64, 65]));
    default:
      return randomInteger(random, field.type);
  }
}

function randomInteger(random: Random, type: string): unknown {
  const time = 1_772_366_400n;
  const value = random.pick([
    ...[0n, 1n, -1n, 127n, 128n, -100n, 2n ** 31n - 1n, -(2n ** 31n), 2n ** 32n - 1n],
    ...[2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n, random.wide()],
    ...[time, time * 1000n, time * 1_000_000n + 999n, time * 1_000_000_000n, 2n ** 63n + 5n],
  ]);
  const unsigned = type.startsWith('u') || type.startsWith('f');
  if (type.endsWith('64')) return halves(value, unsigned);
  return Number(unsigned ? BigInt.asUintN(32, value) : BigInt.asIntN(32, value));
}

function randomTimestamp(random: Random): Plain {
  const seconds = random.pick([
    0n,
    1_772_366_400n,
    -1n,
    10n ** 12n + 1n,
    -(10n ** 13n),
    2n ** 63n - 1n,
  ]);
  const nanos = random.pick([0, 1, 999_999_999, 500_000_000, -1, 1_000_000_000]);
  return {
    ...(random.chance(0.9) ? { seconds: halves(seconds, false) } : {}),
    ...(random.chance(0.7) ? { nanos } : {}),
  };
}

/** What the bytes of `first` and then those of `second` mean. */
export function merged(type: protobuf.Type, first: Plain, second: Plain): Plain {
  const result: Plain = { ...first };
  for (const field of type.fieldsArray.map((each) => each.resolve())) {
    const { name } = field;
    // protobufjs leaves out defaults where presence does not matter to it.
    if (!(name in second) || encoded(type, { [name]: second[name] }).length === 0) continue;
    for (const other of field.partOf?.fieldsArray ?? []) {
      if (other.name !== name) delete result[other.name];
    }
    const [old, said] = [result[name], second[name]];
    if (old === undefined) result[name] = said;
    else if (field instanceof protobuf.MapField)
      result[name] = { ...(old as Plain), ...(said as Plain) };
    else if (field.repeated) result[name] = [...(old as unknown[]), ...(said as unknown[])];
    else if (field.resolvedType instanceof protobuf.Type) {
      result[name] = merged(field.resolvedType, old as Plain, said as Plain);
    } else result[name] = said;
  }
  return result;
}

export function encoded(type: protobuf.Type, message: Plain): Uint8Array {
  return Uint8Array.from(type.encode(message as never).finish());
}

/** The fields of the outermost message, each with its tag. */
function split(bytes: Uint8Array): Uint8Array[] {
  const reader = protobuf.Reader.create(bytes);
  const parts: Uint8Array[] = [];
  while (reader.pos < reader.len) {
    const start = reader.pos;
    reader.skipType(reader.uint32() & 7);
    parts.push(bytes.subarray(start, reader.pos));
  }
  return parts;
}

const UNKNOWN = [
  [0x98, 0x06, 0x05],
  [0x9a, 0x06, 0x02, 0xff, 0xff],
  [0x99, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
  [0x9d, 0x06, 1, 2, 3, 4],
  [0x9b, 0x06, 0x08, 0x01, 0x13, 0x0a, 0x01, 0x78, 0x14, 0x9c, 0x06],
].map((each) => Uint8Array.from(each));

/** Fields of the outermost message in another order, with unknown ones between; the same values. */
export function rearranged(random: Random, bytes: Uint8Array): Uint8Array {
  const parts = split(bytes);
  // Only different fields may change places.
  for (let i = 1; i < parts.length; i += 1) {
    const [left, right] = [parts[i - 1]!, parts[i]!];
    if (left[0] === right[0] || random.chance(0.5)) continue;
    parts[i - 1] = right;
    parts[i] = left;
  }
  const mixed = parts.flatMap((part) =>
    random.chance(0.3) ? [random.pick(UNKNOWN), part] : [part],
  );
  return Buffer.concat(random.chance(0.5) ? [...mixed, random.pick(UNKNOWN)] : mixed);
}

export function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  const at = random.int(0, Math.max(0, bytes.length - 1));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  const byte = Uint8Array.of(random.int(0, 255));
  switch (random.int(0, 4)) {
    case 0:
      return Buffer.concat([
        before,
        Uint8Array.of((after[0] ?? 0) ^ (1 << random.int(0, 7))),
        after.subarray(1),
      ]);
    case 1:
      return Buffer.concat([before, byte, after]);
    case 2:
      return Buffer.concat([before, after.subarray(1)]);
    case 3:
      return Buffer.concat([before, byte, after.subarray(1)]);
    default:
      return Buffer.concat([before, after, before]);
  }
}

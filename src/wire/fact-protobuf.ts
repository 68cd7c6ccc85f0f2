/**
 * Facts and dead letters as Protobuf (proto/facts.proto), for `facts.format: protobuf`. In: a fact
 * or a dead letter. Out: one FactMessage, and back. The fields are a table per message, written as
 * the .proto has them; a test holds both together.
 */
import protobuf from 'protobufjs/minimal.js';
import type { ReportedValue } from '../model/fact.ts';
import type { FactMessage } from './fact.ts';

const { Reader, Writer } = protobuf;

type Scalar =
  | 'string'
  | 'bytes'
  | 'bool'
  | 'uint32'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'double'
  // Packed: bins of a sketch.
  | 'sint32s'
  | 'uint32s';
type Plain = Record<string, unknown>;

interface Field {
  readonly number: number;
  readonly name: string;
  /** `count`: a uint64 that is a number here; `time`: an sfixed64 that is a number here. */
  readonly type: Scalar | 'count' | 'time' | Message;
  readonly repeated?: boolean;
  /** Its zero is written too; absent it is null: it is one of several, or optional. */
  readonly optional?: boolean;
}

interface Message {
  readonly fields: readonly Field[];
}

/** Fields in the order of their numbers, from 1. */
function message(
  ...columns: readonly (readonly [string, Field['type'], ('repeated' | 'optional')?])[]
): Message {
  const fields = columns.map(([name, type, label], index) => ({
    number: index + 1,
    name,
    type,
    repeated: label === 'repeated',
    optional: label === 'optional',
  }));
  return { fields };
}

const VERSION = message(['generation', 'uint32'], ['sequence', 'fixed64'], ['ordinal', 'uint32']);
const IDENTITY = message(['tenant', 'string'], ['site', 'string'], ['device', 'string']);
const SKETCH = message(['keys', 'sint32s'], ['counts', 'uint32s']);
const AGGREGATE = message(
  ['metric', 'string'],
  ['unit', 'string'],
  ['count', 'count'],
  ['sum', 'double'],
  ['min', 'double'],
  ['max', 'double'],
  ['first', 'double'],
  ['firstTimeMs', 'time'],
  ['firstSequence', 'fixed64'],
  ['last', 'double'],
  ['lastTimeMs', 'time'],
  ['lastSequence', 'fixed64'],
  ['mean', 'double'],
  ['m2', 'double'],
  ['score', 'double'],
  ['integral', 'double'],
  ['sketch', SKETCH],
);
const WINDOW = message(
  ['identity', IDENTITY],
  ['channel', 'string'],
  ['window', 'string'],
  ['windowStartMs', 'time'],
  ['windowMs', 'count'],
  ['fragment', 'fixed64'],
  ['revision', 'uint32'],
  ['version', VERSION],
  ['partition', 'uint32'],
  ['watermarkMs', 'time'],
  ['logTimeMs', 'time'],
  ['metrics', AGGREGATE, 'repeated'],
  ['windowEndMs', 'time'],
  ['deleted', 'bool'],
);
const REPORTED = message(
  ['channel', 'string'],
  ['metric', 'string'],
  ['unit', 'string'],
  ['number', 'double', 'optional'],
  ['integer', 'uint64', 'optional'],
  ['boolean', 'bool', 'optional'],
  ['eventTimeMs', 'time'],
  ['text', 'string', 'optional'],
);
const SHADOW = message(
  ['identity', IDENTITY],
  ['version', VERSION],
  ['partition', 'uint32'],
  ['logTimeMs', 'time'],
  ['reported', REPORTED, 'repeated'],
);
const DEAD_LETTER = message(
  ['identity', IDENTITY],
  ['channel', 'string'],
  ['reason', 'string'],
  ['partition', 'uint32'],
  ['sequence', 'fixed64'],
  ['index', 'uint32'],
  ['offset', 'uint32'],
  ['metric', 'string'],
  ['receivedAtMs', 'time'],
  ['logTimeMs', 'time'],
  ['payloadBytes', 'uint32'],
  ['sample', 'bytes'],
);
const ALERT = message(
  ['identity', IDENTITY],
  ['channel', 'string'],
  ['rule', 'string'],
  ['severity', 'string'],
  ['metric', 'string'],
  ['unit', 'string'],
  ['active', 'bool'],
  ['raisedAtMs', 'time'],
  ['raisedSequence', 'fixed64'],
  ['raisedOrdinal', 'uint32'],
  ['sinceMs', 'time'],
  ['value', 'double'],
  ['peak', 'double'],
  ['clearedAtMs', 'time', 'optional'],
  ['clearedValue', 'double', 'optional'],
  ['version', VERSION],
  ['partition', 'uint32'],
  ['logTimeMs', 'time'],
);
const FACT = message(
  ['window', WINDOW],
  ['shadow', SHADOW],
  ['deadLetter', DEAD_LETTER],
  ['alert', ALERT],
);
const KINDS = ['window', 'shadow', 'deadLetter', 'alert'] as const;

export function encodeProtobuf(fact: FactMessage): Uint8Array {
  const { kind, ...rest } = fact;
  const plain: Plain = { ...rest };
  if (fact.kind === 'shadow') plain['reported'] = fact.reported.map(reportedPlain);
  return write(Writer.create(), FACT, { [kind]: plain }).finish();
}

/** Throws when it is not a FactMessage. */
export function decodeProtobuf(bytes: Uint8Array): FactMessage {
  const reader = Reader.create(bytes);
  const plain = read(reader, FACT, bytes.length);
  const kind = KINDS.find((each) => plain[each] !== null);
  if (!kind) throw new Error(`these bytes hold none of ${KINDS.join(', ')}`);
  const fact = plain[kind] as Plain;
  if (kind === 'shadow') fact['reported'] = (fact['reported'] as Plain[]).map(reportedOf);
  return { kind, ...fact } as unknown as FactMessage;
}

// --- reported values: one of four ---------------------------------------------------------------
function reportedPlain({ value, ...rest }: ReportedValue): Plain {
  if (typeof value === 'number') return { ...rest, number: value };
  if (typeof value === 'boolean') return { ...rest, boolean: value };
  if (typeof value === 'string') return { ...rest, text: value };
  // sint64 is a uint64 in zigzag.
  return { ...rest, integer: BigInt.asUintN(64, (value << 1n) ^ (value >> 63n)) };
}

function reportedOf({ number, integer, boolean, text, ...rest }: Plain): Plain {
  if (integer !== null) {
    const zigzag = integer as bigint;
    return { ...rest, value: (zigzag >> 1n) ^ -(zigzag & 1n) };
  }
  return { ...rest, value: boolean ?? text ?? number };
}

// --- the table at work ---------------------------------------------------------------------------
const WIRE_TYPES: Readonly<Record<Scalar | 'count' | 'time', number>> = {
  bool: 0,
  uint32: 0,
  uint64: 0,
  count: 0,
  fixed64: 1,
  sfixed64: 1,
  time: 1,
  double: 1,
  string: 2,
  bytes: 2,
  sint32s: 2,
  uint32s: 2,
};

function write(writer: protobuf.Writer, { fields }: Message, plain: Plain): protobuf.Writer {
  for (const field of fields) {
    const held = plain[field.name];
    const values = field.repeated ? (held as unknown[]) : [held];
    for (const value of values) writeField(writer, field, value);
  }
  return writer;
}

function writeField(writer: protobuf.Writer, field: Field, value: unknown): void {
  if (value === undefined || value === null) return;
  const { type, number } = field;
  if (typeof type === 'object') {
    write(writer.uint32((number << 3) | 2).fork(), type, value as Plain).ldelim();
  } else if (field.optional || !isZero(value)) {
    writeScalar(writer.uint32((number << 3) | WIRE_TYPES[type]), type, value);
  }
}

const isZero = (value: unknown) =>
  value === false ||
  value === '' ||
  value === 0n ||
  Object.is(value, 0) ||
  (value as Uint8Array).length === 0;

function writeScalar(writer: protobuf.Writer, type: Scalar | 'count' | 'time', value: unknown) {
  if (type === 'string') writer.string(value as string);
  else if (type === 'bytes') writer.bytes(value as Uint8Array);
  else if (type === 'bool') writer.bool(value as boolean);
  else if (type === 'uint32') writer.uint32(value as number);
  else if (type === 'sint32s' || type === 'uint32s') {
    writer.fork();
    for (const each of value as number[]) {
      if (type === 'sint32s') writer.sint32(each);
      else writer.uint32(each);
    }
    writer.ldelim();
  } else if (type === 'double') writer.double(value as number);
  else if (type === 'count') writer.uint64(halves(BigInt(value as number)) as never);
  else if (type === 'uint64') writer.uint64(halves(value as bigint) as never);
  else writer.fixed64(halves(BigInt(value as number | bigint)) as never);
}

function read(reader: protobuf.Reader, { fields }: Message, end: number): Plain {
  const plain: Plain = {};
  for (const field of fields) plain[field.name] = absent(field);
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = fields[(tag >>> 3) - 1];
    if (!field) reader.skipType(tag & 7);
    else if (typeof field.type === 'object') {
      const length = reader.uint32();
      const inner = read(reader, field.type, reader.pos + length);
      if (field.repeated) (plain[field.name] as Plain[]).push(inner);
      else plain[field.name] = inner;
    } else plain[field.name] = readScalar(reader, field.type);
  }
  return plain;
}

function absent(field: Field): unknown {
  if (field.repeated) return [];
  if (typeof field.type === 'object' || field.optional) return null;
  if (field.type === 'string') return '';
  if (field.type === 'bool') return false;
  if (field.type === 'sint32s' || field.type === 'uint32s') return [];
  if (field.type === 'bytes') return new Uint8Array(0);
  return field.type === 'fixed64' || field.type === 'uint64' ? 0n : 0;
}

function readScalar(reader: protobuf.Reader, type: Scalar | 'count' | 'time'): unknown {
  if (type === 'string') return reader.string();
  if (type === 'bytes') return new Uint8Array(reader.bytes());
  if (type === 'bool') return reader.bool();
  if (type === 'uint32') return reader.uint32();
  if (type === 'sint32s' || type === 'uint32s') return readPacked(reader, type);
  if (type === 'double') return reader.double();
  if (type === 'count') return Number(whole(reader.uint64()));
  if (type === 'uint64') return whole(reader.uint64());
  const bits = whole(reader.fixed64());
  return type === 'time' ? Number(BigInt.asIntN(64, bits)) : bits;
}

function readPacked(reader: protobuf.Reader, type: 'sint32s' | 'uint32s'): number[] {
  const end = reader.uint32() + reader.pos;
  const values: number[] = [];
  while (reader.pos < end) values.push(type === 'sint32s' ? reader.sint32() : reader.uint32());
  return values;
}

/** 64-bit integers cross protobufjs' minimal writer as low and high halves. */
function halves(value: bigint): { low: number; high: number; unsigned: boolean } {
  const low = Number(BigInt.asIntN(32, value));
  const high = Number(BigInt.asIntN(32, value >> 32n));
  return { low, high, unsigned: true };
}

function whole(value: unknown): bigint {
  if (typeof value === 'number') return BigInt(value);
  const long = value as { low: number; high: number };
  return (BigInt(long.high >>> 0) << 32n) | BigInt(long.low >>> 0);
}

/**
 * Random .proto files and channels that read them. In: a source of choices. Out: the text, a
 * channel with paths into its first message, and the same as protobufjs sees it.
 */
import protobuf from 'protobufjs';
import type { PlanChannel, PlanMetric, TimeFormat, ValueKind } from '../../../src/model/plan.ts';
import { compileProtobufSchema } from '../../../src/registry/schema/protobuf-schema.ts';
import { channelOf, metricOf } from '../plan-sample.ts';
import type { Random } from '../random.ts';

const INTEGERS = [
  ...['int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64'],
  ...['fixed32', 'fixed64', 'sfixed32', 'sfixed64'],
];
const SCALARS = [...INTEGERS, 'double', 'float', 'bool', 'string', 'bytes'];
/** protobufjs has keys of its own making for the others. */
const KEY_TYPES = ['string', 'int32', 'uint32', 'sint32', 'fixed32', 'sfixed32'];
const NUMBERS = [1, 2, 3, 4, 5, 6, 7, 15, 16, 17, 31, 32, 33, 64, 2047, 2048, 536870911];
const MESSAGES = 4;

export interface Case {
  readonly text: string;
  readonly type: protobuf.Type;
  readonly channel: PlanChannel;
}

export function randomCase(random: Random): Case {
  while (true) {
    const text = randomProto(random);
    const type = typeOf(text, 'M0');
    const channel = randomChannel(random, type);
    if (channel === null) continue;
    const source = { text, message: 'M0', file: 'random.proto' };
    const verdict = compileProtobufSchema(source, {
      ...channel,
      metrics: channel.metrics.filter(({ retired }) => !retired),
    });
    // Paths into the time, or over each other, are refused.
    if ('problems' in verdict) continue;
    return { text, type, channel: { ...channel, schema: verdict.schema } };
  }
}

export function typeOf(text: string, name: string): protobuf.Type {
  const root = new protobuf.Root();
  root.addJSON(protobuf.common.get('google/protobuf/timestamp.proto')!.nested!);
  protobuf.parse(text, root, { keepCase: true });
  return root.resolveAll().lookupType(`t.${name}`);
}

// --- text ----------------------------------------------------------------------------------------
function randomProto(random: Random): string {
  const syntax = random.pick(['proto2', 'proto3']);
  const messages = Array.from({ length: MESSAGES }, (_, i) => randomMessage(random, i, syntax));
  return [
    `syntax = "${syntax}"; package t; import "google/protobuf/timestamp.proto";`,
    `enum E { option allow_alias = true; ZERO = 0; ONE = 1; UNO = 1; MINUS = -7; BIG = 70000; }`,
    ...messages,
  ].join('\n');
}

function randomMessage(random: Random, index: number, syntax: string): string {
  const numbers = NUMBERS.filter(() => random.chance(0.5));
  const inOneof: string[] = [];
  const lines: string[] = [];
  for (const number of numbers) {
    const name = `f${number}`;
    const type = randomType(random, index);
    const how = random.pick(['single', 'single', 'single', 'oneof', 'repeated', 'map']);
    if (how === 'map') {
      lines.push(`map<${random.pick(KEY_TYPES)}, ${type}> ${name} = ${number};`);
    } else if (how === 'repeated') {
      const packable = !['string', 'bytes'].includes(type) && !/^M|Timestamp/.test(type);
      const option = packable ? random.pick(['', ' [packed=true]', ' [packed=false]']) : '';
      lines.push(`repeated ${type} ${name} = ${number}${option};`);
    } else if (how === 'oneof') {
      inOneof.push(`${type} ${name} = ${number};`);
    } else {
      const label = syntax === 'proto2' || random.chance(0.3) ? 'optional ' : '';
      lines.push(`${label}${type} ${name} = ${number};`);
    }
  }
  if (inOneof.length > 0) lines.push(`oneof choice { ${inOneof.join(' ')} }`);
  return `message M${index} { ${lines.join(' ')} }`;
}

function randomType(random: Random, index: number): string {
  if (random.chance(0.5)) return random.pick(SCALARS);
  if (random.chance(0.2)) return 'E';
  if (random.chance(0.15)) return 'google.protobuf.Timestamp';
  // Mostly further down, so that messages end.
  return `M${random.chance(0.1) ? index : Math.min(index + 1, MESSAGES - 1)}`;
}

// --- channel -------------------------------------------------------------------------------------
interface End {
  readonly path: string[];
  readonly field: protobuf.Field;
}

function randomChannel(random: Random, root: protobuf.Type): PlanChannel | null {
  const samples = random.chance(0.4) ? findSamples(random, root) : null;
  const sample = samples?.field.resolvedType ?? root;
  if (!(sample instanceof protobuf.Type)) return null;
  const metrics: PlanMetric[] = [];
  for (let i = 0; i < 12; i += 1) {
    const end = findEnd(random, sample, () => true);
    const kind = end && kindOf(random, end.field);
    if (!end || !kind) continue;
    const ordinal = metrics.length;
    metrics.push(
      metricOf(ordinal, `m${ordinal}`, { kind, path: end.path, ...extras(random, kind) }),
    );
  }
  if (metrics.length === 0) return null;
  const timeOf = samples === null || random.chance(0.5) ? 'sample' : 'record';
  const time = random.chance(0.7)
    ? findEnd(random, timeOf === 'sample' ? sample : root, isTime)
    : null;
  const id = random.chance(0.5) ? findEnd(random, root, isId) : null;
  const timeFormat = random.pick<TimeFormat>(['s', 'ms', 'us', 'ns', 'iso8601']);
  return channelOf(1, 'c', {
    ...{ format: 'protobuf-message', metrics, timeOf, timeFormat },
    ...{ samplesPath: samples?.path ?? [], timePath: time?.path ?? [] },
    eventIdPath: id?.path ?? [],
  });
}

function extras(random: Random, kind: ValueKind): Partial<PlanMetric> {
  if (kind === 'text' && random.chance(0.3)) return { values: ['', 'ONE', 'ZERO', 'a'] };
  if (kind === 'number' && random.chance(0.3)) return { scale: 0.5, offset: 1, max: 1000 };
  if (kind === 'integer' && random.chance(0.3)) return { min: -100, max: 2 ** 40 };
  if (random.chance(0.05)) return { required: true };
  return random.chance(0.05) ? { retired: true } : {};
}

function kindOf(random: Random, field: protobuf.Field): ValueKind | null {
  if (field.resolvedType instanceof protobuf.Enum) {
    return random.pick(['text', 'text', 'integer', 'number']);
  }
  if (INTEGERS.includes(field.type)) return random.pick(['integer', 'number']);
  if (field.type === 'double' || field.type === 'float') return 'number';
  if (field.type === 'bool') return 'boolean';
  return field.type === 'string' ? 'text' : null;
}

const isTimestamp = (field: protobuf.Field) => field.resolvedType?.name === 'Timestamp';
const isTime = (field: protobuf.Field) =>
  INTEGERS.includes(field.type) || field.type === 'string' || isTimestamp(field);
const isId = (field: protobuf.Field) =>
  INTEGERS.includes(field.type) || field.type === 'string' || field.type === 'bytes';

function findEnd(
  random: Random,
  from: protobuf.Type,
  fits: (field: protobuf.Field) => boolean,
): End | null {
  for (let attempt = 0; attempt < 12; attempt += 1) {
    const end = randomPath(random, from);
    if (end !== null && fits(end.field)) return end;
  }
  return null;
}

function randomPath(random: Random, from: protobuf.Type): End | null {
  const path: string[] = [];
  let here = from;
  for (let depth = 0; depth < 6; depth += 1) {
    if (here.fieldsArray.length === 0) return null;
    const field = random.pick(here.fieldsArray).resolve();
    path.push(field.name);
    if (field instanceof protobuf.MapField) path.push(randomKey(random, field.keyType));
    else if (field.repeated) path.push(String(random.int(0, 3)));
    const next = field.resolvedType;
    if (!(next instanceof protobuf.Type)) return { path, field };
    if (isTimestamp(field)) return { path, field };
    here = next;
  }
  return null;
}

export function randomKey(random: Random, type: string): string {
  if (type === 'string') return random.pick(['', 'a', 'temperature', 'é']);
  const isSigned = !type.startsWith('u') && !type.startsWith('f');
  return random.pick(isSigned ? ['0', '1', '-1', '-2147483648'] : ['0', '1', '7', '4294967295']);
}

function findSamples(random: Random, from: protobuf.Type): End | null {
  const path: string[] = [];
  let here = from;
  for (let depth = 0; depth < 4; depth += 1) {
    const choices = here.fieldsArray
      .map((field) => field.resolve())
      .filter((field) => field.resolvedType instanceof protobuf.Type && !isTimestamp(field));
    if (choices.length === 0) return null;
    const field = random.pick(choices);
    path.push(field.name);
    if (field.repeated) return { path, field };
    if (field instanceof protobuf.MapField) path.push(randomKey(random, field.keyType));
    here = field.resolvedType as protobuf.Type;
  }
  return null;
}

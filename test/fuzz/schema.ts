/**
 * What the attacked channels look like: their metrics, and the schemas of formats that have one.
 * In: nothing. Out: plans, and a payload by each schema.
 */
import avro from 'avsc';
import protobuf from 'protobufjs';
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import { compileAvroSchema } from '../../src/registry/schema/avro-schema.ts';
import { compileProtobufSchema } from '../../src/registry/schema/protobuf-schema.ts';
import { channelOf, metricOf, planOf } from '../kernel/plan-sample.ts';

export const METRICS = [
  metricOf(0, 'value'),
  metricOf(1, 'count', { kind: 'integer', min: -5, max: 1000 }),
  metricOf(2, 'on', { kind: 'boolean' }),
  metricOf(3, 'mode', { kind: 'text', values: ['auto', 'off', 'µ'] }),
  metricOf(4, 'note', { kind: 'text' }),
  metricOf(5, 'deep', { path: ['a', 'b', 'c'], scale: 0.5, offset: 3 }),
];

export const planWith = (given: Partial<PlanChannel>): Plan =>
  planOf([channelOf(0, 'c', { metrics: METRICS, ...given })]);

// --- Avro ---------------------------------------------------------------------------------------
/** Every type, a union, a recursion, blocks of arrays and maps. */
const AVRO_SCHEMA = JSON.stringify({
  type: 'record',
  name: 'Pack',
  fields: [
    { name: 'id', type: ['null', 'string'] },
    { name: 'skipped', type: { type: 'map', values: { type: 'array', items: 'bytes' } } },
    {
      name: 'tree',
      type: [
        'null',
        { type: 'record', name: 'Tree', fields: [{ name: 'of', type: ['null', 'Tree'] }] },
      ],
    },
    { name: 'size', type: { type: 'fixed', name: 'Size', size: 3 } },
    {
      name: 'data',
      type: {
        type: 'array',
        items: {
          type: 'record',
          name: 'Sample',
          fields: [
            { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
            { name: 'value', type: ['null', 'double'] },
            { name: 'count', type: 'int' },
            { name: 'on', type: 'boolean' },
            { name: 'mode', type: { type: 'enum', name: 'Mode', symbols: ['auto', 'off'] } },
            { name: 'note', type: 'string' },
            {
              name: 'a',
              type: {
                type: 'record',
                name: 'A',
                fields: [{ name: 'b', type: { type: 'map', values: 'float' } }],
              },
            },
          ],
        },
      },
    },
  ],
});
const AVRO_TYPE = avro.Type.forSchema(JSON.parse(AVRO_SCHEMA));
const AVRO_VALUE = {
  id: 'x',
  skipped: { k: [Buffer.from('ab')] },
  tree: { of: null },
  size: Buffer.from('abc'),
  data: [
    {
      ...{ time: 1_790_000_000_000, value: 1.5, count: 3, on: true, mode: 'auto' },
      ...{ note: 'caf\u00e9', a: { b: { c: 2.5 } } },
    },
  ],
};

export const avroSeed = (): Uint8Array => AVRO_TYPE.toBuffer(AVRO_VALUE);

export function avroPlan(): Plan {
  const use = {
    ...{ format: 'avro' as const, samplesPath: ['data'], timeOf: 'sample' as const },
    ...{ timePath: ['time'], timeFormat: 'ms' as const, eventIdPath: ['id'], metrics: METRICS },
  };
  const compiled = compileAvroSchema({ text: AVRO_SCHEMA, file: 'fuzz.avsc' }, use);
  if ('schema' in compiled) return planWith({ ...use, schema: compiled.schema });
  throw new Error(compiled.problems.map(({ what }) => what).join('; '));
}

// --- any Protobuf message -----------------------------------------------------------------------
/** Nested, repeated, packed, a map, an enumeration, a oneof, a well-known time. */
const MESSAGE_SCHEMA = `
syntax = "proto3";
import "google/protobuf/timestamp.proto";
message Pack {
  string id = 1;
  repeated Sample data = 2;
  map<string, Sample> others = 3;
}
message Sample {
  google.protobuf.Timestamp time = 1;
  oneof kind { double value = 2; float rough = 9; }
  repeated sint64 counts = 3;
  bool on = 4;
  Mode mode = 5;
  string note = 6;
  A a = 7;
  enum Mode { auto = 0; off = 1; }
}
message A { map<string, fixed32> b = 1; }
`;
const MESSAGE_TYPE = protobuf
  .parse(
    MESSAGE_SCHEMA.replace(
      /import.*/,
      'message Stamp { int64 seconds = 1; int32 nanos = 2; }',
    ).replace('google.protobuf.Timestamp', 'Stamp'),
  )
  .root.lookupType('Pack');
const MESSAGE_VALUE = {
  id: 'x',
  data: [
    {
      ...{ time: { seconds: 1_790_000_000, nanos: 5_000_000 }, value: 1.5, counts: [1, -2, 3] },
      ...{ on: true, mode: 'off', note: 'caf\u00e9', a: { b: { c: 7 } } },
    },
  ],
  others: { k: { value: 2 } },
};

export const messageSeed = (): Uint8Array =>
  Buffer.from(MESSAGE_TYPE.encode(MESSAGE_TYPE.fromObject(MESSAGE_VALUE)).finish());

export function messagePlan(): Plan {
  const use = {
    ...{ format: 'protobuf-message' as const, samplesPath: ['data'], timeOf: 'sample' as const },
    ...{ timePath: ['time'], timeFormat: 'ms' as const, eventIdPath: ['id'] },
    metrics: METRICS.map((metric) =>
      metric.name === 'count' ? { ...metric, path: ['counts', '1'] } : metric,
    ),
  };
  const source = { text: MESSAGE_SCHEMA, message: 'Pack', file: 'fuzz.proto' };
  const compiled = compileProtobufSchema(source, use);
  if ('schema' in compiled) return planWith({ ...use, schema: compiled.schema });
  throw new Error(compiled.problems.map(({ what }) => what).join('; '));
}

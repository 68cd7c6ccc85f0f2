/**
 * Payloads for the parse bench, in memory: points (one reading) and trucks (seven readings) in
 * every format, one in a hundred damaged so that no reader can take it. Equal in every run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import avro from 'avsc';
import protobuf from 'protobufjs';
import { projectFolder } from '../../src/base/project.ts';

export type Format = 'json' | 'protobuf' | 'avro';
export type ShapeName = 'point' | 'truck';

export interface Shape {
  readonly name: ShapeName;
  readonly metrics: readonly string[];
  /** Values lie in [min, max]; one in two hundred does not. */
  readonly min: number;
  readonly max: number;
}

export const SHAPES: Record<ShapeName, Shape> = {
  point: { name: 'point', metrics: ['value'], min: -40, max: 85 },
  truck: {
    name: 'truck',
    metrics: [
      ...['latitude', 'longitude', 'elevation', 'velocity', 'heading', 'grade'],
      'fuel_consumption',
    ],
    min: -1000,
    max: 1000,
  },
};

const START_MS = Date.UTC(2026, 7, 1, 12);
const DAMAGED_EVERY = 100;
const OUT_OF_RANGE_EVERY = 200;

/** Multiplicative congruence: the same payloads in every run. */
function dice(): () => number {
  let state = 12345;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Sample {
  readonly timeMs: number;
  readonly values: readonly number[];
}

function samplesOf(shape: Shape, count: number): Sample[] {
  const next = dice();
  return Array.from({ length: count }, (_, i) => ({
    timeMs: START_MS + i * 10,
    values: shape.metrics.map((_metric, ordinal) => {
      if (ordinal === 0 && i % OUT_OF_RANGE_EVERY === 7) return shape.max + 1;
      return Math.round((shape.min + next() * (shape.max - shape.min)) * 1000) / 1000;
    }),
  }));
}

export const telemetryType = (): protobuf.Type =>
  protobuf
    .parse(readFileSync(join(projectFolder(), 'proto', 'telemetry.proto'), 'utf8'))
    .root.lookupType('millrace.Telemetry');

export const avroSchemaText = (shape: Shape): string =>
  JSON.stringify({
    type: 'record',
    name: 'Sample',
    fields: [
      { name: 'time', type: { type: 'long', logicalType: 'timestamp-millis' } },
      ...shape.metrics.map((name) => ({ name, type: 'double' })),
    ],
  });

function writerOf(shape: Shape, format: Format): (sample: Sample) => Buffer {
  if (format === 'json') {
    return ({ timeMs, values }) => {
      const time = new Date(timeMs).toISOString();
      const members = shape.metrics.map((name, i) => `"${name}":${values[i]}`).join(',');
      const ballast = shape.name === 'point' ? ',"unit":"Cel","firmware":"4.2.1"' : '';
      return Buffer.from(`{"time":"${time}",${members}${ballast}}`);
    };
  }
  if (format === 'protobuf') {
    const type = telemetryType();
    return ({ timeMs, values }) => {
      const readings = values.map((number, i) => ({ metric: i + 1, number }));
      const message = type.fromObject({ samples: [{ timeMs, readings }] });
      return Buffer.from(type.encode(message).finish());
    };
  }
  const type = avro.Type.forSchema(JSON.parse(avroSchemaText(shape)));
  return ({ timeMs, values }) => {
    const members = shape.metrics.map((name, i) => [name, values[i]]);
    return type.toBuffer({ time: timeMs, ...Object.fromEntries(members) });
  };
}

export function payloadsOf(shape: Shape, format: Format, count: number): Buffer[] {
  const write = writerOf(shape, format);
  return samplesOf(shape, count).map((sample, i) => {
    const bytes = write(sample);
    return i % DAMAGED_EVERY === 3 ? bytes.subarray(0, bytes.length - 2) : bytes;
  });
}

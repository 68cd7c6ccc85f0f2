/**
 * What a Node team would write: decode with the format's usual library, check time, type and range,
 * hand the values on. In: payloads. Out: the hash of all values and how many payloads were refused.
 */
import { createRequire } from 'node:module';
import avro from 'avsc';
import { avroSchemaText, type Format, type Shape, telemetryType } from './corpus.ts';
import { ValueHash } from './hash.ts';

export interface Subject {
  readonly name: string;
  /** Reads all payloads once. */
  run(): string;
}

type Read = (payload: Buffer, hash: ValueHash) => void;

export function peersOf(shape: Shape, format: Format, payloads: readonly Buffer[]): Subject[] {
  return readersOf(shape, format).map(({ name, read }) => ({
    name,
    run: () => {
      const hash = new ValueHash();
      for (const payload of payloads) {
        try {
          read(payload, hash);
        } catch {
          hash.refuse();
        }
      }
      return hash.text;
    },
  }));
}

function readersOf(shape: Shape, format: Format): { name: string; read: Read }[] {
  if (format === 'json') {
    const simd = simdjson();
    return [
      { name: 'naive', read: jsonReader(shape, (payload) => JSON.parse(payload.toString())) },
      ...(simd === null
        ? []
        : [{ name: 'simdjson', read: jsonReader(shape, (payload) => simd(payload.toString())) }]),
    ];
  }
  return format === 'protobuf'
    ? [{ name: 'protobufjs', read: protobufReader(shape) }]
    : [{ name: 'avsc', read: avroReader(shape) }];
}

/** Null where it is not installed: it must be compiled (`npm install --no-save simdjson`). */
function simdjson(): ((text: string) => unknown) | null {
  try {
    const library = createRequire(import.meta.url)('simdjson') as {
      parse: (text: string) => unknown;
    };
    return library.parse;
  } catch {
    return null;
  }
}

function jsonReader(shape: Shape, parse: (payload: Buffer) => unknown): Read {
  return (payload, hash) => {
    const value = parse(payload) as Record<string, unknown>;
    const timeMs = typeof value.time === 'string' ? Date.parse(value.time) : Number.NaN;
    if (Number.isNaN(timeMs)) return hash.refuse();
    hash.time(timeMs);
    shape.metrics.forEach((name, ordinal) => {
      const number = value[name];
      if (typeof number === 'number') hash.judge(shape, ordinal, number);
    });
  };
}

interface TelemetryObject {
  readonly samples: readonly {
    readonly timeMs: { toNumber(): number } | number;
    readonly readings: readonly { readonly metric: number; readonly number: number }[];
  }[];
}

function protobufReader(shape: Shape): Read {
  const type = telemetryType();
  return (payload, hash) => {
    const telemetry = type.decode(payload) as unknown as TelemetryObject;
    for (const { timeMs, readings } of telemetry.samples) {
      hash.time(typeof timeMs === 'number' ? timeMs : timeMs.toNumber());
      for (const { metric, number } of readings) hash.judge(shape, metric - 1, number);
    }
  };
}

function avroReader(shape: Shape): Read {
  const type = avro.Type.forSchema(JSON.parse(avroSchemaText(shape)));
  return (payload, hash) => {
    const value = type.fromBuffer(payload) as Record<string, number>;
    hash.time(value.time!);
    shape.metrics.forEach((name, ordinal) => {
      hash.judge(shape, ordinal, value[name]!);
    });
  };
}

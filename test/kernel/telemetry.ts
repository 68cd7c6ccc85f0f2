/** Payloads as a device encodes them, by protobufjs from proto/telemetry.proto. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

export interface ReadingInput {
  readonly metric?: number;
  readonly name?: string;
  readonly number?: number;
  readonly integer?: bigint;
  readonly boolean?: boolean;
  readonly text?: string;
}

export interface SampleInput {
  readonly timeMs?: number | bigint;
  readonly readings: readonly ReadingInput[];
}

export interface TelemetryInput {
  readonly samples: readonly SampleInput[];
  readonly eventId?: string;
  readonly bootId?: bigint;
  readonly sequence?: bigint;
}

const proto = new URL(
  '../../proto/telemetry.proto',
  import.meta.url.replace(/\/build\/(test\/kernel\/)/, '/$1'),
);
const type = protobuf
  .parse(readFileSync(fileURLToPath(proto), 'utf8'), { keepCase: true })
  .root.lookupType('millrace.Telemetry');

/** 64-bit integers as low and high halves, which is how protobufjs takes them. */
function halves(value: number | bigint, unsigned: boolean) {
  const bits = BigInt.asUintN(64, BigInt(value));
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned };
}

const signed = (value: number | bigint) => halves(value, false);
const unsigned = (value: bigint) => halves(value, true);

export function encodeTelemetry(input: TelemetryInput): Uint8Array {
  const samples = input.samples.map(({ timeMs, readings }) => ({
    ...(timeMs === undefined ? {} : { time_ms: signed(timeMs) }),
    readings: readings.map(({ integer, ...rest }) =>
      integer === undefined ? rest : { ...rest, integer: signed(integer) },
    ),
  }));
  return type
    .encode({
      samples,
      ...(input.eventId === undefined ? {} : { event_id: input.eventId }),
      ...(input.bootId === undefined ? {} : { boot_id: unsigned(input.bootId) }),
      ...(input.sequence === undefined ? {} : { sequence: unsigned(input.sequence) }),
    } as never)
    .finish();
}

/**
 * Encodes a sample as canonical Telemetry (proto/telemetry.proto), as a device's firmware would.
 */
import protobuf from 'protobufjs/minimal.js';

const { Writer } = protobuf;

const SAMPLES = 0x0a;
const TIME_MS = 0x09;
const READINGS = 0x12;
const METRIC = 0x08;
const NUMBER = 0x11;
const INTEGER = 0x18;

/** Metric name → ordinal of the channel, and whether it is an integer metric. */
export type MetricTable = ReadonlyMap<string, { ordinal: number; integer: boolean }>;

export function encodeTelemetry(
  eventTimeMs: number,
  values: Readonly<Record<string, number>>,
  metrics: MetricTable,
): Uint8Array {
  const writer = Writer.create();
  writer.uint32(SAMPLES).fork();
  writer.uint32(TIME_MS).sfixed64(eventTimeMs);
  for (const [name, value] of Object.entries(values)) {
    const metric = metrics.get(name);
    if (!metric) continue;
    writer.uint32(READINGS).fork();
    writer.uint32(METRIC).uint32(metric.ordinal + 1);
    if (metric.integer) writer.uint32(INTEGER).sint64(value);
    else writer.uint32(NUMBER).double(value);
    writer.ldelim();
  }
  return writer.ldelim().finish();
}

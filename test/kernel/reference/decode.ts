/**
 * Payloads. In: the bytes of a record, its channel's plan and its situation. Out: the payload's
 * status (from SCHEMA_UNKNOWN to NO_READINGS, or OK), its key, and samples with times and judged
 * readings. What state tells of them (dedup, clock, rates) is not known here.
 */
import { READINGS_PER_RECORD_MAX, SAMPLES_PER_RECORD_MAX } from '../../../assembly/shared/abi.ts';
import {
  EVENT_ID_INVALID,
  LIMIT_EXCEEDED,
  METRIC_UNKNOWN,
  NO_READINGS,
  OK,
  PAYLOAD_MALFORMED,
  PAYLOAD_TOO_DEEP,
  SCHEMA_UNKNOWN,
} from '../../../assembly/shared/status.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { decodeAvro } from './avro.ts';
import { behindPrefix, prefixBytes } from './confluent.ts';
import { TooDeep } from './json.ts';
import { decodeJson } from './json-payload.ts';
import { bootKey, idKey, type KeyField } from './key.ts';
import * as wire from './protobuf.ts';
import { decodeMessage } from './protobuf-message.ts';
import { decodeSenmlCbor } from './senml-cbor.ts';
import { decodeSenmlJson } from './senml-json.ts';
import { decodeSparkplug } from './sparkplug.ts';
import { inTimeRange } from './time.ts';
import { type Judged, judgeValue, type Raw } from './validate.ts';

export interface Reading {
  /** Null: no such metric (METRIC_UNKNOWN). */
  readonly metric: PlanMetric | null;
  readonly judged: Judged;
  readonly offset: number;
}

export interface Sample {
  /** Null when the payload gives none, 'malformed' when it gives a bad one. */
  readonly timeMs: number | null | 'malformed';
  readonly offset: number;
  /** Where the time lies; REQUIRED_MISSING is said of the sample itself. */
  readonly timeOffset: number;
  readonly readings: readonly Reading[];
  /** Old news, says the device (Sparkplug is_historical). */
  readonly historical?: boolean;
  /** The next sample comes within so much, says the device (SenML ut); absent or 0: it does not. */
  readonly expectMs?: number;
}

/** What an alias of a device stands for. */
export interface Binding {
  readonly channel: number;
  /** Sparkplug's name space: '' for the edge node's own, else the device. */
  readonly space: string;
  readonly alias: bigint;
  /** Ordinal of the metric; none of the channel's, or the protocol's own. */
  readonly target: number | 'undeclared' | 'own';
  readonly dataType: number;
}
/** By channel, space and alias; only sparkplug.ts makes the keys. */
export type Aliases = ReadonlyMap<string, Binding>;

/** What is known besides the payload. */
export interface Situation {
  /** Clamped to the log's. */
  readonly receivedMs: number;
  /** As the transport says it; '' when it says nothing. */
  readonly kind: string;
  /** Of the device. */
  readonly aliases: Aliases;
}

export const NO_SITUATION: Situation = { receivedMs: 0, kind: '', aliases: new Map() };

export interface Payload {
  readonly status: number;
  readonly offset: number;
  readonly key: KeyField;
  readonly samples: readonly Sample[];
  /** Nothing in it is to be stored: a Sparkplug death, or one without declared metrics. */
  readonly filtered?: boolean;
  /** All aliases of the device from now on, if the record is past dedup; absent: as before. */
  readonly aliases?: Aliases;
  /** Sparkplug's; absent or null: none. */
  readonly sparkSequence?: number | null;
}

export function decodePayload(
  payload: Uint8Array,
  channel: PlanChannel,
  situation: Situation = NO_SITUATION,
): Payload {
  const prefix = channel.framing === 'confluent' ? prefixBytes(payload, channel) : 0;
  if (prefix === null) return { status: SCHEMA_UNKNOWN, offset: 0, key: null, samples: [] };
  try {
    const decoded = decodeFormat(payload.subarray(prefix), channel, situation);
    return prefix === 0 ? decoded : behindPrefix(decoded, channel, prefix);
  } catch (error) {
    if (!(error instanceof wire.Malformed)) throw error;
    const status = error instanceof TooDeep ? PAYLOAD_TOO_DEEP : PAYLOAD_MALFORMED;
    return { status, offset: prefix + error.offset, key: null, samples: [] };
  }
}

function decodeFormat(payload: Uint8Array, channel: PlanChannel, situation: Situation): Payload {
  switch (channel.format) {
    case 'json': {
      const { key, samples } = decodeJson(payload, channel);
      return finish(key, samples);
    }
    case 'senml-json':
      return finish(null, decodeSenmlJson(payload, channel, situation));
    case 'sparkplug': {
      const { overLimit, ...parts } = decodeSparkplug(payload, channel, situation);
      const status = overLimit || isOverLimit(parts.samples) ? LIMIT_EXCEEDED : OK;
      return { status, offset: 0, key: null, ...parts };
    }
    case 'avro':
      return decodeAvro(payload, channel);
    case 'senml-cbor':
      return finish(null, decodeSenmlCbor(payload, channel, situation));
    case 'protobuf-message': {
      const { key, samples, overLimit } = decodeMessage(payload, channel);
      return finish(key, samples, overLimit || undefined);
    }
    default:
      return decodeProtobuf(payload, channel);
  }
}

function isOverLimit(samples: readonly Sample[]): boolean {
  const count = samples.reduce((sum, { readings }) => sum + readings.length, 0);
  return samples.length > SAMPLES_PER_RECORD_MAX || count > READINGS_PER_RECORD_MAX;
}

export function finish(
  key: KeyField,
  samples: readonly Sample[],
  overLimit = isOverLimit(samples),
): Payload {
  const known = samples.some((sample) => sample.readings.some(({ metric }) => metric !== null));
  let status = OK as number;
  if (!known) status = NO_READINGS;
  if (key === 'invalid') status = EVENT_ID_INVALID;
  if (overLimit) status = LIMIT_EXCEEDED;
  return { status, offset: 0, key, samples };
}

// --- Protobuf -----------------------------------------------------------------------------------
function decodeProtobuf(payload: Uint8Array, channel: PlanChannel): Payload {
  const top = wire.walkTelemetry(payload, (fields) => {
    const name = wire.last(fields, 5);
    const bytes = name ? payload.subarray(name.start, name.end) : new Uint8Array();
    return findMetric(channel, fields, bytes)?.ordinal;
  });
  const sampleFields = top.filter(({ number }) => number === 1);
  const inner = sampleFields.map((field) => field.fields.filter(({ number }) => number === 2));
  const message = wire.decodeTelemetry(payload);
  const samples = sampleFields.map((field, place): Sample => {
    const sample = message.samples[place]!;
    const time = wire.whole(sample.time_ms);
    const readings = inner[place]!.flatMap(({ tagAt, fields }, index) =>
      readProtobuf(channel, fields, sample.readings[index]!).map((reading) => ({
        ...reading,
        offset: tagAt,
      })),
    );
    const known = inTimeRange(time) ? Number(time) : ('malformed' as const);
    const timeMs = time === 0n ? null : known;
    return { timeMs, offset: field.tagAt, timeOffset: field.tagAt, readings };
  });
  return finish(telemetryKey(top, message), samples);
}

function telemetryKey(top: readonly wire.Field[], message: wire.TelemetryMessage): KeyField {
  if (wire.last(top, 2)) return idKey(message.event_id);
  if (!wire.last(top, 3) && !wire.last(top, 4)) return null;
  return bootKey(wire.whole(message.boot_id), wire.whole(message.sequence));
}

/** The reading, or nothing when its metric is unknown and such are ignored. */
function readProtobuf(
  channel: PlanChannel,
  fields: readonly wire.Field[],
  message: wire.ReadingMessage,
): Omit<Reading, 'offset'>[] {
  const metric = findMetric(channel, fields, message.name);
  if (metric) return [{ metric, judged: judgeValue(metric, protobufValue(fields, message)) }];
  if (channel.unknownMetrics === 'ignore') return [];
  return [{ metric: null, judged: { status: METRIC_UNKNOWN, value: null } }];
}

function findMetric(channel: PlanChannel, fields: readonly wire.Field[], text: Uint8Array) {
  const number = wire.last(fields, 1)?.varint ?? 0n;
  return channel.metrics.find(({ ordinal, name, retired }) => {
    if (retired) return false;
    return number > 0n
      ? BigInt(ordinal) + 1n === number
      : Buffer.from(name).equals(Uint8Array.from(text));
  });
}

const VALUE_FIELDS = [2, 3, 4, 6];

function protobufValue(fields: readonly wire.Field[], message: wire.ReadingMessage): Raw {
  const given = fields.filter(({ number }) => VALUE_FIELDS.includes(number)).at(-1);
  if (given === undefined) return { kind: 'other' };
  if (given.number === 6) return { kind: 'text', value: Buffer.from(message.text).toString() };
  if (given.number === 2) return { kind: 'double', value: message.number };
  if (given.number === 3) return { kind: 'integer', value: wire.whole(message.integer) };
  return { kind: 'boolean', value: given.varint !== 0n };
}

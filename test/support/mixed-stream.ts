/**
 * A long stream in which one record in twenty is bad, in every way there is. In: a seed. Out:
 * records with the reason that each must end in, null for the good ones. Deterministic.
 */
import type { DeviceRecord } from '../../src/model/record.ts';
import { createRandom, type Random } from '../../src/sim/random.ts';
import { encodeTelemetry, type MetricTable } from '../../src/sim/telemetry.ts';

export const DEVICES = 50;

/** Configuration of the instance that the stream is meant for. */
export const MIXED_CONFIG = `
version: 1
devices:
  policy: strict
  idsPerDevice: 4096
  allow: [${Array.from({ length: DEVICES }, (_, index) => `t/s/d${index}`).join(', ')}]
deadLetters: { perDeviceMinute: 100000 }
metrics:
  temperature: { unit: Cel, min: -40, max: 85 }
  humidity: { unit: '%', min: 0, max: 100 }
  pulses: { kind: integer, min: 0 }
  is_open: { kind: boolean }
channels:
  climate:
    format: json
    idle: 2s
    time: { path: at, format: ms, required: true }
    eventId: { path: id }
    metrics:
      temperature: { path: temp_f, unit: '[degF]', required: true }
      humidity: {}
      is_open: { path: door.open }
  meter:
    format: protobuf
    idle: 2s
    metrics:
      pulses: {}
      temperature: {}
`;

export interface MixedRecord {
  readonly record: DeviceRecord;
  readonly reason: string | null;
}

const METER: MetricTable = new Map([
  ['pulses', { ordinal: 0, integer: true }],
  ['temperature', { ordinal: 1, integer: false }],
]);
const DAY_MS = 86_400_000;

interface Making {
  readonly random: Random;
  readonly nowMs: number;
  readonly number: number;
}

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

function climate({ random, nowMs, number }: Making, more: object = {}): object {
  const tempF = 50 + Math.floor(random.uniform() * 300) / 10;
  return {
    id: `e${number}`,
    at: nowMs - random.integer(3000),
    temp_f: tempF,
    humidity: 40,
    ...more,
  };
}

function telemetry({ random, nowMs }: Making, values: Record<string, number>): Uint8Array {
  return encodeTelemetry(nowMs - random.integer(3000), values, METER);
}

/** Reason → how such a record is made: channel and payload, sometimes another device or key. */
type Bad = (making: Making) => Partial<DeviceRecord> & { payload: Uint8Array };

const onClimate =
  (more: (making: Making) => object): Bad =>
  (making) => ({ payload: json(climate(making, more(making))) });

const BAD: readonly (readonly [string, Bad])[] = [
  ['EMPTY', () => ({ payload: new Uint8Array(0) })],
  [
    'DEVICE_UNKNOWN',
    (making) => ({
      identity: { tenant: 't', site: 's', device: `stranger${making.random.integer(5)}` },
      payload: json(climate(making)),
    }),
  ],
  ['CHANNEL_UNKNOWN', (making) => ({ channel: 'nowhere', payload: json(climate(making)) })],
  ['PAYLOAD_MALFORMED', (making) => ({ payload: json(climate(making)).subarray(0, 20) })],
  ['PAYLOAD_MALFORMED', () => ({ payload: Buffer.from('{"id":"x","at":1e3,"temp_f":NaN}') })],
  [
    'PAYLOAD_MALFORMED',
    () => ({ payload: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }),
  ],
  [
    'PAYLOAD_MALFORMED',
    (making) => ({
      channel: 'meter',
      payload: telemetry(making, { pulses: 1 }).subarray(0, 7),
    }),
  ],
  ['PAYLOAD_TOO_DEEP', onClimate(() => ({ x: JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`) }))],
  ['EVENT_ID_INVALID', onClimate(() => ({ id: 'i'.repeat(65) }))],
  ['NO_READINGS', ({ nowMs, number }) => ({ payload: json({ id: `e${number}`, at: nowMs }) })],
  ['TIME_MALFORMED', onClimate(() => ({ at: 'yesterday' }))],
  ['TIME_MISSING', onClimate(() => ({ at: undefined }))],
  ['CLOCK_AHEAD', onClimate(({ nowMs }) => ({ at: nowMs + DAY_MS }))],
  ['TOO_OLD', onClimate(({ nowMs }) => ({ at: nowMs - 3650 * DAY_MS }))],
  ['REQUIRED_MISSING', onClimate(() => ({ temp_f: undefined }))],
  [
    'METRIC_UNKNOWN',
    (making) => ({
      channel: 'meter',
      payload: encodeTelemetry(
        making.nowMs,
        { temperature: 20, odd: 1 },
        new Map([...METER, ['odd', { ordinal: 17, integer: true }]]),
      ),
    }),
  ],
  ['TYPE_MISMATCH', onClimate(() => ({ temp_f: 'warm', humidity: undefined }))],
  ['TYPE_MISMATCH', onClimate(() => ({ is_open: 1, door: { open: 'yes' } }))],
  [
    'NOT_FINITE',
    (making) => ({
      channel: 'meter',
      payload: telemetry(making, { temperature: Number.NaN }),
    }),
  ],
  ['OUT_OF_RANGE', onClimate(() => ({ temp_f: 2000, humidity: 101 }))],
  ['OUT_OF_RANGE', (making) => ({ channel: 'meter', payload: telemetry(making, { pulses: -1 }) })],
];

export const REASONS = [...new Set(BAD.map(([reason]) => reason))];

export function* mixedStream(seed: number, count: number, nowMs: number): Generator<MixedRecord> {
  const random = createRandom(seed);
  for (let number = 0; number < count; number += 1) {
    const making = { random, nowMs, number };
    const base = {
      identity: { tenant: 't', site: 's', device: `d${random.integer(DEVICES)}` },
      channel: 'climate',
      receivedAtMs: nowMs,
    };
    if (number % 20 === 19) {
      const [reason, make] = BAD[Math.floor(number / 20) % BAD.length];
      yield { record: { ...base, ...make(making) }, reason };
    } else if (random.chance(0.3)) {
      const payload = telemetry(making, { pulses: number, temperature: 20 });
      yield { record: { ...base, channel: 'meter', payload }, reason: null };
    } else yield { record: { ...base, payload: json(climate(making)) }, reason: null };
  }
}

/**
 * What the kernel decodes against what the reference decodes. In: a channel and payloads. Out: an
 * assertion for each; offsets included.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import * as status from '../../assembly/shared/status.ts';
import type { PlanChannel } from '../../src/model/plan.ts';
import { statusName } from '../../src/model/status.ts';
import { metricOf, planOf } from './plan-sample.ts';
import { type DecodedRecord, NO_ORDINAL, Probe, type Target } from './probe.ts';
import {
  decodePayload,
  NO_SITUATION,
  type Payload,
  type Reading,
  type Sample,
} from './reference/decode.ts';
import type { KeyField } from './reference/key.ts';
import type { Value } from './reference/validate.ts';

export const SEED = Number(process.env['MILLRACE_SEED'] ?? 20260722);

/** Builds, and their share of the cases: all in the one that ships, a taste in the others. */
export const SHARES: readonly { readonly target: Target; readonly share: number }[] = [
  { target: 'release', share: 1 },
  { target: 'scalar', share: 1 / 16 },
  { target: 'debug', share: 1 / 16 },
];

/** One metric of every kind, with units, ranges, nesting, a shared path and a retired one. */
export const METRICS = [
  metricOf(0, 'temperature', { path: ['t'], min: -100, max: 1e300 }),
  metricOf(1, 'fahrenheit', { path: ['t'], scale: 5 / 9, offset: 459.67 * (5 / 9) }),
  metricOf(2, 'count', { kind: 'integer', path: ['n'] }),
  metricOf(3, 'tenths', { kind: 'integer', path: ['a', 'n'], scale: 0.5, max: 2 ** 53 }),
  metricOf(4, 'on', { kind: 'boolean', path: ['a', 'b', 'on'] }),
  metricOf(5, 'gone', { path: ['gone'], retired: true }),
  metricOf(6, 'deep', { path: ['a', 'b', 'deep'], scale: 1e200 }),
  metricOf(7, 'ranged', { kind: 'integer', path: ['é'], min: -5.5, max: 10 }),
  metricOf(8, 'both', { path: ['a'] }),
  metricOf(9, 'text', { kind: 'text', path: ['s'] }),
  metricOf(10, 'listed', { kind: 'text', path: ['s'], values: ['é', 'on', ''] }),
  metricOf(11, 'id', { kind: 'text', path: ['id'] }),
];

export interface Expected {
  readonly status: string;
  readonly offset: number;
  readonly key?: string;
  readonly samples?: readonly ExpectedSample[];
}

export interface ExpectedSample {
  readonly timeMs: bigint | null;
  readonly status: string;
  readonly offset: number;
  readonly timeOffset: number;
  readonly metric: number;
  readonly expectMs: number;
  readonly historical: boolean;
  readonly readings: readonly ExpectedReading[];
}

export interface ExpectedReading {
  readonly ordinal: number;
  readonly status: string;
  readonly offset: number;
  /** 0 for a text. */
  readonly bits: bigint;
  readonly text: string | null;
}

/** When all records are received: what relative times count from. */
export const RECEIVED_MS = 1_785_600_000_123;

const bits = new DataView(new ArrayBuffer(8));

/** A text has none: where it lies is not compared. */
export function bitsOf(value: Value | null): bigint {
  if (typeof value === 'string') return 0n;
  if (typeof value === 'number') bits.setFloat64(0, value);
  else bits.setBigInt64(0, BigInt(value ?? 0));
  return bits.getBigUint64(0);
}

function keyText(key: KeyField): string {
  if (key === null || key === 'invalid') return '';
  return key.kind === 'id' ? `id ${key.id}` : `boot ${key.bootId}/${key.sequence}`;
}

function sampleOf(sample: Sample, channel: PlanChannel): ExpectedSample {
  const missing = channel.metrics.find(
    ({ ordinal, required, retired }) =>
      required && !retired && !sample.readings.some(({ metric }) => metric?.ordinal === ordinal),
  );
  let verdict: number = missing ? status.REQUIRED_MISSING : status.OK;
  if (sample.timeMs === 'malformed') verdict = status.TIME_MALFORMED;
  return {
    timeMs: typeof sample.timeMs === 'number' ? BigInt(sample.timeMs) : null,
    status: statusName(verdict),
    offset: sample.offset,
    timeOffset: sample.timeOffset,
    metric: verdict === status.REQUIRED_MISSING ? missing!.ordinal : NO_ORDINAL,
    expectMs: sample.expectMs ?? 0,
    historical: sample.historical ?? false,
    readings: sample.readings.map(readingOf),
  };
}

function readingOf({ metric, judged, offset }: Reading): ExpectedReading {
  const { status: verdict, value } = judged;
  const ordinal = metric?.ordinal ?? NO_ORDINAL;
  const text = typeof value === 'string' ? value : null;
  return { ordinal, status: statusName(verdict), offset, bits: bitsOf(value), text };
}

function byReference(payload: Uint8Array, channel: PlanChannel): Expected {
  const situation = { ...NO_SITUATION, receivedMs: RECEIVED_MS };
  return expectedOf(decodePayload(payload, channel, situation), channel);
}

export function expectedOf(decoded: Payload, channel: PlanChannel): Expected {
  const head = { status: statusName(decoded.status), offset: decoded.offset };
  if (decoded.status !== status.OK) return head;
  const samples = decoded.samples.map((sample) => sampleOf(sample, channel));
  return { ...head, key: keyText(decoded.key), samples };
}

export function byKernel(decoded: DecodedRecord): Expected {
  const head = { status: statusName(decoded.status), offset: decoded.offset };
  if (decoded.status !== status.OK) return head;
  const samples = decoded.samples.map((sample) => ({
    timeMs: sample.eventTimeMs,
    status: statusName(sample.status),
    offset: sample.offset,
    timeOffset: sample.timeOffset,
    metric: sample.metric,
    expectMs: sample.expectMs,
    historical: sample.historical,
    readings: sample.readings.map(({ ordinal, status: verdict, offset, bits: value, text }) => ({
      ...{ ordinal, status: statusName(verdict), offset, bits: value, text },
    })),
  }));
  return { ...head, key: decoded.key, samples };
}

export class Oracle {
  readonly probe: Probe;
  channel: PlanChannel;
  /** How often each status was expected: a test that never saw one proves nothing about it. */
  readonly seen = new Map<string, number>();

  static async open(channel: PlanChannel, target: Target = 'release'): Promise<Oracle> {
    return new Oracle(await Probe.open(planOf([channel]), target), channel);
  }

  private constructor(probe: Probe, channel: PlanChannel) {
    this.probe = probe;
    probe.receive(RECEIVED_MS);
    this.channel = channel;
  }

  /** Goes on with another channel. */
  use(channel: PlanChannel): void {
    this.channel = channel;
    this.probe.use(planOf([channel]));
  }

  check(payload: Uint8Array | string): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const expected = byReference(bytes, this.channel);
    const shown =
      bytes.length > 300 ? `${bytes.length} bytes` : Buffer.from(bytes).toString('latin1');
    const decoded = byKernel(this.probe.decode(bytes, this.channel.id));
    // Chai tells the difference, but takes its time to find none.
    if (!isDeepStrictEqual(decoded, expected)) expect(decoded, shown).to.deep.equal(expected);
    this.#count(expected.status);
    for (const sample of expected.samples ?? []) {
      if (sample.status !== 'OK') this.#count(sample.status);
      for (const reading of sample.readings)
        if (reading.status !== 'OK') this.#count(reading.status);
    }
  }

  #count(name: string): void {
    this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
  }
}

/**
 * Bad input, one kind per status of a record, sample or reading. In: a channel of the plan and the
 * moment. Out: a record without key whose status is known by construction, or null when the channel
 * cannot give that status.
 */
import type { PlanChannel, PlanMetric } from '../../src/model/plan.ts';
import type { EventKey } from '../../src/model/record.ts';
import { encodeSparkplug } from './format/sparkplug.ts';
import type { Random } from './random.ts';
import { encodeTelemetry, type ReadingInput, type SampleInput } from './telemetry.ts';

export interface BadRecord {
  readonly payload: Uint8Array;
  readonly device?: string;
  readonly channel?: string;
  readonly key?: EventKey;
  readonly kind?: string;
}

type Make = (channel: PlanChannel, nowMs: number, random: Random) => BadRecord | null;

const isJson = (channel: PlanChannel): boolean => channel.format === 'json';
const isTelemetry = (channel: PlanChannel): boolean => isJson(channel) || isCanonical(channel);
const isCanonical = ({ format }: PlanChannel): boolean => format === 'protobuf';
const text = (payload: string): BadRecord => ({ payload: Buffer.from(payload) });
const live = (channel: PlanChannel): PlanMetric[] =>
  channel.metrics.filter(({ retired }) => !retired);

/** A JSON payload with one value, and another at the time path. */
function json(channel: PlanChannel, metric: PlanMetric, value: string, time?: string): BadRecord {
  const nest = (path: readonly string[], token: string) =>
    path.reduceRight((inner, name) => `{${JSON.stringify(name)}:${inner}}`, token);
  const [first, second] = [nest(metric.path, value), nest(channel.timePath, time ?? '')];
  return text(time === undefined ? first : `${first.slice(0, -1)},${second.slice(1)}`);
}

const proto = (...samples: SampleInput[]): BadRecord => ({ payload: encodeTelemetry({ samples }) });

/** A record with one reading that any metric of its kind takes, unless it is out of range. */
function plain(channel: PlanChannel, timeMs?: number): BadRecord | null {
  const [metric] = live(channel);
  if (metric === undefined || !isTelemetry(channel)) return null;
  if (isJson(channel)) {
    if (timeMs !== undefined && channel.timePath.length === 0) return null;
    const time = timeMs === undefined ? undefined : spell(channel, timeMs);
    return json(channel, metric, fineToken(metric), time);
  }
  return proto({ ...(timeMs === undefined ? {} : { timeMs }), readings: [fine(metric)] });
}

const fineToken = ({ kind }: PlanMetric): string =>
  kind === 'boolean' ? 'true' : kind === 'text' ? '"on"' : '1';

function fine({ ordinal, kind }: PlanMetric): ReadingInput {
  const metric = ordinal + 1;
  if (kind === 'text') return { metric, text: 'on' };
  if (kind === 'boolean') return { metric, boolean: true };
  return kind === 'integer' ? { metric, integer: 1n } : { metric, number: 1 };
}

function spell({ timeFormat }: PlanChannel, timeMs: number): string {
  if (timeFormat === 'iso8601') return JSON.stringify(new Date(timeMs).toISOString());
  if (timeFormat === 's')
    return `${Math.floor(timeMs / 1000)}.${String(timeMs % 1000).padStart(3, '0')}`;
  return `${timeMs}${{ ms: '', us: '000', ns: '000000' }[timeFormat]}`;
}

/** One reading, where nothing else can be wrong with the sample. */
function reading(
  channel: PlanChannel,
  fits: (metric: PlanMetric) => boolean,
  give: { json: (metric: PlanMetric) => string; proto: ReadingInput },
): BadRecord | null {
  if (channel.timeRequired || live(channel).some(({ required }) => required)) return null;
  if (!isTelemetry(channel)) return null;
  // Event time = received: only the retention could still refuse it.
  const metric = live(channel).find(fits);
  if (metric === undefined) return null;
  if (isJson(channel)) return json(channel, metric, give.json(metric));
  return proto({ readings: [{ ...give.proto, metric: metric.ordinal + 1 }] });
}

const isIdentical = ({ scale, offset }: PlanMetric): boolean => scale === 1 && offset === 0;

const FRAMES: Readonly<Record<string, Make>> = {
  EMPTY: () => ({ payload: new Uint8Array(0) }),
  IDENTITY_INVALID: (channel, _nowMs, random) => ({
    ...(plain(channel) ?? text('x')),
    device: random.pick(['a b', 'x'.repeat(65), 'dä', 'a*', '\0']),
  }),
  DEVICE_UNKNOWN: (channel) => ({ ...(plain(channel) ?? text('x')), device: 'stranger' }),
  CHANNEL_UNKNOWN: () => ({ ...text('x'), channel: 'nope' }),
  PAYLOAD_MALFORMED: (channel, _nowMs, random) => {
    if (!isTelemetry(channel)) return malformed(channel, random);
    if (!isJson(channel))
      return { payload: random.pick([[8, 1], [10, 3, 1], [0x7b]].map((b) => Uint8Array.from(b))) };
    return text(
      random.pick(['{', '{"a":1,}', '{"a":01}', '"\u0001"', '[1 2]', 'nul', '{"a"}', '\ufeff{}']),
    );
  },
  PAYLOAD_TOO_DEEP: (channel) =>
    isJson(channel) ? text(`${'['.repeat(33)}${']'.repeat(33)}`) : null,
  LIMIT_EXCEEDED: (channel, _nowMs, random) => {
    if (random.chance(0.1)) return { payload: new Uint8Array(61_441) };
    if (!isCanonical(channel)) return null;
    return proto(...Array.from({ length: 4097 }, () => ({ readings: [] })));
  },
  EVENT_ID_INVALID: (channel, _nowMs, random) => {
    const record = plain(channel);
    const sequence = 0n;
    return (
      record && {
        ...record,
        key: random.pick([{ eventId: 'x'.repeat(65) }, { bootId: 7n, sequence }, { eventId: '' }]),
      }
    );
  },
  NO_READINGS: (channel) => {
    if (channel.format === 'senml-json') return text('[{"n":"nobody","v":1}]');
    if (!isTelemetry(channel)) return null;
    return isJson(channel) ? text('{}') : proto({ readings: [] });
  },
  SCHEMA_UNKNOWN: ({ framing }) =>
    framing === 'confluent' ? { payload: Uint8Array.of(0, 0, 0, 0, 9, 0) } : null,
};

/** What no payload of the format is. */
function malformed({ format }: PlanChannel, random: Random): BadRecord {
  if (format === 'senml-json') return text(random.pick(['{}', '[]', '[1]', '[{"n":"m0"}]']));
  if (format === 'senml-cbor') return { payload: Uint8Array.of(random.pick([0xa0, 0x80, 0x81])) };
  if (format === 'avro') return { payload: new Uint8Array(40).fill(255) };
  if (format !== 'sparkplug' || random.chance(0.5)) return { payload: Uint8Array.of(10, 200) };
  return { payload: Uint8Array.of(24, 1), kind: random.pick(['NCMD', 'DDATA', 'STATE']) };
}

const SAMPLES: Readonly<Record<string, Make>> = {
  TIME_MALFORMED: (channel, _nowMs, random) => {
    const [metric] = live(channel);
    if (metric === undefined || !isTelemetry(channel)) return null;
    if (!isJson(channel))
      return proto({ timeMs: random.pick([-(10n ** 15n), 10n ** 15n]), readings: [fine(metric)] });
    if (channel.timePath.length === 0) return null;
    return json(
      channel,
      metric,
      '1',
      random.pick(['"yesterday"', 'true', '1e30', '{}', '99999999999999999999']),
    );
  },
  TIME_MISSING: (channel) => (channel.timeRequired ? plain(channel) : null),
  CLOCK_AHEAD: (channel, nowMs) =>
    channel.clockPolicy === 'reject' ? plain(channel, nowMs + channel.maxClockSkewMs + 1) : null,
  TOO_OLD: (channel, nowMs) =>
    channel.agePolicy === 'reject' ? plain(channel, nowMs - channel.maxAgeMs - 1) : null,
  TOO_LATE: (channel, nowMs) => {
    const { retentionMs, maxAgeMs, agePolicy } = channel;
    if (retentionMs === 0 || (agePolicy === 'reject' && maxAgeMs < retentionMs)) return null;
    return plain(channel, nowMs - retentionMs);
  },
  REQUIRED_MISSING: (channel, nowMs) => {
    const required = live(channel).find((metric) => metric.required);
    const other = live(channel).find((metric) => metric !== required);
    if (!required || !other || !isTelemetry(channel)) return null;
    if (!isJson(channel)) return proto({ timeMs: nowMs, readings: [fine(other)] });
    if (channel.timePath.length === 0)
      return channel.timeRequired ? null : json(channel, other, '1');
    return json(channel, other, '1', spell(channel, nowMs));
  },
};

const READINGS: Readonly<Record<string, Make>> = {
  METRIC_UNKNOWN: (channel) => {
    const isJudged =
      channel.unknownMetrics === 'reject' && isCanonical(channel) && !channel.timeRequired;
    const known = live(channel)[0];
    if (!isJudged || !known || live(channel).some(({ required }) => required)) return null;
    // Beside a known metric, whose own value is refused with a higher status or stored.
    return proto({ readings: [fine(known), { metric: 4711, number: 1 }] });
  },
  ALIAS_UNKNOWN: (channel) => {
    const isJudged = !channel.timeRequired && !live(channel).some(({ required }) => required);
    if (channel.format !== 'sparkplug' || !isJudged) return null;
    return { payload: encodeSparkplug({ metrics: [{ alias: 987_654_321, int_value: 1 }] }) };
  },
  UNIT_MISMATCH: (channel) => {
    const metric = live(channel).find(({ sentUnit }) => sentUnit !== '');
    const isJudged = !channel.timeRequired && !live(channel).some(({ required }) => required);
    if (channel.format !== 'senml-json' || !isJudged || metric === undefined) return null;
    return text(JSON.stringify([{ n: metric.path[0], u: 'furlong', v: 1 }]));
  },
  TYPE_MISMATCH: (channel) =>
    reading(channel, ({ kind }) => kind !== 'boolean' && kind !== 'text', {
      json: () => '"1"',
      proto: { boolean: true },
    }),
  TEXT_LIMIT: (channel) =>
    reading(channel, ({ kind }) => kind === 'text', {
      json: () => JSON.stringify('x'.repeat(257)),
      proto: { text: 'x'.repeat(257) },
    }),
  NOT_LISTED: (channel) =>
    reading(channel, ({ values }) => values !== null, {
      json: () => '"unheard"',
      proto: { text: 'unheard' },
    }),
  NOT_FINITE: (channel) =>
    reading(channel, ({ kind }) => kind === 'number', {
      json: () => '-1e999',
      proto: { number: Number.NaN },
    }),
  OUT_OF_RANGE: (channel) =>
    reading(
      channel,
      (metric) => metric.kind === 'number' && metric.max !== null && isIdentical(metric),
      {
        json: () => '80.51',
        proto: { number: 80.51 },
      },
    ),
};

export const BAD_INPUT: Readonly<Record<string, Make>> = { ...FRAMES, ...SAMPLES, ...READINGS };

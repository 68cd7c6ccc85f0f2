/**
 * A plan as it stands in the log: canonical JSON, one text per plan (members sorted by name, no
 * spaces), because its bytes are hashed into the state. In: a plan, or such a text. Out: the other.
 * Invariant: planText(parsePlan(text)) = text.
 */
import { Ajv } from 'ajv';
import Type from 'typebox';
import { OperatingError } from '../model/error.ts';
import {
  ALERTS_PER_CHANNEL_MAX,
  CHANNELS_MAX,
  METRICS_PER_CHANNEL_MAX,
  RULES_PER_CHANNEL_MAX,
  WINDOWS_PER_CHANNEL_MAX,
} from '../model/limit.ts';
import type { Plan, PlanChannel } from '../model/plan.ts';
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  WINDOW_DEFAULTS,
} from '../model/plan.ts';
import { ID_PATTERN } from '../model/record.ts';

const object = <T extends Record<string, Type.TSchema>>(properties: T) =>
  Type.Object(properties, { additionalProperties: false });
const name = Type.String({ pattern: ID_PATTERN.source });
const count = (maximum: number) => Type.Integer({ minimum: 0, maximum });
const milliseconds = count(Number.MAX_SAFE_INTEGER);
const path = Type.Array(Type.String({ minLength: 1 }));
const oneOf = (...values: string[]) => Type.Unsafe<string>({ enum: values });
const limit = Type.Unsafe<number | null>({ type: ['number', 'null'] });

const METRIC = object({
  ordinal: count(METRICS_PER_CHANNEL_MAX - 1),
  name,
  kind: oneOf('number', 'integer', 'boolean', 'text'),
  unit: Type.String({ minLength: 1 }),
  scale: Type.Number({ exclusiveMinimum: 0 }),
  offset: Type.Number(),
  min: limit,
  max: limit,
  required: Type.Boolean(),
  path,
  values: Type.Union([Type.Array(Type.String()), Type.Null()]),
  maxRatePerSecond: limit,
  stuckMs: limit,
  sentUnit: Type.String(),
  retired: Type.Boolean(),
});
const WINDOW = object({
  name,
  kind: oneOf('tumbling', 'hopping', 'session', 'count'),
  lengthMs: milliseconds,
  everyMs: milliseconds,
  gapMs: milliseconds,
  count: milliseconds,
  everyCount: milliseconds,
  sketch: Type.Boolean(),
  facts: Type.Boolean(),
  retentionMs: milliseconds,
});
const RULE = object({
  name,
  left: count(METRICS_PER_CHANNEL_MAX - 1),
  operator: oneOf('<', '<=', '=', '!='),
  right: count(METRICS_PER_CHANNEL_MAX - 1),
});
const ALERT = object({
  id: count(ALERTS_PER_CHANNEL_MAX - 1),
  name,
  metric: count(METRICS_PER_CHANNEL_MAX - 1),
  severity: oneOf('info', 'warning', 'critical'),
  condition: oneOf('above', 'below', 'outside'),
  low: Type.Number(),
  high: Type.Number(),
  hysteresis: Type.Number({ minimum: 0 }),
  dwellMs: milliseconds,
  retired: Type.Boolean(),
});
const CHANNEL = object({
  id: count(CHANNELS_MAX - 1),
  name,
  retired: Type.Boolean(),
  format: oneOf(
    ...['protobuf', 'protobuf-message', 'json', 'sparkplug', 'senml-json', 'senml-cbor', 'avro'],
  ),
  framing: oneOf('none', 'confluent'),
  schemaIds: Type.Array(Type.Integer({ minimum: 0, maximum: 4_294_967_295 })),
  schema: Type.Unsafe<PlanChannel['schema']>({ type: ['object', 'null'] }),
  samplesPath: path,
  storeSamples: Type.Boolean(),
  timeOf: oneOf('sample', 'record'),
  timePath: path,
  timeFormat: oneOf('iso8601', 's', 'ms', 'us', 'ns'),
  timeRequired: Type.Boolean(),
  eventIdPath: path,
  metrics: Type.Array(METRIC, { minItems: 1, maxItems: METRICS_PER_CHANNEL_MAX }),
  windows: Type.Array(WINDOW, { maxItems: WINDOWS_PER_CHANNEL_MAX }),
  outOfOrderMs: milliseconds,
  latenessMs: milliseconds,
  idleMs: milliseconds,
  maxAgeMs: milliseconds,
  agePolicy: oneOf('reject', 'accept'),
  maxClockSkewMs: milliseconds,
  clockPolicy: oneOf('reject', 'accept', 'correct'),
  suspectPolicy: oneOf('reject', 'accept'),
  contentDedup: Type.Boolean(),
  timelyMs: milliseconds,
  score: oneOf('none', 'ewma', 'seasonal'),
  rules: Type.Array(RULE, { maxItems: RULES_PER_CHANNEL_MAX }),
  alerts: Type.Array(ALERT, { maxItems: ALERTS_PER_CHANNEL_MAX }),
  unknownMetrics: oneOf('reject', 'ignore'),
  retentionMs: milliseconds,
});
const PLAN = object({
  version: Type.Literal(1),
  log: name,
  partitions: Type.Integer({ minimum: 1 }),
  channels: Type.Array(CHANNEL, { maxItems: CHANNELS_MAX }),
  devicesAllowed: Type.Union([Type.Array(Type.String()), Type.Null()]),
  devicesMax: Type.Integer({ minimum: 1 }),
  idsPerDevice: Type.Integer({ minimum: 1 }),
  contentsPerDevice: milliseconds,
  textsMax: milliseconds,
  quality: Type.Boolean(),
  qualityRetentionMs: milliseconds,
  alertRetentionMs: milliseconds,
  dedupHorizonMs: milliseconds,
  deadLettersPerDeviceMinute: milliseconds,
  deadLetterRetentionMs: milliseconds,
  shadowIntervalMs: milliseconds,
  publishShadows: Type.Boolean(),
});
const validate = new Ajv({ strict: false }).compile<Plan>(PLAN);

export function planText(plan: Plan): string {
  return JSON.stringify(sorted(plan));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(entries.map(([key, member]) => [key, sorted(member)]));
}

/** Throws PLAN_UNREADABLE: written by a newer version, or damaged. */
export function parsePlan(text: string): Plan {
  const raw = parseJson(text);
  const value = completed(raw);
  if (!validate(value)) {
    const [error] = validate.errors ?? [];
    throw unreadable(`${error?.instancePath || 'the plan'} ${error?.message}`);
  }
  value.channels.forEach((channel, index) => {
    if (channel.id !== index) throw unreadable(`channel ${channel.name} has id ${channel.id}`);
    channel.metrics.forEach((metric, ordinal) => {
      if (metric.ordinal === ordinal) return;
      throw unreadable(`metric ${channel.name}.${metric.name} has ordinal ${metric.ordinal}`);
    });
  });
  if (JSON.stringify(sorted(raw)) !== text) throw unreadable('it is not in canonical form');
  return value;
}

/** A plan of an earlier version says less: what it leaves out has the value it then had. */
function completed(raw: unknown): unknown {
  const plan = withDefaults(raw, PLAN_DEFAULTS);
  each(plan, 'channels', (channel) => {
    const whole = withDefaults(channel, CHANNEL_DEFAULTS);
    each(whole, 'metrics', (metric) => withDefaults(metric, METRIC_DEFAULTS));
    each(whole, 'windows', (window) => withDefaults(window, WINDOW_DEFAULTS));
    return whole;
  });
  return plan;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function withDefaults(value: unknown, defaults: object): unknown {
  return isObject(value) ? { ...defaults, ...value } : value;
}

function each(holder: unknown, member: string, complete: (value: unknown) => unknown): void {
  if (!isObject(holder)) return;
  const list = holder[member];
  if (Array.isArray(list)) holder[member] = list.map(complete);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw unreadable((error as Error).message);
  }
}

function unreadable(why: string): OperatingError {
  return new OperatingError('PLAN_UNREADABLE', `a plan of the log cannot be read: ${why}`);
}

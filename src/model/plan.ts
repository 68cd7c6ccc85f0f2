/**
 * A plan says how a partition understands its records: metrics, channels, windows and policies. The
 * registry compiles the configuration into a plan; it enters every partition through its log (a
 * `plan` record whose body is `planText`), is hashed into the state, and the kernel room lays it
 * out as a decode plan in partition memory.
 *
 * Ids are for ever: a channel keeps its id and a metric its ordinal within the channel in all later
 * plans, also when it is retired, because state and presence bits refer to them.
 */
import type { PlanSchema } from './plan-schema.ts';

/** text: UTF-8, at most TEXT_BYTES_MAX; kept in the partition's dictionary. */
export type ValueKind = 'number' | 'integer' | 'boolean' | 'text';
/** protobuf: proto/telemetry.proto; protobuf-message: any message, by its descriptor. */
export type PayloadFormat =
  | 'protobuf'
  | 'protobuf-message'
  | 'json'
  | 'sparkplug'
  | 'senml-json'
  | 'senml-cbor'
  | 'avro';
/** confluent: one byte 0, a schema id of four bytes, for Protobuf also message indexes. */
export type Framing = 'none' | 'confluent';
export type TimeFormat = 'iso8601' | 's' | 'ms' | 'us' | 'ns';
export type Policy = 'reject' | 'accept';
/** correct: the clock of a device that runs ahead is set back by its measured offset. */
export type ClockPolicy = Policy | 'correct';
export type Severity = 'info' | 'warning' | 'critical';
/** none, a running mean and variance per series, or also one per hour of the week. */
export type ScoreKind = 'none' | 'ewma' | 'seasonal';

export interface PlanMetric {
  /** Place in the channel: presence bit and array position; never reused. */
  readonly ordinal: number;
  readonly name: string;
  readonly kind: ValueKind;
  /** UCUM code of the stored value. */
  readonly unit: string;
  /** canonical = scale · raw + offset, then the range is judged on the canonical value. */
  readonly scale: number;
  readonly offset: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly required: boolean;
  /**
   * Names from the sample's root (json, avro, protobuf-message); [metric] or [device, metric] for
   * sparkplug, [name] for senml. Unused for protobuf.
   */
  readonly path: readonly string[];
  /** text: the only values allowed; null: any. */
  readonly values: readonly string[] | null;
  /** Greatest change per second since the latest value, in canonical units; null: not judged. */
  readonly maxRatePerSecond: number | null;
  /** The same value for longer than this is VALUE_STUCK; null: not judged. */
  readonly stuckMs: number | null;
  /** What SenML's `u` must say where it stands; '': not compared. */
  readonly sentUnit: string;
  /** No longer declared: not decoded any more, its column and state remain. */
  readonly retired: boolean;
}

export interface PlanWindow {
  /** '1m' or '1h': the token in subjects and the suffix of the table. */
  readonly name: string;
  readonly kind: 'tumbling' | 'hopping' | 'session' | 'count';
  /** tumbling, hopping: its length; session: the longest one; count: 0. */
  readonly lengthMs: number;
  /** hopping: a window begins every so much; lengthMs is a multiple. Else 0. */
  readonly everyMs: number;
  /** session: silence that ends it. Else 0. */
  readonly gapMs: number;
  /** count: samples of a window, and how many samples later the next one ends. Else 0. */
  readonly count: number;
  readonly everyCount: number;
  /** With a quantile sketch. */
  readonly sketch: boolean;
  /** Whether its closing is published on `agg.<name>.…`; its rows are written in any case. */
  readonly facts: boolean;
  /** How long its rows are kept; 0 = for ever. */
  readonly retentionMs: number;
}

/** Two metrics of one sample; a sample that breaks it: RULE_BROKEN for both. */
export interface PlanRule {
  readonly name: string;
  /** Ordinals; number or integer metrics. */
  readonly left: number;
  readonly operator: '<' | '<=' | '=' | '!=';
  readonly right: number;
}

/** A threshold condition on one metric. Its place in the channel is for ever, as an ordinal is. */
export interface PlanAlert {
  /** Place in the channel; never reused. */
  readonly id: number;
  /** The rule: token in subjects and rows. */
  readonly name: string;
  /** Ordinal; number or integer metric. */
  readonly metric: number;
  readonly severity: Severity;
  /** above: value > high; below: value < low; outside: either. */
  readonly condition: 'above' | 'below' | 'outside';
  /** Unused bounds are 0. */
  readonly low: number;
  readonly high: number;
  /** How far back inside the bound a value must be to clear it. */
  readonly hysteresis: number;
  /** Event time for which the condition must hold before it is raised. */
  readonly dwellMs: number;
  readonly retired: boolean;
}

export interface PlanChannel {
  readonly id: number;
  readonly name: string;
  readonly retired: boolean;
  readonly format: PayloadFormat;
  readonly framing: Framing;
  /** Ids that the confluent prefix may name. */
  readonly schemaIds: readonly number[];
  /** avro, protobuf-message: how payloads are written; else null. */
  readonly schema: PlanSchema | null;
  /** json, avro, protobuf-message: array of samples; empty: the payload is one sample. */
  readonly samplesPath: readonly string[];
  /** Whether samples become rows; windows, alerts and latest values come of them in any case. */
  readonly storeSamples: boolean;
  /** Whether timePath begins at the sample or at the payload's root. */
  readonly timeOf: 'sample' | 'record';
  /** Path of the time stamp; empty path = event time is the received time. */
  readonly timePath: readonly string[];
  readonly timeFormat: TimeFormat;
  /** TIME_MISSING when a sample has none; else the received time stands for it. */
  readonly timeRequired: boolean;
  /** Path of the event id from the payload's root; empty = none in the payload. */
  readonly eventIdPath: readonly string[];
  readonly metrics: readonly PlanMetric[];
  readonly windows: readonly PlanWindow[];
  readonly outOfOrderMs: number;
  readonly latenessMs: number;
  /** Log time of silence after which open windows fire. */
  readonly idleMs: number;
  readonly maxAgeMs: number;
  readonly agePolicy: Policy;
  readonly maxClockSkewMs: number;
  readonly clockPolicy: ClockPolicy;
  /** What becomes of readings that change too fast, are stuck or break a rule. */
  readonly suspectPolicy: Policy;
  /** A record without key whose payload has its own time is known again by its content. */
  readonly contentDedup: boolean;
  /** A sample that is stored later than this after its event is not timely. */
  readonly timelyMs: number;
  readonly score: ScoreKind;
  readonly rules: readonly PlanRule[];
  readonly alerts: readonly PlanAlert[];
  readonly unknownMetrics: 'reject' | 'ignore';
  /** How long raw rows are kept; 0 = for ever. */
  readonly retentionMs: number;
}

export interface Plan {
  readonly version: 1;
  readonly log: string;
  readonly partitions: number;
  readonly channels: readonly PlanChannel[];
  /**
   * Strict: only these identities ('tenant/site/device') are known; null: all register themselves.
   */
  readonly devicesAllowed: readonly string[] | null;
  readonly devicesMax: number;
  readonly idsPerDevice: number;
  /** Digests of contents remembered per device. */
  readonly contentsPerDevice: number;
  /** Distinct texts per partition. */
  readonly textsMax: number;
  /** Rows of quality_1m are counted and kept for so long. */
  readonly quality: boolean;
  readonly qualityRetentionMs: number;
  readonly alertRetentionMs: number;
  /** Log time after which a remembered event id may be forgotten. */
  readonly dedupHorizonMs: number;
  readonly deadLettersPerDeviceMinute: number;
  readonly deadLetterRetentionMs: number;
  /** A device's shadow is published at most once per this much log time. */
  readonly shadowIntervalMs: number;
  readonly publishShadows: boolean;
}

/** What a plan says that was written before it could say more: the plan of a log stays readable. */
export const METRIC_DEFAULTS = {
  values: null,
  maxRatePerSecond: null,
  stuckMs: null,
  sentUnit: '',
} as const satisfies Partial<PlanMetric>;

export const WINDOW_DEFAULTS = {
  kind: 'tumbling',
  everyMs: 0,
  gapMs: 0,
  count: 0,
  everyCount: 0,
  sketch: false,
  facts: true,
} as const satisfies Partial<PlanWindow>;

export const CHANNEL_DEFAULTS = {
  framing: 'none',
  schemaIds: [] as readonly number[],
  schema: null,
  samplesPath: [] as readonly string[],
  storeSamples: true,
  timeOf: 'sample',
  suspectPolicy: 'reject',
  contentDedup: false,
  timelyMs: 60_000,
  score: 'none',
  rules: [] as readonly PlanRule[],
  alerts: [] as readonly PlanAlert[],
} as const satisfies Partial<PlanChannel>;

export const PLAN_DEFAULTS = {
  contentsPerDevice: 64,
  textsMax: 65_536,
  quality: false,
  qualityRetentionMs: 0,
  alertRetentionMs: 0,
  publishShadows: true,
} as const satisfies Partial<Plan>;

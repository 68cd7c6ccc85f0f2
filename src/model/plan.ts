/**
 * A plan says how a partition understands its records: metrics, channels, windows and policies. The
 * registry compiles the configuration into a plan; it enters every partition through its log (a
 * `plan` record whose body is `planText`), is hashed into the state, and the kernel room lays it
 * out as a decode plan in partition memory.
 *
 * Ids are for ever: a channel keeps its id and a metric its ordinal within the channel in all later
 * plans, also when it is retired, because state and presence bits refer to them.
 */
export type ValueKind = 'number' | 'integer' | 'boolean';
export type PayloadFormat = 'protobuf' | 'json';
export type TimeFormat = 'iso8601' | 's' | 'ms' | 'us' | 'ns';
export type Policy = 'reject' | 'accept';

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
  /** JSON: member names from the payload's root. */
  readonly path: readonly string[];
  /** No longer declared: not decoded any more, its column and state remain. */
  readonly retired: boolean;
}

export interface PlanWindow {
  /** '1m' or '1h': the token in subjects and the suffix of the table. */
  readonly name: string;
  readonly lengthMs: number;
  /** How long its rows are kept; 0 = for ever. */
  readonly retentionMs: number;
}

export interface PlanChannel {
  readonly id: number;
  readonly name: string;
  readonly retired: boolean;
  readonly format: PayloadFormat;
  /** JSON: path of the time stamp; empty path = event time is the received time. */
  readonly timePath: readonly string[];
  readonly timeFormat: TimeFormat;
  /** TIME_MISSING when a sample has none; else the received time stands for it. */
  readonly timeRequired: boolean;
  /** JSON: path of the event id; empty = none in the payload. */
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
  readonly clockPolicy: Policy;
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
  /** Log time after which a remembered event id may be forgotten. */
  readonly dedupHorizonMs: number;
  readonly deadLettersPerDeviceMinute: number;
  readonly deadLetterRetentionMs: number;
  /** A device's shadow is published at most once per this much log time. */
  readonly shadowIntervalMs: number;
}

/**
 * Facts: what became true. One object per closed window or changed device, never per event. A
 * consumer that keeps the highest version per key holds exactly the rows of the read model.
 */
import type { Severity } from './plan.ts';
import type { Identity } from './record.ts';

/** Order of versions of one key: generation, then sequence, then ordinal. */
export interface Version {
  readonly generation: number;
  /** Log sequence of the message that caused the emission. */
  readonly sequence: bigint;
  /** Place among the emissions of that message. */
  readonly ordinal: number;
}

/** As the UInt128 column `version`: generation(32) · sequence(64) · ordinal(32). */
export function versionNumber(version: Version): bigint {
  return (BigInt(version.generation) << 96n) | (version.sequence << 32n) | BigInt(version.ordinal);
}

export interface MetricAggregate {
  readonly metric: string;
  readonly unit: string;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly firstTimeMs: number;
  readonly firstSequence: bigint;
  readonly last: number;
  readonly lastTimeMs: number;
  readonly lastSequence: bigint;
  readonly mean: number;
  /** Sum of squared differences from the mean. */
  readonly m2: number;
  /** Greatest score of its readings; 0 while the series has none. */
  readonly score: number;
  /** Σ value · ms until the next reading. */
  readonly integral: number;
  /** Quantile sketch: bins ascending by key (assembly/README.md), null without one. */
  readonly sketch: QuantileSketch | null;
}

export interface QuantileSketch {
  readonly keys: readonly number[];
  readonly counts: readonly number[];
}

export interface WindowFact {
  readonly kind: 'window';
  readonly identity: Identity;
  readonly channel: string;
  /** Name of the window length: '1m', '1h'. */
  readonly window: string;
  readonly windowStartMs: number;
  /** Exclusive; of a session the last event + its gap, of a count window its last event + 1. */
  readonly windowEndMs: number;
  /** windowEndMs − windowStartMs. */
  readonly windowMs: number;
  /** The key no longer exists: its session was merged into an earlier one. `metrics` is empty. */
  readonly deleted: boolean;
  /** 0 for the first life of the window, else the sequence of the record that opened it again. */
  readonly fragment: bigint;
  /** 0 at the first firing, then 1, 2 … */
  readonly revision: number;
  readonly version: Version;
  readonly partition: number;
  readonly watermarkMs: number;
  /** Log time of the message that caused the emission. */
  readonly logTimeMs: number;
  readonly metrics: readonly MetricAggregate[];
}

export interface ReportedValue {
  readonly channel: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number | bigint | boolean | string;
  readonly eventTimeMs: number;
}

export interface ShadowFact {
  readonly kind: 'shadow';
  readonly identity: Identity;
  readonly version: Version;
  readonly partition: number;
  readonly logTimeMs: number;
  readonly reported: readonly ReportedValue[];
}

/** An alert raised or cleared. Key: identity, channel, rule, raisedAtMs, -Sequence, -Ordinal. */
export interface AlertFact {
  readonly kind: 'alert';
  readonly identity: Identity;
  readonly channel: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly metric: string;
  readonly unit: string;
  readonly active: boolean;
  /** Event time, log sequence and sample ordinal of the reading that raised it. */
  readonly raisedAtMs: number;
  readonly raisedSequence: bigint;
  readonly raisedOrdinal: number;
  /** Event time from which the condition held. */
  readonly sinceMs: number;
  readonly value: number;
  /** Most extreme value while it was raised. */
  readonly peak: number;
  /** Null while it is active. */
  readonly clearedAtMs: number | null;
  readonly clearedValue: number | null;
  readonly version: Version;
  readonly partition: number;
  readonly logTimeMs: number;
}

export type Fact = WindowFact | ShadowFact | AlertFact;

/** A record (or part of one) that was rejected after the log; its raw bytes stay in the log. */
export interface DeadLetter {
  readonly identity: Identity | null;
  readonly channel: string;
  /** Status name, e.g. 'OUT_OF_RANGE'. */
  readonly reason: string;
  readonly partition: number;
  readonly sequence: bigint;
  readonly index: number;
  /** Byte offset into the payload where the trouble is; 0 when it is the whole. */
  readonly offset: number;
  /** Metric concerned, '' when it is the record. */
  readonly metric: string;
  readonly receivedAtMs: number;
  readonly logTimeMs: number;
  readonly payloadBytes: number;
  readonly sample: Uint8Array;
}

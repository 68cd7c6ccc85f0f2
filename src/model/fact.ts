/**
 * Facts: what became true. One object per closed window or changed device, never per event. A
 * consumer that keeps the highest version per key holds exactly the rows of the read model.
 */
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
  /** Sum of squared differences from the mean (Welford). */
  readonly m2: number;
}

export interface WindowFact {
  readonly kind: 'window';
  readonly identity: Identity;
  readonly channel: string;
  /** Name of the window length: '1m', '1h'. */
  readonly window: string;
  readonly windowStartMs: number;
  readonly windowMs: number;
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
  readonly value: number | bigint | boolean;
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

export type Fact = WindowFact | ShadowFact;

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

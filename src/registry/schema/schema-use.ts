/**
 * What a channel wants of a schema that a person wrote (.proto, .avsc): the paths that must lead
 * somewhere in it and the values they must lead to. In: as the configuration says it. Out: a
 * PlanSchema, or what is wrong with which path; the place in the file is the caller's to add.
 */
import type { PayloadFormat, TimeFormat, ValueKind } from '../../model/plan.ts';
import type { PlanSchema } from '../../model/plan-schema.ts';

export interface SchemaUse {
  readonly format: PayloadFormat;
  /** Array of samples; empty: the payload is one sample. */
  readonly samplesPath: readonly string[];
  readonly timeOf: 'sample' | 'record';
  /** Empty: the payload has no time. */
  readonly timePath: readonly string[];
  readonly timeFormat: TimeFormat;
  /** Empty: the payload has no event id. */
  readonly eventIdPath: readonly string[];
  /** Those in use. */
  readonly metrics: readonly {
    readonly name: string;
    readonly kind: ValueKind;
    readonly path: readonly string[];
  }[];
}

export interface SchemaProblem {
  /** What part of the channel it is about. */
  readonly path: 'schema' | 'metrics' | 'time' | 'eventId' | 'samples';
  /** `metrics`: which one. */
  readonly metric?: string;
  /** A sentence: what is wrong, what was expected, what stands there instead. */
  readonly what: string;
}

export type SchemaVerdict<S extends PlanSchema> =
  | { readonly schema: S }
  | { readonly problems: readonly SchemaProblem[] };

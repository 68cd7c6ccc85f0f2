/**
 * Values: from what a payload says to what is stored. In: a metric of the plan and a raw value.
 * Out: the canonical value, or the status that refuses it. Doubles round as JavaScript rounds.
 */
import { TEXT_BYTES_MAX } from '../../../assembly/shared/abi.ts';
import {
  NOT_FINITE,
  NOT_LISTED,
  OK,
  OUT_OF_RANGE,
  TEXT_LIMIT,
  TYPE_MISMATCH,
} from '../../../assembly/shared/status.ts';
import type { PlanMetric } from '../../../src/model/plan.ts';

export type Value = number | bigint | boolean | string;

/** A raw value as its format tells it; 'other' is object, array, text that is none, no value. */
export type Raw =
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** Well-formed: without lone surrogates. */
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'other' };

export type Judged =
  | { readonly status: typeof OK; readonly value: Value }
  | { readonly status: number; readonly value: null };

const refused = (status: number): Judged => ({ status, value: null });

export function judgeValue(metric: PlanMetric, raw: Raw): Judged {
  if (metric.kind === 'boolean') {
    return raw.kind === 'boolean' ? { status: OK, value: raw.value } : refused(TYPE_MISMATCH);
  }
  if (metric.kind === 'text') return judgeText(metric, raw);
  return metric.kind === 'integer' ? judgeInteger(metric, raw) : judgeNumber(metric, raw);
}

function judgeText(metric: PlanMetric, raw: Raw): Judged {
  if (raw.kind !== 'text') return refused(TYPE_MISMATCH);
  if (Buffer.byteLength(raw.value) > TEXT_BYTES_MAX) return refused(TEXT_LIMIT);
  const listed = metric.values === null || metric.values.includes(raw.value);
  return listed ? { status: OK, value: raw.value } : refused(NOT_LISTED);
}

function judgeNumber(metric: PlanMetric, raw: Raw): Judged {
  if (raw.kind !== 'double' && raw.kind !== 'integer') return refused(TYPE_MISMATCH);
  const value = Number(raw.value);
  if (!Number.isFinite(value)) return refused(NOT_FINITE);
  const canonical = isPlain(metric) ? value : metric.scale * value + metric.offset;
  if (!Number.isFinite(canonical)) return refused(NOT_FINITE);
  return judgeRange(metric, canonical);
}

const INTEGER_MIN = -(2n ** 63n);
const INTEGER_END = 2n ** 63n;

function judgeInteger(metric: PlanMetric, raw: Raw): Judged {
  if (raw.kind !== 'integer') return refused(TYPE_MISMATCH);
  if (raw.value < INTEGER_MIN || raw.value >= INTEGER_END) return refused(TYPE_MISMATCH);
  if (isPlain(metric)) return judgeRange(metric, raw.value);
  const canonical = metric.scale * Number(raw.value) + metric.offset;
  if (!Number.isInteger(canonical)) return refused(TYPE_MISMATCH);
  if (canonical < -(2 ** 63) || canonical >= 2 ** 63) return refused(TYPE_MISMATCH);
  return judgeRange(metric, BigInt(canonical));
}

const isPlain = (metric: PlanMetric): boolean => metric.scale === 1 && metric.offset === 0;

function judgeRange(metric: PlanMetric, value: number | bigint): Judged {
  // JavaScript compares a bigint with a number by their exact values.
  if (metric.min !== null && value < metric.min) return refused(OUT_OF_RANGE);
  if (metric.max !== null && value > metric.max) return refused(OUT_OF_RANGE);
  return { status: OK, value };
}

/**
 * Values: from what a payload says to what is stored. In: a metric of the plan and a raw value.
 * Out: the canonical value, or the status that refuses it. Doubles round as JavaScript rounds.
 */
import { NOT_FINITE, OK, OUT_OF_RANGE, TYPE_MISMATCH } from '../../../assembly/shared/status.ts';
import type { PlanMetric } from '../../../src/model/plan.ts';

export type Value = number | bigint | boolean;

/** A raw value as its format tells it; 'other' is text, object, array or no value at all. */
export type Raw =
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'integer'; readonly value: bigint }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'other' };

export type Judged =
  | { readonly status: typeof OK; readonly value: Value }
  | { readonly status: number; readonly value: null };

const refused = (status: number): Judged => ({ status, value: null });

export function judgeValue(metric: PlanMetric, raw: Raw): Judged {
  if (metric.kind === 'boolean') {
    return raw.kind === 'boolean' ? { status: OK, value: raw.value } : refused(TYPE_MISMATCH);
  }
  return metric.kind === 'integer' ? judgeInteger(metric, raw) : judgeNumber(metric, raw);
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

/**
 * Rows as plain objects, column name → value, as src/model/table.ts names them: bigint for 64 and
 * 128 bits, milliseconds for DateTime64, seconds for DateTime. And the facts of the same content.
 */
import type { AlertFact, MetricAggregate, WindowFact } from '../../../src/model/fact.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import { shown } from './accumulator.ts';
import type { Value } from './validate.ts';
import type { Emission, Metrics } from './window.ts';

type Element = number | bigint | string;
export type RowValue = Value | readonly (Element | readonly Element[])[];
export type Row = Readonly<Record<string, RowValue>>;

const FOR_EVER = 4_294_967_295;

/** Seconds, rounded up; retention 0 = for ever. */
export function expiresAt(timeMs: number, retentionMs: number): number {
  if (retentionMs === 0) return FOR_EVER;
  return Math.min(FOR_EVER, Math.max(0, Math.ceil((timeMs + retentionMs) / 1000)));
}

function metricAggregates(metrics: Metrics, channel: PlanChannel): MetricAggregate[] {
  return channel.metrics.flatMap(({ ordinal, name, unit }) => {
    const found = metrics.get(ordinal);
    return found === undefined ? [] : [{ metric: name, unit, ...shown(found) }];
  });
}

/** The content of a window as it is emitted now. */
export function windowContent(emission: Emission, channel: PlanChannel) {
  const { start, end, fragment, revision, deleted, metrics } = emission;
  return {
    kind: 'window' as const,
    channel: channel.name,
    windowStartMs: start,
    windowEndMs: end,
    windowMs: end - start,
    ...{ fragment, revision, deleted },
    metrics: metricAggregates(metrics, channel),
  };
}

export function aggregateRow(fact: WindowFact, version: bigint, expires: number): Row {
  const of = <K extends keyof MetricAggregate>(key: K) => fact.metrics.map((each) => each[key]);
  return {
    job: 'core',
    ...fact.identity,
    channel: fact.channel,
    window_start: fact.windowStartMs,
    fragment: fact.fragment,
    version,
    is_deleted: fact.deleted ? 1 : 0,
    metric: of('metric'),
    count: of('count').map(BigInt),
    sum: of('sum'),
    min: of('min'),
    max: of('max'),
    first: of('first'),
    first_time: of('firstTimeMs'),
    first_sequence: of('firstSequence'),
    last: of('last'),
    last_time: of('lastTimeMs'),
    last_sequence: of('lastSequence'),
    mean: of('mean'),
    m2: of('m2'),
    score: of('score'),
    integral: of('integral'),
    bin: of('sketch').map((sketch) => sketch?.keys ?? []),
    bin_count: of('sketch').map((sketch) => sketch?.counts ?? []),
    revision: fact.revision,
    watermark: fact.watermarkMs,
    log_time: fact.logTimeMs,
    window_end: fact.windowEndMs,
    partition: fact.partition,
    expires_at: expires,
  };
}

export function alertRow(fact: AlertFact, version: bigint, expires: number): Row {
  return {
    ...fact.identity,
    channel: fact.channel,
    rule: fact.rule,
    raised_at: fact.raisedAtMs,
    raised_sequence: fact.raisedSequence,
    raised_ordinal: fact.raisedOrdinal,
    version,
    is_deleted: 0,
    severity: fact.severity,
    metric: fact.metric,
    active: fact.active,
    value: fact.value,
    peak: fact.peak,
    since: fact.sinceMs,
    cleared_at: fact.clearedAtMs ?? 0,
    cleared_value: fact.clearedValue ?? 0,
    log_time: fact.logTimeMs,
    partition: fact.partition,
    expires_at: expires,
  };
}

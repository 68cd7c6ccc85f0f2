/**
 * Rows as plain objects, column name → value, as src/model/table.ts names them: bigint for 64 and
 * 128 bits, milliseconds for DateTime64, seconds for DateTime. And the facts of the same content.
 */
import type { MetricAggregate, WindowFact } from '../../../src/model/fact.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { Identity } from '../../../src/model/record.ts';
import type { Value } from './validate.ts';
import type { Cell, Series } from './window.ts';

export type RowValue = Value | string | readonly (number | bigint | string)[];
export type Row = Readonly<Record<string, RowValue>>;

const FOR_EVER = 4_294_967_295;

/** Seconds, rounded up; retention 0 = for ever. */
export function expiresAt(timeMs: number, retentionMs: number): number {
  if (retentionMs === 0) return FOR_EVER;
  return Math.min(FOR_EVER, Math.max(0, Math.ceil((timeMs + retentionMs) / 1000)));
}

export function metricAggregates(cell: Cell, channel: PlanChannel): MetricAggregate[] {
  return channel.metrics.flatMap(({ ordinal, name, unit }) => {
    const found = cell.metrics.get(ordinal);
    if (found === undefined) return [];
    const { compensation, ...aggregate } = found;
    return [{ metric: name, unit, ...aggregate, sum: found.sum + compensation }];
  });
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
    is_deleted: 0,
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
    revision: fact.revision,
    watermark: fact.watermarkMs,
    log_time: fact.logTimeMs,
    partition: fact.partition,
    expires_at: expires,
  };
}

/** The content of a window as it is emitted now. */
export function windowContent(
  cell: Cell,
  channel: PlanChannel,
  source: { identity: Identity; series: Series },
) {
  const window = channel.windows[cell.window]!;
  return {
    kind: 'window' as const,
    identity: source.identity,
    channel: channel.name,
    window: window.name,
    windowStartMs: cell.start,
    windowMs: window.lengthMs,
    fragment: cell.fragment,
    revision: cell.revision,
    watermarkMs: source.series.watermarkMs,
    metrics: metricAggregates(cell, channel),
  };
}

/**
 * Facts and dead letters as JSON. In: a fact. Out: what JSON.stringify takes, and back. Invariants:
 * 64-bit and larger integers are strings of digits (a JSON number is exact only to 2^53); a number
 * that JSON cannot write is a string.
 */
import {
  type AlertFact,
  type DeadLetter,
  type Fact,
  type MetricAggregate,
  type QuantileSketch,
  type ReportedValue,
  type ShadowFact,
  type Version,
  versionNumber,
  type WindowFact,
} from '../model/fact.ts';
import type { Severity } from '../model/plan.ts';
import type { FactMessage } from './fact.ts';
import { quantileOf } from './quantile.ts';

export type Json = { readonly [key: string]: unknown };
type Reading = 'number' | 'integer' | 'boolean' | 'string';

/** Members computed from the sketch; not read back. */
const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

export function factJson(fact: FactMessage): Json {
  switch (fact.kind) {
    case 'window':
      return windowJson(fact);
    case 'shadow':
      return shadowJson(fact);
    case 'alert':
      return alertJson(fact);
    case 'deadLetter':
      return deadLetterJson(fact);
  }
}

/** Throws when it is of no kind that is known. */
export function factOfJson(json: Json): FactMessage {
  switch (json['kind']) {
    case 'window':
      return windowOf(json);
    case 'shadow':
      return shadowOf(json);
    case 'alert':
      return alertOf(json);
    case 'deadLetter':
      return deadLetterOf(json);
    default:
      throw new Error(
        `a fact is of kind window, shadow, alert or deadLetter, not ${String(json['kind'])}`,
      );
  }
}

// --- to JSON -------------------------------------------------------------------------------------
function windowJson(fact: WindowFact): Json {
  return {
    kind: 'window',
    ...identityOf(fact),
    channel: fact.channel,
    window: fact.window,
    windowStartMs: fact.windowStartMs,
    windowEndMs: fact.windowEndMs,
    windowMs: fact.windowMs,
    deleted: fact.deleted,
    fragment: String(fact.fragment),
    revision: fact.revision,
    ...versionJson(fact),
    watermarkMs: fact.watermarkMs,
    logTimeMs: fact.logTimeMs,
    metrics: fact.metrics.map(aggregateJson),
  };
}

/** There is one per metric of each window: it is copied whole, and looked through only once. */
function aggregateJson(each: MetricAggregate): Json {
  const json = {
    ...each,
    firstSequence: String(each.firstSequence),
    lastSequence: String(each.lastSequence),
    p50: quantileOf(each, QUANTILES.p50),
    p95: quantileOf(each, QUANTILES.p95),
    p99: quantileOf(each, QUANTILES.p99),
  };
  for (const value of Object.values(json)) {
    if (typeof value === 'number' && !Number.isFinite(value)) return mapNumbers(json, safeNumber);
  }
  return json;
}

function alertJson(fact: AlertFact): Json {
  return {
    kind: 'alert',
    ...identityOf(fact),
    channel: fact.channel,
    rule: fact.rule,
    severity: fact.severity,
    metric: fact.metric,
    unit: fact.unit,
    active: fact.active,
    raisedAtMs: fact.raisedAtMs,
    raisedSequence: String(fact.raisedSequence),
    raisedOrdinal: fact.raisedOrdinal,
    sinceMs: fact.sinceMs,
    value: safeNumber(fact.value),
    peak: safeNumber(fact.peak),
    clearedAtMs: fact.clearedAtMs,
    clearedValue: fact.clearedValue === null ? null : safeNumber(fact.clearedValue),
    ...versionJson(fact),
    logTimeMs: fact.logTimeMs,
  };
}

function shadowJson(fact: ShadowFact): Json {
  return {
    kind: 'shadow',
    ...identityOf(fact),
    ...versionJson(fact),
    logTimeMs: fact.logTimeMs,
    reported: fact.reported.map(({ value, ...each }) => ({
      ...each,
      type: typeof value === 'bigint' ? 'integer' : typeof value,
      value: plainValue(value),
    })),
  };
}

function deadLetterJson(letter: DeadLetter): Json {
  const { identity, sample, partition, sequence, index, channel, reason, ...rest } = letter;
  return {
    kind: 'deadLetter',
    tenant: identity?.tenant ?? null,
    site: identity?.site ?? null,
    device: identity?.device ?? null,
    channel,
    reason,
    position: { partition, sequence: String(sequence), index },
    ...rest,
    sampleBase64: Buffer.from(sample).toString('base64'),
  };
}

const identityOf = ({ identity }: Fact) => ({
  tenant: identity.tenant,
  site: identity.site,
  device: identity.device,
});

function versionJson({ version, partition }: Fact): Json {
  const sequence = String(version.sequence);
  return {
    version: { generation: version.generation, sequence, ordinal: version.ordinal },
    versionNumber: String(versionNumber(version)),
    position: { partition, sequence },
  };
}

function plainValue(value: ReportedValue['value']): unknown {
  if (typeof value === 'number') return safeNumber(value);
  return typeof value === 'bigint' ? String(value) : value;
}

const safeNumber = (value: number) => (Number.isFinite(value) ? value : String(value));

function mapNumbers(each: object, map: (value: number) => unknown): Json {
  return Object.fromEntries(
    Object.entries(each).map(([name, value]) => [
      name,
      typeof value === 'number' ? map(value) : value,
    ]),
  );
}

// --- from JSON -----------------------------------------------------------------------------------
function windowOf(json: Json): WindowFact {
  return {
    kind: 'window',
    ...commonOf(json),
    channel: String(json['channel']),
    window: String(json['window']),
    windowStartMs: Number(json['windowStartMs']),
    windowEndMs: Number(json['windowEndMs']),
    deleted: json['deleted'] === true,
    windowMs: Number(json['windowMs']),
    fragment: BigInt(json['fragment'] as string),
    revision: Number(json['revision']),
    watermarkMs: Number(json['watermarkMs']),
    metrics: (json['metrics'] as Json[]).map(aggregateOf),
  };
}

function aggregateOf(json: Json): MetricAggregate {
  const { metric, unit, sketch, ...numbers } = json;
  const entries = Object.entries(numbers)
    .filter(([name]) => !(name in QUANTILES))
    .map(([name, value]) => [
      name,
      name.endsWith('Sequence') ? BigInt(value as string) : Number(value),
    ]);
  return {
    metric,
    unit,
    ...Object.fromEntries(entries),
    sketch: sketch as QuantileSketch | null,
  } as MetricAggregate;
}

function alertOf(json: Json): AlertFact {
  return {
    kind: 'alert',
    ...commonOf(json),
    channel: String(json['channel']),
    rule: String(json['rule']),
    severity: json['severity'] as Severity,
    metric: String(json['metric']),
    unit: String(json['unit']),
    active: json['active'] === true,
    raisedAtMs: Number(json['raisedAtMs']),
    raisedSequence: BigInt(json['raisedSequence'] as string),
    raisedOrdinal: Number(json['raisedOrdinal']),
    sinceMs: Number(json['sinceMs']),
    value: Number(json['value']),
    peak: Number(json['peak']),
    clearedAtMs: json['clearedAtMs'] === null ? null : Number(json['clearedAtMs']),
    clearedValue: json['clearedValue'] === null ? null : Number(json['clearedValue']),
  };
}

function shadowOf(json: Json): ShadowFact {
  return {
    kind: 'shadow',
    ...commonOf(json),
    reported: (json['reported'] as (Json & { type: Reading })[]).map(
      ({ type, value, ...each }) => ({
        ...(each as Omit<ReportedValue, 'value'>),
        value: readingOf(type, value),
      }),
    ),
  };
}

function readingOf(type: Reading, value: unknown): ReportedValue['value'] {
  if (type === 'boolean') return value === true;
  if (type === 'string') return String(value);
  return type === 'integer' ? BigInt(value as string) : Number(value);
}

function deadLetterOf(json: Json): FactMessage {
  const position = json['position'] as Json;
  return {
    kind: 'deadLetter',
    identity: json['device'] === null ? null : identityFrom(json),
    channel: String(json['channel']),
    reason: String(json['reason']),
    partition: Number(position['partition']),
    sequence: BigInt(position['sequence'] as string),
    index: Number(position['index']),
    offset: Number(json['offset']),
    metric: String(json['metric']),
    receivedAtMs: Number(json['receivedAtMs']),
    logTimeMs: Number(json['logTimeMs']),
    payloadBytes: Number(json['payloadBytes']),
    sample: new Uint8Array(Buffer.from(String(json['sampleBase64']), 'base64')),
  };
}

function commonOf(json: Json) {
  const version = json['version'] as Json;
  return {
    identity: identityFrom(json),
    version: {
      generation: Number(version['generation']),
      sequence: BigInt(version['sequence'] as string),
      ordinal: Number(version['ordinal']),
    } satisfies Version,
    partition: Number((json['position'] as Json)['partition']),
    logTimeMs: Number(json['logTimeMs']),
  };
}

const identityFrom = (json: Json) => ({
  tenant: String(json['tenant']),
  site: String(json['site']),
  device: String(json['device']),
});

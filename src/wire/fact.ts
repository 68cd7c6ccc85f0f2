/**
 * Facts and dead letters as JSON: what subjects carry by default (docs/facts.md). In: a fact. Out:
 * one UTF-8 document, and back again for tools. Invariants: 64-bit and larger integers are strings
 * of digits (a JSON number is exact only to 2^53); a number that JSON cannot write is a string.
 */
import {
  type DeadLetter,
  type Fact,
  type MetricAggregate,
  type ReportedValue,
  type ShadowFact,
  type Version,
  versionNumber,
  type WindowFact,
} from '../model/fact.ts';
import { decodeProtobuf, encodeProtobuf } from './fact-protobuf.ts';

export type FactFormat = 'json' | 'protobuf';
/** What a message of the subjects agg, alert, shadow and dlq holds. */
export type FactMessage = Fact | (DeadLetter & { readonly kind: 'deadLetter' });

type Json = { readonly [key: string]: unknown };
type Reading = 'number' | 'integer' | 'boolean';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** No FactMessage in Protobuf begins with it. */
const OPENING_BRACE = 0x7b;

export function encodeFact(fact: Fact, format: FactFormat = 'json'): Uint8Array {
  if (format === 'protobuf') return encodeProtobuf(fact);
  return encoder.encode(
    JSON.stringify(fact.kind === 'window' ? windowJson(fact) : shadowJson(fact)),
  );
}

export function encodeDeadLetter(letter: DeadLetter, format: FactFormat = 'json'): Uint8Array {
  if (format === 'protobuf') return encodeProtobuf({ ...letter, kind: 'deadLetter' });
  return encoder.encode(JSON.stringify(deadLetterJson(letter)));
}

/** Either format. Throws when it is neither. */
export function decodeFact(bytes: Uint8Array): FactMessage {
  if (bytes[0] !== OPENING_BRACE) return decodeProtobuf(bytes);
  const json = JSON.parse(decoder.decode(bytes)) as Json;
  if (json['kind'] === 'window') return windowOf(json);
  if (json['kind'] === 'shadow') return shadowOf(json);
  if (json['kind'] === 'deadLetter') return deadLetterOf(json);
  throw new Error(`a fact is of kind window, shadow or deadLetter, not ${String(json['kind'])}`);
}

// --- to JSON -------------------------------------------------------------------------------------
function windowJson(fact: WindowFact): Json {
  return {
    kind: 'window',
    ...identityOf(fact),
    channel: fact.channel,
    window: fact.window,
    windowStartMs: fact.windowStartMs,
    windowMs: fact.windowMs,
    fragment: String(fact.fragment),
    revision: fact.revision,
    ...versionJson(fact),
    watermarkMs: fact.watermarkMs,
    logTimeMs: fact.logTimeMs,
    metrics: fact.metrics.map((each) => ({
      ...mapNumbers(each, safeNumber),
      firstSequence: String(each.firstSequence),
      lastSequence: String(each.lastSequence),
    })),
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
      value: typeof value === 'number' ? safeNumber(value) : plainValue(value),
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

const plainValue = (value: bigint | boolean) => (typeof value === 'bigint' ? String(value) : value);
const safeNumber = (value: number) => (Number.isFinite(value) ? value : String(value));

function mapNumbers(each: MetricAggregate, map: (value: number) => unknown): Json {
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
    windowMs: Number(json['windowMs']),
    fragment: BigInt(json['fragment'] as string),
    revision: Number(json['revision']),
    watermarkMs: Number(json['watermarkMs']),
    metrics: (json['metrics'] as Json[]).map(aggregateOf),
  };
}

function aggregateOf(json: Json): MetricAggregate {
  const entries = Object.entries(json).map(([name, value]) => {
    if (name === 'metric' || name === 'unit') return [name, value];
    return [name, name.endsWith('Sequence') ? BigInt(value as string) : Number(value)];
  });
  return Object.fromEntries(entries) as MetricAggregate;
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

function readingOf(type: Reading, value: unknown): number | bigint | boolean {
  if (type === 'boolean') return value === true;
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

/**
 * SenML by the prose of RFC 8428, without its notation. In: the records of a pack with their fields
 * in order, as senml-json.ts reads them. Out: samples, or Malformed at the first thing that the RFC
 * refuses. Resolving goes as its section 4.6: every record on its own, from what the base fields up
 * to and including it say.
 */
import { METRIC_UNKNOWN, UNIT_MISMATCH } from '../../../assembly/shared/status.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import type { Reading, Sample, Situation } from './decode.ts';
import { Malformed } from './protobuf.ts';
import { inTimeRange } from './time.ts';
import { type Judged, judgeValue, type Raw } from './validate.ts';

export type SenmlValue =
  | { readonly kind: 'number'; readonly number: SenmlNumber }
  /** Null: a text that is none (a lone surrogate). */
  | { readonly kind: 'text'; readonly bytes: Uint8Array; readonly isWellFormed: boolean }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'other' };

export interface SenmlNumber {
  readonly double: number;
  /** When it is written as an integer of Int64 (−0 is none). */
  readonly integer: bigint | null;
  /** floor(number · 10^18). */
  readonly attos: bigint;
}

export interface SenmlField {
  readonly label: string;
  readonly labelAt: number;
  readonly value: SenmlValue;
  readonly valueAt: number;
}

export interface SenmlRecord {
  readonly at: number;
  readonly fields: readonly SenmlField[];
}

const VALUES = ['v', 'vs', 'vb', 'vd'];
const TYPES: Readonly<Record<string, SenmlValue['kind']>> = {
  ...{ bn: 'text', bt: 'number', bu: 'text', bv: 'number', bs: 'number', bver: 'number' },
  ...{ n: 'text', u: 'text', v: 'number', vs: 'text', vb: 'boolean', vd: 'text' },
  ...{ s: 'number', t: 'number', ut: 'number' },
};
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;
const NAME_BYTES_MAX = 256;
const ATTOS = 10n ** 18n;
const UNKNOWN: Judged = { status: METRIC_UNKNOWN, value: null };
const SECONDS_MAX = 10n ** 12n;

export function resolvePack(
  records: Iterable<SenmlRecord>,
  channel: PlanChannel,
  situation: Situation,
): Sample[] {
  const base = new Map<string, SenmlField>();
  const samples: Open[] = [];
  for (const record of records) {
    const fields = readFields(record);
    for (const [label, field] of fields) if (/^b[ntuvs]$/.test(label)) base.set(label, field);
    const value = VALUES.map((label) => fields.get(label)).find((field) => field !== undefined);
    if (value === undefined && !fields.has('s')) {
      if (['n', 'u', 't', 'ut'].some((label) => fields.has(label))) throw new Malformed(record.at);
      continue;
    }
    const name = nameOf(base.get('bn'), fields.get('n'));
    if (!NAME.test(name) || name.length > NAME_BYTES_MAX) throw new Malformed(record.at);
    if (value === undefined) continue;
    const metric = metricOf(channel, name);
    if (metric === null && channel.unknownMetrics === 'ignore') continue;
    const judged = judge(metric, value, { base, fields });
    place(samples, { metric, judged, offset: value.valueAt }, { record, base, fields, situation });
  }
  return samples;
}

/** The record's fields by label; labels that RFC 8428 does not know are left out. */
function readFields(record: SenmlRecord): Map<string, SenmlField> {
  const fields = new Map<string, SenmlField>();
  for (const field of record.fields) {
    const { label, labelAt, value, valueAt } = field;
    if (label.endsWith('_')) throw new Malformed(labelAt);
    const type = Object.hasOwn(TYPES, label) ? TYPES[label] : undefined;
    if (type === undefined) continue;
    if (fields.has(label)) throw new Malformed(labelAt);
    if (VALUES.includes(label) && VALUES.some((other) => fields.has(other))) {
      throw new Malformed(labelAt);
    }
    if (value.kind !== type) throw new Malformed(valueAt);
    if (label === 'bver' && !isVersion(value)) throw new Malformed(valueAt);
    const isLong = value.kind === 'text' && value.bytes.length > NAME_BYTES_MAX;
    if (label === 'bn' && isLong) throw new Malformed(valueAt);
    fields.set(label, field);
  }
  return fields;
}

function isVersion(value: SenmlValue): boolean {
  if (value.kind !== 'number') return false;
  const { double } = value.number;
  return Number.isInteger(double) && double >= 1 && double <= 10;
}

type Field = SenmlField | undefined;
type Fields = ReadonlyMap<string, SenmlField>;

const bytesOf = (field: Field): Uint8Array =>
  field?.value.kind === 'text' ? field.value.bytes : new Uint8Array();
const numberOf = (field: Field): SenmlNumber | undefined =>
  field?.value.kind === 'number' ? field.value.number : undefined;

const nameOf = (...parts: readonly Field[]): string =>
  Buffer.concat(parts.map(bytesOf)).toString('latin1');

function metricOf(channel: PlanChannel, name: string): PlanMetric | null {
  const find = (text: string) =>
    channel.metrics.find(({ path, retired }) => !retired && path[0] === text && path.length === 1);
  return find(name) ?? find(/[^/:]*$/.exec(name)![0]) ?? null;
}

function judge(
  metric: PlanMetric | null,
  value: SenmlField,
  { base, fields }: { base: Fields; fields: Fields },
): Judged | null {
  if (metric === null) return null;
  const judged = judgeValue(metric, rawOf(metric, value, numberOf(base.get('bv'))));
  const unit = fields.get('u') ?? base.get('bu');
  const isOther = unit !== undefined && Buffer.from(bytesOf(unit)).toString() !== metric.sentUnit;
  if (metric.sentUnit === '' || !isOther) return judged;
  if (judged.status !== 0 && judged.status <= UNIT_MISMATCH) return judged;
  return { status: UNIT_MISMATCH, value: null };
}

function rawOf(metric: PlanMetric, { label, value }: SenmlField, base?: SenmlNumber): Raw {
  if (value.kind === 'boolean') return { kind: 'boolean', value: value.value };
  if (value.kind === 'text') {
    if (label !== 'vs' || !value.isWellFormed) return { kind: 'other' };
    return { kind: 'text', value: Buffer.from(value.bytes).toString() };
  }
  if (value.kind === 'other') return { kind: 'other' };
  const { integer, double } = value.number;
  if (base === undefined) return integer === null ? real(metric, double) : whole(integer);
  if (integer !== null && base.integer !== null) {
    const sum = base.integer + integer;
    if (BigInt.asIntN(64, sum) === sum) return whole(sum);
  }
  return real(metric, base.double + double);
}

const whole = (value: bigint): Raw => ({ kind: 'integer', value });

function real(metric: PlanMetric, value: number): Raw {
  const isWhole = Number.isInteger(value) && Math.abs(value) <= 2 ** 53;
  return metric.kind === 'integer' && isWhole
    ? { kind: 'integer', value: BigInt(value) }
    : { kind: 'double', value };
}

// --- samples ------------------------------------------------------------------------------------
interface Open extends Sample {
  readonly readings: Reading[];
  expectMs: number;
  /** Null: none. */
  readonly resolvedMs: bigint | 'beyond' | null;
}

interface Around {
  readonly record: SenmlRecord;
  readonly base: Fields;
  readonly fields: Fields;
  readonly situation: Situation;
}

/** Into the last sample, if the time and its metrics allow, else into a new one. */
function place(
  samples: Open[],
  { metric, judged, offset }: { metric: PlanMetric | null; judged: Judged | null; offset: number },
  around: Around,
): void {
  const resolvedMs = resolveTime(around);
  let sample = samples.at(-1);
  const has = metric !== null && sample?.readings.some((other) => other.metric === metric);
  if (sample === undefined || sample.resolvedMs !== resolvedMs || has === true) {
    const time = around.fields.get('t') ?? around.base.get('bt');
    sample = {
      ...{ timeMs: eventTime(resolvedMs), offset: around.record.at, readings: [], expectMs: 0 },
      ...{ timeOffset: time?.valueAt ?? around.record.at, resolvedMs },
    };
    samples.push(sample);
  }
  sample.readings.push({ metric, judged: judged ?? UNKNOWN, offset });
  const promised = promisedMs(numberOf(around.fields.get('ut')));
  if (promised > 0 && (sample.expectMs === 0 || promised < sample.expectMs)) {
    sample.expectMs = promised;
  }
}

const floorDivide = (value: bigint, by: bigint): bigint => value / by - (value % by < 0n ? 1n : 0n);

function resolveTime({ base, fields, situation }: Around): Open['resolvedMs'] {
  const parts = [base.get('bt'), fields.get('t')].flatMap((field) => numberOf(field) ?? []);
  if (parts.length === 0) return null;
  const isBeyond = parts.some(({ attos }) => {
    const seconds = floorDivide(attos, ATTOS);
    return seconds >= SECONDS_MAX || seconds <= -SECONDS_MAX;
  });
  if (isBeyond) return 'beyond';
  const sum = parts.reduce((total, { attos }) => total + attos, 0n);
  const ms = floorDivide(sum, 10n ** 15n);
  return sum < 2n ** 28n * ATTOS ? ms + BigInt(situation.receivedMs) : ms;
}

function eventTime(ms: Open['resolvedMs']): Sample['timeMs'] {
  if (ms === null) return null;
  return ms !== 'beyond' && inTimeRange(ms) ? Number(ms) : 'malformed';
}

function promisedMs(update: SenmlNumber | undefined): number {
  if (update === undefined || update.attos < 0n) return 0;
  const ms = update.attos / 10n ** 15n;
  return Number(ms < 2n ** 32n ? ms : 2n ** 32n - 1n);
}

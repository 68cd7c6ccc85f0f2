/**
 * Payloads that are any Protobuf message. In: the bytes and the channel, with its schema. Out: what
 * every decoder gives.
 */
import { READINGS_PER_RECORD_MAX, SAMPLES_PER_RECORD_MAX } from '../../../assembly/shared/abi.ts';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import type { ProtobufSchema } from '../../../src/model/plan-schema.ts';
import type { Reading, Sample } from './decode.ts';
import { idKey, type KeyField } from './key.ts';
import {
  EVERY,
  type ListValue,
  type Path,
  type Scalar,
  type Value,
  ValueReader,
  valueAt,
} from './protobuf-value.ts';
import { inTimeRange, readTime } from './time.ts';
import { judgeValue, type Raw } from './validate.ts';

export interface MessageParts {
  readonly key: KeyField;
  readonly samples: readonly Sample[];
  readonly overLimit: boolean;
}

export function decodeMessage(payload: Uint8Array, channel: PlanChannel): MessageParts {
  const schema = channel.schema as ProtobufSchema;
  const { samplesPath, timePath, eventIdPath } = channel;
  const hasSamples = samplesPath.length > 0;
  const metrics = channel.metrics.filter(({ retired }) => !retired);
  const ofSample = metrics.map(({ path }) => path);
  const ofRecord: (readonly string[])[] = [];
  if (eventIdPath.length > 0) ofRecord.push(eventIdPath);
  if (timePath.length > 0) (channel.timeOf === 'sample' ? ofSample : ofRecord).push(timePath);
  const inSample: Path[] = hasSamples
    ? ofSample.map((path) => [...samplesPath, EVERY, ...path])
    : ofSample;

  let overLimit = false;
  const countReadings = (sample: Value) =>
    metrics.filter(({ path }) => isScalar(valueAt(sample, path))).length;
  const counts = new WeakMap<ListValue, number>();
  const onElement = (list: ListValue): void => {
    const total = (counts.get(list) ?? 0) + countReadings(list.items.at(-1)!);
    counts.set(list, total);
    overLimit ||= list.items.length > SAMPLES_PER_RECORD_MAX || total > READINGS_PER_RECORD_MAX;
  };
  const reader = new ValueReader(payload, schema, onElement);
  const root = reader.read({ start: 0, end: payload.length }, [...inSample, ...ofRecord]);

  const list = hasSamples ? valueAt(root, samplesPath) : undefined;
  const items = hasSamples ? (list?.kind === 'list' ? list.items : []) : [root];
  const samples = items.map((item): Sample => {
    const offset = hasSamples ? item.tagAt : 0;
    const time =
      timePath.length > 0
        ? valueAt(channel.timeOf === 'sample' ? item : root, timePath)
        : undefined;
    return {
      timeMs: timeOf(time, channel),
      ...{ offset, timeOffset: time === undefined ? offset : (time as Scalar).tagAt },
      readings: readingsOf(metrics, item, schema),
    };
  });
  const key = eventIdPath.length > 0 ? keyOf(valueAt(root, eventIdPath)) : null;
  return { key, samples, overLimit };
}

const isScalar = (value: Value | undefined): value is Scalar => value?.kind === 'scalar';

function readingsOf(
  metrics: readonly PlanMetric[],
  item: Value,
  schema: ProtobufSchema,
): Reading[] {
  const found = metrics.flatMap((metric) => {
    const value = valueAt(item, metric.path);
    return isScalar(value) ? [{ metric, value }] : [];
  });
  found.sort((left, right) => left.value.order - right.value.order);
  return found.map(({ metric, value }) => ({
    ...{ metric, offset: value.tagAt },
    judged: judgeValue(metric, rawOf(metric, value, schema)),
  }));
}

function rawOf(metric: PlanMetric, { type, of, value }: Scalar, schema: ProtobufSchema): Raw {
  if (typeof value === 'number') return { kind: 'double', value };
  if (typeof value === 'boolean') return { kind: 'boolean', value };
  if (type === 'string')
    return { kind: 'text', value: Buffer.from(value as Uint8Array).toString() };
  if (typeof value !== 'bigint') return { kind: 'other' };
  if (type !== 'enum' || metric.kind !== 'text') return { kind: 'integer', value };
  const names = schema.enums[of]?.values ?? [];
  const name = names.find(([number]) => BigInt(number) === value)?.[1];
  return { kind: 'text', value: name ?? String(value) };
}

function timeOf(value: Value | undefined, { timeFormat }: PlanChannel): Sample['timeMs'] {
  if (value === undefined) return null;
  if (value.kind === 'message') {
    const seconds = BigInt(
      ((valueAt(value, ['seconds']) as Scalar | undefined)?.value as bigint) ?? 0n,
    );
    const nanos = BigInt(
      ((valueAt(value, ['nanos']) as Scalar | undefined)?.value as bigint) ?? 0n,
    );
    if (nanos < 0n || nanos > 999_999_999n) return 'malformed';
    const ms = seconds * 1000n + nanos / 1_000_000n;
    return inTimeRange(ms) ? Number(ms) : 'malformed';
  }
  if (value.kind !== 'scalar') return 'malformed';
  const { type, value: said } = value;
  const none = { start: 0, end: 0 };
  if (typeof said === 'bigint' && type !== 'enum') {
    const node = { ...none, kind: 'number', text: String(said) };
    return readTime(node as never, timeFormat) ?? 'malformed';
  }
  if (type !== 'string') return 'malformed';
  const node = { ...none, kind: 'string', value: Buffer.from(said as Uint8Array).toString() };
  return readTime(node as never, timeFormat) ?? 'malformed';
}

function keyOf(value: Value | undefined): KeyField {
  if (value === undefined) return null;
  if (value.kind !== 'scalar') return 'invalid';
  if (value.value instanceof Uint8Array) return idKey(value.value);
  const isInteger = typeof value.value === 'bigint' && value.type !== 'enum';
  return isInteger ? idKey(Buffer.from(String(value.value))) : 'invalid';
}

/**
 * Sparkplug B payloads. In: the bytes, the channel, the record's kind and the aliases that its
 * device remembers. Out: what every decoder gives, and the aliases after a birth or death.
 */
import { isUtf8 } from 'node:buffer';
import { ALIASES_MAX } from '../../../assembly/shared/abi.ts';
import { KEY_BYTES_MAX } from '../../../assembly/shared/plan-layout.ts';
import { ALIAS_UNKNOWN, METRIC_UNKNOWN } from '../../../assembly/shared/status.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { Aliases, Binding, Reading, Sample, Situation } from './decode.ts';
import { Malformed } from './protobuf.ts';
import { BYTES, FIXED32, FIXED64, fieldsOf, type Range, VARINT } from './protobuf-wire.ts';
import { inTimeRange } from './time.ts';
import { judgeValue, type Raw } from './validate.ts';

export interface SparkplugParts {
  readonly samples: readonly Sample[];
  readonly filtered: boolean;
  readonly aliases?: Aliases;
  readonly sparkSequence: number | null;
  readonly overLimit: boolean;
}

interface Metric {
  readonly tagAt: number;
  name: Uint8Array;
  alias: bigint | null;
  timestamp: bigint | null;
  dataType: number | null;
  historical: boolean;
  isNull: boolean;
  value: { readonly number: number; readonly bytes: Uint8Array; readonly varint: bigint } | null;
}

const KIND = /^(?:(NBIRTH|NDATA|NDEATH)|(DBIRTH|DDATA|DDEATH)\/([^/]+))$/s;
const OWN = /^(?:bdSeq$|Node Control\/|Device Control\/)/;
const WIRES: Readonly<Record<number, number>> = {
  ...{ 1: BYTES, 2: VARINT, 3: VARINT, 4: VARINT, 5: VARINT, 6: VARINT, 7: VARINT, 8: BYTES },
  ...{ 9: BYTES, 10: VARINT, 11: VARINT, 12: FIXED32, 13: FIXED64, 14: VARINT, 15: BYTES },
  ...{ 16: BYTES, 17: BYTES, 18: BYTES, 19: BYTES },
};

export function decodeSparkplug(
  payload: Uint8Array,
  channel: PlanChannel,
  { kind, aliases }: Pick<Situation, 'kind' | 'aliases'>,
): SparkplugParts {
  const parts = KIND.exec(kind === '' ? 'NDATA' : kind);
  if (parts === null) throw new Malformed(0);
  const type = (parts[1] ?? parts[2])!;
  const space = parts[3] ?? '';
  const top = readTop(payload);
  const message: Message = { channel, space, isBirth: type.endsWith('BIRTH'), aliases, ...top };
  const { samples, bindings } = type.endsWith('DEATH')
    ? { samples: [], bindings: [] }
    : readMetrics(payload, message);
  const filtered = samples.length === 0;
  const common = { samples, filtered, sparkSequence: top.sequence };
  if (type.endsWith('DATA')) return { ...common, overLimit: false };
  const kept = [...aliases].filter(
    ([, each]) => space !== '' && !(each.space === space && each.channel === channel.id),
  );
  const bound = bindings.map((each) => [keyOf(each), each] as const);
  const overLimit = kept.length + bindings.length > ALIASES_MAX;
  return { ...common, overLimit, aliases: new Map([...kept, ...bound]) };
}

interface Message {
  readonly channel: PlanChannel;
  readonly space: string;
  readonly isBirth: boolean;
  readonly aliases: Aliases;
  readonly timestamp: bigint | null;
  readonly sequence: number | null;
}

const keyOf = ({ channel, space, alias }: Pick<Binding, 'channel' | 'space' | 'alias'>): string =>
  `${channel}/${alias}/${space}`;

function readTop(payload: Uint8Array): { timestamp: bigint | null; sequence: number | null } {
  let timestamp: bigint | null = null;
  let sequence: number | null = null;
  for (const { number, wire, tagAt, varint } of fieldsOf(payload, all(payload))) {
    const expected = [0, VARINT, BYTES, VARINT, BYTES, BYTES][number];
    if (expected !== undefined && wire !== expected) throw new Malformed(tagAt);
    if (number === 1) timestamp = varint;
    if (number === 3 && varint > 255n) throw new Malformed(tagAt);
    if (number === 3) sequence = Number(varint);
  }
  return { timestamp, sequence };
}

const all = (bytes: Uint8Array): Range => ({ start: 0, end: bytes.length });

function readMetric(payload: Uint8Array, range: Range & { readonly tagAt: number }): Metric {
  const metric: Metric = {
    ...{ tagAt: range.tagAt, name: new Uint8Array(), alias: null, timestamp: null },
    ...{ dataType: null, historical: false, isNull: false, value: null },
  };
  for (const field of fieldsOf(payload, range)) {
    const { number, wire, tagAt, varint } = field;
    const expected = WIRES[number];
    if (expected === undefined) continue;
    if (wire !== expected) throw new Malformed(tagAt);
    const bytes = payload.subarray(field.start, field.end);
    if (number === 15 && !isUtf8(bytes)) throw new Malformed(tagAt);
    if (number === 1) metric.name = bytes;
    else if (number === 2) metric.alias = varint;
    else if (number === 3) metric.timestamp = varint;
    else if (number === 4) metric.dataType = Number(BigInt.asUintN(32, varint));
    else if (number === 5) metric.historical = varint !== 0n;
    else if (number === 7) metric.isNull = varint !== 0n;
    else if (number >= 10) metric.value = { number, bytes, varint };
  }
  return metric;
}

function readMetrics(payload: Uint8Array, message: Message) {
  const { channel, space, isBirth, aliases, timestamp } = message;
  const bindings: Binding[] = [];
  const samples: (Sample & { readonly group: string; readonly readings: Reading[] })[] = [];
  for (const field of fieldsOf(payload, all(payload))) {
    if (field.number !== 2) continue;
    const metric = readMetric(payload, field);
    const place = { channel: channel.id, space, alias: metric.alias ?? 0n };
    const bound = metric.alias === null || isBirth ? undefined : aliases.get(keyOf(place));
    const dataType = metric.dataType ?? bound?.dataType ?? 0;
    let target: Binding['target'] | 'unbound' = 'undeclared';
    if (metric.name.length > 0) {
      target = targetOf(channel, space, metric.name);
      if (isBirth && metric.alias !== null) {
        bindings.push({ ...place, target, dataType: metric.dataType ?? 0 });
      }
    } else if (bound !== undefined) target = bound.target;
    else if (metric.alias !== null) target = 'unbound';
    if (metric.isNull || metric.value === null || target === 'own') continue;
    const found = channel.metrics.find((each) => each.ordinal === target && !each.retired) ?? null;
    if (found === null && target !== 'unbound' && channel.unknownMetrics === 'ignore') continue;
    const time = metric.timestamp ?? timestamp;
    const group = `${time} ${metric.historical}`;
    const last = samples.at(-1);
    const isSeen = last?.readings.some((each) => found !== null && each.metric === found);
    if (last === undefined || last.group !== group || isSeen) {
      samples.push({
        ...{ group, historical: metric.historical, offset: metric.tagAt },
        ...{ timeOffset: metric.tagAt, readings: [] },
        timeMs: time === null ? null : inTimeRange(time) ? Number(time) : 'malformed',
      });
    }
    const status = target === 'unbound' ? ALIAS_UNKNOWN : METRIC_UNKNOWN;
    samples.at(-1)!.readings.push({
      ...{ metric: found, offset: metric.tagAt },
      judged: found ? judgeValue(found, rawOf(metric, dataType)) : { status, value: null },
    });
  }
  return { samples, bindings };
}

function targetOf(channel: PlanChannel, space: string, name: Uint8Array): Binding['target'] {
  const text = Buffer.from(name).toString('latin1');
  const wanted = space === '' ? [text] : [Buffer.from(space).toString('latin1'), text];
  const isShort = wanted.every((each) => each.length <= KEY_BYTES_MAX);
  const found = channel.metrics.find(({ path, retired }) => {
    const key = path.map((each) => Buffer.from(each).toString('latin1')).join('\0');
    return !retired && isShort && key === wanted.join('\0');
  });
  return found?.ordinal ?? (OWN.test(text) ? 'own' : 'undeclared');
}

function rawOf({ value }: Metric, dataType: number): Raw {
  const { number, bytes, varint } = value!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (number === 12) return { kind: 'double', value: view.getFloat32(0, true) };
  if (number === 13) return { kind: 'double', value: view.getFloat64(0, true) };
  if (number === 14) return { kind: 'boolean', value: varint !== 0n };
  if (number === 15) return { kind: 'text', value: Buffer.from(bytes).toString() };
  if (number > 15) return { kind: 'other' };
  const bits = number === 10 ? BigInt.asUintN(32, varint) : varint;
  const width = [8, 16, 32, 64][(dataType - 1) % 4] ?? 64;
  const isSigned = dataType >= 1 && dataType <= 4;
  if (isSigned) return { kind: 'integer', value: BigInt.asIntN(width, bits) };
  const isUnsigned = dataType >= 5 && dataType <= 8;
  return { kind: 'integer', value: isUnsigned ? BigInt.asUintN(width, bits) : bits };
}

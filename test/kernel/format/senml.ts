/**
 * SenML packs for generated logs, in JSON or CBOR. In: a channel and what a device measured. Out:
 * records with base fields, relative and absolute times, promises (`ut`), units right and wrong.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { CborWriter, type Value } from '../cbor-writer.ts';
import type { Random } from '../random.ts';
import { stringToken } from './json.ts';
import { type Content, randomInteger, randomMetrics, randomNumber, randomText } from './value.ts';

/** RFC 8428, table 6. */
const LABELS: Readonly<Record<string, bigint>> = {
  ...{ bver: -1n, bn: -2n, bt: -3n, bu: -4n, bv: -5n, bs: -6n },
  ...{ n: 0n, u: 1n, v: 2n, vs: 3n, vb: 4n, s: 5n, t: 6n, ut: 7n, vd: 8n },
};
type Field = string | number | bigint | boolean;
type Entry = Record<string, Field>;

export function senmlOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  const pack = packOf(random, channel, content);
  if (channel.format === 'senml-json') {
    const records = pack.map((entry) => {
      const members = Object.entries(entry).map(
        ([label, value]) => `"${label}":${token(random, value)}`,
      );
      return `{${members.join(',')}}`;
    });
    return Buffer.from(`[${records.join(random.chance(0.1) ? ' , ' : ',')}]`);
  }
  const items = pack.map((entry): Value => {
    const fields = Object.entries(entry).map(([label, value]): [Value, Value] => {
      const isText = random.chance(0.03) || LABELS[label] === undefined;
      return [isText ? label : LABELS[label]!, label === 'vd' ? Buffer.from('hi') : value];
    });
    return new Map(fields);
  });
  return new CborWriter(random, random.chance(0.1)).write(items);
}

function token(random: Random, value: Field): string {
  if (typeof value === 'string') return stringToken(random, value);
  if (typeof value !== 'number') return String(value);
  if (!Number.isFinite(value)) return '1e999';
  return random.chance(0.1) ? value.toExponential() : JSON.stringify(value);
}

function packOf(random: Random, channel: PlanChannel, { samples, nowMs }: Content): Entry[] {
  const baseName = random.pick(['', '', 'urn:dev:', 'dev:', 'room/']);
  const times = random.pick(['each', 'each', 'base', 'relative'] as const);
  const first = samples.find(({ timeMs }) => timeMs !== undefined)?.timeMs;
  const baseMs = times === 'base' ? (first ?? nowMs) : times === 'relative' ? nowMs : 0;
  const baseValue = random.chance(0.05) ? random.pick([1, 0.25, 2n, -3n]) : 0;
  const pack: Entry[] = [];
  for (const { timeMs, level } of samples) {
    const time = timeMs === undefined ? {} : timeOf(timeMs, baseMs);
    const promise: Entry = random.chance(0.15) ? { ut: random.pick([0.5, 1, 60, 3, -1]) } : {};
    for (const metric of randomMetrics(random, channel)) {
      const name = nameOf(metric, baseName);
      pack.push({
        n: name,
        ...senmlValue(random, metric, level),
        ...time,
        ...unitOf(random, metric),
        ...promise,
      });
    }
    if (random.chance(0.05)) pack.push(random.pick<Entry>(PASSED));
  }
  const base: Entry = {
    ...(baseName === '' ? {} : { bn: baseName }),
    ...(times === 'base' ? { bt: baseMs / 1000 } : {}),
    ...(baseValue === 0 ? {} : { bv: baseValue }),
    ...(random.chance(0.1) ? { bu: 'Cel' } : {}),
    ...(random.chance(0.1) ? { bver: random.chance(0.9) ? 10 : 11 } : {}),
  };
  // Base fields by themselves, or in the first record.
  if (pack.length === 0 || random.chance(0.1)) return [base, ...pack];
  return [{ ...base, ...pack[0] }, ...pack.slice(1)];
}

const PASSED: readonly Entry[] = [
  ...[{ n: 'nobody', v: 1 }, { n: 'm0', s: 5 }, { bu: 'Cel' }, { n: 'm0', v: 1, x: 'y' }],
  ...[{ n: 'm0', vd: 'aGk' }, { bt: 5 }, { n: 'm0', v: 1, t: -5 }, { n: 'm0', v: 1, x_: 1 }],
];

function timeOf(timeMs: number, baseMs: number): Entry {
  return { t: (timeMs - baseMs) / 1000 };
}

function nameOf({ path }: PlanMetric, baseName: string): string {
  const [name] = path as [string];
  return baseName === 'dev:' && name.startsWith('dev:') ? name.slice(4) : name;
}

function unitOf(random: Random, { sentUnit }: PlanMetric): Entry {
  if (sentUnit === '') return random.chance(0.1) ? { u: 'K' } : {};
  return random.chance(0.6) ? { u: random.chance(0.95) ? sentUnit : 'K' } : {};
}

function senmlValue(random: Random, { kind }: PlanMetric, level: number): Entry {
  const said = random.chance(0.02) ? random.pick(['number', 'boolean', 'text'] as const) : kind;
  if (said === 'boolean') return { vb: random.chance(0.5) };
  if (said === 'text') return { vs: randomText(random) };
  if (said === 'integer' || random.chance(0.2)) return { v: randomInteger(random, level) };
  return { v: random.chance(0.01) ? Infinity : randomNumber(random, level) };
}

/**
 * Random payloads. In: a channel and what a device measured. Out: bytes in the channel's format, as
 * many devices would write them: odd spellings of numbers, blanks, escapes, members that nobody
 * declared, fields twice. And the same bytes damaged.
 */
import type { PlanChannel, PlanMetric, TimeFormat } from '../../src/model/plan.ts';
import { TEXTS } from './plan-generator.ts';
import type { Random } from './random.ts';
import { encodeTelemetry, type ReadingInput, type SampleInput } from './telemetry.ts';

export interface Measurement {
  /** Undefined: the device sends no time. */
  readonly timeMs: number | undefined;
  /** What all its numbers are around. */
  readonly level: number;
}

export interface PayloadKey {
  readonly eventId?: string;
  readonly bootId?: bigint;
  readonly sequence?: bigint;
}

export function randomPayload(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  const payload = channel.format === 'json' ? jsonOf : protobufOf;
  return framed(random, channel, payload(random, channel, content));
}

interface Content {
  readonly samples: readonly Measurement[];
  readonly key: PayloadKey;
}

function jsonOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  return Buffer.from(randomJson(random, channel, content));
}

function protobufOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  const samples = content.samples.map(({ timeMs, level }): SampleInput => {
    const readings = randomMetrics(random, channel).map((metric) =>
      protobufReading(random, metric, level),
    );
    if (random.chance(0.05)) readings.push({ metric: random.int(60, 70), number: 1 });
    if (random.chance(0.02)) readings.push({ name: 'nobody', number: 1 });
    return { ...(timeMs === undefined ? {} : { timeMs }), readings };
  });
  return encodeTelemetry({ samples, ...content.key });
}

/** Behind the Confluent prefix, where the channel has one; now and then with an unknown id. */
function framed(random: Random, channel: PlanChannel, payload: Uint8Array): Uint8Array {
  if (channel.framing === 'none') return payload;
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(random.chance(0.05) ? 9 : random.pick(channel.schemaIds), 1);
  const index = channel.format === 'protobuf' ? [0] : [];
  return Buffer.concat([prefix, Buffer.from(index), payload]);
}

function randomMetrics(random: Random, channel: PlanChannel): PlanMetric[] {
  const share = random.pick([1, 0.95, 0.5]);
  const chosen = channel.metrics.filter(({ required }) =>
    required ? random.chance(0.97) : random.chance(share),
  );
  if (random.chance(0.03) && chosen.length > 0) chosen.push(random.pick(chosen));
  return chosen;
}

export function randomNumber(random: Random, level = 0): number {
  if (random.chance(0.6)) return level + random.pick([0, 0, 0, 1, 0.25]);
  if (random.chance(0.8)) return Math.round((random.unit() * 140 - 60) * 1000) / 1000;
  return random.pick([
    ...[0, -0, 1, -1, 80.5, 0.1, 1 / 3, 1e-310, 5e-324, 1.7976931348623157e308, -1e300],
    ...[2 ** 53 + 2, random.unit(), random.unit() * 1e20, (random.unit() - 0.5) * 1e-20],
  ]);
}

function randomInteger(random: Random, level = 0): bigint {
  if (random.chance(0.6)) return BigInt(Math.round(level) + random.pick([0, 0, 1]));
  if (random.chance(0.8)) return BigInt(random.int(-60, 90));
  return random.pick([
    ...[0n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_991n],
    BigInt.asIntN(64, random.wide()),
  ]);
}

function randomText(random: Random): string {
  if (random.chance(0.85)) return random.pick(TEXTS);
  return random.pick([`t${random.int(0, 99)}`, 'ä'.repeat(128), 'ä'.repeat(129), '5', 'a\u0000b']);
}

function protobufReading(random: Random, metric: PlanMetric, level: number): ReadingInput {
  const to = random.chance(0.8) ? { metric: metric.ordinal + 1 } : { name: metric.name };
  if (random.chance(0.01)) return to;
  if (random.chance(0.01)) return { ...to, number: random.pick([NaN, Infinity, -Infinity]) };
  const kind = random.chance(0.02)
    ? random.pick(['number', 'integer', 'boolean', 'text'] as const)
    : metric.kind;
  if (kind === 'integer') return { ...to, integer: randomInteger(random, level) };
  if (kind === 'text') return { ...to, text: randomText(random) };
  if (kind === 'boolean') return { ...to, boolean: random.chance(0.5) };
  if (random.chance(0.1)) return { ...to, integer: randomInteger(random, level) };
  return { ...to, number: randomNumber(random, level) };
}

// --- JSON ---------------------------------------------------------------------------------------
type Tree = Map<string, Tree | string>;

function randomJson(random: Random, channel: PlanChannel, { samples, key }: Content): string {
  const { samplesPath, timePath, eventIdPath } = channel;
  const root: Tree = new Map();
  const isArrayed = samplesPath.length > 0;
  const [first] = samples;
  if (!isArrayed && first !== undefined) putSample(random, channel, { root, sample: first });
  if (isArrayed && channel.timeOf === 'record' && first?.timeMs !== undefined) {
    if (timePath.length > 0) put(root, timePath, timeOf(random, channel, first.timeMs));
  }
  if (key.eventId !== undefined && eventIdPath.length > 0) {
    put(root, eventIdPath, stringToken(random, key.eventId));
  }
  while (random.chance(0.3)) put(root, [random.pick(['z', 'y', 'é', ''])], randomValue(random, 3));
  if (isArrayed) put(root, samplesPath, arrayOf(random, channel, samples));
  return write(random, root);
}

function arrayOf(random: Random, channel: PlanChannel, samples: readonly Measurement[]): string {
  if (random.chance(0.02)) return random.pick(['null', '{}', '[1]', '[null]', '"x"']);
  const elements = samples.map((sample) => {
    const root: Tree = new Map();
    putSample(random, channel, { root, sample });
    return write(random, root);
  });
  return `[${elements.join(',')}]`;
}

/** Metrics, and the time where it is the sample's. */
function putSample(
  random: Random,
  channel: PlanChannel,
  { root, sample }: { root: Tree; sample: Measurement },
): void {
  const { timePath, samplesPath, timeOf: owner } = channel;
  for (const metric of randomMetrics(random, channel)) {
    if (!metric.retired || random.chance(0.5)) {
      put(root, metric.path, jsonToken(random, metric, sample.level));
    }
  }
  const isOwn = samplesPath.length === 0 || owner === 'sample';
  if (!isOwn || sample.timeMs === undefined || timePath.length === 0) return;
  put(root, timePath, timeOf(random, channel, sample.timeMs));
}

const timeOf = (random: Random, { timeFormat }: PlanChannel, timeMs: number): string =>
  timeToken(random, timeMs, timeFormat);

/** A member may lie where another is a value: then the later one replaces it. */
function put(root: Tree, path: readonly string[], token: string): void {
  let node = root;
  for (const name of path.slice(0, -1)) {
    const next = node.get(name);
    const inner: Tree = next instanceof Map ? next : new Map();
    node.set(name, inner);
    node = inner;
  }
  node.set(path.at(-1)!, token);
}

function write(random: Random, tree: Tree | string): string {
  if (typeof tree === 'string') return tree;
  const blank = () => (random.chance(0.1) ? random.pick([' ', '\n', '\t \r\n']) : '');
  const members = [...tree].map(([name, value]) => {
    const key = stringToken(random, name);
    return `${blank()}${key}${blank()}:${blank()}${write(random, value)}${blank()}`;
  });
  return `${blank()}{${members.join(',')}}${blank()}`;
}

function stringToken(random: Random, text: string): string {
  if (!random.chance(0.1)) return JSON.stringify(text);
  const escaped = [...text].map((character) => {
    const code = character.charCodeAt(0);
    const isPlain = character.length > 1 || !random.chance(0.3);
    return isPlain
      ? JSON.stringify(character).slice(1, -1)
      : `\\u${code.toString(16).padStart(4, '0')}`;
  });
  return `"${escaped.join('')}"`;
}

function jsonToken(random: Random, metric: PlanMetric, level: number): string {
  if (random.chance(0.02)) return 'null';
  if (random.chance(0.02)) return random.pick(['"5"', '[]', '{"a":1}', 'true', '1', '1.5']);
  if (metric.kind === 'boolean') return random.pick(['true', 'false']);
  if (metric.kind === 'text') return textToken(random);
  if (metric.kind === 'integer') return integerToken(random, level);
  return random.chance(0.1) ? integerToken(random, level) : numberToken(random, level);
}

function textToken(random: Random): string {
  return random.chance(0.02) ? '"\\ud800"' : stringToken(random, randomText(random));
}

function integerToken(random: Random, level: number): string {
  const value = randomInteger(random, level);
  if (random.chance(0.85)) return String(value);
  const odd = ['3.0', '1e2', '-0', '-0.0', '120e-1', '1.5e1', '9223372036854775808', '0.5'];
  const edge = ['9007199254740992.0', '9007199254740994.0', '1e19', '-9223372036854775809', '1E+1'];
  return random.pick([...odd, ...edge, `${value}.0`, `${value}e0`]);
}

function numberToken(random: Random, level = 0): string {
  const value = randomNumber(random, level);
  if (random.chance(0.75)) return JSON.stringify(Object.is(value, -0) ? 0 : value);
  const digits = Array.from({ length: random.int(1, 40) }, () => random.int(0, 9)).join('');
  const whole = String(BigInt(digits));
  return random.pick([
    ...[
      value.toExponential(),
      value.toPrecision(21),
      value.toExponential(17),
      `${whole}.${digits}`,
    ],
    ...[`0.${digits}`, `-${whole}`, `${whole}e-${digits.length}`, `0.000${digits}E+3`, '-0.0'],
    ...['1e999', '-1e400', '2.2250738585072011e-308', '1e-400', '9007199254740993', '1e23'],
    ...['8.41e21', '5e-324', '2.4703282292062328e-324', '1.7976931348623158e308', '0e99999'],
    `${whole}e${random.int(-340, 320)}`,
    `${random.int(1, 9)}.${digits}e${random.int(-320, 308)}`,
  ]);
}

function timeToken(random: Random, timeMs: number, format: TimeFormat): string {
  const ms = BigInt(Math.round(timeMs));
  if (format === 'iso8601') return isoToken(random, timeMs);
  const finer = random.int(0, 999);
  if (format === 'ms') return random.chance(0.8) ? `${ms}` : `${ms}.${finer}`;
  if (format === 'us') return `${ms * 1000n + BigInt(finer)}`;
  if (format === 'ns') return `${ms * 1_000_000n + BigInt(finer)}`;
  const digits = String(ms < 0n ? -ms : ms).padStart(4, '0');
  const text = `${ms < 0n ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
  return random.pick([text, `${text}${finer}`, `${ms / 1000n}`]);
}

function isoToken(random: Random, timeMs: number): string {
  const zoneMinutes = random.chance(0.8) ? 0 : random.int(-1439, 1439);
  const local = new Date(timeMs + zoneMinutes * 60_000).toISOString();
  const pad = (value: number) => String(value).padStart(2, '0');
  const size = Math.abs(zoneMinutes);
  const sign = zoneMinutes < 0 ? '-' : '+';
  const zone =
    zoneMinutes === 0
      ? random.pick(['Z', 'z', '+00:00', '-00:00'])
      : `${sign}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
  const fraction = random.pick(['', '.000', local.slice(19, 23), `${local.slice(19, 23)}9999`]);
  const text = `${local.slice(0, 10)}${random.pick(['T', 't', ' '])}${local.slice(11, 19)}`;
  return JSON.stringify(`${text}${fraction}${zone}`);
}

function randomValue(random: Random, depth: number): string {
  if (depth > 0 && random.chance(0.5)) {
    const inner = Array.from({ length: random.int(0, 3) }, () => randomValue(random, depth - 1));
    if (random.chance(0.5)) return `[${inner.join(',')}]`;
    return `{${inner.map((value, place) => `"k${place % 2}":${value}`).join(',')}}`;
  }
  const texts = ['"\\\\"', '"\\""', '"äöü 😀"', '"a\\u0000b\\ud83d"', '""', '"{[,]}:"'];
  return random.pick(['true', 'false', 'null', numberToken(random), ...texts]);
}

// --- damage -------------------------------------------------------------------------------------
/** The same bytes with a few changes: what comes of it is for the oracle to say. */
export function damaged(random: Random, bytes: Uint8Array): Uint8Array {
  let result = Buffer.from(bytes);
  for (let change = random.int(1, 3); change > 0; change -= 1) {
    const at = random.int(0, Math.max(0, result.length - 1));
    const kind = random.int(0, 4);
    if (kind === 0 && result.length > 0) result[at] = result[at]! ^ (1 << random.int(0, 7));
    else if (kind === 1) result = result.subarray(0, at);
    else if (kind === 2) {
      const inserted = random.chance(0.5)
        ? Buffer.from(random.pick(['"', '{', '}', ',', '\\', '0', ' ', '\u0001', 'e', '-', ']']))
        : random.bytes(random.int(1, 3));
      result = Buffer.concat([result.subarray(0, at), inserted, result.subarray(at)]);
    } else if (kind === 3 && result.length > 0) result[at] = random.bits() & 255;
    else {
      const end = Math.min(result.length, at + random.int(1, 8));
      result = Buffer.concat([result.subarray(0, at), result.subarray(end)]);
    }
  }
  return result;
}

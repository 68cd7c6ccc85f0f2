/**
 * Random JSON payloads. In: a channel and what a device measured. Out: a text as many devices would
 * write it: odd spellings of numbers and times, blanks, escapes, members that nobody declared.
 */
import type { PlanChannel, PlanMetric, TimeFormat } from '../../../src/model/plan.ts';
import type { Random } from '../random.ts';
import {
  type Content,
  type Measurement,
  randomInteger,
  randomMetrics,
  randomNumber,
  randomText,
} from './value.ts';

export function jsonOf(random: Random, channel: PlanChannel, content: Content): Uint8Array {
  return Buffer.from(randomJson(random, channel, content));
}

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

export function stringToken(random: Random, text: string): string {
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

export function textToken(random: Random): string {
  return random.chance(0.02) ? '"\\ud800"' : stringToken(random, randomText(random));
}

export function integerToken(random: Random, level: number): string {
  const value = randomInteger(random, level);
  if (random.chance(0.85)) return String(value);
  const odd = ['3.0', '1e2', '-0', '-0.0', '120e-1', '1.5e1', '9223372036854775808', '0.5'];
  const edge = ['9007199254740992.0', '9007199254740994.0', '1e19', '-9223372036854775809', '1E+1'];
  return random.pick([...odd, ...edge, `${value}.0`, `${value}e0`]);
}

export function numberToken(random: Random, level = 0): string {
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

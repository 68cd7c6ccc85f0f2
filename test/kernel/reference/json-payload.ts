/**
 * JSON payloads by path. In: the bytes of a record and its channel's plan. Out: key and samples, of
 * the root or of the elements of an array.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import type { Reading, Sample } from './decode.ts';
import { ELEMENT, find, type Node, readJson } from './json.ts';
import { idKey, type KeyField } from './key.ts';
import { Malformed } from './protobuf.ts';
import { readTime } from './time.ts';
import { judgeValue, type Raw } from './validate.ts';

type Time = Pick<Sample, 'timeMs' | 'timeOffset'>;

export function decodeJson(
  payload: Uint8Array,
  channel: PlanChannel,
): { key: KeyField; samples: readonly Sample[] } {
  const { samplesPath, timePath, timeFormat, eventIdPath } = channel;
  const root = readJson(payload, declaredIn(channel), (document) =>
    checkSamples(document, channel),
  );
  const key = jsonKey(find(root, eventIdPath));
  const isArrayed = samplesPath.length > 0;
  const bases = isArrayed ? elementsOf(root, samplesPath) : [root];
  const timeOf = (base: Node, offset: number): Time => {
    const time = find(isArrayed && channel.timeOf === 'record' ? root : base, timePath);
    if (time === undefined) return { timeMs: null, timeOffset: offset };
    return { timeMs: readTime(time, timeFormat) ?? 'malformed', timeOffset: time.start };
  };
  const samples = bases.map((base) => {
    const offset = isArrayed ? base.start : 0;
    return { ...timeOf(base, offset), offset, readings: readingsOf(base, channel) };
  });
  return { key, samples };
}

/** What is said of a member of an array is said of the members of its elements. */
function declaredIn(channel: PlanChannel): (path: readonly string[]) => boolean {
  const { samplesPath, timePath, eventIdPath } = channel;
  const metrics = metricsOf(channel).map(({ path }) => path);
  let paths = [...metrics, timePath, eventIdPath];
  if (samplesPath.length > 0) {
    const isOfRecord = channel.timeOf === 'record';
    // Nothing of the record lies in the array itself: paths lead through objects only.
    const ofRecord = [eventIdPath, ...(isOfRecord ? [timePath] : [])].filter(
      (path) =>
        path.length <= samplesPath.length || !samplesPath.every((name, i) => name === path[i]),
    );
    const ofSample = [...metrics, ...(isOfRecord ? [] : [timePath])];
    const elements = ofSample.map((path) => [...samplesPath, ELEMENT, ...path]);
    paths = [samplesPath, ...ofRecord, ...elements];
  }
  return (path) => paths.some((known) => path.every((name, index) => known[index] === name));
}

/** Malformed at the first thing that stands where the array or a sample should. */
function checkSamples(root: Node, { samplesPath }: PlanChannel): void {
  const array = find(root, samplesPath);
  if (array === undefined) return;
  if (array.kind !== 'array') throw new Malformed(array.start);
  const wrong = array.elements.find(({ kind }) => kind !== 'object' && kind !== 'null');
  if (wrong !== undefined) throw new Malformed(wrong.start);
}

function elementsOf(root: Node, path: readonly string[]): readonly Node[] {
  return (find(root, path)?.elements ?? []).filter(({ kind }) => kind === 'object');
}

const metricsOf = ({ metrics }: PlanChannel) => metrics.filter(({ retired }) => !retired);

function readingsOf(base: Node, channel: PlanChannel): Reading[] {
  const readings = metricsOf(channel).flatMap((metric): Reading[] => {
    const node = find(base, metric.path);
    if (node === undefined) return [];
    return [{ metric, judged: judgeValue(metric, jsonValue(metric, node)), offset: node.start }];
  });
  return readings.sort((left, right) => left.offset - right.offset);
}

function jsonKey(node: Node | undefined): KeyField {
  if (node === undefined) return null;
  if (node.kind === 'number' && /^-?[0-9]+$/.test(node.text)) return idKey(Buffer.from(node.text));
  if (node.kind !== 'string') return 'invalid';
  const text = node.value as string;
  return isWellFormed(text) ? idKey(Buffer.from(text)) : 'invalid';
}

/** Whether it has no lone surrogate. */
export const isWellFormed = (text: string): boolean => Buffer.from(text).toString() === text;

function jsonValue(metric: PlanMetric, node: Node): Raw {
  if (node.kind === 'boolean') return { kind: 'boolean', value: node.value as boolean };
  if (node.kind === 'string') {
    const value = node.value as string;
    return isWellFormed(value) ? { kind: 'text', value } : { kind: 'other' };
  }
  if (node.kind !== 'number') return { kind: 'other' };
  const value = Number(node.text);
  if (metric.kind !== 'integer') return { kind: 'double', value };
  if (/^-?[0-9]+$/.test(node.text)) return { kind: 'integer', value: BigInt(node.text) };
  const whole = Number.isInteger(value) && Math.abs(value) <= 2 ** 53;
  return whole ? { kind: 'integer', value: BigInt(value) } : { kind: 'double', value };
}

/**
 * Relations between a channel's format and where its values lie in a payload. In: raw shape, the
 * channel. Out: problems; see relation.ts. What a schema's paths lead to is the registry's to
 * judge.
 */
import type { ConfigPath, ConfigProblem } from '../../model/config.ts';
import { JSON_DEPTH_MAX } from '../../model/limit.ts';
import { hasPaths } from './normal.ts';
import type { Subject } from './relation.ts';

/** A device and a metric of it; a metric of the node. */
const SPARKPLUG_NAMES_MAX = 2;

export function placeProblems(subject: Subject): ConfigProblem[] {
  return [
    ...schemaProblems(subject),
    ...(hasPaths(subject.channel.format) ? timeProblems(subject) : fixedProblems(subject)),
    ...pathProblems(subject),
  ];
}

function schemaProblems({ raw, channel, at }: Subject): ConfigProblem[] {
  const also = [at('format')];
  const described = raw.format === 'avro' || raw.format === 'protobuf';
  const problems: ConfigProblem[] = [];
  const say = (option: ConfigPath, what: string, ...more: ConfigPath[]) =>
    problems.push({ path: option, what, with: [...also, ...more] });
  if (raw.format === 'avro' && raw.schema.file === undefined) {
    say(at('schema', 'file'), 'must name the .avsc file: Avro cannot be read without its schema');
  }
  if (!described && raw.schema.file !== undefined) {
    say(at('schema', 'file'), `has no meaning for ${raw.format}: it is for avro and protobuf`);
  }
  if (raw.schema.message === undefined) {
    if (raw.format === 'protobuf' && raw.schema.file !== undefined) {
      say(at('schema', 'message'), 'must name the message of the file that payloads are');
    }
  } else if (raw.format !== 'protobuf') {
    say(at('schema', 'message'), `has no meaning for ${raw.format}: it is for protobuf`);
  } else if (raw.schema.file === undefined) {
    say(at('schema', 'message'), 'needs schema.file, in which the message stands');
  }
  const framed = raw.framing === 'confluent';
  if (framed && !described && raw.format !== 'json') {
    say(at('framing'), `has no meaning for ${raw.format}: it is for avro, json and protobuf`);
  } else if (framed && channel.schemaIds.length === 0) {
    say(at('framing'), 'needs schema.ids: the ids that the prefix may name');
  }
  if (!framed && channel.schemaIds.length > 0) {
    say(at('schema', 'ids'), 'has no effect without framing: confluent', at('framing'));
  }
  return problems;
}

function timeProblems({ raw, channel, at }: Subject): ConfigProblem[] {
  const also = [at('format')];
  const problems: ConfigProblem[] = [];
  if (raw.time.required && raw.time.path === undefined) {
    const what = 'needs time.path: without it every sample is rejected';
    problems.push({ path: at('time', 'required'), what, with: [...also, at('time', 'path')] });
  }
  if (raw.time.of === 'record' && raw.samples.path === undefined) {
    const what = 'has no effect without samples.path';
    problems.push({ path: at('time', 'of'), what, with: [at('samples', 'path')] });
  }
  if (raw.dedup.content === true && channel.time.path.length === 0) {
    const what = 'needs time.path: what has no time of its own may well come twice';
    problems.push({ path: at('dedup', 'content'), what, with: [...also, at('time', 'path')] });
  }
  return problems;
}

/** Canonical Protobuf, Sparkplug and SenML say themselves where everything is. */
function fixedProblems({ raw, channel, at }: Subject): ConfigProblem[] {
  const also = [at('format')];
  const given: ConfigPath[] = [];
  if (raw.samples.path !== undefined) given.push(at('samples', 'path'));
  if (raw.time.path !== undefined) given.push(at('time', 'path'));
  if (raw.time.of !== 'sample') given.push(at('time', 'of'));
  if (raw.eventId.path !== undefined) given.push(at('eventId', 'path'));
  const metrics = Object.entries(raw.metrics).filter(([, metric]) => metric.path !== undefined);
  if (channel.format === 'protobuf') {
    for (const [name] of metrics) given.push(at('metrics', name, 'path'));
  }
  const payload = channel.format === 'protobuf' ? 'a protobuf payload without schema' : raw.format;
  const what = `is for json, avro and protobuf with a schema: ${payload} has its fixed places`;
  return given.map((path) => ({ path, what, with: also }));
}

interface Place {
  readonly option: ConfigPath;
  readonly path: readonly string[];
}

/** A place in the payload means one thing, and a value cannot also be an object with members. */
function pathProblems(subject: Subject): ConfigProblem[] {
  const { channel, at } = subject;
  const metrics = channel.metrics.map((metric) => ({
    option: at('metrics', metric.name, 'path'),
    path: metric.path,
  }));
  if (channel.format === 'protobuf') return [];
  if (!hasPaths(channel.format)) return nameProblems(subject, metrics);
  const time = { option: at('time', 'path'), path: channel.time.path };
  const samples = { option: at('samples', 'path'), path: channel.samplesPath };
  const eventId = { option: at('eventId', 'path'), path: channel.eventIdPath };
  if (samples.path.length === 0) return treeProblems([time, eventId, ...metrics], 0);
  const ofRecord = channel.time.of === 'record';
  const root = [samples, eventId, ...(ofRecord ? [time] : [])];
  const element = [...(ofRecord ? [] : [time]), ...metrics];
  return [...treeProblems(root, 0), ...treeProblems(element, samples.path.length + 1)];
}

/** `depth`: containers around the place where the paths begin. */
function treeProblems(all: readonly Place[], depth: number): ConfigProblem[] {
  const places = all.filter(({ path }) => path.length > 0);
  return places.flatMap(({ option, path }, index): ConfigProblem[] => {
    if (path.some((name) => name === '')) {
      return [{ path: option, what: 'has an empty member name', given: path.join('.') }];
    }
    if (depth + path.length >= JSON_DEPTH_MAX) {
      return [{ path: option, what: `is deeper than ${JSON_DEPTH_MAX - 1 - depth} members` }];
    }
    const other = places.slice(0, index).find((place) => overlaps(place.path, path));
    if (other === undefined) return [];
    const what = `is the same place as ${other.option.slice(2).join('.')}, or within it`;
    return [{ path: option, what, given: path.join('.'), with: [other.option] }];
  });
}

function overlaps(left: readonly string[], right: readonly string[]): boolean {
  const length = Math.min(left.length, right.length);
  return left.slice(0, length).every((name, index) => name === right[index]);
}

/** Sparkplug: a metric's name, or a device and a metric's name; SenML: a name. */
function nameProblems({ channel, at }: Subject, metrics: readonly Place[]): ConfigProblem[] {
  const most = channel.format === 'sparkplug' ? SPARKPLUG_NAMES_MAX : 1;
  return metrics.flatMap(({ option, path }, index): ConfigProblem[] => {
    const also = [at('format')];
    if (path.length > most) {
      const allowed = most === 1 ? 'a name' : 'a name, or [device, name]';
      return [{ path: option, what: 'names too much', given: path, allowed, with: also }];
    }
    const other = metrics.slice(0, index).find((each) => each.path.join('\0') === path.join('\0'));
    if (other === undefined) return [];
    const what = `is the same place as ${other.option.slice(2).join('.')}`;
    return [{ path: option, what, with: [other.option, ...also] }];
  });
}

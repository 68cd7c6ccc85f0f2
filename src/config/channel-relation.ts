/**
 * Relations within one channel, and between it and the catalogue, the log and the tables. In: raw
 * shape, Config, the channel. Out: problems; see relation.ts.
 */

import { formatDuration, parseDuration } from '../base/quantity.ts';
import type { ChannelConfig, Config, ConfigPath, ConfigProblem } from '../model/config.ts';
import { JSON_DEPTH_MAX, METRICS_PER_CHANNEL_MAX } from '../model/limit.ts';
import { channelTable } from '../model/table.ts';
import { retentionKeyOf } from './normal.ts';
import type { RawChannel, RawConfig } from './schema/schema.ts';
import { nearest } from './spelling.ts';

const RESERVED_COLUMNS = new Set(
  channelTable({ name: '', metrics: [] }).columns.map((column) => column.name),
);
/** `v_<channel>` would be one of the other views. */
const RESERVED_CHANNELS = new RegExp(
  '^(readings|readings_any|ledger|dead_letters|devices|alerts|shadows|visible|generations' +
    '|agg_.*|quality_.*)$',
  'i',
);
const DAY_MS = 86_400_000;

interface Subject {
  readonly raw: RawChannel;
  readonly config: Config;
  readonly channel: ChannelConfig;
  readonly at: (...path: (string | number)[]) => ConfigPath;
}

export function channelProblems(
  raw: RawConfig,
  config: Config,
  channel: ChannelConfig,
): ConfigProblem[] {
  const at = (...path: (string | number)[]): ConfigPath => ['channels', channel.name, ...path];
  const subject: Subject = { raw: raw.channels[channel.name], config, channel, at };
  const problems = [
    ...metricProblems(subject),
    ...formatProblems(subject),
    ...pathProblems(subject),
    ...windowProblems(subject),
    ...timeChainProblems(subject),
    ...retentionProblems(subject),
  ];
  if (RESERVED_CHANNELS.test(channel.name)) {
    const what = `is reserved: v_${channel.name} is another view`;
    problems.unshift({ path: at(), key: true, what });
  }
  return problems;
}

function metricProblems({ config, channel, at, raw }: Subject): ConfigProblem[] {
  const count = channel.metrics.length;
  if (count === 0) return [{ path: at('metrics'), what: 'must name at least one metric' }];
  const problems: ConfigProblem[] = [];
  if (count > METRICS_PER_CHANNEL_MAX) {
    const what = `has more than ${METRICS_PER_CHANNEL_MAX} metrics`;
    problems.push({ path: at('metrics'), what, given: count });
  }
  const names = config.metrics.map((metric) => metric.name);
  for (const metric of channel.metrics) {
    const path = at('metrics', metric.name);
    if (RESERVED_COLUMNS.has(metric.name)) {
      const what = 'is the name of a column that every channel has: choose another';
      problems.push({ path, key: true, what });
      continue;
    }
    const declared = config.metrics.find((candidate) => candidate.name === metric.name);
    if (declared === undefined) {
      const near = nearest(metric.name, names) ?? undefined;
      const what = 'is not in the catalogue (`metrics:` at the top level)';
      problems.push({ path, key: true, what, near, with: [['metrics', metric.name]] });
    } else if (declared.kind === 'boolean' && raw.metrics[metric.name].unit !== undefined) {
      problems.push({ path: [...path, 'unit'], what: 'has no meaning for a boolean' });
    }
  }
  return problems;
}

function formatProblems({ raw, channel, at }: Subject): ConfigProblem[] {
  const also = [at('format')];
  if (channel.format === 'json') {
    if (!raw.time.required || raw.time.path !== undefined) return [];
    const what = 'needs time.path: without it every sample is rejected';
    return [{ path: at('time', 'required'), what, with: [...also, at('time', 'path')] }];
  }
  const given: ConfigPath[] = [];
  if (raw.time.path !== undefined) given.push(at('time', 'path'));
  if (raw.eventId.path !== undefined) given.push(at('eventId', 'path'));
  for (const [name, metric] of Object.entries(raw.metrics)) {
    if (metric.path !== undefined) given.push(at('metrics', name, 'path'));
  }
  const what = 'is for json: a protobuf payload has its fixed places';
  return given.map((path) => ({ path, what, with: also }));
}

/** A place in the payload means one thing, and a value cannot also be an object with members. */
function pathProblems({ channel, at }: Subject): ConfigProblem[] {
  if (channel.format !== 'json') return [];
  const places = [
    { option: at('time', 'path'), path: channel.time.path },
    { option: at('eventId', 'path'), path: channel.eventIdPath },
    ...channel.metrics.map((metric) => ({
      option: at('metrics', metric.name, 'path'),
      path: metric.path,
    })),
  ].filter(({ path }) => path.length > 0);
  return places.flatMap(({ option, path }, index): ConfigProblem[] => {
    if (path.some((name) => name === '')) {
      return [{ path: option, what: 'has an empty member name', given: path.join('.') }];
    }
    if (path.length >= JSON_DEPTH_MAX) {
      return [{ path: option, what: `is deeper than ${JSON_DEPTH_MAX - 1} members` }];
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

function windowProblems({ raw, at }: Subject): ConfigProblem[] {
  const lengths = raw.windows.map((text) => parseDuration(text) ?? 0);
  return raw.windows.flatMap((text, index): ConfigProblem[] => {
    const path = at('windows', index);
    if (lengths.indexOf(lengths[index]) !== index) {
      return [{ path, what: 'is named twice', given: text }];
    }
    if (DAY_MS % lengths[index] === 0) return [];
    const what = 'does not divide a day, so windows would not line up with days';
    return [{ path, what, given: text, allowed: 'such as 10s, 1m, 5m, 15m, 1h, 6h, 1d' }];
  });
}

function timeChainProblems({ raw, channel, config, at }: Subject): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const ordered = (small: [ConfigPath, number], great: [ConfigPath, number], name: string) => {
    if (small[1] <= great[1]) return;
    const what = `must not exceed ${name} (${formatDuration(great[1])})`;
    problems.push({ path: small[0], what, given: formatDuration(small[1]), with: [great[0]] });
  };
  const outOfOrder: [ConfigPath, number] = [at('outOfOrder'), channel.outOfOrderMs];
  const lateness: [ConfigPath, number] = [at('lateness'), channel.latenessMs];
  ordered(outOfOrder, lateness, 'lateness');
  if (channel.age.policy === 'accept') {
    if (raw.historical || raw.age.policy === 'accept') return problems;
  }
  const age: [ConfigPath, number] = [at('age', 'max'), channel.age.maxMs];
  ordered(lateness, age, 'age.max');
  ordered(age, [['dedup', 'horizon'], config.dedup.horizonMs], 'dedup.horizon');
  return problems;
}

/** A row that is expired when it is written is lost without a word. */
function retentionProblems({ raw, channel, at }: Subject): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const lengths = channel.windows.map((window) => window.lengthMs);
  for (const key of Object.keys(raw.retention)) {
    if (key === 'readings' || lengths.includes(parseDuration(key) ?? 0)) continue;
    const allowed = ['readings', ...channel.windows.map((window) => window.name)].join(', ');
    const path = at('retention', key);
    const what = 'is no window of this channel';
    problems.push({ path, key: true, what, allowed, with: [at('windows')] });
  }
  const tables = [
    { key: 'readings', retentionMs: channel.retentionMs, lengthMs: 0 },
    ...channel.windows.map((window) => ({
      ...window,
      key: retentionKeyOf(raw, window.lengthMs) ?? window.name,
    })),
  ];
  for (const { key, retentionMs, lengthMs } of tables) {
    if (retentionMs === 0) continue;
    const path = at('retention', key);
    const text = formatDuration(retentionMs);
    const given = Object.hasOwn(raw.retention, key) ? { given: text } : {};
    const byDefault = 'given' in given ? '' : `; it is ${text} by default`;
    if (raw.historical) {
      const what = 'contradicts `historical`, which keeps everything: say forever, or leave it out';
      problems.push({ path, what, ...given, with: [at('historical')] });
    } else if (channel.age.policy === 'reject' && retentionMs <= channel.age.maxMs + lengthMs) {
      const least = formatDuration(channel.age.maxMs + lengthMs);
      const reason = lengthMs > 0 ? 'age.max and one window' : 'age.max';
      const what = `must exceed ${least} (${reason})${byDefault}`;
      problems.push({ path, what, ...given, with: [at('age', 'max'), at('age', 'policy')] });
    }
  }
  if (raw.historical && raw.age.policy === 'reject') {
    const what = 'contradicts `historical`, which does not judge age';
    problems.push({ path: at('age', 'policy'), what, with: [at('historical')] });
  }
  return problems;
}

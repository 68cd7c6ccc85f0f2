/**
 * Relations within one channel, and between it and the catalogue, the log and the tables. In: raw
 * shape, Config, the channel. Out: problems; see relation.ts.
 */

import { formatDuration } from '../../base/quantity.ts';
import { nearest } from '../../base/spelling.ts';
import type { ChannelConfig, Config, ConfigPath, ConfigProblem } from '../../model/config.ts';
import { METRICS_PER_CHANNEL_MAX } from '../../model/limit.ts';
import { RESERVED_METRIC_NAMES } from '../../model/table.ts';
import type { RawChannel, RawConfig } from '../schema/schema.ts';
import { conditionProblems } from './condition.ts';
import { placeProblems } from './place.ts';
import { readWindows, retentionKeyOf } from './window.ts';

/** `v_<channel>` would be one of the other views. */
const RESERVED_CHANNELS = new RegExp(
  '^(readings|readings_any|ledger|dead_letters|devices|alerts|shadows|visible|generations' +
    '|agg_.*|quality_.*)$',
  'i',
);

export interface Subject {
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
    ...placeProblems(subject),
    ...conditionProblems(subject),
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

function metricProblems({ config, channel, at }: Subject): ConfigProblem[] {
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
    if (RESERVED_METRIC_NAMES.includes(metric.name)) {
      const what = 'is the name of a column that every channel has: choose another';
      problems.push({ path, key: true, what });
      continue;
    }
    const declared = config.metrics.find((candidate) => candidate.name === metric.name);
    if (declared === undefined) {
      const near = nearest(metric.name, names) ?? undefined;
      const what = 'is not in the catalogue (`metrics:` at the top level)';
      problems.push({ path, key: true, what, near, with: [['metrics', metric.name]] });
    } else if (/^(boolean|text)$/.test(declared.kind) && metric.unit !== null) {
      problems.push({ path: [...path, 'unit'], what: `has no meaning for a ${declared.kind}` });
    }
  }
  return problems;
}

function windowProblems({ raw, at }: Subject): ConfigProblem[] {
  return readWindows(raw).problems.map(({ index, member, ...problem }) => ({
    ...problem,
    path: member === undefined ? at('windows', index) : at('windows', index, member),
  }));
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
  const names = channel.windows.map((window) => window.name);
  const keys = names.map((name) => retentionKeyOf(raw, name));
  for (const key of Object.keys(raw.retention)) {
    if (key === 'readings' || keys.includes(key)) continue;
    const allowed = ['readings', ...names].join(', ');
    const path = at('retention', key);
    const what = 'is no window of this channel';
    problems.push({ path, key: true, what, allowed, with: [at('windows')] });
  }
  const tables = [
    { key: 'readings', retentionMs: channel.retentionMs, lengthMs: 0 },
    ...channel.windows.map((window) => ({
      ...window,
      key: retentionKeyOf(raw, window.name) ?? window.name,
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

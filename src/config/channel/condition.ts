/**
 * Relations of a channel's rules and alerts: their metrics are the channel's and have an order. In:
 * the raw shape, the channel. Out: problems; see relation.ts.
 */

import { nearest } from '../../base/spelling.ts';
import type { ConfigPath, ConfigProblem } from '../../model/config.ts';
import { ALERTS_PER_CHANNEL_MAX, RULES_PER_CHANNEL_MAX } from '../../model/limit.ts';
import type { Subject } from './relation.ts';

export function conditionProblems(subject: Subject): ConfigProblem[] {
  return [...ruleProblems(subject), ...alertProblems(subject)];
}

function ruleProblems(subject: Subject): ConfigProblem[] {
  const { channel, at } = subject;
  const problems = countProblems(subject, 'rules', RULES_PER_CHANNEL_MAX);
  for (const { name, left, right } of channel.rules) {
    const path = at('rules', name);
    problems.push(...metricProblems(subject, path, left));
    if (right !== left) problems.push(...metricProblems(subject, path, right));
    else problems.push({ path, what: 'compares a metric with itself' });
  }
  return problems;
}

function alertProblems(subject: Subject): ConfigProblem[] {
  const { channel, raw, at } = subject;
  const problems = countProblems(subject, 'alerts', ALERTS_PER_CHANNEL_MAX);
  for (const { name, metric, condition, low, high, hysteresis } of channel.alerts) {
    const { above, below, outside } = raw.alerts[name];
    const given = [above, below, outside].filter((bound) => bound !== null && bound !== undefined);
    const bounds = (['above', 'below', 'outside'] as const).map((each) => at('alerts', name, each));
    if (given.length !== 1) {
      const what = 'must say exactly one of above, below and outside';
      problems.push({ path: at('alerts', name), what, with: bounds });
    } else if (condition === 'outside' && low > high) {
      const what = 'must name the lower value first';
      problems.push({ path: at('alerts', name, 'outside'), what, given: outside });
    } else if (condition === 'outside' && low + hysteresis > high - hysteresis) {
      const what = 'leaves no value inside the bounds that would clear the alert';
      const path = at('alerts', name, 'hysteresis');
      problems.push({ path, what, given: hysteresis, with: bounds });
    }
    if (metric === '') {
      problems.push({ path: at('alerts', name, 'metric'), what: 'must name a metric' });
    } else problems.push(...metricProblems(subject, at('alerts', name, 'metric'), metric));
  }
  return problems;
}

function countProblems(
  { channel, at }: Subject,
  section: 'rules' | 'alerts',
  most: number,
): ConfigProblem[] {
  const count = channel[section].length;
  const what = `has more than ${most} ${section}`;
  return count > most ? [{ path: at(section), what, given: count }] : [];
}

function metricProblems({ channel, config, at }: Subject, path: ConfigPath, name: string) {
  const also: ConfigPath[] = [at('metrics', name), ['metrics', name, 'kind']];
  if (!channel.metrics.some((metric) => metric.name === name)) {
    const names = channel.metrics.map((metric) => metric.name);
    const near = nearest(name, names) ?? undefined;
    const what = `names ${name}, which is no metric of the channel`;
    return [{ path, what, allowed: names.join(', '), near, with: [also[0]] }];
  }
  const kind = config.metrics.find((metric) => metric.name === name)?.kind;
  if (kind !== 'boolean' && kind !== 'text') return [];
  return [{ path, what: `needs a number, and ${name} is a ${kind}`, with: also }];
}

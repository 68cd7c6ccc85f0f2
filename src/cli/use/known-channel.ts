/**
 * A channel that the running plan has: can it take this file? In: the plan's channel, the options
 * of the command. Out: nothing, or INPUT_INVALID with what to change. Nothing is sent before this
 * passed.
 */
import { formatDuration } from '../../base/quantity.ts';
import { OperatingError } from '../../model/error.ts';
import type { PlanChannel } from '../../model/plan.ts';
import type { ChannelWishes } from './declaration.ts';

export function checkKnownChannel(
  channel: PlanChannel,
  wishes: ChannelWishes,
  configFile: string | null,
): void {
  const where = configFile ?? 'its configuration';
  const at = `channels.${channel.name}`;
  if (channel.format !== 'json') {
    throw invalid(
      `channel ${channel.name} takes ${channel.format}, rows of a file are sent as JSON: choose ` +
        `another --channel, or set ${at}.format: json in ${where} and restart`,
    );
  }
  const judges = channel.agePolicy === 'reject' || channel.retentionMs > 0;
  if (wishes.historical && judges) {
    throw invalid(
      `channel ${channel.name} is not historical: it ${judgement(channel)}. Set ` +
        `\`historical: true\` under ${at} in ${where} and restart, or name another --channel`,
    );
  }
  for (const [name, path] of wishes.metrics ?? []) {
    const metric = channel.metrics.find((each) => each.name === name && !each.retired);
    if (!metric) {
      const names = channel.metrics.filter(({ retired }) => !retired).map((each) => each.name);
      throw invalid(`channel ${channel.name} has no metric ${name}; it has: ${names.join(', ')}`);
    }
    if (metric.path.join('.') === path) continue;
    throw invalid(
      `metric ${name} of channel ${channel.name} is read from "${metric.path.join('.')}", not ` +
        `from "${path}": map the column with --column ${metric.path.join('.')}=${path}`,
    );
  }
  for (const [name, text] of wishes.units ?? []) {
    const metric = channel.metrics.find((each) => each.name === name);
    const canonical = text.slice(text.lastIndexOf('>') + 1);
    if (!text.includes('>') || !metric || metric.unit === canonical) continue;
    throw invalid(`metric ${name} is stored in ${metric.unit}, not in ${canonical}`);
  }
}

function judgement({ agePolicy, maxAgeMs, retentionMs }: PlanChannel): string {
  const parts = [
    ...(agePolicy === 'reject' ? [`rejects events older than ${formatDuration(maxAgeMs)}`] : []),
    ...(retentionMs > 0 ? [`deletes rows after ${formatDuration(retentionMs)}`] : []),
  ];
  return parts.join(' and ');
}

function invalid(message: string): OperatingError {
  return new OperatingError('INPUT_INVALID', message);
}

/**
 * Channels in the plan. In: as declared, those of earlier plans. Out: PlanChannels by id, for ever;
 * what is no longer declared is retired.
 */
import type { ChannelConfig } from '../../model/config.ts';
import { CHANNELS_MAX } from '../../model/limit.ts';
import type { PlanChannel } from '../../model/plan.ts';
import { type Compilation, inPlaces } from './compilation.ts';
import { compileAlerts, compileRules } from './condition.ts';
import { compileMetrics } from './metric.ts';
import { compileSchema } from './schema.ts';

export function compileChannels(compilation: Compilation, earlier: readonly PlanChannel[]) {
  const { config, problems } = compilation;
  const channels = inPlaces<PlanChannel, ChannelConfig>(earlier, config.channels, {
    retire: (channel) => ({ ...channel, retired: true }),
    compile: (declared, id, before) => compileChannel(compilation, declared, { id, before }),
  });
  if (channels.length > CHANNELS_MAX) {
    const what = `has ${channels.length} with those no longer declared, at most ${CHANNELS_MAX}`;
    problems.push({ path: ['channels'], what });
  }
  return channels;
}

function compileChannel(
  compilation: Compilation,
  channel: ChannelConfig,
  { id, before }: { id: number; before: PlanChannel | undefined },
): PlanChannel {
  const metrics = compileMetrics(compilation, channel, before?.metrics ?? []);
  return {
    id,
    name: channel.name,
    retired: false,
    format: channel.format,
    framing: channel.framing,
    schemaIds: channel.schemaIds,
    schema: compileSchema(compilation, channel),
    samplesPath: channel.samplesPath,
    storeSamples: channel.storeSamples,
    timeOf: channel.time.of,
    timePath: channel.time.path,
    timeFormat: channel.time.format,
    timeRequired: channel.time.required,
    eventIdPath: channel.eventIdPath,
    metrics,
    windows: channel.windows,
    outOfOrderMs: channel.outOfOrderMs,
    latenessMs: channel.latenessMs,
    idleMs: channel.idleMs,
    maxAgeMs: channel.age.maxMs,
    agePolicy: channel.age.policy,
    maxClockSkewMs: channel.clock.maxSkewMs,
    clockPolicy: channel.clock.policy,
    suspectPolicy: channel.suspectPolicy,
    contentDedup: channel.contentDedup,
    timelyMs: channel.timelyMs,
    score: channel.score,
    rules: compileRules(channel, metrics),
    alerts: compileAlerts(compilation, channel, metrics, before?.alerts ?? []),
    unknownMetrics: channel.unknownMetrics,
    retentionMs: channel.retentionMs,
  };
}

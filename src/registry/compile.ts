/**
 * Compiles the configuration into a plan. In: a checked Config, the newest plan of the log (null:
 * none). Out: the plan; CONFIG_INVALID when units do not fit or what earlier plans fixed would
 * change. Pure.
 *
 * Ids are for ever: channels and alerts keep their id and metrics their ordinal, also while they
 * are not declared (retired); state, presence bits and devices' messages refer to them. New ones
 * get the next number, in the order of the file.
 */

import type { Config, ConfigPath, ConfigProblem, LocateProblem } from '../model/config.ts';
import { withoutPlace } from '../model/config.ts';
import { configInvalid } from '../model/config-error.ts';
import { MESSAGE_BYTES_MAX } from '../model/limit.ts';
import type { Plan } from '../model/plan.ts';
import { compileChannels } from './compile/channel.ts';
import type { Compilation } from './compile/compilation.ts';
import { planText } from './plan-text.ts';
import { findConversion, findUnitProblem, isConversion } from './unit/conversion.ts';

/** `locate` (from loadConfig) gives problems their file and line. */
export function compilePlan(
  config: Config,
  previous: Plan | null,
  locate: LocateProblem = withoutPlace,
): Plan {
  const compilation: Compilation = { config, problems: checkUnits(config) };
  const plan: Plan = {
    version: 1,
    log: config.log.id,
    partitions: config.log.partitions,
    channels: compileChannels(compilation, previous?.channels ?? []),
    devicesAllowed: config.devices.policy === 'strict' ? config.devices.allow : null,
    devicesMax: config.devices.max,
    idsPerDevice: config.devices.idsPerDevice,
    contentsPerDevice: config.dedup.contentsPerDevice,
    textsMax: config.texts.max,
    quality: config.quality.enabled,
    qualityRetentionMs: config.quality.retentionMs,
    alertRetentionMs: config.alerts.retentionMs,
    dedupHorizonMs: config.dedup.horizonMs,
    deadLettersPerDeviceMinute: config.deadLetters.perDeviceMinute,
    deadLetterRetentionMs: config.deadLetters.retentionMs,
    shadowIntervalMs: config.shadows.intervalMs,
    publishShadows: config.shadows.publish,
  };
  checkLog(compilation, plan, previous);
  if (compilation.problems.length > 0) throw configInvalid(compilation.problems.map(locate));
  return plan;
}

/** Units that are no UCUM codes or cannot be converted: for loadConfig's `checks`. */
export function checkUnits(config: Config): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const broken = new Set<string>();
  for (const { name, unit } of config.metrics) {
    const problem = findUnitProblem(unit);
    if (problem === null) continue;
    broken.add(name);
    problems.push({ path: ['metrics', name, 'unit'], given: unit, ...problem });
  }
  for (const channel of config.channels) {
    for (const { name, unit } of channel.metrics) {
      const canonical = config.metrics.find((metric) => metric.name === name)?.unit;
      if (unit === null || canonical === undefined || broken.has(name)) continue;
      const conversion = findConversion(unit, canonical);
      if (isConversion(conversion)) continue;
      const path: ConfigPath = ['channels', channel.name, 'metrics', name, 'unit'];
      const also: ConfigPath[] = [['metrics', name, 'unit']];
      problems.push({ path, given: unit, with: also, ...conversion });
    }
  }
  return problems;
}

function checkLog({ problems }: Compilation, plan: Plan, previous: Plan | null): void {
  if (previous?.log === plan.log && previous.partitions !== plan.partitions) {
    const what =
      `is fixed for the life of a log: '${plan.log}' has ${previous.partitions}; ` +
      'choose another log.id to begin a new log';
    problems.push({ path: ['log', 'partitions'], what, given: plan.partitions });
  }
  const bytes = Buffer.byteLength(planText(plan));
  if (bytes > MESSAGE_BYTES_MAX) {
    const what =
      `makes a plan of ${bytes} bytes, a log message holds ${MESSAGE_BYTES_MAX}: ` +
      'fewer channels, metrics or allowed devices';
    problems.push({ path: ['channels'], what });
  }
}

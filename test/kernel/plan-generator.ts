/**
 * Random plans, and random changes of a plan as the contract allows them: channel ids, metric
 * ordinals and alert ids keep their meaning, everything else may change in mid-stream.
 */
import type {
  PayloadFormat,
  Plan,
  PlanChannel,
  PlanMetric,
  ValueKind,
} from '../../src/model/plan.ts';
import { changedAlerts, randomAlerts, randomRules } from './condition-generator.ts';
import { fitted } from './format/fit.ts';
import { channelOf, HOUR_MS, MINUTE_MS, metricOf, planOf } from './plan-sample.ts';
import type { Random } from './random.ts';
import { changedWindows, randomWindows } from './window-generator.ts';

const DAY_MS = 24 * HOUR_MS;
const OWNERS = ['sample', 'record'] as const;
const FORMATS: readonly PayloadFormat[] = [
  ...(['protobuf', 'protobuf', 'json', 'json', 'sparkplug', 'sparkplug', 'sparkplug'] as const),
  ...(['senml-json', 'senml-cbor', 'avro', 'protobuf-message'] as const),
];

export function randomPlan(random: Random): Plan {
  const count = random.int(1, 4);
  const channels = Array.from({ length: count }, (_, id) => randomChannel(random, id));
  return planOf(channels, randomLimits(random));
}

function randomLimits(random: Random): Partial<Plan> {
  return {
    devicesMax: random.chance(0.1) ? random.int(1, 4) : 1000,
    devicesAllowed: random.chance(0.1) ? ['t1/s1/d0', 't1/s1/d1', 't1/s1/d2', 't1/s1/d3'] : null,
    idsPerDevice: random.pick([1, 3, 8, 64, 256]),
    dedupHorizonMs: random.pick([1000, MINUTE_MS, 7 * DAY_MS]),
    deadLettersPerDeviceMinute: random.pick([0, 1, 5, 100_000, 100_000]),
    deadLetterRetentionMs: random.pick([0, 1, DAY_MS]),
    shadowIntervalMs: random.pick([0, 0, 1000, 10_000]),
    contentsPerDevice: random.pick([1, 3, 64]),
    textsMax: random.pick([0, 1, 3, 65_536, 65_536]),
    quality: random.chance(0.6),
    qualityRetentionMs: random.pick([0, 1, DAY_MS]),
    alertRetentionMs: random.pick([0, 1, DAY_MS]),
  };
}

function randomChannel(random: Random, id: number): PlanChannel {
  const metricCount = random.chance(0.05) ? 64 : random.int(1, 6);
  const metrics = Array.from({ length: metricCount }, (_, ordinal) =>
    randomMetric(random, ordinal),
  );
  const channel = channelOf(id, `c${id}`, {
    format: random.pick(FORMATS),
    timePath: random.pick([['time'], ['head', 'time'], ['time'], []]),
    timeFormat: random.pick(['iso8601', 's', 'ms', 'us', 'ns']),
    ...(random.chance(0.3)
      ? { samplesPath: random.pick([['all'], ['body', 'all']]), timeOf: random.pick(OWNERS) }
      : {}),
    ...(random.chance(0.15) ? { framing: 'confluent', schemaIds: [3, 70_000] } : {}),
    eventIdPath: random.pick([['id'], ['head', 'id'], []]),
    metrics,
    windows: randomWindows(random),
    rules: randomRules(random, metrics),
    alerts: randomAlerts(random, metrics),
    ...randomPolicies(random),
  });
  return fitted(channel);
}

function randomPolicies(random: Random): Partial<PlanChannel> {
  return {
    timeRequired: random.chance(0.3),
    outOfOrderMs: random.pick([0, 1000, 10_000]),
    latenessMs: random.pick([10_000, MINUTE_MS, HOUR_MS]),
    idleMs: random.pick([500, 3000, 30_000]),
    maxAgeMs: random.pick([HOUR_MS, 3 * HOUR_MS, 30 * DAY_MS]),
    agePolicy: random.pick(['reject', 'accept']),
    maxClockSkewMs: random.pick([0, 1000, 5 * MINUTE_MS, 5 * MINUTE_MS, 5 * MINUTE_MS]),
    clockPolicy: random.pick(['reject', 'reject', 'accept', 'correct', 'correct']),
    suspectPolicy: random.pick(['reject', 'accept']),
    contentDedup: random.chance(0.5),
    timelyMs: random.pick([0, 1000, MINUTE_MS]),
    score: random.pick(['none', 'ewma', 'seasonal']),
    unknownMetrics: random.pick(['reject', 'ignore']),
    retentionMs: random.pick([0, 0, HOUR_MS, DAY_MS]),
    ...(random.chance(0.15) ? PATIENT : {}),
  };
}

/** Windows stay open until there are too many of them. */
const PATIENT: Partial<PlanChannel> = {
  ...{ outOfOrderMs: 3 * HOUR_MS, latenessMs: 3 * HOUR_MS, idleMs: HOUR_MS },
  ...{ maxAgeMs: 30 * DAY_MS, retentionMs: 0 },
};

/** What texts usually say. */
export const TEXTS: readonly string[] = ['on', 'off', 'ü😀', '', 'idle', 'x'.repeat(256)];

function randomMetric(random: Random, ordinal: number): PlanMetric {
  const kind = random.pick<ValueKind>([
    ...(['number', 'number', 'number', 'number'] as const),
    ...(['integer', 'boolean', 'text'] as const),
  ]);
  const isPlain = kind === 'boolean' || kind === 'text';
  const name = random.chance(0.05) ? `m${ordinal}-${'x'.repeat(60)}`.slice(0, 64) : `m${ordinal}`;
  const isRanged = !isPlain && random.chance(0.4);
  const ordinary = { scale: 1, offset: 0 };
  const scaled = random.pick([
    ...[
      { scale: 1 / 3.6, offset: 0 },
      { scale: 1, offset: -273.15 },
    ],
    ...[
      { scale: 5 / 9, offset: -160 / 9 },
      { scale: -2, offset: 1 },
      { scale: 1e300, offset: 0 },
    ],
  ]);
  return metricOf(ordinal, name, {
    kind,
    unit: random.pick(['Cel', 'm/s', '1']),
    ...(!isPlain && random.chance(0.4) ? scaled : ordinary),
    min: isRanged ? random.pick([null, -50, 0]) : null,
    max: isRanged ? random.pick([null, 0, 80.5]) : null,
    values: kind === 'text' && random.chance(0.5) ? TEXTS.slice(0, random.int(1, 4)) : null,
    maxRatePerSecond: random.chance(0.2) ? random.pick([0, 1, 10, 1000]) : null,
    stuckMs: random.chance(0.2) ? random.pick([0, 1, 3000, MINUTE_MS]) : null,
    required: random.chance(0.1),
    path: random.pick([[name], [name], ['body', name], ['body', 'deep', name]]),
    retired: random.chance(0.05),
  });
}

/** A later plan of the same log. */
export function changedPlan(random: Random, plan: Plan): Plan {
  const channels = plan.channels.map((channel) =>
    random.chance(0.7) ? changedChannel(random, channel) : channel,
  );
  if (random.chance(0.3)) channels.push(randomChannel(random, channels.length));
  return {
    ...plan,
    channels,
    ...(random.chance(0.5) ? randomLimits(random) : {}),
  };
}

function changedChannel(random: Random, channel: PlanChannel): PlanChannel {
  const metrics = channel.metrics.map((metric) => ({
    ...metric,
    ...(random.chance(0.1) ? { retired: true } : {}),
    ...(random.chance(0.2) ? { unit: 'K' } : {}),
    ...(random.chance(0.2) ? { stuckMs: random.pick([null, 1, 3000]) } : {}),
    ...(random.chance(0.2) && !['boolean', 'text'].includes(metric.kind)
      ? { scale: 2, min: 1, max: null }
      : {}),
  }));
  if (random.chance(0.5) && metrics.length < 64) {
    metrics.push(randomMetric(random, metrics.length));
  }
  return fitted({
    ...channel,
    metrics,
    windows: random.chance(0.5) ? changedWindows(random, channel.windows) : channel.windows,
    rules: random.chance(0.2) ? randomRules(random, metrics) : channel.rules,
    alerts: random.chance(0.5) ? changedAlerts(random, metrics, channel.alerts) : channel.alerts,
    ...(random.chance(0.1) ? { retired: true } : {}),
    ...(random.chance(0.5) ? randomPolicies(random) : {}),
  });
}

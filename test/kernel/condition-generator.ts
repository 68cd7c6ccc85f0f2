/** Random rules and alerts of a channel, and random changes of them; alert ids are for ever. */
import type { PlanAlert, PlanMetric, PlanRule } from '../../src/model/plan.ts';
import { MINUTE_MS } from './plan-sample.ts';
import type { Random } from './random.ts';

const ALERTS_MAX = 32;

const isNumeric = ({ kind }: PlanMetric): boolean => kind === 'number' || kind === 'integer';

export function randomRules(random: Random, metrics: readonly PlanMetric[]): PlanRule[] {
  const numeric = metrics.filter(isNumeric);
  if (numeric.length < 2 || random.chance(0.6)) return [];
  return Array.from({ length: random.int(1, 3) }, (_, place) => ({
    name: `r${place}`,
    left: random.pick(numeric).ordinal,
    operator: random.pick(['<', '<=', '=', '!='] as const),
    right: random.pick(numeric).ordinal,
  }));
}

export function randomAlerts(random: Random, metrics: readonly PlanMetric[]): PlanAlert[] {
  if (random.chance(0.4)) return [];
  return addedAlerts(random, metrics, []);
}

/** Some are retired, some judge otherwise, some come. */
export function changedAlerts(
  random: Random,
  metrics: readonly PlanMetric[],
  alerts: readonly PlanAlert[],
): PlanAlert[] {
  const kept = alerts.map((alert) => ({
    ...alert,
    ...(random.chance(0.15) ? { retired: true } : {}),
    ...(random.chance(0.2) ? randomCondition(random) : {}),
  }));
  return random.chance(0.3) ? addedAlerts(random, metrics, kept) : kept;
}

function addedAlerts(
  random: Random,
  metrics: readonly PlanMetric[],
  before: readonly PlanAlert[],
): PlanAlert[] {
  const numeric = metrics.filter(isNumeric);
  if (numeric.length === 0) return [...before];
  const count = Math.min(ALERTS_MAX - before.length, random.int(1, 4));
  const added = Array.from({ length: count }, (_, place) => {
    const id = before.length + place;
    return {
      ...{ id, name: `a${id}`, metric: random.pick(numeric).ordinal, retired: false },
      severity: random.pick(['info', 'warning', 'critical'] as const),
      ...randomCondition(random),
    };
  });
  return [...before, ...added];
}

function randomCondition(random: Random) {
  const condition = random.pick(['above', 'below', 'outside'] as const);
  return {
    condition,
    low: condition === 'above' ? 0 : random.pick([-20, 0, -7.5]),
    high: condition === 'below' ? 0 : random.pick([20, 3, 7.5]),
    hysteresis: random.pick([0, 0, 1, 10]),
    dwellMs: random.pick([0, 0, 1, 1500, MINUTE_MS]),
  };
}

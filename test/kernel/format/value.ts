/**
 * What a device says, whatever its format: which metrics, and values around its level, at bounds,
 * and odd ones. In: a channel. Out: choices for the writers of payloads.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { TEXTS } from '../plan-generator.ts';
import type { Random } from '../random.ts';

export interface Measurement {
  /** Undefined: the device sends no time. */
  readonly timeMs: number | undefined;
  /** What all its numbers are around. */
  readonly level: number;
}

export interface PayloadKey {
  readonly eventId?: string;
  readonly bootId?: bigint;
  readonly sequence?: bigint;
}

export interface Content {
  readonly samples: readonly Measurement[];
  readonly key: PayloadKey;
  /** When it is received: what relative times count from. */
  readonly nowMs: number;
}

export function randomMetrics(random: Random, channel: PlanChannel): PlanMetric[] {
  const share = random.pick([1, 0.95, 0.5]);
  const chosen = channel.metrics.filter(({ required }) =>
    required ? random.chance(0.97) : random.chance(share),
  );
  if (random.chance(0.03) && chosen.length > 0) chosen.push(random.pick(chosen));
  return chosen;
}

export function randomNumber(random: Random, level = 0): number {
  if (random.chance(0.6)) return level + random.pick([0, 0, 0, 1, 0.25]);
  if (random.chance(0.8)) return Math.round((random.unit() * 140 - 60) * 1000) / 1000;
  return random.pick([
    ...[0, -0, 1, -1, 80.5, 0.1, 1 / 3, 1e-310, 5e-324, 1.7976931348623157e308, -1e300],
    ...[2 ** 53 + 2, random.unit(), random.unit() * 1e20, (random.unit() - 0.5) * 1e-20],
  ]);
}

export function randomInteger(random: Random, level = 0): bigint {
  if (random.chance(0.6)) return BigInt(Math.round(level) + random.pick([0, 0, 1]));
  if (random.chance(0.8)) return BigInt(random.int(-60, 90));
  return random.pick([
    ...[0n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_991n],
    BigInt.asIntN(64, random.wide()),
  ]);
}

export function randomText(random: Random): string {
  if (random.chance(0.85)) return random.pick(TEXTS);
  return random.pick([`t${random.int(0, 99)}`, 'ä'.repeat(128), 'ä'.repeat(129), '5', 'a\u0000b']);
}

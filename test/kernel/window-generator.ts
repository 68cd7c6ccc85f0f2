/**
 * Random windows of a channel, of all kinds, and random changes of them. A window's name follows
 * from its shape, so that one table holds windows of one kind and length.
 */
import { type PlanWindow, WINDOW_DEFAULTS } from '../../src/model/plan.ts';
import { HOUR_MS, MINUTE_MS } from './plan-sample.ts';
import type { Random } from './random.ts';

const WINDOWS_MAX = 6;
const RETENTIONS_MS = [0, 0, 1, 24 * HOUR_MS];

export function randomWindows(random: Random): PlanWindow[] {
  if (random.chance(0.05)) return [];
  const minute = random.pick([MINUTE_MS, 5000]);
  const hour = random.pick([HOUR_MS, HOUR_MS, 12 * minute]);
  const usual = [tumbling(random, minute), tumbling(random, hour)];
  const others = Array.from({ length: random.int(0, 3) }, () => randomWindow(random));
  const windows = random.chance(0.2) ? others : [...usual, ...others];
  return distinct(random.chance(0.2) ? shuffled(random, windows) : windows);
}

/** Some leave, some come, the rest in another order; a sketch is gained or lost. */
export function changedWindows(random: Random, windows: readonly PlanWindow[]): PlanWindow[] {
  const kept = windows
    .filter(() => random.chance(0.8))
    .map((window) => ({
      ...window,
      ...(random.chance(0.2) ? { sketch: !window.sketch } : {}),
      ...(random.chance(0.2) ? { retentionMs: random.pick(RETENTIONS_MS) } : {}),
    }));
  const added = random.chance(0.4) ? [randomWindow(random)] : [];
  const all = random.chance(0.3) ? shuffled(random, [...kept, ...added]) : [...kept, ...added];
  return distinct(all);
}

function randomWindow(random: Random): PlanWindow {
  const kind = random.pick(['tumbling', 'hopping', 'hopping', 'session', 'session', 'count']);
  if (kind === 'hopping') return hopping(random);
  if (kind === 'session') return session(random);
  if (kind === 'count') return count(random);
  return tumbling(random, random.pick([1000, 5000, MINUTE_MS, 10 * MINUTE_MS, 24 * HOUR_MS]));
}

const ofAny = (random: Random) => ({
  ...WINDOW_DEFAULTS,
  sketch: random.chance(0.3),
  retentionMs: random.pick(RETENTIONS_MS),
});

function tumbling(random: Random, lengthMs: number): PlanWindow {
  const name = lengthMs === MINUTE_MS ? '1m' : lengthMs === HOUR_MS ? '1h' : `t${lengthMs}`;
  return { ...ofAny(random), name, lengthMs };
}

function hopping(random: Random): PlanWindow {
  const everyMs = random.pick([1000, 5000, MINUTE_MS]);
  const lengthMs = everyMs * (random.chance(0.1) ? 64 : random.pick([1, 2, 3, 12]));
  const name = `h${lengthMs}x${everyMs}`;
  return { ...ofAny(random), name, kind: 'hopping', lengthMs, everyMs };
}

function session(random: Random): PlanWindow {
  const gapMs = random.pick([1, 700, 5000, MINUTE_MS, 10 * MINUTE_MS]);
  const lengthMs = gapMs * random.pick([1, 3, 1000]);
  return { ...ofAny(random), name: `s${gapMs}x${lengthMs}`, kind: 'session', lengthMs, gapMs };
}

function count(random: Random): PlanWindow {
  const everyCount = random.pick([1, 2, 7]);
  const samples = everyCount * random.pick([1, 2, 5]);
  const name = `c${samples}x${everyCount}`;
  return { ...ofAny(random), name, kind: 'count', lengthMs: 0, count: samples, everyCount };
}

function distinct(windows: readonly PlanWindow[]): PlanWindow[] {
  const byName = new Map(windows.map((window) => [window.name, window]));
  return [...byName.values()].slice(0, WINDOWS_MAX);
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: random.unit() }))
    .sort((left, right) => left.place - right.place)
    .map(({ item }) => item);
}

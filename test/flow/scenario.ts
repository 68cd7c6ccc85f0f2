/**
 * What a seed means: sizes, rates and which kinds of trouble there are. Each kind is on in some
 * runs only, so that every mixture is met: a fault that is always on hides others.
 */
import { createRandom, type Random } from '../../src/sim/random.ts';
import type { ModelPlan } from './device.ts';
import type { CallFaults } from './scheduler.ts';

export interface Scenario {
  readonly seed: number;
  readonly partitions: number;
  readonly workers: number;
  readonly standbys: number;
  readonly devices: number;
  /** Faults and events happen in this time; then everything heals. */
  readonly troubleMs: number;
  readonly eventsPerDevice: number;
  readonly checkpointIntervalMs: number;
  readonly chunkMessagesMax: number;
  readonly outputMax: number;
  readonly devicesPerChunk: number;
  readonly coarseMs: number;
  readonly logBytesMax: number;
  readonly logRetentionMs: number;
  readonly poisonRate: number;
  /** Share of devices with event ids instead of sequences. */
  readonly idRate: number;
  /** Share of devices that send what they kept after what is new. */
  readonly backlogRate: number;
  /** One device was away for so many days, an event each; 0: none. */
  readonly backlogDays: number;
  readonly plan: ModelPlan;
  readonly hasPlanChange: boolean;
  readonly calls: CallFaults;
  readonly lostHeartbeats: number;
  readonly partialInserts: number;
  /** How often each kind of incident happens. */
  readonly incidents: Readonly<Record<Incident, number>>;
}

export const INCIDENTS = [
  'crash',
  'pause',
  'cutOff',
  'ownershipOut',
  'clickhouseOut',
  'subjectsOut',
  'stateFull',
  'silence',
  'clockStep',
  'powerLoss',
  'damage',
  'stop',
  'drain',
  'pin',
  'gatewayCrash',
  'sleep',
  'sleepLate',
  'leaderAhead',
  'tailLoss',
] as const;
export type Incident = (typeof INCIDENTS)[number];

const PLAN: ModelPlan = {
  version: 1,
  scale: 1,
  windowMs: 4_000,
  boundMs: 500,
  latenessMs: 3_000,
  idleMs: 3_000,
  gapMs: 2_500,
  ageMaxMs: 200 * 86_400_000,
};

export function drawScenario(seed: number): Scenario {
  // A generator of its own: what is drawn here does not move what happens there.
  const random = createRandom(seed ^ 0x5eed);
  const some = (chance: number, most: number) =>
    random.chance(chance) ? random.uniform() * most : 0;
  const between = (least: number, most: number) => least + random.integer(most - least + 1);
  const logRetentionMs = random.chance(0.5) ? 0 : 1_000;
  return {
    seed,
    partitions: random.chance(0.2) ? 3 : between(1, 2),
    workers: random.chance(0.25) ? 3 : between(1, 2),
    standbys: between(0, 2),
    devices: between(2, 5),
    troubleMs: between(5, 16) * 1000,
    eventsPerDevice: between(3, 9),
    checkpointIntervalMs: between(3, 30) * 100,
    chunkMessagesMax: random.chance(0.3) ? 1 : between(2, 12),
    outputMax: random.chance(0.4) ? between(1, 5) : 200,
    devicesPerChunk: between(1, 3),
    coarseMs: between(150, 230),
    logBytesMax: 1 << 30,
    logRetentionMs,
    poisonRate: some(0.2, 0.04),
    idRate: some(0.5, 1),
    backlogRate: some(0.5, 1),
    backlogDays: 0,
    plan: PLAN,
    hasPlanChange: random.chance(0.2),
    calls: {
      lostRequest: some(0.5, 0.05),
      lostReply: some(0.5, 0.05),
      late: some(0.4, 0.04),
      doubled: some(0.4, 0.05),
      slow: some(0.4, 0.05),
      crash: some(0.4, 0.006),
    },
    lostHeartbeats: some(0.3, 0.5),
    partialInserts: some(0.4, 0.5),
    incidents: drawIncidents(random),
  };
}

const USUAL: readonly Incident[] = [
  ...(['crash', 'crash', 'pause', 'cutOff', 'ownershipOut', 'clickhouseOut'] as const),
  ...(['subjectsOut', 'stateFull', 'silence', 'clockStep', 'powerLoss', 'stop'] as const),
  ...(['drain', 'pin', 'gatewayCrash'] as const),
];

function drawIncidents(random: Random): Record<Incident, number> {
  const counts = noIncidents();
  const kinds = USUAL.filter(() => random.chance(0.35));
  for (let each = random.integer(7); each > 0 && kinds.length > 0; each -= 1) {
    counts[kinds[random.integer(kinds.length)]!] += 1;
  }
  if (random.chance(0.15)) counts.sleep = 1;
  if (random.chance(0.03)) counts.damage = 1;
  if (random.chance(0.01)) counts.leaderAhead = 1;
  // Known gap: whoever falls back to a checkpoint below a cut does not begin the generation there.
  const isWhole = counts.damage === 0;
  if (isWhole && random.chance(0.15)) counts.tailLoss = 1 + random.integer(3);
  return counts;
}

export const noIncidents = (): Record<Incident, number> =>
  Object.fromEntries(INCIDENTS.map((kind) => [kind, 0])) as Record<Incident, number>;

/** The same house and events, and nothing goes wrong. */
export function withoutFaults(scenario: Scenario): Scenario {
  return {
    ...scenario,
    calls: { lostRequest: 0, lostReply: 0, late: 0, doubled: 0, slow: 0, crash: 0 },
    lostHeartbeats: 0,
    partialInserts: 0,
    poisonRate: 0,
    incidents: noIncidents(),
  };
}

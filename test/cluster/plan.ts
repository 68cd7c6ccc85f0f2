/**
 * The faults of a run as data: what, whom, when, how long. In: a seed, minutes, how many workers.
 * Out: the same faults for the same input, every kind at least once. Nothing here touches a
 * process.
 *
 * Faults lie on tracks; on one track they come one after the other, each with time to settle, so
 * that a majority of servers and all workers but one always live. Tracks run side by side. Faults
 * of NATS and of connections to it share bursts at the begin of every minute: the rest of the
 * minute is free of them, and only there failovers are counted.
 */
import { createRandom, type Random } from '../../src/sim/random.ts';

export const FAULT_KINDS = [
  'worker-kill',
  'worker-pause',
  'worker-cut',
  'worker-disk-full',
  'worker-clock',
  'worker-nats-delay',
  'worker-nats-half-open',
  'nats-kill',
  'nats-pause',
  'nats-isolate',
  'nats-disk-full',
  'clickhouse-kill',
  'clickhouse-cut',
  'clickhouse-delay',
  'clickhouse-half-open',
  'publisher-cut',
  'publisher-half-open',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** From the begin of the run. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Worker or server, counted from 0. */
  readonly target: number;
  /** Killed and paused is whoever owns this partition then; `target` when nobody is known. */
  readonly ownerOf: number | null;
  /** Delay or jump of a clock in milliseconds; else 0. */
  readonly amountMs: number;
}

export interface PlanOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly workers: number;
  readonly natsServers: number;
  readonly partitions: number;
  readonly kinds?: readonly FaultKind[];
}

type Track = 'workers' | 'nats' | 'links' | 'clickhouse' | 'clocks' | 'publisher';

interface KindPlan {
  readonly track: Track;
  /** In ten minutes. */
  readonly count: number;
  readonly durationMs: readonly [number, number];
  /** Undisturbed on its track afterwards. */
  readonly settleMs: number;
  readonly amountMs?: readonly number[];
}

const KINDS: Readonly<Record<FaultKind, KindPlan>> = {
  'worker-kill': { track: 'workers', count: 22, durationMs: [500, 2_000], settleMs: 6_000 },
  'worker-pause': { track: 'workers', count: 8, durationMs: [20_000, 20_000], settleMs: 5_000 },
  'worker-cut': { track: 'workers', count: 10, durationMs: [1_000, 5_000], settleMs: 4_000 },
  'worker-disk-full': { track: 'workers', count: 5, durationMs: [3_000, 6_000], settleMs: 3_000 },
  'worker-clock': {
    ...{ track: 'clocks', count: 30, durationMs: [3_000, 10_000], settleMs: 500 },
    amountMs: [-45_000, -20_000, -5_000, 5_000, 45_000, 3_600_000],
  },
  'worker-nats-delay': {
    ...{ track: 'links', count: 20, durationMs: [2_000, 5_000], settleMs: 300 },
    amountMs: [20, 100, 300],
  },
  'worker-nats-half-open': { track: 'links', count: 14, durationMs: [1_000, 4_000], settleMs: 500 },
  'nats-kill': { track: 'nats', count: 8, durationMs: [1_000, 4_000], settleMs: 12_000 },
  'nats-pause': { track: 'nats', count: 4, durationMs: [4_000, 12_000], settleMs: 10_000 },
  'nats-isolate': { track: 'nats', count: 5, durationMs: [3_000, 8_000], settleMs: 10_000 },
  'nats-disk-full': { track: 'nats', count: 3, durationMs: [4_000, 8_000], settleMs: 12_000 },
  'clickhouse-kill': { track: 'clickhouse', count: 8, durationMs: [500, 4_000], settleMs: 10_000 },
  'clickhouse-cut': { track: 'clickhouse', count: 20, durationMs: [500, 4_000], settleMs: 1_000 },
  'clickhouse-delay': {
    ...{ track: 'clickhouse', count: 14, durationMs: [2_000, 6_000], settleMs: 500 },
    amountMs: [50, 200, 1_000],
  },
  'clickhouse-half-open': {
    ...{ track: 'clickhouse', count: 12, durationMs: [1_000, 4_000], settleMs: 1_000 },
  },
  'publisher-cut': { track: 'publisher', count: 24, durationMs: [200, 1_500], settleMs: 2_000 },
  'publisher-half-open': {
    track: 'publisher',
    count: 16,
    durationMs: [500, 3_000],
    settleMs: 2_000,
  },
};

/** Stopping one that owns nothing would show nothing. */
const STOPS_OWNER: readonly FaultKind[] = ['worker-kill', 'worker-pause'];

/** NATS and connections to it are disturbed only in this share of the run, in bursts. */
const BURST_TRACKS: readonly Track[] = ['nats', 'links', 'publisher'];
const BURST_SHARE = 0.45;
const BURST_EVERY_MS = 120_000;
/** Faults that end after the load are cut short there. */
const LEAD_MS = 2_000;

export function planFaults(options: PlanOptions): Fault[] {
  const durationMs = options.minutes * 60_000;
  const tracks = new Map<Track, FaultKind[]>();
  for (const kind of options.kinds ?? FAULT_KINDS) {
    const { track, count } = KINDS[kind];
    const wanted = Math.max(1, Math.round((count * options.minutes) / 10));
    tracks.set(track, [...(tracks.get(track) ?? []), ...Array<FaultKind>(wanted).fill(kind)]);
  }
  const faults = [...tracks].flatMap(([track, kinds], place) => {
    const random = createRandom(options.seed * 31 + place + 1);
    return layOut(shuffled(kinds, random), { track, random, durationMs, options });
  });
  return faults.sort((left, right) => left.atMs - right.atMs);
}

interface Layout {
  readonly track: Track;
  readonly random: Random;
  readonly durationMs: number;
  readonly options: PlanOptions;
}

/** One after the other, what time is left over shared out between them. */
function layOut(kinds: readonly FaultKind[], layout: Layout): Fault[] {
  const { track, random, durationMs, options } = layout;
  const isBurst = BURST_TRACKS.includes(track);
  const roomMs = (isBurst ? BURST_SHARE * durationMs : durationMs) - LEAD_MS;
  const drafts = kinds.map((kind) => draft(kind, random, options));
  const takenMs = drafts.reduce((sum, { durationMs: own, settleMs }) => sum + own + settleMs, 0);
  // More than fits is squeezed: everything still happens, with less time to settle.
  const squeeze = Math.min(1, (roomMs * 0.98) / takenMs);
  const gapMs = Math.max(0, roomMs - takenMs) / kinds.length;
  let atMs = LEAD_MS;
  return drafts.map(({ settleMs, ...fault }) => {
    const begin = atMs + random.uniform() * gapMs;
    const own = Math.round(fault.durationMs * squeeze);
    const placed = { ...fault, atMs: Math.round(isBurst ? spread(begin, durationMs) : begin) };
    atMs += gapMs + own + settleMs * squeeze;
    return { ...placed, durationMs: own };
  });
}

/** Time within bursts → time of the run. */
function spread(burstMs: number, durationMs: number): number {
  const everyMs = Math.min(BURST_EVERY_MS, durationMs);
  const lengthMs = everyMs * BURST_SHARE;
  return Math.floor(burstMs / lengthMs) * everyMs + (burstMs % lengthMs);
}

function draft(kind: FaultKind, random: Random, options: PlanOptions) {
  const { workers, natsServers, partitions } = options;
  const { durationMs, settleMs, amountMs = [0] } = KINDS[kind];
  const [least, most] = durationMs;
  // One server alone has a small disk.
  const servers = kind === 'nats-disk-full' ? 1 : natsServers;
  const target = random.integer(kind.startsWith('nats-') ? servers : workers);
  return {
    ...{ kind, settleMs, target },
    ownerOf: STOPS_OWNER.includes(kind) ? random.integer(partitions) : null,
    durationMs: least + Math.round(random.uniform() * (most - least)),
    amountMs: amountMs[random.integer(amountMs.length)]!,
  };
}

function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  return items.map(() => left.splice(random.integer(left.length), 1)[0]!);
}

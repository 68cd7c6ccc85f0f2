/**
 * How long partitions stood still. In: when each partition said something new, when faults began
 * and ended, when the log acknowledged nothing. Out: failover times of workers and stalls of NATS,
 * apart: an append to a stream whose leader died waits for an election, which is not ours.
 */
import type { Stall } from '../load/lane.ts';
import type { Fault, FaultKind } from '../plan.ts';

export interface FaultRecord extends Fault {
  readonly beganAtMs: number;
  /** When what it disturbed was healthy again. */
  readonly overAtMs: number;
  /** Partitions of the worker, or streams led by the server, when it began; null: not known. */
  readonly partitions: readonly number[] | null;
  readonly error: string | null;
}

/** A failover begins within this, else it was another one. */
const BEGINS_WITHIN_MS = 3_000;
/** After a fault of NATS. */
const CALM_MS = 2_000;
/** An undisturbed time that is shorter shows nothing. */
const WATCH_MS_MIN = 4_000;
/** A leader is replaced within this, as measured (4–9 s), with room. */
const ELECTION_MS_MAX = 20_000;

const STOPS_WORKER: readonly FaultKind[] = ['worker-kill', 'worker-pause'];
const DISTURBS_WORKER: readonly FaultKind[] = [...STOPS_WORKER, 'worker-cut', 'worker-disk-full'];
const disturbsNats = (kind: FaultKind): boolean =>
  kind.startsWith('nats-') || kind.startsWith('publisher-') || kind.startsWith('worker-nats-');

/** Ascending times of new facts, per partition. */
export type FactTimes = ReadonlyMap<number, readonly number[]>;

export interface Failover {
  readonly kind: FaultKind;
  readonly partition: number;
  readonly atMs: number;
  readonly gapMs: number;
}

/** One for each partition of a stopped worker, where no fault of NATS was open. */
export function failoversOf(
  faults: readonly FaultRecord[],
  times: FactTimes,
  loadEndMs: number,
): Failover[] {
  return faults
    .filter(({ kind, partitions }) => STOPS_WORKER.includes(kind) && partitions !== null)
    .flatMap((fault) => {
      const others = faults.filter((other) => other !== fault);
      const untilMs = Math.min(loadEndMs, undisturbedUntil(fault, others));
      if (untilMs - fault.beganAtMs < WATCH_MS_MIN) return [];
      const spoke = fault.partitions!.filter((partition) =>
        hasSpokenSince(times.get(partition) ?? [], fault.beganAtMs, others),
      );
      return spoke.map((partition) => ({
        ...{ kind: fault.kind, partition, atMs: fault.beganAtMs },
        gapMs: longestGap(times.get(partition) ?? [], fault.beganAtMs, untilMs),
      }));
    });
}

/** A partition that a fault of NATS made stand still, and that still does, is that fault's. */
function hasSpokenSince(
  times: readonly number[],
  beganAtMs: number,
  others: readonly FaultRecord[],
): boolean {
  const before = times.filter((at) => at <= beganAtMs).at(-1) ?? Number.NEGATIVE_INFINITY;
  return others.every(
    ({ kind, overAtMs }) => !disturbsNats(kind) || overAtMs > beganAtMs || overAtMs < before,
  );
}

function undisturbedUntil({ beganAtMs }: FaultRecord, others: readonly FaultRecord[]): number {
  let untilMs = Number.POSITIVE_INFINITY;
  for (const other of others) {
    if (!disturbsNats(other.kind) && !DISTURBS_WORKER.includes(other.kind)) continue;
    if (other.overAtMs + CALM_MS < beganAtMs) continue;
    if (other.beganAtMs <= beganAtMs && !disturbsNats(other.kind)) continue; // it is over for us
    untilMs = Math.min(untilMs, Math.max(other.beganAtMs, beganAtMs));
  }
  return untilMs;
}

/** Of the gaps that begin around the fault; one that lasts until the end counts until there. */
function longestGap(
  times: readonly number[],
  beganAtMs: number,
  untilMs: number,
  beginsWithinMs = BEGINS_WITHIN_MS,
): number {
  let longest = 0;
  let before: number | null = null;
  for (const at of [...times, untilMs]) {
    const end = Math.min(at, untilMs);
    const isOurs = end >= beganAtMs && (before ?? untilMs) <= beganAtMs + beginsWithinMs;
    if (before !== null && isOurs && before < untilMs) longest = Math.max(longest, end - before);
    before = at;
  }
  return longest;
}

export interface NatsStall {
  readonly partition: number;
  /** The killed server led its stream. */
  readonly wasLed: boolean;
  readonly stallMs: number;
}

/** The longest time without acknowledgement in each partition after a server was killed. */
export function natsStallsOf(
  faults: readonly FaultRecord[],
  stalls: readonly Stall[],
): NatsStall[] {
  const partitions = [...new Set(stalls.map(({ partition }) => partition))];
  return faults
    .filter(({ kind, partitions: led }) => kind === 'nats-kill' && led !== null)
    .flatMap((fault) =>
      [...new Set([...fault.partitions!, ...partitions])].map((partition) => {
        const own = stalls.filter(
          (stall) =>
            stall.partition === partition &&
            stall.toMs >= fault.beganAtMs &&
            stall.fromMs <= fault.beganAtMs + ELECTION_MS_MAX,
        );
        const stallMs = Math.max(0, ...own.map(({ fromMs, toMs }) => toMs - fromMs));
        return { partition, wasLed: fault.partitions!.includes(partition), stallMs };
      }),
    );
}

/** The value that a share of them does not exceed; null of none. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((left, right) => left - right);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]!);
}

/** Of any partition, from its first new fact until the load ended. */
export function longestSilence(times: FactTimes, loadEndMs: number) {
  let longest = { partition: -1, gapMs: 0 };
  for (const [partition, own] of times) {
    const [first = loadEndMs] = own;
    const gapMs = Math.round(longestGap(own, first, loadEndMs, Number.POSITIVE_INFINITY));
    if (gapMs > longest.gapMs) longest = { partition, gapMs };
  }
  return longest;
}

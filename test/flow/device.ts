/**
 * What the model kernel keeps of one device: received events, open windows, sessions, last value,
 * idle timer. Plain values, so that a checkpoint is their JSON. The rules are those of EXACTLY_ONCE
 * §2 and §3, in their shortest form.
 */

/** As the plan record of the simulated log says. */
export interface ModelPlan {
  readonly version: number;
  readonly scale: number;
  readonly windowMs: number;
  readonly boundMs: number;
  readonly latenessMs: number;
  readonly idleMs: number;
  readonly gapMs: number;
  readonly ageMaxMs: number;
}

/** One device message inside a record batch of the simulated log. */
export interface ModelEvent {
  readonly device: string;
  /** Boot and sequence, or an event id. */
  readonly boot: number;
  readonly seq: number;
  readonly id: string;
  readonly timeMs: number;
  readonly receivedMs: number;
  readonly value: number;
  readonly isPoison?: boolean;
}

export interface WindowState {
  readonly start: number;
  readonly fragment: number;
  count: number;
  sum: number;
  min: number;
  max: number;
  hasFired: boolean;
  isDirty: boolean;
  /** What the last emission said, for the mutant that writes deltas. */
  told: number;
}

export interface SessionState {
  start: number;
  end: number;
  count: number;
  sum: number;
  isDirty: boolean;
}

interface Boot {
  readonly boot: number;
  /** Nothing is known of sequences below. */
  floor: number;
  /** Received, ascending, inclusive, never touching. */
  spans: [from: number, to: number][];
}

export interface DeviceState {
  boots: Boot[];
  ids: Record<string, number>;
  maxMs: number;
  watermarkMs: number;
  windows: WindowState[];
  sessions: SessionState[];
  /** Starts of sessions that were merged away and not yet written as gone. */
  retracted: number[];
  idleAtMs: number | null;
  last: number;
  isLastDirty: boolean;
}

export type Receipt = 'new' | 'duplicate' | 'unknown';

export const BOOTS_MAX = 4;
const SPANS_MAX = 16;
/** Bits of the mutant's window below the newest sequence. */
const BITMAP_BITS = 4;

export const newDevice = (): DeviceState => ({
  boots: [],
  ids: {},
  maxMs: 0,
  watermarkMs: 0,
  windows: [],
  sessions: [],
  retracted: [],
  idleAtMs: null,
  last: 0,
  isLastDirty: false,
});

/** Ids expire by log time; the horizon is beyond every age that is let in. */
export function receiveId(device: DeviceState, id: string, expiresMs: number): Receipt {
  if (device.ids[id] !== undefined) return 'duplicate';
  device.ids[id] = expiresMs;
  return 'new';
}

export function receiveSequence(device: DeviceState, number: number, seq: number): Receipt {
  let boot = device.boots.find((each) => each.boot === number);
  if (!boot) {
    boot = { boot: number, floor: 0, spans: [] };
    device.boots.push(boot);
    if (device.boots.length > BOOTS_MAX) device.boots.shift();
  }
  const { spans } = boot;
  if (spans.some(([from, to]) => seq >= from && seq <= to)) return 'duplicate';
  if (seq < boot.floor) return 'unknown';
  spans.push([seq, seq]);
  spans.sort(([left], [right]) => left - right);
  boot.spans = spans.reduce<[number, number][]>((joined, [from, to]) => {
    const before = joined.at(-1);
    if (before && before[1] + 1 >= from) before[1] = to;
    else joined.push([from, to]);
    return joined;
  }, []);
  if (boot.spans.length > SPANS_MAX) {
    boot.spans.shift();
    boot.floor = boot.spans[0]![0];
  }
  return 'new';
}

/** The mutant: what lies below a few bits under the newest is taken for a duplicate. */
export function receiveByBitmap(device: DeviceState, number: number, seq: number): Receipt {
  const boot = device.boots.find((each) => each.boot === number);
  const newest = boot?.spans.at(-1)?.[1] ?? 0;
  if (seq <= newest - BITMAP_BITS) return 'duplicate';
  return receiveSequence(device, number, seq);
}

/** The window of an event; a window that was evicted opens again as a new fragment. */
export function windowOf(
  device: DeviceState,
  start: number,
  plan: ModelPlan,
  sequence: number,
): WindowState {
  const open = device.windows.find((each) => each.start === start);
  if (open) return open;
  const wasEvicted = device.watermarkMs >= start + plan.windowMs + plan.latenessMs;
  const window: WindowState = {
    start,
    fragment: wasEvicted ? sequence : 0,
    count: 0,
    sum: 0,
    min: Number.MAX_SAFE_INTEGER,
    max: Number.MIN_SAFE_INTEGER,
    hasFired: false,
    isDirty: false,
    told: 0,
  };
  device.windows.push(window);
  device.windows.sort((left, right) => left.start - right.start);
  return window;
}

export function addToWindow(window: WindowState, value: number): void {
  window.count += 1;
  window.sum += value;
  window.min = Math.min(window.min, value);
  window.max = Math.max(window.max, value);
  window.isDirty = true;
}

/** An event within the gap of several sessions makes one of them; the others are retracted. */
export function addToSession(device: DeviceState, timeMs: number, value: number, gapMs: number) {
  const near = device.sessions.filter(
    ({ start, end }) => timeMs >= start - gapMs && timeMs <= end + gapMs,
  );
  const merged: SessionState = {
    start: Math.min(timeMs, ...near.map(({ start }) => start)),
    end: Math.max(timeMs, ...near.map(({ end }) => end)),
    count: near.reduce((sum, { count }) => sum + count, 1),
    sum: near.reduce((sum, each) => sum + each.sum, value),
    isDirty: true,
  };
  for (const { start } of near) {
    if (start !== merged.start && !device.retracted.includes(start)) device.retracted.push(start);
  }
  device.retracted = device.retracted.filter((start) => start !== merged.start);
  device.sessions = [...device.sessions.filter((each) => !near.includes(each)), merged].sort(
    (left, right) => left.start - right.start,
  );
}

/**
 * The answers to the questions of docs/analyst-queries.md, computed without SQL from the samples
 * alone: no windows, no views. In: samples as they count, the moment of asking. Out: rows as the
 * queries give them, numbers as numbers.
 */
import { dateTime } from './fleet.ts';
import type { Sample, Samples } from './sample.ts';

type Row = Readonly<Record<string, string | number | null>>;

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const SLOT_MS = 10 * MINUTE_MS;

export const ANSWERS: Readonly<Record<string, (samples: Samples, nowMs: number) => Row[]>> = {
  'last-location': ({ truck }, nowMs) =>
    perDevice(since(truck, nowMs - DAY_MS), (samples) => ({
      seen: dateTime(Math.max(...samples.map(({ timeMs }) => timeMs))),
      lat: lastOf(samples, 'latitude'),
      lon: lastOf(samples, 'longitude'),
    })),
  'low-fuel': ({ diagnostics }, nowMs) =>
    perDevice(since(diagnostics, nowMs - HOUR_MS), (samples) => {
      const fuel = lastOf(samples, 'fuel_state');
      return fuel !== null && fuel < 0.1 ? { fuel } : null;
    }),
  'stationary-trucks': ({ truck }, nowMs) =>
    perDevice(since(truck, nowMs - SLOT_MS), (samples) => {
      const velocity = rounded(meanOf(samples, 'velocity'));
      return velocity < 1 ? { mean_velocity: velocity } : null;
    }),
  'long-driving-sessions': ({ truck }, nowMs) =>
    perDevice(since(truck, nowMs - 4 * HOUR_MS), (samples) => {
      const minutes = drivenSlots(samples).length * 10;
      return minutes > 220 ? { minutes_driven: minutes } : null;
    }),
  'average-load': ({ diagnostics }) =>
    grouped(diagnostics, ({ site }) => site).map(([site, samples]) => ({
      site,
      mean_load: rounded(meanOf(samples, 'current_load')),
    })),
  'daily-activity': ({ truck }) =>
    grouped(truck, ({ timeMs, site }) => `${dayOf(timeMs)}/${site}`).map(([key, samples]) => {
      const slots = grouped(samples, ({ device }) => device).map(
        ([, ofDevice]) => drivenSlots(ofDevice).length,
      );
      const [day, site] = key.split('/') as [string, string];
      return { day, site, hours_driven: rounded(slots.reduce((sum, n) => sum + n, 0) / 6) };
    }),
  'breakdown-frequency': ({ diagnostics }) =>
    grouped(diagnostics, ({ site }) => site).map(([site, samples]) => ({
      site,
      breakdowns: grouped(samples, ({ device }) => device).reduce(
        (sum, [, ofDevice]) => sum + breakdownsOf(ofDevice),
        0,
      ),
    })),
  'high-load': ({ diagnostics }, nowMs) =>
    perDevice(diagnostics, (samples) => {
      const load = lastOf(since(samples, nowMs - HOUR_MS), 'current_load');
      const most = Math.max(...samples.map(({ values }) => values['current_load'] ?? -Infinity));
      return load !== null && load >= 0.9 * most ? { load, most } : null;
    }),
  'fuel-consumption': ({ truck }) => {
    const driving = truck.filter(({ values }) => (values['velocity'] ?? 0) > 1);
    return grouped(driving, ({ timeMs, site }) => `${dayOf(timeMs)}/${site}`).map(
      ([key, samples]) => {
        const [day, site] = key.split('/') as [string, string];
        return { day, site, mean_consumption: rounded(meanOf(samples, 'fuel_consumption')) };
      },
    );
  },
};

const since = (samples: readonly Sample[], fromMs: number): Sample[] =>
  samples.filter(({ timeMs }) => timeMs >= fromMs);

/** Groups in the order of their keys. */
function grouped(samples: readonly Sample[], keyOf: (of: Sample) => string): [string, Sample[]][] {
  const groups = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = keyOf(sample);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [sample]);
    else group.push(sample);
  }
  return [...groups].sort(([left], [right]) => (left < right ? -1 : 1));
}

function perDevice(
  samples: readonly Sample[],
  answer: (of: readonly Sample[]) => Row | null,
): Row[] {
  return grouped(samples, ({ site, device }) => `${site}/${device}`).flatMap(([key, ofDevice]) => {
    const [site, device] = key.split('/') as [string, string];
    const more = answer(ofDevice);
    return more === null ? [] : [{ site, device, ...more }];
  });
}

function lastOf(samples: readonly Sample[], metric: string): number | null {
  let last: Sample | null = null;
  for (const sample of samples) {
    const isNewer = last === null || sample.timeMs > last.timeMs;
    if (sample.values[metric] !== null && isNewer) last = sample;
  }
  return last?.values[metric] ?? null;
}

function meanOf(samples: readonly Sample[], metric: string): number {
  const values = samples.map(({ values }) => values[metric]).filter((value) => value !== null);
  return values.reduce((sum: number, value) => sum + value!, 0) / values.length;
}

const slotsOf = (samples: readonly Sample[]): [string, Sample[]][] =>
  grouped(samples, ({ timeMs }) => `${Math.floor(timeMs / SLOT_MS)}`.padStart(9, '0'));

const drivenSlots = (samples: readonly Sample[]): unknown[] =>
  slotsOf(samples).filter(([, ofSlot]) => meanOf(ofSlot, 'velocity') > 1);

function breakdownsOf(samples: readonly Sample[]): number {
  let isBroken = false;
  let begun = 0;
  for (const [, ofSlot] of slotsOf(samples)) {
    const zeros = ofSlot.filter(({ values }) => values['status'] === 0).length;
    const before = isBroken;
    isBroken = zeros > ofSlot.length / 2;
    if (isBroken && !before) begun += 1;
  }
  return begun;
}

const rounded = (value: number): number => Math.round(value * 1_000) / 1_000;
const dayOf = (timeMs: number): string => dateTime(timeMs).slice(0, 'YYYY-MM-DD'.length);

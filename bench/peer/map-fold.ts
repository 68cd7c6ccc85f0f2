/**
 * What a Node team writes by hand to do the same: a Map of devices, each with its boots, watermark
 * and open windows. In: decoded samples. Out: a row object per stored sample and per window that
 * the watermark passed. Numbers are validated as the plan says, sums are plain additions.
 */
import type { Plan, PlanChannel, PlanMetric } from '../../src/model/plan.ts';

export interface PeerSample {
  readonly timeMs: number;
  /** By ordinal; undefined where there is none. */
  readonly values: readonly unknown[];
}

export interface PeerSource {
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
  readonly receivedAtMs: number;
  readonly boot: string;
  readonly sequence: number;
}

export interface Aggregate {
  count: number;
  sum: number;
  squares: number;
  min: number;
  max: number;
  first: number;
  firstMs: number;
  last: number;
  lastMs: number;
}

interface Cell {
  readonly start: number;
  readonly metrics: (Aggregate | undefined)[];
}

interface Boot {
  last: number;
  readonly gaps: Set<number>;
}

interface Device {
  readonly name: string;
  readonly boots: Map<string, Boot>;
  /** Per window of the plan: cells by their start. */
  readonly windows: Map<number, Cell>[];
  watermark: number;
  lastSeen: number;
  records: number;
}

export interface WindowRow {
  readonly device: string;
  readonly window: string;
  readonly start: number;
  readonly metrics: readonly (Aggregate | undefined)[];
}

/** A set of gaps is bounded, as the kernel's intervals are. */
const GAPS_MAX = 64;

export class MapFold {
  readonly #channel: PlanChannel;
  readonly #metrics: readonly PlanMetric[];
  readonly #devices = new Map<string, Device>();
  /** What would be inserted; the harness empties them. */
  rows: object[] = [];
  windows: WindowRow[] = [];
  readonly counts: Record<string, number> = {};

  constructor(plan: Plan) {
    this.#channel = plan.channels[0]!;
    this.#metrics = this.#channel.metrics;
  }

  device(source: PeerSource): Device {
    const name = `${source.tenant}/${source.site}/${source.device}`;
    let device = this.#devices.get(name);
    if (device === undefined) {
      const windows = this.#channel.windows.map(() => new Map<number, Cell>());
      device = {
        name,
        boots: new Map(),
        windows,
        watermark: Number.NEGATIVE_INFINITY,
        lastSeen: 0,
        records: 0,
      };
      this.#devices.set(name, device);
    }
    device.records += 1;
    device.lastSeen = source.receivedAtMs;
    return device;
  }

  refuse(reason: string): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
  }

  /** Dedup, validation, row, windows. */
  apply(source: PeerSource, sample: PeerSample, logTimeMs: number): void {
    const device = this.device(source);
    const { timeMs } = sample;
    const channel = this.#channel;
    const reason = this.#isDuplicate(device, source)
      ? 'duplicate'
      : timeReason(channel, timeMs - source.receivedAtMs);
    if (reason !== null) {
      this.refuse(reason);
      return;
    }
    const accepted: (number | undefined)[] = [];
    let stored = 0;
    for (const metric of this.#metrics) {
      const value = sample.values[metric.ordinal];
      if (value === undefined) accepted.push(undefined);
      else if (this.#isGood(metric, value)) {
        accepted.push(value);
        stored += 1;
      } else accepted.push(undefined);
    }
    if (stored === 0) return;
    this.#remember(device, source);
    this.rows.push(this.#row(source, timeMs, accepted, logTimeMs));
    this.#fold(device, timeMs, accepted);
    const watermark = Math.min(timeMs, logTimeMs) - channel.outOfOrderMs - 1;
    if (watermark > device.watermark) this.#advance(device, watermark);
  }

  #isDuplicate(device: Device, { boot, sequence }: PeerSource): boolean {
    const known = device.boots.get(boot);
    return known !== undefined && sequence <= known.last && !known.gaps.has(sequence);
  }

  #remember(device: Device, { boot, sequence }: PeerSource): void {
    let known = device.boots.get(boot);
    if (known === undefined) {
      known = { last: sequence, gaps: new Set() };
      device.boots.set(boot, known);
      return;
    }
    for (let gap = known.last + 1; gap < sequence && known.gaps.size < GAPS_MAX; gap++) {
      known.gaps.add(gap);
    }
    if (sequence > known.last) known.last = sequence;
    else known.gaps.delete(sequence);
  }

  #isGood(metric: PlanMetric, value: unknown): value is number {
    if (typeof value !== 'number') {
      this.refuse('type_mismatch');
      return false;
    }
    if (!Number.isFinite(value)) {
      this.refuse('not_finite');
      return false;
    }
    const inside =
      (metric.min === null || value >= metric.min) && (metric.max === null || value <= metric.max);
    if (!inside) this.refuse('out_of_range');
    return inside;
  }

  #row(
    source: PeerSource,
    timeMs: number,
    values: readonly (number | undefined)[],
    logTimeMs: number,
  ): object {
    const { tenant, site, device, receivedAtMs } = source;
    const row: Record<string, unknown> = {
      tenant,
      site,
      device,
      event_time: timeMs,
      received_at: receivedAtMs,
      log_time: logTimeMs,
    };
    for (const { ordinal, name } of this.#metrics) row[name] = values[ordinal] ?? 0;
    return row;
  }

  #fold(device: Device, timeMs: number, values: readonly (number | undefined)[]): void {
    const { windows } = this.#channel;
    for (let index = 0; index < windows.length; index++) {
      const { lengthMs } = windows[index]!;
      const start = Math.floor(timeMs / lengthMs) * lengthMs;
      const cells = device.windows[index]!;
      let cell = cells.get(start);
      if (cell === undefined) {
        cell = { start, metrics: new Array(values.length).fill(undefined) };
        cells.set(start, cell);
      }
      for (let ordinal = 0; ordinal < values.length; ordinal++) {
        const value = values[ordinal];
        if (value === undefined) continue;
        const aggregate = cell.metrics[ordinal];
        if (aggregate === undefined) cell.metrics[ordinal] = begin(value, timeMs);
        else add(aggregate, value, timeMs);
      }
    }
  }

  #advance(device: Device, watermark: number): void {
    device.watermark = watermark;
    for (const [index, { name, lengthMs }] of this.#channel.windows.entries()) {
      const cells = device.windows[index]!;
      for (const [start, { metrics }] of cells) {
        if (start + lengthMs - 1 > watermark) continue;
        this.windows.push({ device: device.name, window: name, start, metrics });
        cells.delete(start);
      }
    }
  }
}

function timeReason(channel: PlanChannel, aheadMs: number): string | null {
  if (aheadMs > channel.maxClockSkewMs) return 'clock_ahead';
  return -aheadMs > channel.maxAgeMs ? 'too_old' : null;
}

function begin(value: number, timeMs: number): Aggregate {
  return {
    count: 1,
    sum: value,
    squares: value * value,
    min: value,
    max: value,
    first: value,
    firstMs: timeMs,
    last: value,
    lastMs: timeMs,
  };
}

function add(aggregate: Aggregate, value: number, timeMs: number): void {
  aggregate.count += 1;
  aggregate.sum += value;
  aggregate.squares += value * value;
  if (value < aggregate.min) aggregate.min = value;
  if (value > aggregate.max) aggregate.max = value;
  if (timeMs < aggregate.firstMs) {
    aggregate.first = value;
    aggregate.firstMs = timeMs;
  }
  if (timeMs >= aggregate.lastMs) {
    aggregate.last = value;
    aggregate.lastMs = timeMs;
  }
}

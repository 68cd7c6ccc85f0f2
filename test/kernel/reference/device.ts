/**
 * One device of a partition: what it remembers, its open windows by channel, its shadow and counts.
 * Slots number devices in the order of registration.
 */
import type { ReportedValue } from '../../../src/model/fact.ts';
import type { Plan, PlanMetric } from '../../../src/model/plan.ts';
import type { Identity } from '../../../src/model/record.ts';
import type { Aliases } from './decode.ts';
import { Dedup } from './dedup.ts';
import type { Row } from './row.ts';
import type { Value } from './validate.ts';
import { Series } from './window.ts';

/** Dead letters sent in the current log minute. */
export interface Bucket {
  minute: number;
  count: number;
}

export class Device {
  readonly slot: number;
  readonly identity: Identity;
  readonly dedup = new Dedup();
  aliases: Aliases = new Map();
  /** By channel id. */
  readonly series = new Map<number, Series>();
  readonly bucket: Bucket = { minute: -1, count: 0 };
  /** Reached or fired since a flush point last visited it. */
  unflushed = false;
  /** A record reached it since its last shadow. */
  changed = false;
  lastShadowMs: number | null = null;
  firstSeenMs = 0;
  lastSeenMs = 0;
  lastEventMs: number | null = null;
  records = 0n;
  readings = 0n;
  rejected = 0n;
  duplicates = 0n;
  readonly #shadow = new Map<string, { value: Value; eventMs: number }>();

  constructor(slot: number, identity: Identity) {
    this.slot = slot;
    this.identity = identity;
  }

  reach(logTimeMs: number): void {
    if (this.records === 0n) this.firstSeenMs = logTimeMs;
    this.lastSeenMs = logTimeMs;
    this.records += 1n;
    this.changed = true;
    this.unflushed = true;
  }

  channelSeries(channelId: number): Series {
    const series = this.series.get(channelId) ?? new Series();
    this.series.set(channelId, series);
    return series;
  }

  /** (channel id, series) by channel id. */
  sortedSeries(): [number, Series][] {
    return [...this.series].sort(([left], [right]) => left - right);
  }

  report(channelId: number, metric: PlanMetric, value: Value, eventMs: number): void {
    const place = `${channelId} ${metric.ordinal}`;
    const before = this.#shadow.get(place);
    if (before === undefined || eventMs >= before.eventMs) {
      this.#shadow.set(place, { value, eventMs });
    }
  }

  reported(plan: Plan): ReportedValue[] {
    const channels = plan.channels.toSorted((left, right) => left.id - right.id);
    return channels.flatMap((channel) =>
      channel.metrics.flatMap(({ ordinal, name, unit }) => {
        const found = this.#shadow.get(`${channel.id} ${ordinal}`);
        if (found === undefined) return [];
        const { value, eventMs } = found;
        return [{ channel: channel.name, metric: name, unit, value, eventTimeMs: eventMs }];
      }),
    );
  }

  row(partition: number, version: bigint): Row {
    return {
      ...this.identity,
      partition,
      version,
      is_deleted: 0,
      first_seen: this.firstSeenMs,
      last_seen: this.lastSeenMs,
      last_event_time: this.lastEventMs ?? 0,
      records: this.records,
      readings: this.readings,
      rejected: this.rejected,
      duplicates: this.duplicates,
    };
  }
}

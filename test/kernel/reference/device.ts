/**
 * One device of a partition: what it remembers, its sections by channel, clock,
 * quality and counts.
 * Slots number devices in the order of registration.
 */
import type { ReportedValue } from '../../../src/model/fact.ts';
import type { Plan } from '../../../src/model/plan.ts';
import type { Identity } from '../../../src/model/record.ts';
import { Clock } from './clock.ts';
import type { Aliases } from './decode.ts';
import { Dedup } from './dedup.ts';
import { Quality } from './quality.ts';
import type { Row } from './row.ts';
import { Section } from './section.ts';

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
  readonly clock = new Clock();
  readonly quality = new Quality();
  /** By channel id. */
  readonly sections = new Map<number, Section>();
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

  section(channelId: number): Section {
    const section = this.sections.get(channelId) ?? new Section();
    this.sections.set(channelId, section);
    return section;
  }

  /** (channel id, section) by channel id. */
  sortedSections(): [number, Section][] {
    return [...this.sections].sort(([left], [right]) => left - right);
  }

  reported(plan: Plan): ReportedValue[] {
    const channels = plan.channels.toSorted((left, right) => left.id - right.id);
    return channels.flatMap((channel) =>
      channel.metrics.flatMap(({ ordinal, name, unit }) => {
        const latest = this.sections.get(channel.id)?.series.get(ordinal)?.latest ?? null;
        if (latest === null) return [];
        const { value, eventMs } = latest;
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
      clock_offset_ms: BigInt(this.clock.offsetMs),
      clock_drift_ppm: this.clock.driftPpm,
    };
  }
}

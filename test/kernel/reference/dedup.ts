/**
 * What a device remembers of the events it has counted. In: a record's key and greatest event time.
 * Out: OK, DUPLICATE or DEDUP_UNKNOWN; `remember` is called once a reading of it was stored.
 * A floor says: at or below it, what is not known may have been forgotten.
 */
import { BOOTS_PER_DEVICE_MAX, INTERVALS_PER_BOOT_MAX } from '../../../assembly/shared/abi.ts';
import { DEDUP_UNKNOWN, DUPLICATE, OK } from '../../../assembly/shared/status.ts';
import type { Key } from './key.ts';

/** Closed range of received sequences. */
interface Interval {
  first: bigint;
  last: bigint;
}

interface Boot {
  readonly bootId: bigint;
  floor: bigint;
  intervals: Interval[];
  lastSequence: bigint;
  greatestEventMs: number;
}

interface KnownId {
  readonly id: string;
  readonly eventMs: number;
  readonly logTimeMs: number;
}

/** A record as dedup sees it. */
export interface Event {
  readonly greatestEventMs: number;
  /** Sequence of its log message. */
  readonly sequence: bigint;
  readonly logTimeMs: number;
}

export interface KeyLimits {
  readonly idsPerDevice: number;
  readonly contentsPerDevice: number;
  readonly dedupHorizonMs: number;
}

export class Dedup {
  boots: Boot[] = [];
  ids: KnownId[] = [];
  contents: { readonly content: string; readonly logTimeMs: number }[] = [];
  bootFloor = Number.NEGATIVE_INFINITY;
  idFloor = Number.NEGATIVE_INFINITY;

  judge(key: Key, greatestEventMs: number): number {
    if (key.kind === 'content') {
      return this.contents.some(({ content }) => content === key.content) ? DUPLICATE : OK;
    }
    if (key.kind === 'id') {
      if (this.ids.some(({ id }) => id === key.id)) return DUPLICATE;
      return greatestEventMs <= this.idFloor ? DEDUP_UNKNOWN : OK;
    }
    const boot = this.boots.find(({ bootId }) => bootId === key.bootId);
    if (boot === undefined) return greatestEventMs <= this.bootFloor ? DEDUP_UNKNOWN : OK;
    const { sequence } = key;
    if (boot.intervals.some(({ first, last }) => first <= sequence && sequence <= last)) {
      return DUPLICATE;
    }
    return sequence <= boot.floor ? DEDUP_UNKNOWN : OK;
  }

  remember(key: Key, event: Event, limits: KeyLimits): void {
    if (key.kind === 'id') this.#rememberId(key.id, event, limits);
    else if (key.kind === 'content') this.#rememberContent(key.content, event, limits);
    else this.#rememberSequence(key.bootId, key.sequence, event);
  }

  #rememberId(id: string, event: Event, limits: KeyLimits): void {
    const forget = () => {
      this.idFloor = Math.max(this.idFloor, this.ids.shift()!.eventMs);
    };
    const isOld = (known: KnownId | undefined) =>
      known !== undefined && known.logTimeMs + limits.dedupHorizonMs < event.logTimeMs;
    while (isOld(this.ids[0])) forget();
    while (this.ids.length >= limits.idsPerDevice && this.ids.length > 0) forget();
    this.ids.push({ id, eventMs: event.greatestEventMs, logTimeMs: event.logTimeMs });
  }

  #rememberContent(content: string, { logTimeMs }: Event, limits: KeyLimits): void {
    const isOld = (known: { readonly logTimeMs: number } | undefined) =>
      known !== undefined && known.logTimeMs + limits.dedupHorizonMs < logTimeMs;
    while (isOld(this.contents[0])) this.contents.shift();
    while (this.contents.length >= Math.max(1, limits.contentsPerDevice)) this.contents.shift();
    this.contents.push({ content, logTimeMs });
  }

  #rememberSequence(bootId: bigint, sequence: bigint, event: Event): void {
    let boot = this.boots.find((known) => known.bootId === bootId);
    if (boot === undefined) {
      if (this.boots.length === BOOTS_PER_DEVICE_MAX) this.#evictBoot();
      boot = {
        bootId,
        floor: 0n,
        intervals: [],
        lastSequence: 0n,
        greatestEventMs: Number.NEGATIVE_INFINITY,
      };
      this.boots.push(boot);
    }
    addSequence(boot, sequence);
    boot.lastSequence = event.sequence;
    boot.greatestEventMs = Math.max(boot.greatestEventMs, event.greatestEventMs);
  }

  #evictBoot(): void {
    const evicted = this.boots.reduce((oldest, boot) => {
      if (boot.lastSequence !== oldest.lastSequence) {
        return boot.lastSequence < oldest.lastSequence ? boot : oldest;
      }
      return boot.bootId < oldest.bootId ? boot : oldest;
    });
    this.boots.splice(this.boots.indexOf(evicted), 1);
    this.bootFloor = Math.max(this.bootFloor, evicted.greatestEventMs);
  }
}

function addSequence(boot: Boot, sequence: bigint): void {
  boot.intervals.push({ first: sequence, last: sequence });
  boot.intervals.sort((left, right) => (left.first < right.first ? -1 : 1));
  const merged: Interval[] = [];
  for (const interval of boot.intervals) {
    const before = merged.at(-1);
    if (before && before.last + 1n === interval.first) before.last = interval.last;
    else merged.push({ ...interval });
  }
  if (merged.length > INTERVALS_PER_BOOT_MAX) boot.floor = merged.shift()!.last;
  boot.intervals = merged;
}

/**
 * What this worker knows of the others, and what follows from it for one partition: own it, follow
 * it, or leave it alone; and whether its owner has fallen silent. In: heartbeats. Out: roles. None
 * of it is trusted with a row: whoever is wrong here loses the compare-and-set of the claim. One
 * thing is believed, and only for a message that the log still holds: that facts are published.
 *
 *   heard within MEMBER_SILENT_MS      alive: nobody claims what it owns
 *   heard within MEMBER_GONE_MS        silent: its standby claims; places stay as they are
 *   not heard for longer               gone: its places go to others
 */
import type { Clock } from '../../base/clock.ts';
import type { FollowedPartition, Member, Membership, OwnedPartition } from '../../model/doors.ts';
import { HEARTBEAT_INTERVAL_MS, MEMBER_GONE_MS, MEMBER_SILENT_MS } from '../../model/limit.ts';
import { place, type Seat } from './placement.ts';

/** Heartbeats of the others arrive within this time; before it nobody is known to be alone. */
const SETTLE_MS = 5 * HEARTBEAT_INTERVAL_MS;
/** Partitions are moved only after nobody came or went for so long: a restart is no reason. */
const REBALANCE_AFTER_MS = 3_000;
/** A worse standby lets the better one claim first. */
const RANK_DELAY_MS = 300;
/** Everybody is looked at many times a second; a longer break was a pause of this process. */
const BREAK_MS = MEMBER_SILENT_MS / 2;
/** What was said during a short one is read within this; after a longer one nothing is known. */
const READ_MS = 100;
const SHORT_BREAK_MS = 1_000;
const PINS_INTERVAL_MS = 2_000;

export type Role = 'owner' | 'standby' | 'none';

export interface Self {
  readonly id: string;
  readonly process: string;
  readonly startedAtMs: number;
  readonly version: string;
  readonly semanticsVersion: number;
}

export interface ClusterOptions {
  readonly membership: Membership;
  readonly clock: Clock;
  readonly self: Self;
  readonly partitions: number;
  /** Followers per partition. */
  readonly standbys: number;
}

export interface Doings {
  readonly owns: readonly OwnedPartition[];
  readonly follows: readonly FollowedPartition[];
  readonly troubles: Readonly<Record<string, number>>;
}

export class Cluster {
  readonly #options: ClusterOptions;
  readonly #stop = new AbortController();
  readonly #startedMs: number;
  #draining = false;
  #pins: ReadonlyMap<number, string> = new Map();
  #seats: readonly Seat[] = [];
  /** Who was there when the seats were given; another list gives new ones. */
  #seated = '';
  #seatedAtMs: number;
  #refreshing: Promise<void> | null = null;
  /** When we last looked, and since when we have looked without a break. */
  #lookedAtMs: number;
  #awakeSinceMs: number;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#seatedAtMs = this.#startedMs;
    this.#lookedAtMs = this.#startedMs;
    this.#awakeSinceMs = this.#startedMs;
  }

  start(doings: () => Doings): void {
    const { membership, self } = this.#options;
    membership.announce(() => ({ ...self, draining: this.#draining, ...doings() }));
    this.#refreshing = this.#refreshPins();
  }

  /** True once everybody who is there has had the time to say so. */
  get isSettled(): boolean {
    return this.#options.clock.monotonicMs() - this.#startedMs >= SETTLE_MS;
  }

  /** True when nobody came or went for a while: only then partitions are moved. */
  get isQuiet(): boolean {
    this.#reseat();
    return this.#options.clock.monotonicMs() - this.#seatedAtMs >= REBALANCE_AFTER_MS;
  }

  get isDraining(): boolean {
    return this.#draining;
  }

  /** While it is on, nothing is owned that somebody else can own. */
  drain(on: boolean): void {
    this.#draining = on;
  }

  /** Others who may take over. */
  get peers(): readonly Member[] {
    return this.#options.membership.members.filter(
      (member) => !member.draining && this.#silentMs(member) < MEMBER_SILENT_MS,
    );
  }

  role(partition: number): Role {
    this.#reseat();
    const seat = this.#seats[partition];
    if (seat?.owner === this.#options.self.id) return 'owner';
    return seat?.standbys.includes(this.#options.self.id) ? 'standby' : 'none';
  }

  /** The member that a record names, when it has been heard of. */
  find(owner: string): Member | null {
    const [id, process] = owner.split(':');
    return (
      this.#options.membership.members.find(
        (member) => member.id === id && member.process === process,
      ) ?? null
    );
  }

  /**
   * True when the owner has been silent for long enough that it is this worker's turn to claim.
   * False when nothing was ever heard of it: then only its unchanged record says something.
   */
  isMyTurn(partition: number, owner: string): boolean {
    const member = this.find(owner);
    if (!member) return false;
    return this.#silentMs(member) >= MEMBER_SILENT_MS + this.rankDelayMs(partition);
  }

  /** How long others go first when a partition is free for everybody. */
  rankDelayMs(partition: number): number {
    this.#reseat();
    const seat = this.#seats[partition];
    const alive = new Set(this.peers.map(({ id }) => id));
    const ranking = [...(seat?.owner ? [seat.owner] : []), ...(seat?.standbys ?? [])];
    const ahead = ranking.filter((id) => id === this.#options.self.id || alive.has(id));
    const rank = ahead.indexOf(this.#options.self.id);
    return (rank < 0 ? ahead.length : rank) * RANK_DELAY_MS;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#refreshing;
    await this.#options.membership.stop();
  }

  /** While we slept, or had no connection, nobody could be heard: that is not their silence. */
  #silentMs(member: Member): number {
    const { clock, membership } = this.#options;
    const nowMs = clock.monotonicMs();
    const breakMs = nowMs - this.#lookedAtMs;
    if (breakMs > SHORT_BREAK_MS) this.#awakeSinceMs = nowMs;
    else if (breakMs > BREAK_MS) this.#awakeSinceMs = nowMs - MEMBER_SILENT_MS + READ_MS;
    this.#lookedAtMs = nowMs;
    const hearingMs = Math.max(this.#awakeSinceMs, membership.hearingSinceMs);
    return nowMs - Math.max(member.heardAtMs, hearingMs);
  }

  #reseat(): void {
    const { membership, self, partitions, standbys, clock } = this.#options;
    const others = membership.members.filter((each) => this.#silentMs(each) < MEMBER_GONE_MS);
    const all = [...others, { id: self.id, draining: this.#draining }];
    const pinned = [...this.#pins].map(([partition, id]) => `${partition}=${id}`);
    const seated = [...all.map(({ id, draining }) => `${id}/${draining}`).sort(), ...pinned].join();
    if (seated === this.#seated) return;
    this.#seated = seated;
    this.#seatedAtMs = clock.monotonicMs();
    const unique = [...new Map(all.map((each) => [each.id, each])).values()];
    this.#seats = place(unique, { partitions, standbys, pins: this.#pins });
  }

  async #refreshPins(): Promise<void> {
    const { membership, clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      // Unreachable for a moment: what was pinned stays pinned.
      this.#pins = await membership.pins().catch(() => this.#pins);
      await clock.wait(PINS_INTERVAL_MS, this.#stop.signal).catch(() => {});
    }
  }
}

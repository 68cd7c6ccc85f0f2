/**
 * A partition that others may own: this worker stands by until it is its turn. In: the record, the
 * other members, its role. Out: a lease, with the standby's kernel and backlog when there was a
 * warm one.
 *
 *   role owner, owner alive    follow; when caught up, ask for a hand-over
 *   role standby               follow
 *   owner silent or gone       claim what the record says, in the order of the ranks
 *   role none                  watch only
 *
 * Everything here may be wrong about others without harm: the claim is a compare-and-set.
 */
import type { Semaphore } from '../../base/semaphore.ts';
import type { LogIdentity, Published } from '../../model/doors.ts';
import { isOperatingError, type OperatingError } from '../../model/error.ts';
import { OWNERSHIP_PAUSE_MS, RENEW_INTERVAL_MS } from '../../model/limit.ts';
import { storedIdentity } from '../../model/ownership.ts';
import {
  CLAIM_AFTER_MS,
  Lease,
  type LeaseOptions,
  mayClaimAtOnce,
  type StoredRecord,
} from '../lease.ts';
import { checkLog, isInLog } from '../restart/tail-loss.ts';
import type { Cluster } from './cluster.ts';
import { Standby, type StandbyOptions, type Takeover, withoutPublished } from './standby.ts';

const POLL_MS = 20;
/** Between two looks at the record of an owner that is silent or moved on. */
const CHECK_AGAIN_MS = 100;
/** A standby that failed is opened again after this: its record may need skipping by the owner. */
const REOPEN_AFTER_MS = 1_000;
/** Between two requests for the same partition. */
const REQUEST_AGAIN_MS = 2_000;

export interface CandidacyOptions extends StandbyOptions, LeaseOptions {
  readonly cluster: Cluster;
  readonly recoveries: Semaphore;
  /** One hand-over at a time: a fleet of partitions must not move at once. */
  readonly moves: Semaphore;
  readonly requestHandOver: (member: string, partition: number) => Promise<boolean>;
  readonly onTrouble: (partition: number, error: OperatingError) => void;
}

export interface Succession {
  readonly lease: Lease;
  readonly takeover: Takeover | null;
  /** Generation whose log a standby saw lose its tail. */
  readonly lostTailIn: number | null;
}

export class Candidacy {
  readonly #options: CandidacyOptions;
  #found: StoredRecord | null = null;
  #loadedAtMs = Number.NEGATIVE_INFINITY;
  /** Since when the record was seen unchanged, by loads that all succeeded. */
  #unchangedSinceMs = 0;
  #standby: Standby | null = null;
  #skips = 0;
  #mayOpenAtMs = 0;
  #mayRequestAtMs = 0;
  #isMoving = false;
  #lostTailIn: number | null = null;
  /** The furthest that any owner of the standby's generation said it has published. */
  #published: Published | null = null;

  constructor(options: CandidacyOptions) {
    this.#options = options;
  }

  /** Position of the warm standby, null when there is none. */
  get followed(): bigint | null {
    return this.#standby?.position ?? null;
  }

  /** Null when the signal ended the waiting. */
  async stand(signal: AbortSignal): Promise<Succession | null> {
    const { clock, partition, cluster } = this.#options;
    try {
      while (!signal.aborted) {
        if (await this.#refresh()) {
          if (this.#isMyTurn()) {
            const succession = await this.#claim();
            if (succession) return succession;
          }
          await this.#keepStandby(cluster.role(partition), signal);
          this.#askForHandOver();
        }
        await clock.wait(POLL_MS, signal).catch(() => {});
      }
      return null;
    } finally {
      await this.#closeStandby();
    }
  }

  /** True when the record is known as of a moment ago. */
  async #refresh(): Promise<boolean> {
    const { ownership, partition, clock, cluster } = this.#options;
    const nowMs = clock.monotonicMs();
    const owner = this.#found ? cluster.find(this.#found.record.owner) : null;
    const told = owner?.owns.find((each) => each.partition === partition);
    this.#hear(told?.published ?? null);
    const isMoved = told && told.checkpoint !== this.#found?.record.position;
    const isSilent = !owner || cluster.isMyTurn(partition, this.#found!.record.owner);
    const everyMs = isMoved || isSilent ? CHECK_AGAIN_MS : RENEW_INTERVAL_MS;
    if (nowMs - this.#loadedAtMs < everyMs) return true;
    try {
      const found = await ownership.load(partition);
      const isStale = nowMs - this.#loadedAtMs > 2 * RENEW_INTERVAL_MS;
      if (isStale || found?.revision !== this.#found?.revision) this.#unchangedSinceMs = nowMs;
      this.#found = found;
      this.#loadedAtMs = nowMs;
      this.#standby?.covered(BigInt(found?.record.position ?? 0));
      return true;
    } catch (error) {
      // Nobody can claim meanwhile either; what is warm stays warm.
      if (!isOperatingError(error) || error.retry === 'never') throw error;
      this.#loadedAtMs = Number.NEGATIVE_INFINITY;
      return false;
    }
  }

  #hear(told: Published | null): void {
    if (!told || told.generation !== this.#standby?.generation) return;
    const before = this.#published?.generation === told.generation ? this.#published : null;
    const isFurther = !before || BigInt(told.identity.sequence) > BigInt(before.identity.sequence);
    if (isFurther) this.#published = told;
  }

  #isMyTurn(): boolean {
    const { cluster, partition, clock, owner } = this.#options;
    if (!cluster.isSettled) return false;
    if (cluster.isDraining && cluster.peers.length > 0) return false;
    const record = this.#found?.record;
    const unchangedMs = clock.monotonicMs() - this.#unchangedSinceMs;
    const delayMs = cluster.rankDelayMs(partition);
    if (!record || record.owner === '') return unchangedMs >= delayMs;
    const other = cluster.find(record.owner);
    if (!other && mayClaimAtOnce(record, owner)) return true;
    if (cluster.isMyTurn(partition, record.owner)) return true;
    // One that says it owns may only have trouble with its record; it pauses by itself then.
    const isOwning = other?.owns.some((each) => each.partition === partition);
    return unchangedMs >= (isOwning ? OWNERSHIP_PAUSE_MS : CLAIM_AFTER_MS) + delayMs;
  }

  /** Null when somebody was faster; then the record is looked at anew. */
  async #claim(): Promise<Succession | null> {
    this.#loadedAtMs = Number.NEGATIVE_INFINITY;
    let lease: Lease;
    try {
      lease = await Lease.take(this.#options, this.#found);
    } catch (error) {
      if (isOperatingError(error, 'NOT_OWNER')) return null;
      throw error;
    }
    const takeover = await this.#takeOver(lease);
    return { lease, takeover, lostTailIn: this.#lostTailIn };
  }

  /** The warm standby, when all that it stands on still holds; else the caller starts cold. */
  async #takeOver(lease: Lease): Promise<Takeover | null> {
    const standby = this.#standby;
    if (!standby) return null;
    const { reader, partition, ownership, onTrouble } = this.#options;
    this.#standby = null;
    standby.covered(BigInt(lease.record.position));
    try {
      const takeover = await standby.takeOver();
      if (standby.generation === lease.record.generation) {
        const { identity } = takeover.progress ?? {};
        // All at once: nobody hears of the partition until they are answered.
        const [skips, published] = await Promise.all([
          ownership.skips(partition),
          this.#publishedUpTo(standby.generation),
          identity && checkLog(reader, partition, standing(standby.position, identity)),
        ]);
        const backlog = withoutPublished(takeover.backlog, published);
        if (skips.length === this.#skips) return { ...takeover, backlog };
      }
    } catch (error) {
      if (!isOperatingError(error)) throw error;
      if (error.code === 'LOG_TAIL_LOST') this.#lostTailIn = standby.generation;
      onTrouble(partition, error);
    }
    await standby.close();
    return null;
  }

  /** Believed when the log still holds the message: its tail may have been lost and sent anew. */
  async #publishedUpTo(generation: number): Promise<bigint> {
    const { reader, partition } = this.#options;
    const told = this.#published;
    if (told?.generation !== generation) return 0n;
    return (await isInLog(reader, partition, told.identity)) ? BigInt(told.identity.sequence) : 0n;
  }

  async #keepStandby(role: 'owner' | 'standby' | 'none', signal: AbortSignal): Promise<void> {
    const { clock, cluster, recoveries, partition, onTrouble } = this.#options;
    const record = this.#found?.record;
    const isOther = this.#standby && record?.generation !== this.#standby.generation;
    if (role === 'none' || isOther) await this.#closeStandby();
    try {
      this.#standby?.check();
      if (role === 'none' || this.#standby || !record || record.owner === '') return;
      if (!cluster.isSettled || clock.monotonicMs() < this.#mayOpenAtMs) return;
      this.#skips = (await this.#options.ownership.skips(partition)).length;
      this.#standby = await recoveries.run(() => Standby.open(this.#options, record));
      this.#loadedAtMs = Number.NEGATIVE_INFINITY; // the restore took its time
    } catch (error) {
      if (!isOperatingError(error) || signal.aborted) throw error;
      const generation = this.#standby?.generation ?? null;
      if (error.code === 'LOG_TAIL_LOST') this.#lostTailIn = generation;
      onTrouble(partition, error);
      await this.#closeStandby();
      this.#mayOpenAtMs = clock.monotonicMs() + REOPEN_AFTER_MS;
    }
  }

  /** The partition belongs here, its owner lives, and we are where it is: ask for it. */
  #askForHandOver(): void {
    const { cluster, partition, clock, moves, requestHandOver } = this.#options;
    const record = this.#found?.record;
    if (!record || !this.#standby || this.#isMoving) return;
    if (cluster.role(partition) !== 'owner' || cluster.isDraining) return;
    const owner = cluster.find(record.owner);
    const told = owner?.owns.find((each) => each.partition === partition);
    if (!owner || !told || this.#standby.position < BigInt(told.position)) return;
    if (!owner.draining && !cluster.isQuiet) return;
    if (clock.monotonicMs() < this.#mayRequestAtMs) return;
    this.#isMoving = true;
    void moves
      .run(() => requestHandOver(owner.id, partition))
      .catch(() => false) // it did not answer: asked again later
      .then((isReleased) => {
        this.#isMoving = false;
        this.#mayRequestAtMs = clock.monotonicMs() + REQUEST_AGAIN_MS;
        if (isReleased) this.#loadedAtMs = Number.NEGATIVE_INFINITY;
      });
  }

  async #closeStandby(): Promise<void> {
    const standby = this.#standby;
    this.#standby = null;
    await standby?.close();
  }
}

const standing = (position: bigint, identity: LogIdentity) => ({
  position: `${position}`,
  identity: storedIdentity({ ...identity, sequence: position }),
});

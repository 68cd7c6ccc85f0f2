/**
 * The lease on one partition: holds the ownership record, renews it and writes checkpoints into it.
 * One record is lease, claim and checkpoint at once, and every write is the same compare-and-set,
 * so a process that was paused too long is fenced by its next write (EXACTLY_ONCE §4).
 *
 *   claim: load → (someone else's? watch it for CLAIM_AFTER_MS: unchanged) → write with epoch + 1
 *   renew: every second, unchanged but for the nonce; a conflict ends the owner at once;
 *          an unreachable record ends nothing, but output pauses after OWNERSHIP_PAUSE_MS
 */
import { randomUUID } from 'node:crypto';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { Mutex } from '../base/mutex.ts';
import type { Ownership, OwnershipRecord } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { LAYOUT_VERSION, OWNERSHIP_PAUSE_MS, RENEW_INTERVAL_MS } from '../model/limit.ts';
import { NO_CHECKPOINT } from '../model/ownership.ts';

/** Three missed renewals, on the claimant's own monotonic clock. */
export const CLAIM_AFTER_MS = 3 * RENEW_INTERVAL_MS + 500;
const CLAIM_POLL_MS = 250;

/** Of a partition that nobody owned before. */
export const NEW_RECORD: Omit<OwnershipRecord, 'owner' | 'nonce' | 'semanticsVersion'> = {
  ...NO_CHECKPOINT,
  epoch: 0,
  generation: 1,
  cut: null,
  identities: [],
  history: [],
  planText: '',
  layoutVersion: LAYOUT_VERSION,
};

export interface StoredRecord {
  readonly record: OwnershipRecord;
  readonly revision: bigint;
}

export interface LeaseOptions {
  readonly partition: number;
  readonly ownership: Ownership;
  readonly clock: Clock;
  /** `<instance>:<process>`: the same instance claims its own old record at once. */
  readonly owner: string;
  readonly semanticsVersion: number;
}

export class Lease {
  readonly #options: LeaseOptions;
  #record: OwnershipRecord;
  #revision: bigint;
  readonly #writing = new Mutex();
  #renewedAtMs: number;
  #lost: OperatingError | null = null;

  private constructor(options: LeaseOptions, record: OwnershipRecord, revision: bigint) {
    this.#options = options;
    this.#record = record;
    this.#revision = revision;
    this.#renewedAtMs = options.clock.monotonicMs();
  }

  /** Becomes the owner, or rejects with NOT_OWNER while somebody else keeps renewing. */
  static async claim(options: LeaseOptions, signal: AbortSignal): Promise<Lease> {
    const { ownership, partition, owner } = options;
    const found = await ownership.load(partition);
    if (found && !mayClaimAtOnce(found.record, owner)) await waitUnchanged(options, signal);
    return Lease.take(options, await ownership.load(partition));
  }

  /** Claims what stands at `found` and nothing newer: NOT_OWNER when somebody was faster. */
  static async take(options: LeaseOptions, found: StoredRecord | null): Promise<Lease> {
    const { ownership, partition, owner, semanticsVersion } = options;
    if (found) refuseNewer(partition, found.record, semanticsVersion);
    const before = found?.record ?? { ...NEW_RECORD, owner, nonce: '', semanticsVersion };
    const record = { ...before, owner, nonce: randomUUID(), epoch: before.epoch + 1 };
    const revision = await ownership.save(partition, record, found?.revision ?? 0n);
    if (revision === null) throw notOwner(partition, 'another process claimed it first');
    return new Lease(options, record, revision);
  }

  get record(): OwnershipRecord {
    return this.#record;
  }

  /** Throws NOT_OWNER when the lease is gone. */
  check(): void {
    if (this.#lost) throw this.#lost;
  }

  /** True while outputs must wait: the record has been unreachable for too long. */
  get paused(): boolean {
    return this.#options.clock.monotonicMs() - this.#renewedAtMs > OWNERSHIP_PAUSE_MS;
  }

  async renew(): Promise<void> {
    await this.write({});
  }

  /** Writes changed fields by compare-and-set; one write at a time. */
  write(change: Partial<OwnershipRecord>): Promise<void> {
    return this.#writing.run(() => this.#write(change));
  }

  /** Gives the partition up, so that the next claim need not wait. */
  async release(): Promise<void> {
    await this.write({ owner: '' });
    this.#lost = notOwner(this.#options.partition, 'the lease was released');
  }

  /**
   * A write whose reply was lost for good stands under a newer revision than we know. Owner and
   * epoch are ours alone, so such a record is our own: go on from it, also from what it says. It
   * may be a checkpoint that we took for failed, and a checkpoint never goes back.
   */
  async #isOurs(): Promise<boolean> {
    const found = await this.#options.ownership.load(this.#options.partition);
    if (found?.record.owner !== this.#record.owner) return false;
    if (found.record.epoch !== this.#record.epoch) return false;
    this.#revision = found.revision;
    this.#record = found.record;
    return true;
  }

  async #write(change: Partial<OwnershipRecord>): Promise<void> {
    this.check();
    const { ownership, partition, clock } = this.#options;
    const changed = () => ({ ...this.#record, ...change, nonce: randomUUID() });
    let record = changed();
    let revision = await ownership.save(partition, record, this.#revision);
    if (revision === null && (await this.#isOurs())) {
      record = changed();
      revision = await ownership.save(partition, record, this.#revision);
    }
    if (revision === null) {
      this.#lost = notOwner(partition, 'its record was written by another process');
      throw this.#lost;
    }
    assert(revision > this.#revision, 'revisions of the ownership record ascend');
    this.#record = record;
    this.#revision = revision;
    this.#renewedAtMs = clock.monotonicMs();
  }
}

/** What a newer version computed is not to be computed again by an older one. */
function refuseNewer(partition: number, record: OwnershipRecord, ours: number): void {
  const { semanticsVersion } = record;
  if (semanticsVersion <= ours) return;
  throw new OperatingError(
    'CHECKPOINT_INCOMPATIBLE',
    `partition ${partition}: its checkpoint was computed under semantics ${semanticsVersion}, ` +
      `this version has ${ours}. Start the newer version that wrote it, or restore a savepoint ` +
      'of before it was started',
    { where: { partition, semanticsVersion } },
  );
}

/** Released, or left behind by an earlier process of the same instance. */
export function mayClaimAtOnce(record: OwnershipRecord, owner: string): boolean {
  const instance = (name: string) => name.split(':', 1)[0];
  return record.owner === '' || instance(record.owner) === instance(owner);
}

async function waitUnchanged(options: LeaseOptions, signal: AbortSignal): Promise<void> {
  const { ownership, partition, clock } = options;
  let seen = (await ownership.load(partition))?.revision;
  let sinceMs = clock.monotonicMs();
  const giveUpAtMs = sinceMs + 2 * CLAIM_AFTER_MS;
  while (clock.monotonicMs() - sinceMs < CLAIM_AFTER_MS) {
    await clock.wait(CLAIM_POLL_MS, signal);
    const current = await ownership.load(partition);
    if (current?.record.owner === '') return;
    if (current?.revision === seen) continue;
    seen = current?.revision;
    sinceMs = clock.monotonicMs();
    if (sinceMs > giveUpAtMs) throw notOwner(partition, `${current?.record.owner} renews it`);
  }
}

function notOwner(partition: number, why: string): OperatingError {
  return new OperatingError('NOT_OWNER', `partition ${partition} is not ours: ${why}`, {
    where: { partition },
  });
}

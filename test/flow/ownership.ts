/**
 * The simulated ownership records: compare-and-set over a network that loses replies, and the skip
 * list. It checks what must hold of its own history: epochs and positions of a partition never go
 * back, and a record names only objects that are there.
 */
import type { Ownership, OwnershipRecord } from '../../src/model/doors.ts';
import { isOperatingError, OperatingError } from '../../src/model/error.ts';
import type { LogPosition } from '../../src/model/record.ts';
import type { Life, Scheduler } from './scheduler.ts';

interface Stored {
  readonly record: OwnershipRecord;
  readonly revision: bigint;
}

export interface OwnershipSettings {
  readonly violate: (what: string) => void;
  readonly hasObject: (name: string) => boolean;
}

export class SimulatedOwnership {
  readonly #scheduler: Scheduler;
  readonly #settings: OwnershipSettings;
  readonly #records = new Map<number, Stored>();
  readonly #skips = new Map<string, LogPosition>();
  /** Of messages that the log has lost since. */
  readonly #dropped = new Set<string>();
  #revision = 0n;
  /** A mutant: whoever writes last wins. */
  ignoresRevision = false;
  /** A mutant: writes are refused while this says so. */
  isRefusing: ((partition: number) => boolean) | null = null;
  /** A mutant: a skip is acknowledged now and written later, if the process lives that long. */
  skipDelayMs = 0;

  constructor(scheduler: Scheduler, settings: OwnershipSettings) {
    this.#scheduler = scheduler;
    this.#settings = settings;
  }

  record(partition: number): OwnershipRecord | null {
    return this.#records.get(partition)?.record ?? null;
  }

  isSkipped(partition: number, sequence: bigint, index: number): boolean {
    const key = `${partition}.${sequence}.${index}`;
    return this.#skips.has(key) || this.#dropped.has(key);
  }

  skips(partition: number): readonly LogPosition[] {
    return [...this.#skips.values()]
      .filter((position) => position.partition === partition)
      .sort((left, right) => Number(left.sequence - right.sequence) || left.index - right.index);
  }

  door(life: Life): Ownership {
    const scheduler = this.#scheduler;
    const load = (partition: number) =>
      scheduler.call(
        life,
        { door: 'ownership', what: `load ${partition}` },
        () => this.#records.get(partition) ?? null,
      );
    return {
      load,
      save: async (partition, record, revision) => {
        const what = `save ${partition} epoch ${record.epoch} at ${record.position}`;
        const save = () => this.#save(partition, record, revision);
        try {
          return await scheduler.call(life, { door: 'ownership', what }, save);
        } catch (error) {
          // As the real one: a lost reply is settled by reading back, when that works.
          if (!isOperatingError(error, 'NATS_UNREACHABLE')) throw error;
          const found = await load(partition);
          if (found?.record.nonce === record.nonce) return found.revision;
          throw error;
        }
      },
      skips: (partition) =>
        scheduler.call(life, { door: 'ownership', what: `skips ${partition}` }, () =>
          this.skips(partition),
        ),
      addSkip: (position) => this.#addSkip(life, position),
      dropSkips: (partition, after) => {
        const what = `drop skips ${partition} behind ${after}`;
        return scheduler.call(life, { door: 'ownership', what, isOrdered: true }, () => {
          for (const [key, skip] of this.#skips) {
            if (skip.partition !== partition || skip.sequence <= after) continue;
            this.#skips.delete(key);
            this.#dropped.add(key);
          }
        });
      },
    };
  }

  async #addSkip(life: Life, position: LogPosition): Promise<void> {
    const { partition, sequence, index } = position;
    const add = () => {
      this.#skips.set(`${partition}.${sequence}.${index}`, position);
    };
    if (this.skipDelayMs > 0) return this.#scheduler.deliver(life, this.skipDelayMs, add);
    const what = `skip ${partition}/${sequence}.${index}`;
    await this.#scheduler.call(life, { door: 'ownership', what }, add);
  }

  #save(partition: number, record: OwnershipRecord, revision: bigint): bigint | null {
    if (this.isRefusing?.(partition)) {
      throw new OperatingError('NATS_UNREACHABLE', 'the store has no room');
    }
    const before = this.#records.get(partition);
    if (!this.ignoresRevision && (before?.revision ?? 0n) !== revision) return null;
    if (before) this.#check(partition, before.record, record);
    const { violate, hasObject } = this.#settings;
    if (before?.record.objects !== record.objects) {
      const missing = record.objects.find((name) => !hasObject(name));
      if (missing) violate(`the record of partition ${partition} names ${missing}: not there`);
    }
    this.#revision += 1n;
    this.#records.set(partition, { record, revision: this.#revision });
    return this.#revision;
  }

  #check(partition: number, before: OwnershipRecord, after: OwnershipRecord): void {
    const { violate } = this.#settings;
    if (after.epoch < before.epoch) {
      violate(`partition ${partition}: epoch ${after.epoch} was written over ${before.epoch}`);
    }
    // An owner may write again what it knew, over a write of its own that it was not told of.
    const isSame = after.epoch === before.epoch || after.generation !== before.generation;
    if (!isSame && BigInt(after.position) < BigInt(before.position)) {
      violate(`partition ${partition}: its checkpoint goes back to ${after.position}`);
    }
  }
}

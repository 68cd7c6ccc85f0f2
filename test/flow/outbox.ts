/**
 * What a sink of a process has taken and not yet got acknowledged: batches under one token, sent
 * one at a time until they are stored, as the real inserter and publisher do. In: items with their
 * partition. Out: a promise of everything so far.
 */
import type { Receipt } from '../../src/model/doors.ts';
import { type Life, never, type Scheduler } from './scheduler.ts';

export interface Parcel<Item> {
  readonly token: string;
  readonly items: readonly Item[];
}

export interface OutboxOptions<Item> {
  readonly scheduler: Scheduler;
  readonly life: Life;
  readonly lingerMs: number;
  /** Stores the parcel; rejects when it must be sent again. */
  readonly ship: (parcel: Parcel<Item>) => Promise<void>;
}

interface Waiter {
  readonly count: number;
  readonly resolve: () => void;
}

const AGAIN_MS = 200;
const ITEMS_MAX = 400;

export class Outbox<Item> {
  readonly #options: OutboxOptions<Item>;
  #items: Item[] = [];
  #taken = 0;
  #stored = 0;
  #parcels = 0;
  #isShipping = false;
  #waiters: Waiter[] = [];

  constructor(options: OutboxOptions<Item>) {
    this.#options = options;
  }

  /** Resolves when there is room for more. */
  async put(items: readonly Item[]): Promise<void> {
    const { life, scheduler, lingerMs } = this.#options;
    if (!life.isAlive) return never();
    this.#items.push(...items);
    this.#taken += items.length;
    if (items.length > 0 && !this.#isShipping) {
      this.#isShipping = true;
      scheduler.deliver(life, scheduler.random.uniform() * lingerMs, () => void this.#ship());
    }
    if (this.#items.length > ITEMS_MAX) return this.flushed();
    await new Promise<void>((resolve) => {
      scheduler.deliver(life, scheduler.random.uniform() * 2, resolve);
    });
  }

  /** For everything taken so far. */
  receipt(): Receipt {
    const count = this.#taken;
    const isStored = () => this.#stored >= count;
    return {
      get isAcknowledged() {
        return isStored();
      },
    };
  }

  /** Resolves when everything taken so far is stored. */
  flushed(): Promise<void> {
    const { life, scheduler } = this.#options;
    if (!life.isAlive) return never();
    const count = this.#taken;
    return new Promise((resolve) => {
      const told = () => scheduler.deliver(life, scheduler.random.uniform() * 2, resolve);
      if (this.#stored >= count) told();
      else this.#waiters.push({ count, resolve: told });
    });
  }

  async #ship(): Promise<void> {
    const { scheduler, life, ship } = this.#options;
    const items = this.#items.splice(0);
    this.#parcels += 1;
    const parcel = { token: `${life.name}/${this.#parcels}`, items };
    for (;;) {
      const isStored = await ship(parcel).then(
        () => true,
        () => false,
      );
      if (isStored) break;
      await new Promise<void>((resolve) => scheduler.deliver(life, AGAIN_MS, resolve));
    }
    this.#stored += items.length;
    for (const { count, resolve } of this.#waiters) if (count <= this.#stored) resolve();
    this.#waiters = this.#waiters.filter(({ count }) => count > this.#stored);
    if (this.#items.length > 0) await this.#ship();
    else this.#isShipping = false;
  }
}

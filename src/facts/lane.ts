/**
 * A lane: items on their way to the server, each sent until it is acknowledged. In: items. Out:
 * nothing but the acknowledgement, seen by `flushed`. Invariants: at most `inFlightMax` are on
 * their way and `heldMax` are held (add waits beyond); an item is done only when it was sent,
 * superseded by a newer one of its key that was sent, or can never be sent (counted as refused).
 * With `keyOf`, at most one item of a key is on its way: a newer one waits for it, an older one is
 * dropped.
 */
import { setMaxListeners } from 'node:events';
import { createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';

const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 2_000;

export interface LaneOptions<Item> {
  readonly name: string;
  readonly inFlightMax: number;
  readonly heldMax: number;
  readonly clock: Clock;
  /** Resolves when acknowledged. Retried for ever unless it fails with retry 'never'. */
  readonly send: (item: Item) => Promise<void>;
  readonly keyOf?: (item: Item) => string;
  readonly isNewer?: (left: Item, right: Item) => boolean;
  /** Called at each failure; `refused` when the item is given up. */
  readonly onTrouble?: (trouble: LaneTrouble) => void;
}

export interface LaneTrouble {
  readonly lane: string;
  readonly error: Error;
  readonly isRefused: boolean;
}

export interface LaneCounts {
  readonly sent: number;
  readonly retried: number;
  readonly superseded: number;
  readonly refused: number;
  readonly held: number;
}

interface Entry<Item> {
  readonly item: Item;
  /** Numbers of everything this one stands for: its own, and those it superseded. */
  readonly numbers: number[];
}

export class Lane<Item> {
  readonly #options: LaneOptions<Item>;
  readonly #queue: Entry<Item>[] = [];
  #head = 0;
  /** Key on its way → the newest one that waits for it. */
  readonly #busy = new Map<string, Entry<Item> | null>();
  /** Numbers that are not done, in the order they came. */
  readonly #open = new Set<number>();
  readonly #waiters = new Set<() => void>();
  readonly #stopping = new AbortController();
  #nextNumber = 0;
  #inFlight = 0;
  readonly #counts = { sent: 0, retried: 0, superseded: 0, refused: 0 };

  constructor(options: LaneOptions<Item>) {
    this.#options = options;
    // Every item on its way may wait for the stop.
    setMaxListeners(0, this.#stopping.signal);
  }

  get counts(): LaneCounts {
    return { ...this.#counts, held: this.#open.size };
  }

  async add(items: readonly Item[]): Promise<void> {
    for (const item of items) {
      if (this.#open.size >= this.#options.heldMax) {
        await this.#until(() => this.#open.size < this.#options.heldMax);
      }
      const number = this.#nextNumber;
      this.#nextNumber += 1;
      this.#open.add(number);
      this.#queue.push({ item, numbers: [number] });
      this.#pump();
    }
  }

  async flushed(): Promise<void> {
    const end = this.handedIn;
    await this.#until(() => this.isDone(end));
  }

  /** How many items were handed in so far. */
  get handedIn(): number {
    return this.#nextNumber;
  }

  /** Whether the first `count` items are done. */
  isDone(count: number): boolean {
    const [oldest] = this.#open;
    return oldest === undefined || oldest >= count;
  }

  /** What is not acknowledged is given up: it is published again when the log is replayed. */
  stop(): void {
    this.#stopping.abort();
    this.#notify();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.#stopping.signal.aborted) throw this.#stoppedError();
      await new Promise<void>((resolve) => this.#waiters.add(resolve));
    }
  }

  #notify(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  #pump(): void {
    while (this.#inFlight < this.#options.inFlightMax && this.#head < this.#queue.length) {
      const entry = this.#queue[this.#head]!;
      this.#head += 1;
      if (!this.#waitsForKey(entry)) void this.#deliver(entry);
    }
    if (this.#head === this.#queue.length || this.#head > this.#options.heldMax) {
      this.#queue.splice(0, this.#head);
      this.#head = 0;
    }
  }

  #waitsForKey(entry: Entry<Item>): boolean {
    const key = this.#options.keyOf?.(entry.item);
    if (key === undefined || !this.#busy.has(key)) return false;
    const waiting = this.#busy.get(key);
    if (!waiting) this.#busy.set(key, entry);
    else {
      const isNewer = this.#options.isNewer?.(entry.item, waiting.item) ?? true;
      const kept = isNewer ? entry : waiting;
      this.#counts.superseded += 1;
      const numbers = [...waiting.numbers, ...entry.numbers];
      this.#busy.set(key, { item: kept.item, numbers });
    }
    return true;
  }

  async #deliver(entry: Entry<Item>): Promise<void> {
    const key = this.#options.keyOf?.(entry.item);
    if (key !== undefined) this.#busy.set(key, null);
    this.#inFlight += 1;
    const isDone = await this.#send(entry.item);
    this.#inFlight -= 1;
    if (isDone) for (const number of entry.numbers) this.#open.delete(number);
    if (key !== undefined) {
      const next = this.#busy.get(key);
      this.#busy.delete(key);
      if (next && !this.#stopping.signal.aborted) void this.#deliver(next);
    }
    this.#notify();
    if (!this.#stopping.signal.aborted) this.#pump();
  }

  /** True when nothing more is to be done about it. */
  async #send(item: Item): Promise<boolean> {
    const { clock, send, name, onTrouble } = this.#options;
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
    while (!this.#stopping.signal.aborted) {
      try {
        await send(item);
        this.#counts.sent += 1;
        return true;
      } catch (error) {
        if (!isOperatingError(error)) throw error;
        const isRefused = error.retry === 'never';
        onTrouble?.({ lane: name, error, isRefused });
        if (isRefused) {
          this.#counts.refused += 1;
          return true;
        }
        this.#counts.retried += 1;
        await clock.wait(backoff.nextMs(), this.#stopping.signal).catch(() => {});
      }
    }
    return false;
  }

  #stoppedError(): OperatingError {
    return new OperatingError(
      'NATS_UNREACHABLE',
      `Publishing stopped with ${this.#open.size} facts of lane ${this.#options.name} not ` +
        'acknowledged; they are published again when the log is replayed.',
      { where: { lane: this.#options.name, open: this.#open.size } },
    );
  }
}

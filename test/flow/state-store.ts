/**
 * The simulated state store: objects that are written once, acknowledged, and checked when read.
 * Faults: lost requests and replies as for every door, no room, an object that rots or goes away.
 */
import type { StateStore } from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import type { Life, Scheduler } from './scheduler.ts';

export class SimulatedStateStore {
  readonly #scheduler: Scheduler;
  readonly #objects = new Map<string, Uint8Array>();
  readonly #rotten = new Set<string>();
  #fullUntilMs = 0;
  /** A mutant: looks at what is stored while something is uploaded. */
  onSave: ((name: string) => void) | null = null;
  /** What a fault took: a record may name it without being wrong. */
  readonly damaged = new Set<string>();

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  has(name: string): boolean {
    return this.#objects.has(name) || this.damaged.has(name);
  }

  get names(): readonly string[] {
    return [...this.#objects.keys()];
  }

  remove(name: string): void {
    this.#objects.delete(name);
  }

  fill(durationMs: number): void {
    this.#fullUntilMs = this.#scheduler.nowMs + durationMs;
  }

  heal(): void {
    this.#fullUntilMs = 0;
  }

  damage(name: string, how: 'rots' | 'vanishes'): void {
    this.damaged.add(name);
    if (how === 'rots') this.#rotten.add(name);
    else this.#objects.delete(name);
  }

  door(life: Life): StateStore {
    const call = <Result>(what: string, effect: () => Result) =>
      this.#scheduler.call(life, { door: 'state', what }, effect);
    return {
      save: (name, bytes) => call(`save ${name}`, () => this.#save(name, bytes)),
      load: (name) =>
        call(`load ${name}`, () => {
          if (!this.#rotten.has(name)) return this.#objects.get(name) ?? null;
          throw new OperatingError('CHECKPOINT_CORRUPT', `${name} is not what was written`);
        }),
      remove: (names) =>
        call(`remove ${names}`, () => {
          for (const name of names) this.#objects.delete(name);
        }),
      list: (prefix) =>
        call(`list ${prefix}`, () => this.names.filter((name) => name.startsWith(prefix))),
    };
  }

  #save(name: string, bytes: Uint8Array): void {
    if (this.#scheduler.nowMs < this.#fullUntilMs) {
      throw new OperatingError('DISK_FULL', `no room for ${name}`);
    }
    const stored = this.#objects.get(name);
    if (stored && Buffer.compare(stored, bytes) !== 0) {
      throw new OperatingError('CHECKPOINT_CORRUPT', `${name} was written with other bytes`);
    }
    this.#objects.set(name, bytes.slice());
    this.onSave?.(name);
  }
}

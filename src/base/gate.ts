/**
 * Wakes whoever waits for "something changed". In: waits, and one call when something did. Out:
 * every wait that was under way ends; what changed is for the waiter to look up, as with a
 * condition variable.
 */
import type { Clock } from './clock.ts';

export class Gate {
  #open: () => void = () => undefined;
  #passed = this.#close();

  /** Resolves at the next `open`. */
  get passed(): Promise<void> {
    return this.#passed;
  }

  open(): void {
    this.#open();
    this.#passed = this.#close();
  }

  /** Resolves at the next `open`, or after `durationMs`. */
  async passedWithin(durationMs: number, clock: Clock): Promise<void> {
    const over = new AbortController();
    const timer = clock.wait(Math.max(0, durationMs), over.signal).catch(() => undefined);
    await Promise.race([this.#passed, timer]);
    over.abort();
  }

  #close(): Promise<void> {
    return new Promise((resolve) => {
      this.#open = resolve;
    });
  }
}

/**
 * The clock of one simulated process: its own wall clock, which may be wrong and step, and its own
 * monotonic one. Time stands still for nobody: a paused process finds it has passed. Waits last
 * longer than asked by up to `coarseMs`, as they may on a busy machine.
 */
import type { Clock } from '../../src/base/clock.ts';
import { type Life, never, type Scheduler } from './scheduler.ts';

/** 2026-01-01T00:00:00Z: the true time at which every run begins. */
export const START_MS = 1_767_225_600_000;

export class SimulatedClock implements Clock {
  readonly #scheduler: Scheduler;
  readonly #life: Life;
  readonly #coarseMs: number;
  readonly #bootMs: number;
  /** Wall clock minus true time. */
  aheadMs = 0;

  constructor(scheduler: Scheduler, life: Life, coarseMs: number) {
    this.#scheduler = scheduler;
    this.#life = life;
    this.#coarseMs = coarseMs;
    this.#bootMs = scheduler.nowMs;
  }

  nowMs(): number {
    return Math.floor(START_MS + this.#scheduler.nowMs + this.aheadMs);
  }

  monotonicMs(): number {
    return this.#scheduler.nowMs - this.#bootMs;
  }

  wait(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (!this.#life.isAlive) return never();
    if (signal?.aborted) return Promise.reject(signal.reason);
    const scheduler = this.#scheduler;
    return new Promise((resolve, reject) => {
      const onAbort = () => reject(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      const coarseMs = durationMs < this.#coarseMs ? this.#coarseMs : this.#coarseMs / 4;
      scheduler.deliver(this.#life, durationMs + scheduler.random.uniform() * coarseMs, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }
}

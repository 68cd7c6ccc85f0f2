/**
 * The clock of a device: how far it is off, by the least of received − event in log time buckets.
 * In: samples with a time of their own. Out: offset and drift.
 */
import { CLOCK_BUCKET_MS } from '../../../assembly/shared/abi.ts';

const PARTS_PER_MILLION = 1_000_000;

export class Clock {
  #bucket: number | null = null;
  #current: number | null = null;
  #previous: number | null = null;

  observe(aheadMs: { receivedMs: number; eventMs: number }, logClock: number): void {
    const difference = aheadMs.receivedMs - aheadMs.eventMs;
    const bucket = Math.floor(logClock / CLOCK_BUCKET_MS);
    if (this.#current !== null && bucket === this.#bucket) {
      this.#current = Math.min(this.#current, difference);
      return;
    }
    this.#previous = this.#bucket !== null && bucket === this.#bucket + 1 ? this.#current : null;
    this.#bucket = bucket;
    this.#current = difference;
  }

  /** Below 0 the clock runs ahead; 0 while nothing is known. */
  get offsetMs(): number {
    if (this.#current === null) return 0;
    return this.#previous === null ? this.#current : Math.min(this.#previous, this.#current);
  }

  get driftPpm(): number {
    if (this.#current === null || this.#previous === null) return 0;
    return ((this.#current - this.#previous) * PARTS_PER_MILLION) / CLOCK_BUCKET_MS;
  }
}

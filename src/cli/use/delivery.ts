/**
 * Sends the rows of one file, a bounded number in flight. In: records with their row numbers. Out:
 * how many were acknowledged and refused, and the row up to which every one is answered. A full log
 * is waited for and the row sent again: its key makes a second arrival a duplicate, so nothing is
 * lost and nothing counted twice. Rows that were not answered when the signal aborts are sent by
 * the next run.
 */
import { createBackoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { Ingest } from '../../model/doors.ts';
import { isOperatingError, type OperatingError } from '../../model/error.ts';
import type { DeviceRecord } from '../../model/record.ts';
import { Contiguous } from './cursor.ts';

/** Enough to fill record batches of every partition, little enough to hold in memory. */
const IN_FLIGHT_MAX = 5_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 5_000;
/** A log that stays full for this long needs somebody who makes room. */
const RETRY_MS_MAX = 600_000;
/** What the log did not refuse, but the sender did wrong: this row will never be taken. */
const REFUSALS = ['IDENTITY_INVALID', 'RECORD_TOO_LARGE'];

export interface Refusal {
  readonly row: number;
  readonly code: string;
  readonly message: string;
}

export interface DeliveryOptions {
  readonly ingest: Ingest;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Rows 1 … `start` are acknowledged already. */
  readonly start: number;
  /** Said once per kind of trouble that is waited for. */
  readonly onTrouble: (error: OperatingError) => void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #answered: Contiguous;
  readonly #positions = new Map<number, { first: bigint; last: bigint }>();
  readonly #told = new Set<string>();
  #inFlight = 0;
  #failed: unknown = null;
  #wake: () => void = () => {};
  acknowledged = 0;
  refused = 0;
  /** The first few, to show what is wrong. */
  readonly refusals: Refusal[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#answered = new Contiguous(options.start);
  }

  /** Rows 1 … this are answered. */
  get upTo(): number {
    return this.#answered.upTo;
  }

  /** Log sequences that hold this delivery's rows, by partition. */
  get positions(): ReadonlyMap<number, { readonly first: bigint; readonly last: bigint }> {
    return this.#positions;
  }

  /** Resolves when there is room for the next; rejects with what cannot be waited for. */
  async send(row: number, record: DeviceRecord): Promise<void> {
    const { signal } = this.#options;
    while (this.#inFlight >= IN_FLIGHT_MAX && !signal.aborted) await this.#change();
    this.#check();
    if (signal.aborted) return;
    this.#inFlight += 1;
    void this.#deliver(row, record).finally(() => {
      this.#inFlight -= 1;
      this.#wake();
    });
  }

  /** Resolves when everything sent is answered, or the signal aborted. */
  async drain(): Promise<void> {
    const { signal } = this.#options;
    while (this.#inFlight > 0 && !signal.aborted) await this.#change();
    this.#check();
  }

  #check(): void {
    if (this.#failed !== null) throw this.#failed;
  }

  /** Until something is answered, or the signal aborts. */
  #change(): Promise<void> {
    const { signal } = this.#options;
    this.#check();
    return new Promise((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done);
    });
  }

  async #deliver(row: number, record: DeviceRecord): Promise<void> {
    const { ingest, clock, signal, onTrouble } = this.#options;
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
    const endMs = clock.monotonicMs() + RETRY_MS_MAX;
    while (!signal.aborted) {
      try {
        const { partition, sequence } = await ingest.admit(record);
        this.#acknowledge(row, partition, sequence);
        return;
      } catch (error) {
        if (isOperatingError(error) && REFUSALS.includes(error.code)) {
          this.#refuse(row, error);
          return;
        }
        const waits = isOperatingError(error) && error.retry !== 'never';
        if (!waits || clock.monotonicMs() > endMs) {
          this.#failed ??= error;
          return;
        }
        if (!this.#told.has(error.code)) onTrouble(error);
        this.#told.add(error.code);
        await clock.wait(backoff.nextMs(), signal).catch(() => {});
      }
    }
  }

  #acknowledge(row: number, partition: number, sequence: bigint): void {
    this.acknowledged += 1;
    this.#answered.mark(row);
    const range = this.#positions.get(partition) ?? { first: sequence, last: sequence };
    if (sequence < range.first) range.first = sequence;
    if (sequence > range.last) range.last = sequence;
    this.#positions.set(partition, range);
  }

  #refuse(row: number, { code, message }: OperatingError): void {
    this.refused += 1;
    this.#answered.mark(row);
    if (this.refusals.length < 10) this.refusals.push({ row, code, message });
  }
}

/**
 * The line of batches before ClickHouse. In: one batch after the other. Out: each stored, in this
 * order. When ClickHouse is slow or away, batches wait on disk:
 *
 *   put ──▶ line is empty? ──yes──▶ in memory ──▶ ship ──▶ stored
 *                │ no                  │ not stored within spillAfterMs
 *                ▼                     ▼
 *              spool (fsynced) ◀───────┘ ··· read back, the oldest first ──▶ ship ──▶ stored
 *
 * `secured` counts what is stored or in the spool, `stored` what is in ClickHouse; both ascend
 * with the numbers of batches. Without spool, or while it is full or cannot be written, `put` waits
 * until its batch is stored: nothing is dropped. What an earlier process left in the spool goes
 * first.
 */
import type { Clock } from '../../base/clock.ts';
import { Gate } from '../../base/gate.ts';
import { formatSize } from '../../base/quantity.ts';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import type { Batch } from '../batch.ts';
import type { Shipper } from '../shipment.ts';
import type { Spool } from './spool.ts';

/**
 * ClickHouse rests so many times as long as it took for a batch: it also merges, and is asked. With
 * 3 rows were up to 1.8 s old before they could be queried at 20,000 events/s, for 4 % less of
 * processor time (`npm run bench -- sustained`).
 */
const REST_FACTOR = 1;
/** After a refusal the spool is tried again so often: a disk may have been freed meanwhile. */
const SPOOL_RETRY_MS = 1_000;

export interface LineOptions {
  readonly shipper: Shipper;
  readonly spool: Spool | null;
  readonly clock: Clock;
  /** How long a batch may be on its way to ClickHouse before it is put into the spool as well. */
  readonly spillAfterMs: number;
  /** A batch was stored or spooled. */
  readonly onChange: () => void;
  /** The spool takes nothing more in; once each time that begins. */
  readonly onTrouble: (error: OperatingError) => void;
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly number: number;
  readonly sinceMs: number;
}

interface Direct extends Waiting {
  readonly batch: Batch;
  /** Set when it is being put into the spool as well. */
  spilling: Promise<boolean> | null;
}

export class Line {
  readonly #options: LineOptions;
  readonly #gate = new Gate();
  /** Of the spool's records, in their order; those of an earlier process have number 0. */
  readonly #spooled: Waiting[];
  #direct: Direct | null = null;
  #stored = 0;
  #spooledLast = 0;
  #isClosing = false;
  #isRefused = false;
  #refusals = 0;
  #restsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LineOptions) {
    this.#options = options;
    const sinceMs = options.clock.monotonicMs();
    const left = options.spool?.records ?? 0;
    this.#spooled = Array.from({ length: left }, () => ({ number: 0, sinceMs }));
    options.signal.addEventListener('abort', () => this.#gate.open());
  }

  /** Number of the last batch that is in ClickHouse, as all before it. */
  get stored(): number {
    return this.#stored;
  }

  /** Number of the last batch that is in ClickHouse or on disk, as all before it. */
  get secured(): number {
    return Math.max(this.#stored, this.#spooledLast);
  }

  /** When the oldest batch in the line was collected; null: the line is empty. */
  get sinceMs(): number | null {
    return this.#spooled[0]?.sinceMs ?? this.#direct?.sinceMs ?? null;
  }

  /** When it is good to put the next batch, on the monotonic clock; Infinity: some are waiting. */
  get restsUntilMs(): number {
    return this.sinceMs === null ? this.#restsUntilMs : Number.POSITIVE_INFINITY;
  }

  /** How often the spool took nothing more in. */
  get refusals(): number {
    return this.#refusals;
  }

  /** How far the batches in the line reach, the oldest first. */
  reaches(): Batch['reaches'][] {
    const spooled = this.#options.spool?.reaches() ?? [];
    const direct = this.#direct?.batch.reaches;
    return direct === undefined || spooled.includes(direct) ? spooled : [direct, ...spooled];
  }

  /**
   * Takes batches in ascending order of `number`, one at a time. Resolves when the batch is secured
   * and no longer held; rejects when the signal aborts.
   */
  async put(batch: Batch, { number, sinceMs }: Waiting): Promise<void> {
    const { clock, signal, spillAfterMs, spool } = this.#options;
    while (this.secured < number) {
      signal.throwIfAborted();
      if (this.#direct === null && this.#spooled.length === 0) {
        this.#direct = { batch, number, sinceMs, spilling: null };
        this.#gate.open();
        await this.#storedWithin(number, spool === null ? Number.POSITIVE_INFINITY : spillAfterMs);
      } else if (!(await this.#spill(batch, { number, sinceMs }))) {
        await this.#gate.passedWithin(SPOOL_RETRY_MS, clock);
      }
    }
  }

  /** Ships until it is closed and empty; rejects when the signal aborts, or for a bug. */
  async run(): Promise<void> {
    const { spool, signal } = this.#options;
    for (;;) {
      if (this.#direct !== null) {
        await this.#shipDirect(this.#direct);
      } else if (spool !== null && this.#spooled.length > 0) {
        await this.#ship(await spool.first());
        await this.#advance(spool);
      } else if (this.#isClosing) {
        return;
      } else {
        await this.#gate.passed;
      }
      signal.throwIfAborted();
    }
  }

  /** Nothing is put any more. */
  close(): void {
    this.#isClosing = true;
    this.#gate.open();
  }

  async #ship(batch: Batch): Promise<void> {
    const { shipper, signal, clock } = this.#options;
    const sinceMs = clock.monotonicMs();
    await shipper.ship(batch, signal);
    const nowMs = clock.monotonicMs();
    this.#restsUntilMs = nowMs + REST_FACTOR * (nowMs - sinceMs);
  }

  async #shipDirect(direct: Direct): Promise<void> {
    const { spool } = this.#options;
    await this.#ship(direct.batch);
    // Nothing may come between the question and its consequence.
    const isSpooled = direct.spilling === null ? false : await direct.spilling;
    this.#direct = null;
    this.#stored = direct.number;
    if (isSpooled && spool !== null) await this.#advance(spool);
    this.#changed();
  }

  async #advance(spool: Spool): Promise<void> {
    await spool.advance();
    const { number } = this.#spooled.shift()!;
    this.#stored = Math.max(this.#stored, number);
    this.#changed();
  }

  #changed(): void {
    this.#gate.open();
    this.#options.onChange();
  }

  /** True when the batch is on disk. */
  async #spill(batch: Batch, waiting: Waiting): Promise<boolean> {
    const { spool } = this.#options;
    if (spool === null) return false;
    const append = this.#append(spool, batch, waiting);
    if (this.#direct?.number === waiting.number) this.#direct.spilling = append;
    return append;
  }

  async #append(spool: Spool, batch: Batch, waiting: Waiting): Promise<boolean> {
    let refusal: OperatingError | null = null;
    const isTaken = await spool.append(batch).catch((error: unknown) => {
      if (!isOperatingError(error)) throw error;
      refusal = error;
      return false;
    });
    if (isTaken) {
      this.#spooled.push(waiting);
      this.#spooledLast = waiting.number;
    } else if (!this.#isRefused) {
      this.#refusals += 1;
      if (spool.bytesMax > 0) this.#options.onTrouble(refusal ?? fullError(spool));
    }
    this.#isRefused = !isTaken;
    if (isTaken) this.#changed();
    return isTaken;
  }

  async #storedWithin(number: number, durationMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    const endMs = clock.monotonicMs() + durationMs;
    while (this.#stored < number && !signal.aborted) {
      const leftMs = endMs - clock.monotonicMs();
      if (leftMs <= 0) return;
      const isEndless = leftMs === Number.POSITIVE_INFINITY;
      await (isEndless ? this.#gate.passed : this.#gate.passedWithin(leftMs, clock));
    }
  }
}

function fullError(spool: Spool): OperatingError {
  const { bytes, bytesMax, records } = spool;
  return new OperatingError(
    'SPOOL_FULL',
    `the insert spool holds ${formatSize(bytes)} in ${records} batches, and the next does not ` +
      `fit into clickhouse.spoolMaxBytes (${formatSize(bytesMax)}): turns wait until ` +
      'ClickHouse takes rows again, nothing is lost',
    { where: { bytes, bytesMax, records } },
  );
}

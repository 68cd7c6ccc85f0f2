/**
 * Whether a partition's log has room for devices. In: what the log's stream says of its bytes, and
 * what was appended since. Out: LOG_FULL once it stands at LOG_FULL_SHARE of its limit, so that
 * ticks, plans and checkpoints always fit: in a log that is full to the brim nothing could ever be
 * checkpointed, and so nothing purged.
 *
 * The figure is asked for beside the appends, not before each: several processes may append, and a
 * leader that is being replaced must not cost a batch two time-outs. What comes too much meanwhile
 * has the rest of the log as its room.
 */
import type { Clock } from '../base/clock.ts';
import type { LogReader } from '../model/doors.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';
import { LOG_FULL_SHARE } from '../model/limit.ts';

/** Age of a figure that is asked for again: what other processes may append in it is little. */
const FRESH_MS = 500;
/** A log that fills faster is asked about after each such share of its limit. */
const FRESH_SHARE = 0.005;

export interface LogRoomOptions {
  readonly partition: number;
  readonly log: Pick<LogReader, 'state'>;
  readonly clock: Clock;
}

export class LogRoom {
  readonly #options: LogRoomOptions;
  #bytes = 0;
  /** Zero until the first answer. */
  #bytesMax = 0;
  #appendedBytes = 0;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;

  constructor(options: LogRoomOptions) {
    this.#options = options;
  }

  /** LOG_FULL when devices must wait. */
  async check(): Promise<void> {
    if (this.#isDue) this.#asking ??= this.#ask();
    // The first answer decides the first batch, and only an answer ends a refusal.
    if (this.#asking && (this.#bytesMax === 0 || this.#isFull)) await this.#asking;
    if (this.#isFull) throw this.#error();
  }

  appended(bytes: number): void {
    this.#appendedBytes += bytes;
  }

  get #isFull(): boolean {
    const bytes = this.#bytes + this.#appendedBytes;
    return this.#bytesMax > 0 && bytes >= this.#bytesMax * LOG_FULL_SHARE;
  }

  get #isDue(): boolean {
    const ageMs = this.#options.clock.monotonicMs() - this.#askedAtMs;
    return ageMs >= FRESH_MS || this.#appendedBytes >= this.#bytesMax * FRESH_SHARE;
  }

  async #ask(): Promise<void> {
    const { log, partition, clock } = this.#options;
    const countedBytes = this.#appendedBytes;
    try {
      const { bytes, bytesMax } = await log.state(partition);
      this.#bytes = bytes;
      this.#bytesMax = bytesMax;
      this.#appendedBytes -= countedBytes;
    } catch (error) {
      // Nobody answers: the append says the same, and whoever calls it retries.
      if (!isOperatingError(error)) throw error;
    } finally {
      this.#askedAtMs = clock.monotonicMs();
      this.#asking = null;
    }
  }

  #error(): OperatingError {
    const { partition } = this.#options;
    const bytes = this.#bytes + this.#appendedBytes;
    const percent = LOG_FULL_SHARE * 100;
    return new OperatingError(
      'LOG_FULL',
      `partition ${partition}: its log stands at ${bytes} B of ${this.#bytesMax} B, devices may ` +
        `fill ${percent} %: the rest is for ticks, plans and what they need to be purged. It is ` +
        'purged as soon as checkpoints allow; raise log.maxBytes if this happens again',
      { where: { partition, bytes, bytesMax: this.#bytesMax } },
    );
  }
}

/**
 * Collects the records of one partition into record batches and appends them, one append in flight.
 * In: encoded records with their answers. Out: log messages; each answer settles only after the log
 * stored its batch. A disturbed append is retried with the same bytes before anything newer, so
 * that a device's records never change order; only a full log refuses.
 */
import { type Backoff, createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { LogAppender } from '../model/doors.ts';
import { isOperatingError } from '../model/error.ts';
import { BATCH_BYTES_MAX, BATCH_LINGER_MS, INGEST_QUEUE_BYTES_MAX } from '../model/limit.ts';
import type { LogPosition } from '../model/record.ts';
import type { LogRoom } from './log-room.ts';

const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 2000;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly resolve: (position: LogPosition) => void;
  readonly reject: (error: unknown) => void;
}

export interface PartitionBatchOptions {
  readonly partition: number;
  readonly appender: LogAppender;
  readonly clock: Clock;
  readonly room: LogRoom;
  readonly lingerMs?: number;
}

export class PartitionBatch {
  readonly #options: PartitionBatchOptions;
  readonly #backoff: Backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #running: Promise<void> | null = null;
  #room: (() => void)[] = [];
  #filled: (() => void) | null = null;
  #draining = false;

  constructor(options: PartitionBatchOptions) {
    this.#options = options;
  }

  /** Takes an encoded record of at most BATCH_BYTES_MAX; waits while the queue is full. */
  async add(bytes: Uint8Array): Promise<LogPosition> {
    while (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > INGEST_QUEUE_BYTES_MAX) {
      await new Promise<void>((resolve) => this.#room.push(resolve));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ bytes, resolve, reject });
      this.#queuedBytes += bytes.length;
      if (this.#queuedBytes >= BATCH_BYTES_MAX) this.#filled?.();
      this.#running ??= this.#run();
    });
  }

  /** Resolves when everything added so far is answered; lingers no more. */
  async drain(): Promise<void> {
    this.#draining = true;
    this.#filled?.();
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#queuedBytes < BATCH_BYTES_MAX && !this.#draining) await this.#linger();
      await this.#appendBatch(this.#takeBatch());
    }
    this.#running = null;
  }

  async #linger(): Promise<void> {
    const lingerMs = this.#options.lingerMs ?? BATCH_LINGER_MS;
    if (lingerMs === 0) return;
    const stop = new AbortController();
    this.#filled = () => stop.abort();
    await this.#options.clock.wait(lingerMs, stop.signal).catch(() => {});
    this.#filled = null;
  }

  #takeBatch(): Waiting[] {
    let count = 0;
    let bytes = 0;
    for (const waiting of this.#queue) {
      if (count > 0 && bytes + waiting.bytes.length > BATCH_BYTES_MAX) break;
      bytes += waiting.bytes.length;
      count += 1;
    }
    const batch = this.#queue.slice(0, count);
    this.#queue = this.#queue.slice(count);
    this.#queuedBytes -= bytes;
    for (const resolve of this.#room.splice(0)) resolve();
    return batch;
  }

  async #appendBatch(batch: Waiting[]): Promise<void> {
    const { appender, clock, partition, room } = this.#options;
    const body = Buffer.concat(batch.map((waiting) => waiting.bytes));
    for (;;) {
      try {
        await room.check();
        const sequence = await appender.append({ kind: 'batch', partition, body });
        room.appended(body.length);
        this.#backoff.reset();
        batch.forEach((waiting, index) => {
          waiting.resolve({ partition, sequence, index });
        });
        return;
      } catch (error) {
        const passes = isOperatingError(error) && error.retry !== 'never';
        if (!passes || error.code === 'LOG_FULL') {
          for (const waiting of batch) waiting.reject(error);
          return;
        }
        await clock.wait(this.#backoff.nextMs());
      }
    }
  }
}

/**
 * Where delivered messages become chunks. In: messages one by one, from Direct Get or a consumer.
 * Out: chunks in order. Invariants: sequences ascend without a hole that was not passed over on
 * purpose; at most HELD_BYTES_MAX are held and asked for together.
 *
 *   offer ─► [ partial chunk ] ─full─► [ chunk ][ chunk ] ─► take
 *                  └── linger ran out and nothing fuller is there ──►
 */

import type { Clock } from '../../base/clock.ts';
import type { LogChunk } from '../../model/doors.ts';
import { CHUNK_BYTES_MAX } from '../../model/limit.ts';
import { ChunkWriter, type LogMessage, type RawMessage } from '../../wire/chunk.ts';

/** Held for one reader: the chunk being read, the next, and one on its way. */
const HELD_BYTES_MAX = 4 * CHUNK_BYTES_MAX;
/** How long the first message of a chunk waits for company: a turn per message costs too much. */
const LINGER_MS = 4;

export interface LastMessage {
  readonly sequence: bigint;
  readonly logTimeNs: bigint;
}

export class Intake {
  /** Called when room was made. */
  onRoom: () => void = () => {};
  readonly #clock: Clock;
  readonly #full: LogChunk[] = [];
  #writer = new ChunkWriter();
  #fullBytes = 0;
  /** Sequences stay below 2^53. */
  #next: number;
  #lastSequence = 0;
  #lastTimeNs: bigint | null = null;
  #lastTimeLow = 0;
  #lastTimeHigh = 0;
  #firstAtMs = 0;
  #wake: () => void = () => {};
  #isOver = false;
  #failure: unknown = null;

  constructor(next: bigint, clock: Clock) {
    this.#next = Number(next);
    this.#clock = clock;
  }

  /** The sequence that must come next. */
  get next(): bigint {
    return BigInt(this.#next);
  }

  /** What was delivered last: the log must still hold it after a reconnect. */
  get last(): LastMessage | null {
    if (this.#lastSequence === 0) return null;
    const logTimeNs =
      this.#lastTimeNs ?? (BigInt(this.#lastTimeHigh) << 32n) | BigInt(this.#lastTimeLow);
    return { sequence: BigInt(this.#lastSequence), logTimeNs };
  }

  get roomBytes(): number {
    return HELD_BYTES_MAX - this.#fullBytes - this.#writer.bytes;
  }

  /** 'known': delivered before. 'gap': a message in between is missing or was deleted. */
  offer(message: LogMessage): 'taken' | 'known' | 'gap' {
    const sequence = Number(message.sequence);
    if (sequence !== this.#next) return sequence < this.#next ? 'known' : 'gap';
    if (!this.#writer.append(message)) {
      this.#finishChunk();
      this.#writer.append(message);
    }
    this.#lastTimeNs = message.logTimeNs;
    return this.#taken(sequence);
  }

  /** The same of a message in a socket's bytes. */
  offerRaw(message: RawMessage): 'taken' | 'known' | 'gap' {
    const { sequence } = message;
    if (sequence !== this.#next) return sequence < this.#next ? 'known' : 'gap';
    if (!this.#writer.appendRaw(message)) {
      this.#finishChunk();
      this.#writer.appendRaw(message);
    }
    this.#lastTimeNs = null;
    this.#lastTimeLow = message.logTimeLow;
    this.#lastTimeHigh = message.logTimeHigh;
    return this.#taken(sequence);
  }

  #taken(sequence: number): 'taken' {
    this.#next = sequence + 1;
    this.#lastSequence = sequence;
    if (this.#writer.count === 1) {
      this.#firstAtMs = this.#clock.monotonicMs();
      this.#wake();
    }
    return 'taken';
  }

  /** Messages below `sequence` are known to be deleted or purged. */
  passOver(sequence: bigint): void {
    if (sequence > this.next) this.#next = Number(sequence);
  }

  end(failure: unknown = null): void {
    this.#isOver = true;
    this.#failure = failure;
    this.#wake();
  }

  /** The next chunk; null when ended. Rejects with the failure it ended with. */
  async take(): Promise<LogChunk | null> {
    while (true) {
      if (this.#failure) throw this.#failure;
      if (this.#isOver) return null;
      const full = this.#full.shift();
      if (full) return this.#handOver(full);
      const waitMs = this.#firstAtMs + LINGER_MS - this.#clock.monotonicMs();
      if (this.#writer.count > 0 && waitMs <= 0) {
        this.#finishChunk();
        continue;
      }
      await this.#change(this.#writer.count > 0 ? waitMs : null);
    }
  }

  #handOver(chunk: LogChunk): LogChunk {
    this.#fullBytes -= chunk.bytes.length;
    this.onRoom();
    return chunk;
  }

  #finishChunk(): void {
    const chunk = this.#writer.take();
    this.#full.push(chunk);
    this.#fullBytes += chunk.bytes.length;
    this.#wake();
  }

  #change(limitMs: number | null): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = () => {};
        resolve();
      };
      if (limitMs !== null) void this.#clock.wait(limitMs).then(resolve);
    });
  }
}

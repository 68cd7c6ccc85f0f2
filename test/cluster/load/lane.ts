/**
 * What one partition's devices send, as a gateway sends it: record batches, one append in flight,
 * and after trouble the same bytes again before anything newer. In: the fleet, the time. Out: how
 * many entries the log acknowledged, and when nothing was acknowledged for long.
 */
import { createBackoff } from '../../../src/base/backoff.ts';
import type { Clock } from '../../../src/base/clock.ts';
import type { LogAppender } from '../../../src/model/doors.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { BATCH_BYTES_MAX } from '../../../src/model/limit.ts';
import { encodeRecord } from '../../../src/wire/record-batch.ts';
import { type Fleet, type FleetDevice, type RecordOptions, STEP_MS } from './fleet.ts';

export interface LaneOptions {
  readonly fleet: Fleet;
  readonly partition: number;
  readonly appender: LogAppender;
  readonly metrics: RecordOptions['metrics'];
  readonly clock: Clock;
}

/** Acknowledgements that came so far apart are told, in UTC milliseconds. */
export interface Stall {
  readonly partition: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface LaneCount {
  readonly partition: number;
  /** Entries acknowledged, counted from the first; repeated ones are not entries. */
  readonly acknowledged: number;
  /** Entries handed to the log at least once. */
  readonly sent: number;
  readonly repeated: number;
  /** Records sent again, each time: a reply did not come, and the log may hold them as often. */
  readonly retried: number;
  readonly lastSequence: string;
}

/** A batch waits for company so long: 20 appends a second and partition. */
const LINGER_MS = 50;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 1_000;
const STALL_MS = 250;

export class Lane {
  readonly stalls: Stall[] = [];
  readonly #options: LaneOptions;
  readonly #devices: readonly FleetDevice[];
  #acknowledged = 0;
  #sent = 0;
  #repeated = 0;
  #retried = 0;
  #lastSequence = 0n;
  #lastAckMs = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#devices = options.fleet.lanes[options.partition]!;
  }

  get count(): LaneCount {
    return {
      partition: this.#options.partition,
      acknowledged: this.#acknowledged,
      sent: this.#sent,
      repeated: this.#repeated,
      retried: this.#retried,
      lastSequence: String(this.#lastSequence),
    };
  }

  /** Sends until `ending` aborts, then what was begun; `cut` gives up what is still in flight. */
  async run(ending: AbortSignal, cut: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#lastAckMs = clock.nowMs();
    while (!ending.aborted) {
      const batch = this.#collect();
      if (batch.length > 0 && !(await this.#append(Buffer.concat(batch), batch.length, cut)))
        return;
      if (this.#behindMs() < LINGER_MS) await clock.wait(LINGER_MS, ending).catch(() => {});
    }
  }

  #dueMs(entry: number): number {
    const { length } = this.#devices;
    const spreadMs = ((entry % length) * STEP_MS) / length;
    return this.#options.fleet.options.startMs + Math.floor(entry / length) * STEP_MS + spreadMs;
  }

  #behindMs(): number {
    return this.#options.clock.nowMs() - this.#dueMs(this.#sent);
  }

  /** What is due and fits into one log message. */
  #collect(): Uint8Array[] {
    const { fleet, metrics, clock } = this.#options;
    const receivedAtMs = clock.nowMs();
    const records: Uint8Array[] = [];
    let bytes = 0;
    while (this.#dueMs(this.#sent) <= receivedAtMs && bytes < BATCH_BYTES_MAX - 1_024) {
      const device = this.#devices[this.#sent % this.#devices.length]!;
      const number = Math.floor(this.#sent / this.#devices.length);
      const again = fleet.repeated(device, number);
      for (const each of again === null ? [number] : [number, again]) {
        const record = encodeRecord(fleet.record(device, each, { receivedAtMs, metrics }));
        records.push(record);
        bytes += record.length;
      }
      if (again !== null) this.#repeated += 1;
      this.#sent += 1;
    }
    return records;
  }

  /** False when it was given up: nobody knows whether the log has it. */
  async #append(body: Uint8Array, records: number, cut: AbortSignal): Promise<boolean> {
    const { appender, clock, partition } = this.#options;
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
    for (let attempt = 1; !cut.aborted; attempt += 1) {
      try {
        this.#lastSequence = await appender.append({ kind: 'batch', partition, body });
        this.#retried += records * (attempt - 1);
        this.#acknowledged = this.#sent;
        this.#noteStall();
        return true;
      } catch (error) {
        if (!isOperatingError(error) || error.retry === 'never') throw error;
        await clock.wait(backoff.nextMs(), cut).catch(() => {});
      }
    }
    return false;
  }

  #noteStall(): void {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - this.#lastAckMs >= STALL_MS) {
      const { partition } = this.#options;
      this.stalls.push({ partition, fromMs: this.#lastAckMs, toMs: nowMs });
    }
    this.#lastAckMs = nowMs;
  }
}

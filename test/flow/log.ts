/**
 * The simulated log: one stream per partition, with the leader's clock, a size limit, purge, and a
 * tail that may be lost. In: appends. Out: chunks cut where the seed says. It remembers all that
 * was ever stored, for the oracle.
 */
import type {
  LogAppend,
  LogAppender,
  LogChunk,
  LogPurger,
  LogReader,
  LogState,
} from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import { ChunkWriter, type LogMessage } from '../../src/wire/chunk.ts';
import { messageIdentity } from '../../src/wire/identity.ts';
import { logSubject } from '../../src/wire/subject.ts';
import { START_MS } from './clock.ts';
import { type Life, never, type Scheduler } from './scheduler.ts';

const READING = { isPatient: true, isOrdered: true };
const NO_HEADERS = new Uint8Array(0);
const MESSAGE_OVERHEAD_BYTES = 64;
/** Above this share devices are refused, so that ticks and checkpoints always fit. */
const INGEST_SHARE = 0.8;

interface Stream {
  /** Everything that stands in the log or was purged from it; lost tails are not in it. */
  history: LogMessage[];
  /** Sequence of the first message that the log still has. */
  first: bigint;
  bytes: number;
  wakers: (() => void)[];
}

export interface LogSettings {
  readonly partitions: number;
  readonly bytesMax: number;
  readonly chunkMessagesMax: number;
}

export class SimulatedLog {
  readonly #scheduler: Scheduler;
  readonly #settings: LogSettings;
  readonly #streams: Stream[];
  /** Leader's clock minus true time. */
  aheadMs = 0;
  /** A mutant may swallow an append: acknowledged, but not stored. */
  swallow: ((message: LogAppend) => boolean) | null = null;
  wasPurged = false;

  constructor(scheduler: Scheduler, settings: LogSettings) {
    this.#scheduler = scheduler;
    this.#settings = settings;
    this.#streams = Array.from({ length: settings.partitions }, () => ({
      history: [],
      first: 1n,
      bytes: 0,
      wakers: [],
    }));
  }

  history(partition: number): readonly LogMessage[] {
    return this.#streams[partition]!.history;
  }

  last(partition: number): bigint {
    return BigInt(this.#streams[partition]!.history.length);
  }

  /** So full that devices are about to be refused. */
  isCrowded(partition: number): boolean {
    return this.#streams[partition]!.bytes > this.#settings.bytesMax * (INGEST_SHARE - 0.1);
  }

  append(message: LogAppend): bigint {
    const { kind, partition, body } = message;
    const stream = this.#streams[partition]!;
    const { bytesMax } = this.#settings;
    const bytes = body.length + MESSAGE_OVERHEAD_BYTES;
    const isClosed = kind === 'batch' && stream.bytes > bytesMax * INGEST_SHARE;
    if (isClosed || stream.bytes + bytes > bytesMax) {
      throw new OperatingError('LOG_FULL', `partition ${partition} is full`);
    }
    if (this.swallow?.(message)) return this.last(partition);
    const stampMs = Math.floor(START_MS + this.#scheduler.nowMs + this.aheadMs);
    stream.history.push({
      sequence: this.last(partition) + 1n,
      logTimeNs: BigInt(stampMs) * 1_000_000n,
      subject: logSubject('main', partition, kind),
      headers: NO_HEADERS,
      payload: body.slice(),
    });
    stream.bytes += bytes;
    for (const wake of stream.wakers.splice(0)) wake();
    return this.last(partition);
  }

  /** Messages below `keepFrom` that are older than `beforeMs` go. */
  purge(partition: number, keepFrom: bigint, beforeMs: number): number {
    const stream = this.#streams[partition]!;
    let gone = 0;
    while (stream.first < keepFrom && stream.first <= this.last(partition)) {
      const message = stream.history[Number(stream.first) - 1]!;
      if (Number(message.logTimeNs / 1_000_000n) >= beforeMs) break;
      stream.bytes -= message.payload.length + MESSAGE_OVERHEAD_BYTES;
      stream.first += 1n;
      gone += 1;
    }
    this.wasPurged ||= gone > 0;
    return gone;
  }

  first(partition: number): bigint {
    return this.#streams[partition]!.first;
  }

  /** As after a power loss: everything above `sequence` is forgotten; what that was. */
  loseTail(partition: number, sequence: bigint): LogMessage[] {
    const stream = this.#streams[partition]!;
    const lost = stream.history.splice(Number(sequence));
    for (const { payload } of lost) stream.bytes -= payload.length + MESSAGE_OVERHEAD_BYTES;
    return lost;
  }

  appender(life: Life): LogAppender {
    const append = (message: LogAppend) => {
      // The body may be reused by the caller once it is told; a late effect must not see that.
      const own = { ...message, body: message.body.slice() };
      return this.#scheduler.call(
        life,
        { door: 'log', what: `append ${own.kind}`, isOrdered: true },
        () => this.append(own),
      );
    };
    return { append };
  }

  purger(life: Life): LogPurger {
    return {
      purge: (partition, keepFrom, beforeMs) =>
        this.#scheduler.call(
          life,
          { door: 'log', what: `purge ${partition} below ${keepFrom}` },
          () => this.purge(partition, keepFrom, beforeMs),
        ),
    };
  }

  reader(life: Life): LogReader {
    const scheduler = this.#scheduler;
    const find = (partition: number, sequence: bigint): LogMessage | null => {
      const { history, first } = this.#streams[partition]!;
      return sequence < first ? null : (history[Number(sequence) - 1] ?? null);
    };
    return {
      read: (partition, from, signal) => this.#read(life, partition, from, signal),
      state: (partition) =>
        scheduler.call(life, { door: 'log', what: `state ${partition}` }, () =>
          this.#state(partition),
        ),
      identity: (partition, sequence) =>
        scheduler.call(life, { door: 'log', what: `identity ${partition}/${sequence}` }, () => {
          const found = find(partition, sequence);
          return found ? messageIdentity(found) : null;
        }),
      message: (partition, sequence) =>
        scheduler.call(life, { door: 'log', what: `message ${sequence}` }, () =>
          find(partition, sequence),
        ),
    };
  }

  #state(partition: number): LogState {
    const { first, bytes } = this.#streams[partition]!;
    const { bytesMax } = this.#settings;
    return { firstSequence: first, lastSequence: this.last(partition), bytes, bytesMax };
  }

  async *#read(
    life: Life,
    partition: number,
    from: bigint,
    signal: AbortSignal,
  ): AsyncIterable<LogChunk> {
    let next = from;
    while (!signal.aborted) {
      const cut = () => this.#cut(partition, next);
      const what = `read ${partition}/${next}`;
      const chunk = await this.#scheduler.call(life, { door: 'log', what, ...READING }, cut);
      if (signal.aborted) return;
      if (chunk) {
        next = chunk.lastSequence + 1n;
        yield chunk;
      } else if (this.last(partition) < next) await this.#appended(life, partition, signal);
    }
  }

  #cut(partition: number, from: bigint): LogChunk | null {
    const { history, first } = this.#streams[partition]!;
    const next = from < first ? first : from;
    if (next > this.last(partition)) return null;
    const count = 1 + this.#scheduler.random.integer(this.#settings.chunkMessagesMax);
    const writer = new ChunkWriter();
    for (const message of history.slice(Number(next) - 1, Number(next) - 1 + count)) {
      if (!writer.append(message)) break;
    }
    return writer.take();
  }

  #appended(life: Life, partition: number, signal: AbortSignal): Promise<void> {
    if (!life.isAlive) return never();
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', onAbort);
        this.#scheduler.deliver(life, this.#scheduler.random.uniform() * 10, resolve);
      };
      const onAbort = () => {
        const { wakers } = this.#streams[partition]!;
        wakers.splice(wakers.indexOf(wake), 1);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#streams[partition]!.wakers.push(wake);
    });
  }
}

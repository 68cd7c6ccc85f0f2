/**
 * The log in memory: the doors LogAppender and LogReader for tests of what lies behind them. In:
 * appended messages, a log time that the test sets. Out: chunks cut as the test says.
 * Deterministic: no clock, no timer; a waiting reader is woken by the append itself.
 *
 * Faults are told beforehand: `failAppend` (refused, or stored with the reply lost), `isFull`,
 * `purge`, `remove`, `loseTail`.
 */
import type {
  LogAppend,
  LogAppender,
  LogChunk,
  LogIdentity,
  LogReader,
  LogState,
} from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import { ChunkWriter, type LogMessage } from '../../src/wire/chunk.ts';
import { messageIdentity } from '../../src/wire/identity.ts';
import { logSubject } from '../../src/wire/subject.ts';

export type AppendFault = 'refused' | 'replyLost';

export interface MemoryLogOptions {
  /** Default 'main'. */
  readonly log?: string;
  readonly partitions: number;
  /** Log time of the next append; default: `timeNs`, which the test moves. */
  readonly nowNs?: () => bigint;
  /** Messages of a chunk at most: 1 cuts the log into single messages. Default: as many as fit. */
  readonly chunkMessagesMax?: number;
  readonly bytesMax?: number;
}

interface Stream {
  messages: LogMessage[];
  first: bigint;
  last: bigint;
  bytes: number;
  wakers: (() => void)[];
  disturbances: number;
}

const NO_HEADERS = new Uint8Array(0);
/** 2026-01-01T00:00:00Z: a log begins some time. */
const START_NS = 1_767_225_600_000_000_000n;

export class MemoryLog implements LogAppender, LogReader {
  /** Log time of the next append when no `nowNs` is given. */
  timeNs = START_NS;
  chunkMessagesMax: number;
  isFull = false;
  readonly #log: string;
  readonly #nowNs: () => bigint;
  readonly #bytesMax: number;
  readonly #streams: Stream[];
  readonly #faults: AppendFault[] = [];

  constructor(options: MemoryLogOptions) {
    this.#log = options.log ?? 'main';
    this.#nowNs = options.nowNs ?? (() => this.timeNs);
    this.#bytesMax = options.bytesMax ?? 1 << 30;
    this.chunkMessagesMax = options.chunkMessagesMax ?? Number.MAX_SAFE_INTEGER;
    this.#streams = Array.from({ length: options.partitions }, () => ({
      messages: [],
      first: 1n,
      last: 0n,
      bytes: 0,
      wakers: [],
      disturbances: 0,
    }));
  }

  // --- what a test says --------------------------------------------------------------------------
  advanceMs(ms: number): void {
    this.timeNs += BigInt(ms) * 1_000_000n;
  }

  failAppend(fault: AppendFault): void {
    this.#faults.push(fault);
  }

  /** A message as it would lie in the log, e.g. a native publish `log.main.3.iot.t.s.d.t.truck`. */
  store(partition: number, subject: string, payload: Uint8Array, headers = NO_HEADERS): bigint {
    const stream = this.#stream(partition);
    const sequence = stream.last + 1n;
    const message = { sequence, logTimeNs: this.#nowNs(), subject, headers, payload };
    stream.messages.push({ ...message, payload: payload.slice(), headers: headers.slice() });
    stream.last = sequence;
    stream.bytes += subject.length + headers.length + payload.length;
    for (const wake of stream.wakers.splice(0)) wake();
    return sequence;
  }

  /** Everything below `sequence` is gone. */
  purge(partition: number, sequence: bigint): void {
    const stream = this.#stream(partition);
    stream.messages = stream.messages.filter((message) => message.sequence >= sequence);
    stream.first = sequence > stream.last ? stream.last + 1n : sequence;
  }

  remove(partition: number, sequence: bigint): void {
    const stream = this.#stream(partition);
    stream.messages = stream.messages.filter((message) => message.sequence !== sequence);
  }

  /** The log forgets everything above `sequence`, as after a power loss. */
  loseTail(partition: number, sequence: bigint): void {
    const stream = this.#stream(partition);
    stream.messages = stream.messages.filter((message) => message.sequence <= sequence);
    stream.last = sequence;
  }

  /** The reader begins anew, as after a lost connection, and looks at the log once more. */
  disturb(partition: number): void {
    this.#stream(partition).disturbances += 1;
    for (const wake of this.#stream(partition).wakers.splice(0)) wake();
  }

  messages(partition: number): readonly LogMessage[] {
    return this.#stream(partition).messages;
  }

  // --- LogAppender -------------------------------------------------------------------------------
  async append({ kind, partition, body }: LogAppend): Promise<bigint> {
    const stream = this.#stream(partition);
    const fault = this.#faults.shift();
    if (fault === 'refused')
      throw new OperatingError('APPEND_REFUSED', 'the test refuses this one');
    if (this.isFull || stream.bytes + body.length > this.#bytesMax) {
      throw new OperatingError('LOG_FULL', `partition ${partition} is full`);
    }
    const sequence = this.store(partition, logSubject(this.#log, partition, kind), body);
    if (fault === 'replyLost') throw new OperatingError('NATS_UNREACHABLE', 'the reply was lost');
    return sequence;
  }

  // --- LogReader ---------------------------------------------------------------------------------
  async *read(partition: number, from: bigint, signal: AbortSignal): AsyncIterable<LogChunk> {
    let next = from;
    let read: LogIdentity | null = null;
    let { disturbances } = this.#stream(partition);
    while (!signal.aborted) {
      if (this.#stream(partition).disturbances > disturbances) {
        ({ disturbances } = this.#stream(partition));
        this.#checkTail(partition, read);
      }
      const chunk = this.#cut(partition, next);
      if (chunk) {
        next = chunk.lastSequence + 1n;
        read = await this.identity(partition, chunk.lastSequence);
        yield chunk;
      } else await this.#appended(partition, signal);
    }
  }

  #checkTail(partition: number, read: LogIdentity | null): void {
    if (!read) return;
    const found = this.#find(partition, read.sequence);
    if (found && found.logTimeNs === read.logTimeNs) return;
    throw new OperatingError('LOG_TAIL_LOST', `partition ${partition} lost ${read.sequence}`);
  }

  #cut(partition: number, next: bigint): LogChunk | null {
    const writer = new ChunkWriter();
    const { messages } = this.#stream(partition);
    for (let index = lowerBound(messages, next); index < messages.length; index += 1) {
      if (writer.count >= this.chunkMessagesMax || !writer.append(messages[index]!)) break;
    }
    return writer.count > 0 ? writer.take() : null;
  }

  #appended(partition: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        signal.removeEventListener('abort', wake);
        resolve();
      };
      signal.addEventListener('abort', wake, { once: true });
      this.#stream(partition).wakers.push(wake);
    });
  }

  async state(partition: number): Promise<LogState> {
    const { first, last, bytes } = this.#stream(partition);
    return { firstSequence: first, lastSequence: last, bytes, bytesMax: this.#bytesMax };
  }

  async identity(partition: number, sequence: bigint): Promise<LogIdentity | null> {
    const found = this.#find(partition, sequence);
    if (!found) return null;
    return messageIdentity(found);
  }

  async message(partition: number, sequence: bigint) {
    const found = this.#find(partition, sequence);
    if (!found) return null;
    const { subject, headers, payload, logTimeNs } = found;
    return { subject, headers, payload, logTimeNs };
  }

  #find(partition: number, sequence: bigint): LogMessage | null {
    const { messages } = this.#stream(partition);
    const found = messages[lowerBound(messages, sequence)];
    return found?.sequence === sequence ? found : null;
  }

  #stream(partition: number): Stream {
    const stream = this.#streams[partition];
    if (!stream) throw new Error(`the test's log has no partition ${partition}`);
    return stream;
  }
}

/** Index of the first message at or above `sequence`. */
function lowerBound(messages: readonly LogMessage[], sequence: bigint): number {
  let low = 0;
  let high = messages.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (messages[middle]!.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Takes the NATS protocol apart where it lies. In: bytes as a socket brings them. Out: each whole
 * message once, as places in those bytes, and every other line as text; how far it came, so that
 * the unfinished rest stands in front of what comes next.
 */
import { WireMessage } from './wire-message.ts';

const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const [M, H] = [0x4d, 0x48];
const MSG_BYTES = 4;
const HMSG_BYTES = 5;
/** Subject, sid, reply, header bytes, total bytes. */
const TOKENS_MAX = 5;
const NO_MESSAGE = -1;

export interface WireSink {
  message(message: WireMessage): void;
  /** INFO, PING, PONG, +OK, -ERR; without its line feed. */
  line(text: string): void;
}

export class WireScanner {
  readonly #sink: WireSink;
  readonly #message = new WireMessage();
  readonly #starts = new Int32Array(TOKENS_MAX + 1);
  readonly #ends = new Int32Array(TOKENS_MAX + 1);

  constructor(sink: WireSink) {
    this.#sink = sink;
  }

  /** Where the first thing begins that is not whole below `end`. */
  scan(source: Buffer, end: number): number {
    let at = 0;
    while (at < end) {
      const first = source[at];
      const next = first === M || first === H ? this.#next(source, at, end) : lineEnd(source, at);
      if (next === NO_MESSAGE || next > end) return at;
      if (first === M || first === H) this.#sink.message(this.#message);
      else this.#sink.line(source.toString('latin1', at, next - 1).trimEnd());
      at = next;
    }
    return at;
  }

  #next(source: Buffer, start: number, end: number): number {
    const hasHeaders = source[start] === H;
    const [starts, ends] = [this.#starts, this.#ends];
    let at = start + (hasHeaders ? HMSG_BYTES : MSG_BYTES);
    let tokens = 0;
    starts[0] = at;
    for (; ; at += 1) {
      if (at >= end) return NO_MESSAGE;
      const byte = source[at];
      if (byte !== SPACE && byte !== LF) continue;
      ends[tokens] = byte === LF ? at - 1 : at;
      tokens += 1;
      if (byte === LF) break;
      if (tokens === TOKENS_MAX) throw new RangeError('a NATS message line has too many words');
      starts[tokens] = at + 1;
    }
    const bodyAt = at + 1;
    const total = this.#number(source, tokens - 1);
    if (bodyAt + total + 2 > end) return NO_MESSAGE;
    const message = this.#message;
    message.source = source;
    message.subjectAt = starts[0];
    message.subjectBytes = ends[0]! - starts[0];
    const hasReply = tokens - (hasHeaders ? 2 : 1) === 3;
    message.replyAt = hasReply ? starts[2]! : 0;
    message.replyBytes = hasReply ? ends[2]! - starts[2]! : 0;
    message.headersAt = bodyAt;
    message.headersBytes = hasHeaders ? this.#number(source, tokens - 2) : 0;
    message.payloadBytes = total - message.headersBytes;
    return bodyAt + total + 2;
  }

  #number(source: Buffer, token: number): number {
    let value = 0;
    const end = this.#ends[token]!;
    for (let at = this.#starts[token]!; at < end; at += 1)
      value = value * 10 + (source[at]! - ZERO);
    return value;
  }
}

/** Behind the line feed; NO_MESSAGE when there is none. */
function lineEnd(source: Buffer, at: number): number {
  const found = source.indexOf(LF, at);
  return found < 0 ? NO_MESSAGE : found + 1;
}

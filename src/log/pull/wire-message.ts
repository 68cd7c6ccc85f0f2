/**
 * A message as it stands in the bytes of a socket: places, no copies. One object serves all
 * messages of a reader, one after the other (law 2), so whoever wants to keep something copies it.
 *
 *   HMSG <subject> <sid> [reply] <header bytes> <total bytes>\r\n<headers><payload>\r\n
 */
export class WireMessage {
  source: Buffer = Buffer.alloc(0);
  subjectAt = 0;
  subjectBytes = 0;
  replyAt = 0;
  /** 0: without. */
  replyBytes = 0;
  headersAt = 0;
  headersBytes = 0;
  /** Payload: behind the headers. */
  payloadBytes = 0;
  /** Of the stream; below 2^53. */
  sequence = 0;
  /** Log time: nanoseconds, as two halves of a u64. */
  logTimeLow = 0;
  logTimeHigh = 0;
  /** Within the reply; 0: not known yet. */
  #sequenceAt = 0;

  /** As the server counts what a pull may still bring. */
  get bytes(): number {
    return this.subjectBytes + this.replyBytes + this.headersBytes + this.payloadBytes;
  }

  get subject(): string {
    return this.source.toString('latin1', this.subjectAt, this.subjectAt + this.subjectBytes);
  }

  get headers(): string {
    return this.source.toString('latin1', this.headersAt, this.headersAt + this.headersBytes);
  }

  /**
   * Reads sequence and log time from an acknowledgement's subject; false when the reply is none:
   * then it is a status. All messages of a consumer have them at the same place.
   * $JS.ACK.[domain.account.]stream.consumer.delivered.sequence.consumerSequence.time.pending
   */
  readPosition(): boolean {
    if (this.replyBytes === 0) return false;
    if (this.#sequenceAt === 0 && !this.#findSequence()) return false;
    const { source } = this;
    let at = this.replyAt + this.#sequenceAt;
    let sequence = 0;
    for (; source[at] !== DOT; at += 1) sequence = sequence * 10 + (source[at]! - ZERO);
    this.sequence = sequence;
    this.#readTime(behindDots(source, at, 2));
    return true;
  }

  #findSequence(): boolean {
    const { source, replyAt, replyBytes } = this;
    const reply = source.toString('latin1', replyAt, replyAt + replyBytes);
    if (!reply.startsWith('$JS.ACK.')) return false;
    const isLong = reply.split('.').length > 9;
    this.#sequenceAt = behindDots(source, replyAt, isLong ? 7 : 5) - replyAt;
    return true;
  }

  /** Up to 19 digits: more than a number holds, so seconds and nanoseconds apart. */
  #readTime(start: number): void {
    const { source } = this;
    let end = start;
    while (source[end] !== DOT) end += 1;
    let seconds = 0;
    let at = start;
    for (; at < end - 9; at += 1) seconds = seconds * 10 + (source[at]! - ZERO);
    let nanoseconds = 0;
    for (; at < end; at += 1) nanoseconds = nanoseconds * 10 + (source[at]! - ZERO);
    // seconds · 10⁹ + nanoseconds in 32-bit halves; every product below stays under 2⁵³.
    const upper = Math.floor(seconds / TWO_16) * BILLION;
    const lower = (seconds % TWO_16) * BILLION + nanoseconds;
    const low = (upper % TWO_16) * TWO_16 + (lower % TWO_32);
    this.logTimeLow = low % TWO_32;
    this.logTimeHigh =
      Math.floor(upper / TWO_16) + Math.floor(lower / TWO_32) + Math.floor(low / TWO_32);
  }
}

const DOT = 0x2e;
const ZERO = 0x30;
const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;
const BILLION = 1e9;

function behindDots(source: Buffer, start: number, count: number): number {
  let at = start;
  for (let left = count; left > 0; at += 1) if (source[at] === DOT) left -= 1;
  return at;
}

/**
 * Tailing with an ack-none pull consumer, in plain requests. In: an intake that knows the next
 * sequence. Out: messages as they are stored, until something disturbs the delivery. Invariant: the
 * *stream* sequence is contiguous; whatever else comes ends the tail, and the reader begins anew at
 * last + 1 under a new name.
 *
 *   create consumer at `next` ─► pull ─► messages … ─► used up ─► pull (when there is room)
 *                                 │ 100 heartbeat: alive    │ 404, 408, 409 MaxBytes: pull again
 *                                 └ a gap, another 409, 503, silence, a lost connection: the end
 */
import { createInbox, type MsgImpl } from '@nats-io/transport-node';
import type { LogMessage } from '../../wire/chunk.ts';
import { headersOf } from '../api.ts';
import type { Source } from './catch-up.ts';
import {
  HEARTBEAT_MS,
  PULL_BYTES_MAX,
  PULL_BYTES_MIN,
  PULL_MESSAGES_MAX,
  pullText,
  SILENT_MS,
  statusKind,
  TailConsumer,
} from './consumer.ts';
import type { Intake } from './intake.ts';

/** 'gap': sequences are missing. 'disturbed': anything else that ended it. */
export type TailEnd = 'gap' | 'disturbed';

export async function tail(source: Source, intake: Intake, signal: AbortSignal): Promise<TailEnd> {
  const { link } = source;
  const delivery = new Tail(source, intake);
  const giveUp = () => delivery.end('disturbed');
  if (!link.isConnected || signal.aborted) return 'disturbed';
  const subscription = link.nc.subscribe(`${delivery.inbox}.*`, {
    callback: (error, message) => {
      // What is thrown into the client would end its reading of the socket, without a word.
      try {
        if (error) giveUp();
        else delivery.receive(message as MsgImpl);
      } catch (bug) {
        delivery.fail(bug);
      }
    },
  });
  const unwatch = link.onChange(giveUp);
  signal.addEventListener('abort', giveUp);
  const timer = setInterval(() => delivery.checkSilence(), HEARTBEAT_MS);
  try {
    await delivery.consumer.create(intake.next);
    intake.onRoom = () => delivery.pull();
    delivery.pull();
    return await delivery.ended;
  } finally {
    intake.onRoom = () => {};
    clearInterval(timer);
    signal.removeEventListener('abort', giveUp);
    unwatch();
    subscription.unsubscribe();
    await delivery.consumer.remove();
  }
}

class Tail {
  readonly inbox = createInbox();
  readonly consumer: TailConsumer;
  readonly ended: Promise<TailEnd>;
  readonly #source: Source;
  readonly #intake: Intake;
  #resolve: (end: TailEnd) => void = () => {};
  #reject: (bug: unknown) => void = () => {};
  #isOver = false;
  #heardAtMs = 0;
  #checkedAtMs = 0;
  /** The pull in force: its number (last token of its inbox), and what it may still bring. */
  #pullNumber = 0;
  #pullMessages = 0;
  #pullBytes = 0;

  constructor(source: Source, intake: Intake) {
    this.#source = source;
    this.#intake = intake;
    this.consumer = new TailConsumer(source.link, source.stream);
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may fail before anybody waits for it.
    this.ended.catch(() => {});
    this.#checkedAtMs = source.clock.monotonicMs();
  }

  end(end: TailEnd): void {
    this.#isOver = true;
    this.#resolve(end);
  }

  fail(bug: unknown): void {
    this.#isOver = true;
    this.#reject(bug);
  }

  /** Asks for more, if nothing is asked for and there is room. */
  pull(): void {
    const { link } = this.#source;
    const isAsked = this.#pullMessages > 0 && this.#pullBytes > 0;
    const room = this.#intake.roomBytes;
    if (this.#isOver || isAsked || room < PULL_BYTES_MIN) return;
    this.#pullNumber += 1;
    this.#pullMessages = PULL_MESSAGES_MAX;
    this.#pullBytes = Math.min(PULL_BYTES_MAX, room);
    this.#heardAtMs = this.#source.clock.monotonicMs();
    const { pullSubject } = this.consumer;
    link.nc.publish(pullSubject, pullText(this.#pullMessages, this.#pullBytes), {
      reply: `${this.inbox}.${this.#pullNumber}`,
    });
  }

  receive(delivered: MsgImpl): void {
    if (this.#isOver) return;
    this.#heardAtMs = this.#source.clock.monotonicMs();
    const reply = delivered._msg.reply ? delivered.reply : '';
    if (reply.startsWith('$JS.ACK.')) this.#receiveMessage(delivered, reply);
    else this.#receiveStatus(delivered);
  }

  #receiveMessage(delivered: MsgImpl, reply: string): void {
    if (this.#intake.offer(storedMessage(delivered, reply)) === 'gap') this.end('gap');
    this.#pullMessages -= 1;
    // As the server counts; a pull that ends exactly at its bytes ends without a status.
    this.#pullBytes -= delivered.size();
    if (this.#pullMessages <= 0 || this.#pullBytes <= 0) this.pull();
  }

  #receiveStatus(delivered: MsgImpl): void {
    const { code = 0, description = '' } = delivered.headers ?? {};
    const kind = statusKind(code, description);
    if (kind === 'disturbed') this.end('disturbed');
    else if (kind === 'heartbeat') return;
    else if (delivered.subject === `${this.inbox}.${this.#pullNumber}`) {
      this.#pullMessages = 0;
      this.pull();
    }
  }

  checkSilence(): void {
    const nowMs = this.#source.clock.monotonicMs();
    // This process stood still itself: what came meanwhile is not read yet.
    if (nowMs - this.#checkedAtMs > 2 * HEARTBEAT_MS) this.#heardAtMs = nowMs;
    this.#checkedAtMs = nowMs;
    const isAsked = this.#pullMessages > 0 && this.#pullBytes > 0;
    if (isAsked && nowMs - this.#heardAtMs > SILENT_MS) this.end('disturbed');
  }
}

/**
 * $JS.ACK.[domain.account.]stream.consumer.delivered.streamSequence.consumerSequence.time.pending
 */
function storedMessage(delivered: MsgImpl, reply: string): LogMessage {
  const tokens = reply.split('.');
  const at = tokens.length > 9 ? 7 : 5;
  const headerBytes = Math.max(0, delivered._msg.hdr);
  return {
    sequence: BigInt(tokens[at]!),
    logTimeNs: BigInt(tokens[at + 2]!),
    subject: delivered.subject,
    headers: headersOf(delivered._rdata.subarray(0, headerBytes)),
    payload: delivered.data,
  };
}

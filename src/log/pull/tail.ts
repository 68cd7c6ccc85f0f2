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
import { randomBytes } from 'node:crypto';
import { createInbox, type MsgImpl } from '@nats-io/transport-node';
import { CHUNK_BYTES_MAX } from '../../model/limit.ts';
import type { LogMessage } from '../../wire/chunk.ts';
import { callApi, headersOf, refusedError } from '../api.ts';
import type { Source } from './catch-up.ts';
import type { Intake } from './intake.ts';

const PULL_MESSAGES_MAX = 4_096;
const PULL_BYTES_MAX = CHUNK_BYTES_MAX;
/** Below this much room nothing is pulled: the largest message must fit in any case. */
const PULL_BYTES_MIN = 262_144;
const PULL_EXPIRES_MS = 10_000;
/** At most half of the expiry. */
const HEARTBEAT_MS = 1_000;
/** Three heartbeats missed. */
const SILENT_MS = 3_500;
/** The server forgets a consumer that nobody asks; a paused reader makes a new one. */
const INACTIVE_MS = 30_000;

/** A stream without a leader does not answer; the reader begins anew. */
const CREATE_TIMEOUT_MS = 2_000;
/** Tidying up does not hold up whoever reads on or stops. */
const DELETE_TIMEOUT_MS = 500;

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
    await delivery.createConsumer();
    intake.onRoom = () => delivery.pull();
    delivery.pull();
    return await delivery.ended;
  } finally {
    intake.onRoom = () => {};
    clearInterval(timer);
    signal.removeEventListener('abort', giveUp);
    unwatch();
    subscription.unsubscribe();
    await delivery.deleteConsumer();
  }
}

class Tail {
  readonly inbox = createInbox();
  readonly ended: Promise<TailEnd>;
  readonly #source: Source;
  readonly #intake: Intake;
  readonly #name = `reader-${randomBytes(9).toString('hex')}`;
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

  async createConsumer(): Promise<void> {
    const { link, stream } = this.#source;
    const operation = `CONSUMER.CREATE.${stream}.${this.#name}`;
    const config = {
      name: this.#name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Number(this.#intake.next),
      ack_policy: 'none',
      replay_policy: 'instant',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * 1_000_000,
    };
    const body = { stream_name: stream, config, action: 'create' };
    const answer = await callApi<{ name: string }>(link, operation, body, CREATE_TIMEOUT_MS);
    if (answer.error) throw refusedError(operation, answer.error);
  }

  /** When this fails the server forgets the idle consumer by itself. */
  async deleteConsumer(): Promise<void> {
    const { link, stream } = this.#source;
    if (!link.isConnected) return;
    const operation = `CONSUMER.DELETE.${stream}.${this.#name}`;
    await callApi(link, operation, {}, DELETE_TIMEOUT_MS).catch(() => {});
  }

  /** Asks for more, if nothing is asked for and there is room. */
  pull(): void {
    const { link, stream } = this.#source;
    const isAsked = this.#pullMessages > 0 && this.#pullBytes > 0;
    const room = this.#intake.roomBytes;
    if (this.#isOver || isAsked || room < PULL_BYTES_MIN) return;
    this.#pullNumber += 1;
    this.#pullMessages = PULL_MESSAGES_MAX;
    this.#pullBytes = Math.min(PULL_BYTES_MAX, room);
    this.#heardAtMs = this.#source.clock.monotonicMs();
    const request = {
      batch: this.#pullMessages,
      max_bytes: this.#pullBytes,
      expires: PULL_EXPIRES_MS * 1_000_000,
      idle_heartbeat: HEARTBEAT_MS * 1_000_000,
    };
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${this.#name}`;
    link.nc.publish(subject, JSON.stringify(request), {
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
    const code = delivered.headers?.code ?? 0;
    if (code === 100) return;
    const text = delivered.headers?.description ?? '';
    const isUsedUp =
      code === 404 || code === 408 || (code === 409 && /MaxBytes|Batch Completed/i.test(text));
    if (!isUsedUp) this.end('disturbed');
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

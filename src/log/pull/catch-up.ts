/**
 * Catching up by Direct Get batches: stateless, answered by any replica, also while a leader is
 * dead. In: an intake that knows the next sequence. Out: everything the stream holds from there on,
 * until the tail. Invariant: within a batch sequences are contiguous; the first message of a batch
 * may lie above what was asked for (deleted or purged messages), a hole behind it begins a new
 * batch.
 */
import { createInbox, type MsgImpl } from '@nats-io/transport-node';
import type { Clock } from '../../base/clock.ts';
import { CHUNK_BYTES_MAX } from '../../model/limit.ts';
import type { LogMessage } from '../../wire/chunk.ts';
import { headersOf, parseTimeNs } from '../api.ts';
import type { NatsLink } from '../connection.ts';
import type { Intake } from './intake.ts';

/** Messages of one batch; small ones end a batch by count, large ones by bytes. */
const BATCH_MESSAGES_MAX = 4_096;
const BATCH_BYTES_MAX = CHUNK_BYTES_MAX;
/** A batch that says nothing for so long is given up and asked for again. */
const SILENT_MS = 3_000;

export interface Source {
  readonly link: NatsLink;
  readonly stream: string;
  readonly clock: Clock;
}

/** 'tail': nothing more is stored. 'disturbed': no answer, or a refusal. */
export type CatchUpEnd = 'tail' | 'disturbed';
type BatchEnd = CatchUpEnd | 'more';

/** `batchesMax`: after so many what is left is the tail's. */
export async function catchUp(
  source: Source,
  intake: Intake,
  signal: AbortSignal,
  batchesMax = Number.POSITIVE_INFINITY,
): Promise<CatchUpEnd> {
  for (let batches = 0; !signal.aborted; batches += 1) {
    if (batches === batchesMax) return 'tail';
    await roomFor(intake, signal);
    if (signal.aborted) break;
    const end = await readBatch(source, intake, signal);
    if (end !== 'more') return end;
  }
  return 'disturbed';
}

function roomFor(intake: Intake, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const check = () => {
      if (intake.roomBytes < 2 * BATCH_BYTES_MAX && !signal.aborted) return;
      intake.onRoom = () => {};
      signal.removeEventListener('abort', check);
      resolve();
    };
    intake.onRoom = check;
    signal.addEventListener('abort', check);
    check();
  });
}

async function readBatch(
  { link, stream, clock }: Source,
  intake: Intake,
  signal: AbortSignal,
): Promise<BatchEnd> {
  const inbox = createInbox();
  const batch = new Batch(intake, clock);
  const giveUp = () => batch.end('disturbed');
  if (!link.isConnected) return 'disturbed';
  const subscription = link.nc.subscribe(inbox, {
    callback: (error, message) => {
      // What is thrown into the client would end its reading of the socket, without a word.
      try {
        if (error) giveUp();
        else batch.receive(message as MsgImpl);
      } catch (bug) {
        batch.fail(bug);
      }
    },
  });
  const unwatch = link.onChange(giveUp);
  signal.addEventListener('abort', giveUp);
  const timer = setInterval(() => batch.checkSilence(), SILENT_MS / 3);
  try {
    const query = {
      seq: Number(intake.next),
      batch: BATCH_MESSAGES_MAX,
      max_bytes: BATCH_BYTES_MAX,
    };
    link.nc.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(query), { reply: inbox });
    return await batch.ended;
  } finally {
    clearInterval(timer);
    signal.removeEventListener('abort', giveUp);
    unwatch();
    subscription.unsubscribe();
  }
}

class Batch {
  readonly ended: Promise<BatchEnd>;
  readonly #intake: Intake;
  readonly #clock: Clock;
  #resolve: (end: BatchEnd) => void = () => {};
  #reject: (bug: unknown) => void = () => {};
  #isOver = false;
  #count = 0;
  #heardAtMs: number;

  constructor(intake: Intake, clock: Clock) {
    this.#intake = intake;
    this.#clock = clock;
    this.#heardAtMs = clock.monotonicMs();
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  end(end: BatchEnd): void {
    this.#isOver = true;
    this.#resolve(end);
  }

  fail(bug: unknown): void {
    this.#isOver = true;
    this.#reject(bug);
  }

  checkSilence(): void {
    if (this.#clock.monotonicMs() - this.#heardAtMs > SILENT_MS) this.end('disturbed');
  }

  receive(delivered: MsgImpl): void {
    if (this.#isOver) return;
    this.#heardAtMs = this.#clock.monotonicMs();
    const message = directMessage(delivered);
    if (message === null) this.end(this.#statusEnd(delivered));
    else {
      if (this.#count === 0) this.#intake.passOver(message.sequence);
      this.#count += 1;
      if (this.#intake.offer(message) === 'gap') this.end('more');
    }
  }

  #statusEnd(delivered: MsgImpl): BatchEnd {
    const code = delivered.headers?.code;
    if (code === 404) return 'tail';
    if (code !== 204) return 'disturbed';
    if (delivered.headers?.get('Nats-Num-Pending') === '0') return 'tail';
    // Nothing came although something is there: not to be asked for again at once.
    return this.#count > 0 ? 'more' : 'disturbed';
  }
}

const BLOCK_START = '\r\nNats-Stream: ';
const HEADER_END = '\r\n\r\n';

/**
 * The server puts a block of its own behind the stored headers; what lies before it is as stored.
 * Null when there is no such block: then it is a status, whatever a publisher may have written.
 */
function directMessage(delivered: MsgImpl): LogMessage | null {
  const headerBytes = delivered._msg.hdr;
  if (headerBytes <= 0) return null;
  const { buffer, byteOffset } = delivered._rdata;
  const raw = Buffer.from(buffer, byteOffset, headerBytes);
  const blockAt = raw.lastIndexOf(BLOCK_START);
  if (blockAt < 0) return null;
  const block = raw.toString('utf8', blockAt, headerBytes);
  return {
    sequence: BigInt(fieldOf(block, 'Nats-Sequence')),
    logTimeNs: parseTimeNs(fieldOf(block, 'Nats-Time-Stamp')),
    subject: fieldOf(block, 'Nats-Subject'),
    headers: storedHeaders(raw.subarray(0, blockAt)),
    payload: delivered.data,
  };
}

function fieldOf(block: string, name: string): string {
  const at = block.indexOf(`\r\n${name}: `) + name.length + 4;
  return block.slice(at, block.indexOf('\r\n', at));
}

function storedHeaders(before: Uint8Array): Uint8Array {
  return headersOf(Buffer.concat([before, Buffer.from(HEADER_END)]));
}

/**
 * Pull: the door LogReader over JetStream. In: a partition and a sequence. Out: chunks without end.
 *
 * 1  catch up by Direct Get batches until the tail
 * 2  tail with an ack-none consumer from there: over a connection of its own in the bare protocol
 *    (lean-tail.ts), over the link where that is encrypted (tail.ts)
 * 3  whatever disturbs (a gap, a lost connection, silence, a refusal): compare the log with the
 *    last message delivered (LOG_TAIL_LOST when it is another one), go to 1
 *
 * Invariant: a chunk begins where the one before ended, but for messages that the stream does not
 * have: a gap seen by the tail is believed only when a fresh Direct Get begins behind it. What is
 * held and asked for is bounded (intake.ts).
 */
import { setMaxListeners } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { createBackoff } from '../../base/backoff.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { LogChunk, LogReader, LogState } from '../../model/doors.ts';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import { messageIdentity } from '../../wire/identity.ts';
import { streamName } from '../../wire/subject.ts';
import { askApi, getStored, headersOf, parseTimeNs, refusedError } from '../api.ts';
import type { NatsLink } from '../connection.ts';
import { catchUp, type Source } from './catch-up.ts';
import { Intake } from './intake.ts';
import { leanTail } from './lean-tail.ts';
import { tail } from './tail.ts';

/** What is behind by more reads the rest as it tails: over its own connection that is faster. */
const LEAN_BATCHES_MAX = 2;
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 1_000;

export interface ReaderOptions {
  readonly link: NatsLink;
  readonly logId: string;
  readonly clock?: Clock;
  /** Told of each disturbance, for the operator: what happened and where reading goes on. */
  readonly onDisturbed?: (disturbance: Disturbance) => void;
  /** False: tails over the link, as over an encrypted one. Default true. */
  readonly bareProtocol?: boolean;
}

export interface Disturbance {
  readonly stream: string;
  readonly kind: 'gap' | 'disturbed';
  readonly next: bigint;
}

interface StreamInfo {
  readonly config: { readonly max_bytes: number };
  readonly state: { readonly first_seq: number; readonly last_seq: number; readonly bytes: number };
}

export function createLogReader(options: ReaderOptions): LogReader {
  const { link, logId } = options;
  const clock = options.clock ?? systemClock;
  let breath = Promise.resolve();

  /**
   * Turns run in this thread and end as promises do: without a round of the event loop after each,
   * whatever partition it was of, sockets and inserts would wait until nothing is held any more.
   */
  function breathe(): Promise<void> {
    breath = breath.then(() => setImmediate());
    return breath;
  }

  async function* read(partition: number, fromSequence: bigint, signal: AbortSignal) {
    const intake = new Intake(fromSequence, clock);
    const stopping = new AbortController();
    const stop = () => {
      stopping.abort();
      intake.end();
    };
    // One signal may end the reading of all partitions.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const source = { link, stream: streamName(logId, partition), clock };
    const filling = fill(source, intake, { signal: stopping.signal, ...options });
    try {
      for (let chunk = await intake.take(); chunk; chunk = await intake.take()) {
        yield chunk satisfies LogChunk;
        await breathe();
        if (signal.aborted) return;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      stop();
      await filling;
    }
  }

  async function message(partition: number, sequence: bigint) {
    const stored = await getStored(link, streamName(logId, partition), { seq: Number(sequence) });
    if (!stored) return null;
    return {
      subject: stored.subject,
      headers: headersOf(Buffer.from(stored.hdrs ?? '', 'base64')),
      payload: new Uint8Array(Buffer.from(stored.data ?? '', 'base64')),
      logTimeNs: parseTimeNs(stored.time),
    };
  }

  return {
    read,
    message,
    state: (partition) => stateOf(link, streamName(logId, partition)),
    async identity(partition, sequence) {
      const stored = await message(partition, sequence);
      return stored && messageIdentity({ sequence, ...stored });
    },
  };
}

async function stateOf(link: NatsLink, stream: string): Promise<LogState> {
  const operation = `STREAM.INFO.${stream}`;
  const answer = await askApi<StreamInfo>(link, operation);
  if (!answer.state || !answer.config) throw refusedError(operation, answer.error);
  return {
    firstSequence: BigInt(answer.state.first_seq),
    lastSequence: BigInt(answer.state.last_seq),
    bytes: answer.state.bytes,
    bytesMax: answer.config.max_bytes,
  };
}

interface FillOptions extends Pick<ReaderOptions, 'onDisturbed' | 'bareProtocol'> {
  readonly signal: AbortSignal;
}

/** Never rejects: what cannot pass by itself ends the intake. */
async function fill(source: Source, intake: Intake, options: FillOptions): Promise<void> {
  const { signal } = options;
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
  while (!signal.aborted) {
    const before = intake.next;
    try {
      if (intake.last) await checkTail(source, intake);
      const { route } = options.bareProtocol === false ? { route: null } : source.link;
      const batchesMax = route ? LEAN_BATCHES_MAX : Number.POSITIVE_INFINITY;
      const end = await catchUp(source, intake, signal, batchesMax);
      if (end === 'tail' && !signal.aborted) {
        const kind = route
          ? await leanTail(source, route, intake, signal)
          : await tail(source, intake, signal);
        if (!signal.aborted) options.onDisturbed?.({ stream: source.stream, kind, next: before });
      }
    } catch (error) {
      if (signal.aborted) return;
      // Everything of the environment that may pass is waited for; the rest is the caller's.
      if (!isOperatingError(error) || error.retry === 'never') return intake.end(error);
    }
    if (intake.next > before) backoff.reset();
    else await waitForChange(source, backoff.nextMs(), signal);
  }
}

/** While the connection is lost: until it is back; else for `waitMs`. */
async function waitForChange({ link, clock }: Source, waitMs: number, signal: AbortSignal) {
  if (link.isConnected) return clock.wait(waitMs, signal).catch(() => {});
  await new Promise<void>((resolve) => {
    const done = () => {
      unwatch();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const unwatch = link.onChange(done);
    signal.addEventListener('abort', done);
    if (signal.aborted || link.isConnected) done();
  });
}

/** A log that lost its tail and grew again has other messages under the same sequences. */
async function checkTail({ link, stream }: Source, intake: Intake): Promise<void> {
  const { last } = intake;
  if (!last) return;
  const stored = await getStored(link, stream, { seq: Number(last.sequence) });
  if (stored && parseTimeNs(stored.time) === last.logTimeNs) return;
  const state = await stateOf(link, stream);
  // Purged or deleted since: nothing to compare with, and nothing lost.
  if (!stored && last.sequence <= state.lastSequence) return;
  throw new OperatingError(
    'LOG_TAIL_LOST',
    `Stream ${stream} no longer holds message ${last.sequence} as it was read: its tail was ` +
      `lost. It now ends at ${state.lastSequence}. See docs/operations.md, ` +
      '"The log lost its tail".',
    { where: { stream, sequence: last.sequence, last: state.lastSequence } },
  );
}

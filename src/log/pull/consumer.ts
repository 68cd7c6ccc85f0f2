/**
 * The ack-none pull consumer of a tail: under a new name each time, in the server's memory, and
 * what may be asked of it. In: a stream and the sequence to begin at. Out: requests.
 */
import { randomBytes } from 'node:crypto';
import { CHUNK_BYTES_MAX } from '../../model/limit.ts';
import { callApi, refusedError } from '../api.ts';
import type { NatsLink } from '../connection.ts';

export const PULL_MESSAGES_MAX = 8_192;
export const PULL_BYTES_MAX = CHUNK_BYTES_MAX;
/** Below this much room nothing is pulled: the largest message must fit in any case. */
export const PULL_BYTES_MIN = 262_144;
const PULL_EXPIRES_MS = 10_000;
/** At most half of the expiry. */
export const HEARTBEAT_MS = 1_000;
/** Three heartbeats missed. */
export const SILENT_MS = 3_500;
/** The server forgets a consumer that nobody asks; a paused reader makes a new one. */
const INACTIVE_MS = 30_000;

/** A stream without a leader does not answer; the reader begins anew. */
const CREATE_TIMEOUT_MS = 2_000;
/** Tidying up does not hold up whoever reads on or stops. */
const DELETE_TIMEOUT_MS = 500;

export class TailConsumer {
  readonly #link: NatsLink;
  readonly #stream: string;
  readonly #name = `reader-${randomBytes(9).toString('hex')}`;

  constructor(link: NatsLink, stream: string) {
    this.#link = link;
    this.#stream = stream;
  }

  async create(next: bigint): Promise<void> {
    const operation = `CONSUMER.CREATE.${this.#stream}.${this.#name}`;
    const config = {
      name: this.#name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: Number(next),
      ack_policy: 'none',
      replay_policy: 'instant',
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: INACTIVE_MS * 1_000_000,
    };
    const body = { stream_name: this.#stream, config, action: 'create' };
    const answer = await callApi<{ name: string }>(this.#link, operation, body, CREATE_TIMEOUT_MS);
    if (answer.error) throw refusedError(operation, answer.error);
  }

  /** When this fails the server forgets the idle consumer by itself. */
  async remove(): Promise<void> {
    if (!this.#link.isConnected) return;
    const operation = `CONSUMER.DELETE.${this.#stream}.${this.#name}`;
    await callApi(this.#link, operation, {}, DELETE_TIMEOUT_MS).catch(() => {});
  }

  get pullSubject(): string {
    return `$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${this.#name}`;
  }
}

/** One pull's limits: what comes first ends it. */
export function pullText(messages: number, bytes: number): string {
  return JSON.stringify({
    batch: messages,
    max_bytes: bytes,
    expires: PULL_EXPIRES_MS * 1_000_000,
    idle_heartbeat: HEARTBEAT_MS * 1_000_000,
  });
}

/** What a status says of the pull it belongs to. */
export function statusKind(code: number, text: string): 'heartbeat' | 'used up' | 'disturbed' {
  if (code === 100) return 'heartbeat';
  const isUsedUp =
    code === 404 || code === 408 || (code === 409 && /MaxBytes|Batch Completed/i.test(text));
  return isUsedUp ? 'used up' : 'disturbed';
}

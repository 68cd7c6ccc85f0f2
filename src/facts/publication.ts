/**
 * One acknowledged publish. In: a subject and bytes. Out: nothing once the server has stored it;
 * else an OperatingError: retry 'never' only for what no later attempt could change.
 */
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { OperatingError } from '../model/error.ts';

/** Of one publish; the lane tries again. */
const PUBLISH_TIMEOUT_MS = 5_000;
const MESSAGE_TOO_LARGE = 10054;
const WRONG_LAST_SEQUENCE: readonly number[] = [10071, 10164];

/** What facts need of a connection; the log room's link is one. */
export interface FactLink {
  /** NATS_UNREACHABLE when there is no answer. */
  request(
    subject: string,
    payload: Uint8Array,
    options?: { readonly headers?: MsgHdrs; readonly timeoutMs?: number },
  ): Promise<Msg>;
}

interface PubAck {
  readonly seq?: number;
  readonly error?: { readonly err_code: number; readonly description: string };
}

/** The stream sequence, or 'conflict' when the expected last sequence is another. */
export async function publish(
  link: FactLink,
  subject: string,
  payload: Uint8Array,
  headers?: MsgHdrs,
): Promise<bigint | 'conflict'> {
  const limit = { timeoutMs: PUBLISH_TIMEOUT_MS };
  const reply = await requestOf(link, subject, payload, headers ? { ...limit, headers } : limit);
  const answer = reply.json() as PubAck;
  if (answer.seq) return BigInt(answer.seq);
  const code = answer.error?.err_code ?? 0;
  if (WRONG_LAST_SEQUENCE.includes(code)) return 'conflict';
  throw new OperatingError(
    code === MESSAGE_TOO_LARGE ? 'RECORD_TOO_LARGE' : 'APPEND_REFUSED',
    `NATS did not store a fact on ${subject}: ${answer.error?.description} (${code}).`,
    { where: { subject, natsCode: code } },
  );
}

async function requestOf(
  link: FactLink,
  subject: string,
  payload: Uint8Array,
  options: Parameters<FactLink['request']>[2],
): Promise<Msg> {
  try {
    return await link.request(subject, payload, options);
  } catch (error) {
    // The client itself refuses what is larger than the server takes; that never gets better.
    if (!(error instanceof Error) || !/max_payload/.test(error.message)) throw error;
    throw new OperatingError(
      'RECORD_TOO_LARGE',
      `A fact of ${payload.length} bytes on ${subject} is larger than a NATS message may be.`,
      { cause: error, where: { subject, bytes: payload.length } },
    );
  }
}

/**
 * Append: one message into a partition's stream, acknowledged. In: kind, partition, body. Out: the
 * stream sequence, once the stream's leader has stored it. One attempt: whoever calls retries the
 * same bytes. No Nats-Msg-Id: message ids are one name space for all devices of a stream.
 */

import { assert } from '../base/assert.ts';
import type { LogAppender } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { MESSAGE_BYTES_MAX } from '../model/limit.ts';
import { logSubject, streamName } from '../wire/subject.ts';
import { type ApiAnswer, refusedError } from './api.ts';
import type { NatsLink } from './connection.ts';

/** An R3 leader killed hard takes 4–9 s to replace; the caller's retry covers that. */
const APPEND_TIMEOUT_MS = 5_000;

export interface AppenderOptions {
  readonly link: NatsLink;
  readonly logId: string;
  readonly timeoutMs?: number;
}

interface PubAck {
  readonly stream: string;
  readonly seq: number;
}

export function createLogAppender({ link, logId, timeoutMs }: AppenderOptions): LogAppender {
  return {
    async append({ kind, partition, body }) {
      assert(body.length <= MESSAGE_BYTES_MAX, `a log message of ${body.length} B is cut before`);
      const reply = await link.request(logSubject(logId, partition, kind), body, {
        timeoutMs: timeoutMs ?? APPEND_TIMEOUT_MS,
      });
      const stream = streamName(logId, partition);
      const answer = reply.json() as ApiAnswer<PubAck>;
      if (answer.error) throw appendError(stream, answer.error);
      if (answer.stream !== stream || !answer.seq) {
        throw new OperatingError(
          'STREAM_UNSAFE',
          `An append to ${stream} was stored by stream ${answer.stream}: another stream takes ` +
            'its subjects. Remove that stream, or choose another log.id in millrace.yaml.',
          { where: { stream, partition } },
        );
      }
      return BigInt(answer.seq);
    },
  };
}

function appendError(stream: string, error: Parameters<typeof refusedError>[1]): OperatingError {
  const refused = refusedError(`an append to ${stream}`, error);
  // 503 for a while (an election, a restart) is not a lost connection.
  if (refused.code !== 'NATS_UNREACHABLE') return refused;
  return new OperatingError('APPEND_REFUSED', refused.message, { where: refused.where });
}

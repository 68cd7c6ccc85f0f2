/**
 * Frees the log of what nobody needs any more. In: the first sequence that must stay, an age. Out:
 * messages below that sequence and older than that age are gone. Nothing else ever removes messages
 * from a log stream: not its size (it refuses instead) and not its age.
 */
import type { LogPurger } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { streamName } from '../wire/subject.ts';
import { callApi } from './api.ts';
import type { NatsLink } from './connection.ts';

export interface PurgerOptions {
  readonly link: NatsLink;
  readonly logId: string;
}

export function createLogPurger({ link, logId }: PurgerOptions): LogPurger {
  return {
    async purge(partition, keepFrom, beforeMs) {
      const stream = streamName(logId, partition);
      const since = await firstSince(link, stream, beforeMs);
      const keep = since !== null && since < keepFrom ? since : keepFrom;
      const answer = await callApi<{ purged: number }>(link, `STREAM.PURGE.${stream}`, {
        seq: Number(keep),
      });
      if (answer.error) {
        throw new OperatingError(
          'APPEND_REFUSED',
          `${stream}: the server did not purge below ${keep}: ${answer.error.description}`,
          { where: { stream, sequence: keep } },
        );
      }
      return answer.purged ?? 0;
    },
  };
}

/** First sequence stored at or after the given UTC time; null when there is none. */
async function firstSince(link: NatsLink, stream: string, timeMs: number): Promise<bigint | null> {
  const query = { batch: 1, start_time: new Date(timeMs).toISOString() };
  const body = new TextEncoder().encode(JSON.stringify(query));
  const reply = await link.request(`$JS.API.DIRECT.GET.${stream}`, body);
  const sequence = reply.headers?.get('Nats-Sequence');
  return sequence ? BigInt(sequence) : null;
}

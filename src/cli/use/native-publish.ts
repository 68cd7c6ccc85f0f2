/**
 * Sends a record as a device with a NATS client of its own would: one message on
 * `iot.<tenant>.<site>.<device>.t.<channel>`, its key in headers, answered by the log's stream. A
 * lost answer is settled by sending the same message again: the key makes the second one a
 * duplicate.
 */
import { headers } from '@nats-io/transport-node';
import { createBackoff } from '../../base/backoff.ts';
import type { Clock } from '../../base/clock.ts';
import type { NatsLink } from '../../log/index.ts';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import type { DeviceRecord, LogPosition } from '../../model/record.ts';
import { telemetrySubject } from '../../wire/subject.ts';

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 1_000;
const TRIES_MAX = 10;

interface PubAck {
  readonly stream?: string;
  readonly seq?: number;
  readonly error?: { readonly description: string };
}

export async function publishNative(
  link: NatsLink,
  record: DeviceRecord,
  clock: Clock,
): Promise<LogPosition> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
  for (let tries = 1; ; tries += 1) {
    try {
      return await publishOnce(link, record);
    } catch (error) {
      if (!isOperatingError(error) || error.retry === 'never' || tries === TRIES_MAX) throw error;
      await clock.wait(backoff.nextMs());
    }
  }
}

async function publishOnce(link: NatsLink, record: DeviceRecord): Promise<LogPosition> {
  const subject = telemetrySubject(record.identity, record.channel);
  const keys = headers();
  if (record.key && 'bootId' in record.key) {
    keys.set('Millrace-Boot-Id', `${record.key.bootId}`);
    keys.set('Millrace-Sequence', `${record.key.sequence}`);
  } else if (record.key) keys.set('Millrace-Event-Id', record.key.eventId);
  if (record.kind !== undefined) keys.set('Millrace-Kind', record.kind);
  const reply = await link.request(subject, record.payload, { headers: keys });
  const { stream, seq, error } = reply.json<PubAck>();
  const partition = Number(/_(\d+)$/.exec(stream ?? '')?.[1] ?? -1);
  if (seq && partition >= 0) return { partition, sequence: BigInt(seq), index: 0 };
  throw new OperatingError(
    'APPEND_REFUSED',
    `${subject} was not stored: ${error?.description ?? 'no acknowledgement'}`,
    { where: { subject } },
  );
}

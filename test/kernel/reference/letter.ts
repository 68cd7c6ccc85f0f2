/**
 * How records end that are not stored whole: counted in the ledger and in their device, and kept as
 * dead letters up to the cap of their bucket.
 */
import { DEAD_LETTER_SAMPLE_BYTES } from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { Identity } from '../../../src/model/record.ts';
import { statusName } from '../../../src/model/status.ts';
import type { Device } from './device.ts';
import type { ReferenceKernel } from './kernel.ts';
import type { State } from './ledger.ts';
import type { RawRecord } from './message.ts';
import { expiresAt } from './row.ts';

/** The lowest status of a record and the first place that has it. */
export interface Trouble {
  readonly status: number;
  readonly offset: number;
  readonly metric: string;
}

export interface Subject {
  readonly record: Pick<RawRecord, 'payload' | 'index' | 'channel'>;
  readonly identity: Identity | null;
  readonly device: Device | null;
  readonly receivedMs: number;
}

export const wholeRecord = (number: number, offset = 0): Trouble => ({
  ...{ status: number, offset, metric: '' },
});

export function refuse(kernel: ReferenceKernel, subject: Subject, trouble: Trouble): void {
  close(kernel, subject, { state: stateOf(trouble.status), trouble });
}

function stateOf(number: number): State {
  if (number === status.DUPLICATE) return 'duplicate';
  if (number === status.DEDUP_UNKNOWN) return 'dedup_unknown';
  if (number === status.SKIPPED) return 'skipped';
  return number === status.TOO_LATE ? 'too_late' : 'rejected';
}

export function close(
  kernel: ReferenceKernel,
  subject: Subject,
  end: { readonly state: State; readonly trouble: Trouble },
): void {
  const { state, trouble } = end;
  kernel.ledger.record(state, trouble.status);
  if (state === 'duplicate') {
    subject.device!.duplicates += 1n;
    return;
  }
  if (subject.device !== null && state !== 'partly') subject.device.rejected += 1n;
  const bucket = subject.device?.bucket ?? kernel.bucket;
  const minute = Math.floor(kernel.logClock / 60_000);
  if (bucket.minute !== minute) Object.assign(bucket, { minute, count: 0 });
  bucket.count += 1;
  if (bucket.count > kernel.plan.deadLettersPerDeviceMinute) return;
  emitDeadLetter(kernel, subject, trouble);
}

function emitDeadLetter(kernel: ReferenceKernel, subject: Subject, trouble: Trouble): void {
  const { log, partition, generation } = kernel.options;
  const { payload, index, channel } = subject.record;
  const sample = payload.slice(0, DEAD_LETTER_SAMPLE_BYTES);
  const reason = statusName(trouble.status);
  const { offset, metric } = trouble;
  const { identity, receivedMs } = subject;
  const { sequence, logClock } = kernel;
  kernel.output.deadLetters.push({
    ...{ identity, channel, reason, partition, sequence, index, offset, metric },
    ...{ receivedAtMs: receivedMs, logTimeMs: logClock },
    ...{ payloadBytes: payload.length, sample },
  });
  kernel.output.row('dead_letters', {
    ...{ log, partition, sequence, index },
    ...(identity ?? { tenant: '', site: '', device: '' }),
    ...{ channel, reason, metric, offset, received_at: receivedMs, log_time: logClock },
    payload_bytes: payload.length,
    sample: Buffer.from(sample).toString('latin1'),
    ...{ plan_hash: kernel.planHash, version: generation, is_deleted: 0 },
    expires_at: expiresAt(logClock, kernel.plan.deadLetterRetentionMs),
  });
}

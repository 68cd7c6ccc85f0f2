/**
 * One record: which status applies to it, what of it is stored, what its device keeps. In: a record
 * as admitted, and the kernel it changes. Out: rows of samples, counts, dead letters.
 */
import {
  DEAD_LETTER_SAMPLE_BYTES,
  FLAG_LATE,
  PAYLOAD_BYTES_MAX,
} from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel, ValueKind } from '../../../src/model/plan.ts';
import type { Identity } from '../../../src/model/record.ts';
import { statusName } from '../../../src/model/status.ts';
import { decodePayload, type Payload } from './decode.ts';
import { Device } from './device.ts';
import type { ReferenceKernel } from './kernel.ts';
import type { Key } from './key.ts';
import type { State } from './ledger.ts';
import { isIdentityValid, type RawRecord } from './message.ts';
import { expiresAt, type Row } from './row.ts';
import { type JudgedSample, judgeSample } from './sample.ts';
import type { Value } from './validate.ts';

/** The lowest status of a record and the first place that has it. */
export interface Trouble {
  readonly status: number;
  readonly offset: number;
  readonly metric: string;
}

const whole = (number: number, offset = 0): Trouble => ({ status: number, offset, metric: '' });

/** A message that cannot be read counts as one record. */
export function malformedMessage(kernel: ReferenceKernel, payload: Uint8Array): void {
  const record = { payload, index: 0, channel: '' };
  refuse(kernel, {
    ...{ record, identity: null, device: null, receivedMs: kernel.logMs },
    trouble: whole(status.BATCH_MALFORMED),
  });
}

export function applyRecord(kernel: ReferenceKernel, record: RawRecord): void {
  const logMs = BigInt(kernel.logMs);
  const receivedMs = Number(record.receivedAtMs < logMs ? record.receivedAtMs : logMs);
  const { tenant, site, device: name } = record;
  const identity = isIdentityValid(record) ? { tenant, site, device: name } : null;
  const early = judgeFrame(kernel, record, identity);
  if (early !== status.OK || identity === null) {
    const channel = identity === null ? '' : record.channel;
    const shown = { ...record, channel };
    refuse(kernel, { record: shown, identity, device: null, receivedMs, trouble: whole(early) });
    return;
  }
  const device = findDevice(kernel, identity);
  device?.reach(kernel.logClock);
  const channel = kernel.plan.channels.find((each) => each.name === record.channel);
  const known = channel !== undefined && !channel.retired;
  const subject = { record, identity, device, receivedMs };
  const overLimit = device === null || record.payload.length > PAYLOAD_BYTES_MAX;
  if (!known || overLimit) {
    refuse(kernel, {
      ...subject,
      trouble: whole(known ? status.LIMIT_EXCEEDED : status.CHANNEL_UNKNOWN),
    });
    return;
  }
  applyPayload(kernel, { ...subject, record, device, channel });
}

function applyPayload(
  kernel: ReferenceKernel,
  subject: Subject & { record: RawRecord; device: Device; channel: PlanChannel },
): void {
  const { record, device, channel, receivedMs } = subject;
  const payload = decodePayload(record.payload, channel, {
    ...{ receivedMs, kind: record.kind, aliases: device.aliases },
  });
  const trouble = judgePayload(record, payload);
  if (trouble.status !== status.OK) {
    refuse(kernel, { ...subject, trouble });
    return;
  }
  const key = (record.key ?? payload.key) as Key | null;
  const greatestEventMs = greatestTime(payload, receivedMs);
  const seen = key === null ? status.OK : device.dedup.judge(key, greatestEventMs);
  if (seen !== status.OK) {
    refuse(kernel, { ...subject, trouble: whole(seen) });
    return;
  }
  const anyStored = storeSamples(kernel, { ...subject, payload });
  if (anyStored && key !== null) {
    const { sequence, logClock: logTimeMs } = kernel;
    device.dedup.remember(key, { greatestEventMs, sequence, logTimeMs }, kernel.plan);
  }
}

function judgeFrame(kernel: ReferenceKernel, record: RawRecord, identity: Identity | null) {
  if (record.payload.length === 0) return status.EMPTY;
  if (identity === null) return status.IDENTITY_INVALID;
  if (kernel.skips.has(`${kernel.sequence}/${record.index}`)) return status.SKIPPED;
  const { tenant, site, device } = identity;
  const allowed = kernel.plan.devicesAllowed;
  const known = allowed === null || allowed.includes(`${tenant}/${site}/${device}`);
  return known ? status.OK : status.DEVICE_UNKNOWN;
}

function findDevice(kernel: ReferenceKernel, identity: Identity): Device | null {
  const { tenant, site, device } = identity;
  const found = kernel.devices.find(
    ({ identity: own }) => own.tenant === tenant && own.site === site && own.device === device,
  );
  if (found !== undefined) return found;
  if (kernel.devices.length >= kernel.plan.devicesMax) return null;
  const registered = new Device(kernel.devices.length, identity);
  kernel.devices.push(registered);
  return registered;
}

function judgePayload(record: RawRecord, payload: Payload): Trouble {
  const isLate = payload.status !== status.OK && payload.status < status.EVENT_ID_INVALID;
  if (isLate) return whole(payload.status, payload.offset);
  if (record.key === 'invalid') return whole(status.EVENT_ID_INVALID);
  return whole(payload.status, payload.offset);
}

function greatestTime(payload: Payload, receivedMs: number): number {
  const times = payload.samples.flatMap(({ timeMs }) =>
    timeMs === 'malformed' ? [] : [timeMs ?? receivedMs],
  );
  return times.length === 0 ? receivedMs : times.reduce((most, each) => Math.max(most, each));
}

// --- what is stored -----------------------------------------------------------------------------
interface Subject {
  readonly record: Pick<RawRecord, 'payload' | 'index' | 'channel'>;
  readonly identity: Identity | null;
  readonly device: Device | null;
  readonly receivedMs: number;
}

interface Accepted extends Subject {
  readonly device: Device;
  readonly channel: PlanChannel;
  readonly payload: Payload;
}

/** Whether any reading was stored. */
function storeSamples(kernel: ReferenceKernel, accepted: Accepted): boolean {
  const troubles: Trouble[] = [];
  let stored = 0;
  let refused = 0;
  for (const sample of accepted.payload.samples) {
    const judged = judgeSample(sample, accepted.channel, {
      receivedMs: accepted.receivedMs,
      logMs: kernel.logMs,
    });
    troubles.push(...judged.troubles);
    const fine = judged.readings.filter((reading) => reading.status === status.OK);
    for (const reading of judged.readings) kernel.ledger.reading(reading.status);
    stored += fine.length;
    refused += judged.readings.length - fine.length;
    if (fine.length > 0) storeSample(kernel, accepted, judged);
    kernel.sampleOrdinal += 1;
  }
  accepted.device.readings += BigInt(stored);
  const lowest = firstOfLowest(troubles);
  if (refused === 0) kernel.ledger.record('stored', status.OK);
  else if (stored > 0) close(kernel, accepted, 'partly', lowest!);
  else refuse(kernel, { ...accepted, trouble: lowest! });
  return stored > 0;
}

function firstOfLowest(troubles: readonly Trouble[]): Trouble | undefined {
  const lowest = Math.min(...troubles.map((trouble) => trouble.status));
  return troubles.find((trouble) => trouble.status === lowest);
}

function storeSample(kernel: ReferenceKernel, accepted: Accepted, judged: JudgedSample): void {
  const { device, channel } = accepted;
  const { eventMs } = judged;
  const series = device.channelSeries(channel.id);
  const emit = (cell: Parameters<ReferenceKernel['emitWindow']>[3]) =>
    kernel.emitWindow(device, channel.id, series, cell);
  kernel.output.row(`ch_${channel.name}`, {
    ...sampleRow(kernel, accepted, judged),
    flags: judged.flags | (eventMs < series.watermarkMs - channel.latenessMs ? FLAG_LATE : 0),
  });
  kernel.ledger.sampleStored();
  const fine = judged.readings.filter((reading) => reading.status === status.OK);
  const readings = fine.map(({ metric, value }) => ({
    ordinal: metric!.ordinal,
    value: Number(value),
  }));
  const { sequence } = kernel;
  series.fold(channel, { eventMs, sequence, readings }, emit, () => kernel.nextFragment());
  series.moveWatermark(channel, eventMs, kernel.logMs, emit);
  series.lastLogTimeMs = kernel.logClock;
  for (const { metric, value } of fine) device.report(channel.id, metric!, value!, eventMs);
  device.lastEventMs = Math.max(device.lastEventMs ?? eventMs, eventMs);
}

/** What a column holds where a sample has no reading. */
const ABSENT: Readonly<Record<ValueKind, Value>> = {
  ...{ number: 0, integer: 0n, boolean: false, text: '' },
};

function sampleRow(kernel: ReferenceKernel, accepted: Accepted, judged: JudgedSample): Row {
  const { channel, receivedMs, identity } = accepted;
  const values: Record<string, Value> = {};
  let presence = 0n;
  for (const { name, kind } of channel.metrics) {
    values[name] = ABSENT[kind];
  }
  for (const reading of judged.readings) {
    if (reading.status !== status.OK) continue;
    values[reading.metric!.name] = reading.value!;
    presence |= 1n << BigInt(reading.metric!.ordinal);
  }
  return {
    ...identity!,
    event_time: judged.eventMs,
    received_at: receivedMs,
    log_time: kernel.logClock,
    partition: kernel.options.partition,
    sequence: kernel.sequence,
    ordinal: kernel.sampleOrdinal,
    flags: 0,
    presence,
    version: kernel.options.generation,
    is_deleted: 0,
    expires_at: expiresAt(judged.eventMs, channel.retentionMs),
    ...values,
  };
}

// --- what is refused ----------------------------------------------------------------------------
function refuse(kernel: ReferenceKernel, refused: Subject & { readonly trouble: Trouble }): void {
  close(kernel, refused, stateOf(refused.trouble.status), refused.trouble);
}

function stateOf(number: number): State {
  if (number === status.DUPLICATE) return 'duplicate';
  if (number === status.DEDUP_UNKNOWN) return 'dedup_unknown';
  if (number === status.SKIPPED) return 'skipped';
  return number === status.TOO_LATE ? 'too_late' : 'rejected';
}

function close(kernel: ReferenceKernel, subject: Subject, state: State, trouble: Trouble): void {
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

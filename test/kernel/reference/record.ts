/**
 * One record: which status applies to it before its samples are looked at, and what dedup says. In:
 * a record as admitted, and the kernel it changes. Out: what store.ts and letter.ts give out.
 */
import { PAYLOAD_BYTES_MAX } from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { Identity } from '../../../src/model/record.ts';
import { decodePayload, type Payload } from './decode.ts';
import { Device } from './device.ts';
import type { ReferenceKernel } from './kernel.ts';
import { contentKey, type Key } from './key.ts';
import { refuse, type Subject, type Trouble, wholeRecord } from './letter.ts';
import { isIdentityValid, type RawRecord } from './message.ts';
import { storeSamples } from './store.ts';

/** A message that cannot be read counts as one record. */
export function malformedMessage(kernel: ReferenceKernel, payload: Uint8Array): void {
  const record = { payload, index: 0, channel: '' };
  const subject = { record, identity: null, device: null, receivedMs: kernel.logMs };
  refuse(kernel, subject, wholeRecord(status.BATCH_MALFORMED));
}

export function applyRecord(kernel: ReferenceKernel, record: RawRecord): void {
  const logMs = BigInt(kernel.logMs);
  const receivedMs = Number(record.receivedAtMs < logMs ? record.receivedAtMs : logMs);
  const { tenant, site, device: name } = record;
  const identity = isIdentityValid(record) ? { tenant, site, device: name } : null;
  const early = judgeFrame(kernel, record, identity);
  if (early !== status.OK || identity === null) {
    const shown = { ...record, channel: identity === null ? '' : record.channel };
    refuse(kernel, { record: shown, identity, device: null, receivedMs }, wholeRecord(early));
    return;
  }
  const device = findDevice(kernel, identity);
  if (device !== null) kernel.reach(device);
  const channel = kernel.plan.channels.find((each) => each.name === record.channel);
  const known = channel !== undefined && !channel.retired;
  const subject = { record, identity, device, receivedMs };
  const overLimit = device === null || record.payload.length > PAYLOAD_BYTES_MAX;
  if (!known || overLimit) {
    device?.quality.add('validity', 0);
    refuse(
      ...([kernel, subject] as const),
      wholeRecord(known ? status.LIMIT_EXCEEDED : status.CHANNEL_UNKNOWN),
    );
    return;
  }
  applyPayload(kernel, { ...subject, record, device, channel });
}

interface Addressed extends Subject {
  readonly record: RawRecord;
  readonly device: Device;
  readonly channel: PlanChannel;
}

function applyPayload(kernel: ReferenceKernel, subject: Addressed): void {
  const { record, device, channel, receivedMs } = subject;
  const payload = decodePayload(record.payload, channel, {
    ...{ receivedMs, kind: record.kind, aliases: device.aliases },
  });
  const trouble = judgePayload(record, payload);
  device.quality.add('validity', trouble.status === status.OK ? 1 : 0);
  if (trouble.status !== status.OK) {
    refuse(kernel, subject, trouble);
    return;
  }
  const key = keyOf(subject, payload);
  const greatestEventMs = greatestTime(payload, receivedMs);
  const seen = key === null ? status.OK : device.dedup.judge(key, greatestEventMs);
  if (key !== null) device.quality.add('uniqueness', seen === status.DUPLICATE ? 0 : 1);
  if (seen !== status.OK) {
    refuse(kernel, subject, wholeRecord(seen));
    return;
  }
  takeSparkplug(kernel, subject, payload);
  if (payload.filtered === true) {
    kernel.ledger.record('filtered', status.OK);
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
  if (isLate) return wholeRecord(payload.status, payload.offset);
  if (record.key === 'invalid') return wholeRecord(status.EVENT_ID_INVALID);
  return wholeRecord(payload.status, payload.offset);
}

/** The transport's, else the payload's, else the content where the channel says so. */
function keyOf({ record, channel }: Addressed, payload: Payload): Key | null {
  const key = record.key ?? payload.key;
  if (key !== null) return key as Key;
  const isTimed = payload.samples.every(({ timeMs }) => typeof timeMs === 'number');
  if (!channel.contentDedup || !isTimed || payload.samples.length === 0) return null;
  return contentKey(channel.id, record.payload);
}

function greatestTime(payload: Payload, receivedMs: number): number {
  const times = payload.samples.flatMap(({ timeMs }) =>
    timeMs === 'malformed' ? [] : [timeMs ?? receivedMs],
  );
  return times.length === 0 ? receivedMs : times.reduce((most, each) => Math.max(most, each));
}

function takeSparkplug(kernel: ReferenceKernel, subject: Addressed, payload: Payload): void {
  const { device, record } = subject;
  device.aliases = payload.aliases ?? device.aliases;
  const sequence = payload.sparkSequence ?? null;
  if (sequence === null || !kernel.plan.quality) return;
  const isNodes = ['NBIRTH', 'NDEATH'].includes(record.kind);
  device.quality.add('completeness', 0, device.quality.missingBefore(sequence, isNodes));
}

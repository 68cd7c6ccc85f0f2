/**
 * The samples of a record that got past dedup. In: the decoded payload, its device and channel.
 * Out: rows of samples, alerts, windows; counts; the record's terminal state.
 */
import {
  FLAG_HISTORICAL,
  FLAG_LATE,
  FLAG_PARTLY,
  FLAG_SUSPECT,
} from '../../../assembly/shared/abi.ts';
import * as status from '../../../assembly/shared/status.ts';
import type { PlanChannel, ValueKind } from '../../../src/model/plan.ts';
import { checkByState } from './check.ts';
import type { Payload, Sample } from './decode.ts';
import type { Device } from './device.ts';
import type { ReferenceKernel } from './kernel.ts';
import { close, refuse, type Subject, type Trouble } from './letter.ts';
import { missingSamples } from './quality.ts';
import { expiresAt, type Row } from './row.ts';
import { type JudgedReading, type JudgedSample, judgeSample } from './sample.ts';
import { type Section, standsIn } from './section.ts';
import type { Value } from './validate.ts';

interface Accepted extends Subject {
  readonly device: Device;
  readonly channel: PlanChannel;
  readonly payload: Payload;
}

/** Whether any reading was stored. */
export function storeSamples(kernel: ReferenceKernel, accepted: Accepted): boolean {
  const troubles: Trouble[] = [];
  let stored = 0;
  let refused = 0;
  for (const sample of accepted.payload.samples) {
    const judged = judge(kernel, accepted, sample);
    countQuality(kernel, accepted, judged);
    troubles.push(...troublesOf(judged));
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
  else if (stored > 0) close(kernel, accepted, { state: 'partly', trouble: lowest! });
  else refuse(kernel, accepted, lowest!);
  return stored > 0;
}

function judge(kernel: ReferenceKernel, accepted: Accepted, sample: Sample): JudgedSample {
  const { device, channel, receivedMs } = accepted;
  const historical = sample.historical === true;
  if (typeof sample.timeMs === 'number' && !historical) {
    device.clock.observe({ receivedMs, eventMs: sample.timeMs }, kernel.logClock);
  }
  const { offsetMs: clockOffsetMs } = device.clock;
  const judged = judgeSample(sample, channel, { receivedMs, logMs: kernel.logMs, clockOffsetMs });
  if (judged.trouble !== null) return judged;
  const readings = checkByState(judged.readings, {
    ...{ channel, eventMs: judged.eventMs, historical },
    section: device.sections.get(channel.id),
    texts: kernel.texts,
    textsMax: kernel.plan.textsMax,
  });
  return { ...judged, readings };
}

/** Of the sample, else of its readings in payload order. */
function troublesOf({ trouble, readings }: JudgedSample): Trouble[] {
  if (trouble !== null) return [trouble];
  return readings
    .filter((reading) => reading.status !== status.OK)
    .map(({ metric, status: number, offset }) => ({
      ...{ status: number, offset, metric: metric?.name ?? '' },
    }));
}

function firstOfLowest(troubles: readonly Trouble[]): Trouble | undefined {
  const lowest = Math.min(...troubles.map((trouble) => trouble.status));
  return troubles.find((trouble) => trouble.status === lowest);
}

// --- a stored sample ----------------------------------------------------------------------------
function storeSample(kernel: ReferenceKernel, accepted: Accepted, judged: JudgedSample): void {
  const { device, channel } = accepted;
  const { eventMs } = judged;
  const section = device.section(channel.id);
  section.follow(channel);
  const flags = flagsOf(judged, eventMs < section.watermarkMs - channel.latenessMs);
  kernel.output.row(`ch_${channel.name}`, sampleRow(kernel, accepted, { ...judged, flags }));
  kernel.ledger.sampleStored();
  const fine = judged.readings.filter((reading) => reading.status === status.OK);
  const readings = fine.flatMap((reading) => {
    const score = takeCurrent(kernel, accepted, { reading, judged, section });
    if (typeof reading.value === 'string') return [];
    return [{ ordinal: reading.metric!.ordinal, value: Number(reading.value), score }];
  });
  const sample = { eventMs, sequence: kernel.sequence, readings };
  section.fold(sample, kernel.moment(device, channel.id, section));
  device.lastEventMs = Math.max(device.lastEventMs ?? eventMs, eventMs);
}

function flagsOf({ flags, readings, sample }: JudgedSample, isLate: boolean): number {
  const isSuspect = readings.some((each) => each.suspectValue || each.suspectRule);
  const isPartly = readings.some((each) => each.status !== status.OK);
  return (
    flags |
    (isLate ? FLAG_LATE : 0) |
    (isPartly ? FLAG_PARTLY : 0) |
    (isSuspect ? FLAG_SUSPECT : 0) |
    (sample.historical === true ? FLAG_HISTORICAL : 0)
  );
}

interface Current {
  readonly reading: JudgedReading;
  readonly judged: JudgedSample;
  readonly section: Section;
}

/** What a current reading changes besides the windows: score, alerts, latest. Its score. */
function takeCurrent(kernel: ReferenceKernel, accepted: Accepted, current: Current): number {
  const { reading, judged, section } = current;
  const { device, channel } = accepted;
  const metric = reading.metric!;
  const value = reading.value!;
  const { eventMs } = judged;
  const series = section.seriesOf(metric.ordinal);
  if (judged.sample.historical === true || !series.isCurrent(eventMs)) return 0;
  let score = 0;
  if (typeof value !== 'string') {
    score = series.score(channel.score, Number(value), eventMs);
    const alerts = channel.alerts.filter((alert) => alert.metric === metric.ordinal);
    const { sequence, sampleOrdinal } = kernel;
    const place = { eventMs, sequence, sampleOrdinal };
    for (const change of section.alerts.judge(alerts, Number(value), place)) {
      kernel.emitAlert(device, channel, change);
    }
  }
  series.report(value, eventMs, standsIn(channel));
  return score;
}

/** What a column holds where a sample has no reading. */
const ABSENT: Readonly<Record<ValueKind, Value>> = {
  ...{ number: 0, integer: 0n, boolean: false, text: '' },
};

function sampleRow(kernel: ReferenceKernel, accepted: Accepted, judged: JudgedSample): Row {
  const { channel, receivedMs, identity } = accepted;
  const values: Record<string, Value> = {};
  let presence = 0n;
  for (const { name, kind } of channel.metrics) values[name] = ABSENT[kind];
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
    flags: judged.flags,
    presence,
    version: kernel.options.generation,
    is_deleted: 0,
    expires_at: expiresAt(judged.eventMs, channel.retentionMs),
    device_time: judged.deviceMs,
    ...values,
  };
}

// --- quality ------------------------------------------------------------------------------------
/** Before the sample is stored: the section's greatest event is still that of the one before. */
function countQuality(kernel: ReferenceKernel, accepted: Accepted, judged: JudgedSample): void {
  if (!kernel.plan.quality) return;
  const { quality } = accepted.device;
  const found = judged.trouble?.status ?? status.OK;
  if (found !== status.TIME_MALFORMED && found !== status.TIME_MISSING) {
    const isRefused = found >= status.CLOCK_AHEAD && found <= status.TOO_LATE;
    const isTimely = kernel.logMs - judged.eventMs <= accepted.channel.timelyMs;
    quality.add('timeliness', !isRefused && isTimely ? 1 : 0);
  }
  if (found === status.REQUIRED_MISSING) quality.add('completeness', 0);
  if (found !== status.OK) return;
  for (const reading of judged.readings) {
    countAccuracy(accepted.device, reading);
    countConsistency(accepted.device, reading);
  }
  if (judged.readings.some((reading) => reading.status === status.OK)) {
    quality.add('completeness', 1, 1 + missing(accepted, judged));
  }
}

function countAccuracy({ quality }: Device, { status: found, suspectValue }: JudgedReading): void {
  const isValue = found >= status.NOT_FINITE && found <= status.VALUE_STUCK;
  const isBroken = found === status.RULE_BROKEN;
  if (found !== status.OK && !isValue && !isBroken) return;
  quality.add('accuracy', isBroken || (found === status.OK && !suspectValue) ? 1 : 0);
}

function countConsistency({ quality }: Device, reading: JudgedReading): void {
  const { status: found, suspectRule } = reading;
  const isForm = found >= status.METRIC_UNKNOWN && found <= status.TEXT_LIMIT;
  const isBroken = found === status.RULE_BROKEN || suspectRule === true;
  quality.add('consistency', isForm || isBroken ? 0 : 1);
}

function missing({ device, channel }: Accepted, judged: JudgedSample): number {
  const section = device.sections.get(channel.id);
  const isCounted = channel.format !== 'sparkplug' && judged.sample.historical !== true;
  if (section === undefined) return 0;
  return isCounted ? missingSamples(section, judged.eventMs, judged.sample.expectMs ?? 0) : 0;
}

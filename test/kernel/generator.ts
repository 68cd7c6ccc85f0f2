/**
 * Random logs of one partition. In: a seed and a size. Out: messages, the skip list, and for every
 * record whose status is known by construction, that status. Devices have clocks with skew, send in
 * order, late, ahead or a backlog, and send again; plans change in mid-stream; the log has gaps.
 */
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import type { DeviceRecord, EventKey, LogPosition } from '../../src/model/record.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import { encodeRecordBatch } from '../../src/wire/record-batch.ts';
import { BAD_INPUT, type BadRecord } from './bad-input.ts';
import { SparkplugNode } from './format/sparkplug.ts';
import type { Measurement, PayloadKey } from './format/value.ts';
import { LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { damaged, randomPayload } from './payload-generator.ts';
import { changedPlan, randomPlan } from './plan-generator.ts';
import { HOUR_MS, MINUTE_MS } from './plan-sample.ts';
import { Random } from './random.ts';

export interface Expected {
  readonly sequence: bigint;
  readonly index: number;
  readonly status: string;
}

export interface Stream {
  readonly seed: number;
  readonly messages: readonly LogMessage[];
  readonly skips: readonly LogPosition[];
  readonly expected: readonly Expected[];
}

interface Device {
  readonly name: string;
  readonly clockOffsetMs: number;
  /** Milliseconds that its clock gains per hour. */
  readonly driftMs: number;
  /** What its readings are around now. */
  level: number;
  readonly keys: 'id' | 'boot' | 'payload' | 'none';
  readonly habit: 'ordered' | 'late' | 'ahead' | 'backlog' | 'mixed';
  bootId: bigint;
  sequence: bigint;
  /** Event time of the next record of a backlog, and the step to the one after it. */
  backlogMs: number;
  readonly stepMs: number;
  /** Probability that it starts again before a record. */
  readonly restarts: number;
  /** What it is in Sparkplug B. */
  readonly node: SparkplugNode;
  readonly sent: DeviceRecord[];
}

const SENT_KEPT = 40;

export function generateStream(seed: number, messageCount: number): Stream {
  return new Generator(seed).run(messageCount);
}

class Generator {
  readonly #seed: number;
  readonly #random: Random;
  readonly #log = new LogWriter();
  readonly #skips: LogPosition[] = [];
  readonly #expected: Expected[] = [];
  readonly #devices: Device[];
  readonly #pace: number;
  /** All times are multiples of it: on a coarse grid bounds are met to the millisecond. */
  readonly #gridMs: number;
  #plan: Plan;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#plan = randomPlan(this.#random);
    this.#gridMs = this.#random.pick([1, 1, 1, 1000]);
    this.#pace = this.#random.pick([50, 500, 500, 5000]);
    const count = this.#random.pick([1, 2, 4, 12, 60]);
    this.#devices = Array.from({ length: count }, (_, place) => this.#device(place));
  }

  run(messageCount: number): Stream {
    const random = this.#random;
    if (random.chance(0.05)) this.#nativeRecord();
    if (random.chance(0.3)) this.#log.skip(BigInt(random.pick([900, 1020, 65_400, 130_000])));
    this.#log.plan(this.#plan);
    const changes = new Set(
      random.chance(0.4) ? [random.int(0, messageCount), random.int(0, messageCount)] : [],
    );
    for (let place = 0; place < messageCount; place += 1) {
      this.#passTime();
      if (changes.has(place)) {
        this.#plan = changedPlan(random, this.#plan);
        this.#log.plan(this.#plan);
      }
      this.#message();
    }
    this.#log.nowMs += 1000;
    this.#log.tick();
    const { messages } = this.#log;
    return { seed: this.#seed, messages, skips: this.#skips, expected: this.#expected };
  }

  #device(place: number): Device {
    const random = this.#random;
    return {
      name: `d${place}`,
      clockOffsetMs: random.pick([0, 0, 0, 800, -2000, 290_000, 6 * MINUTE_MS]),
      driftMs: random.pick([0, 0, 0, 5000, -300_000]),
      level: random.int(-30, 30),
      keys: random.pick(['id', 'boot', 'payload', 'none']),
      habit: random.pick(['ordered', 'late', 'ahead', 'backlog', 'mixed']),
      bootId: BigInt(random.int(0, 3)),
      sequence: 0n,
      backlogMs: this.#log.nowMs - 2 * HOUR_MS,
      stepMs: random.pick([1000, 5000, MINUTE_MS]),
      restarts: random.pick([0.02, 0.02, 0.3]),
      node: new SparkplugNode(),
      sent: [],
    };
  }

  #passTime(): void {
    const random = this.#random;
    const step = random.unit();
    if (step < 0.9) this.#log.nowMs += random.int(0, this.#pace);
    else if (step < 0.95) this.#log.nowMs += random.pick([1999, 2000, 2001, 3000, 31_000]);
    else if (step < 0.97) this.#log.nowMs += random.int(0, 3 * MINUTE_MS);
    else if (step < 0.975) this.#log.nowMs += random.int(0, 2 * HOUR_MS);
    else if (step < 0.977) this.#log.nowMs += 2 * 24 * HOUR_MS;
    else this.#log.nowMs -= random.int(0, 5000);
    this.#log.nowMs = this.#onGrid(this.#log.nowMs);
    if (random.chance(0.02)) this.#log.skip(BigInt(random.pick([1, 2, 100, 1023, 65_535])));
  }

  #onGrid(timeMs: number): number {
    return Math.ceil(timeMs / this.#gridMs) * this.#gridMs;
  }

  #message(): void {
    const random = this.#random;
    const kind = random.unit();
    if (kind < 0.75) this.#batch();
    else if (kind < 0.83) this.#nativeRecord();
    else if (kind < 0.95) this.#log.tick();
    else if (kind < 0.96) this.#log.append('ctl', random.bytes(3));
    else if (kind < 0.98) this.#malformedBatch();
    else this.#strangeSubject();
  }

  #batch(): void {
    const random = this.#random;
    const records: DeviceRecord[] = [];
    const sequence = this.#log.lastSequence + 1n;
    const count = random.chance(0.3) ? 1 : random.int(1, 8);
    for (let index = 0; index < count; index += 1) {
      const bad = random.chance(0.15) ? this.#badRecord(sequence, index) : null;
      const record = bad ?? this.#goodRecord(random.pick(this.#devices));
      records.push(record);
      if (bad === null && record.payload.length > 0 && random.chance(0.005)) {
        this.#skips.push({ partition: PARTITION, sequence, index });
        this.#expected.push({ sequence, index, status: 'SKIPPED' });
      }
    }
    this.#log.batch(records);
  }

  #badRecord(sequence: bigint, index: number): DeviceRecord | null {
    const random = this.#random;
    const status = random.pick(Object.keys(BAD_INPUT));
    const channel = random.pick(this.#plan.channels);
    const { nowMs } = this.#log;
    // Bad input is made for whole payloads of one sample.
    const isPlain = channel.framing === 'none' && channel.samplesPath.length === 0;
    const isMade = (isPlain || status === 'SCHEMA_UNKNOWN') && !channel.retired;
    const bad = isMade ? BAD_INPUT[status]!(channel, nowMs, random) : null;
    if (bad === null) return null;
    if (this.#isDecided(status)) this.#expected.push({ sequence, index, status });
    return this.#recordOf(bad, channel, nowMs);
  }

  /** Whether strictness or a full partition cannot give the record another status. */
  #isDecided(status: string): boolean {
    const { devicesAllowed, devicesMax } = this.#plan;
    if (status === 'EMPTY' || status === 'IDENTITY_INVALID') return true;
    if (devicesAllowed !== null) return status === 'DEVICE_UNKNOWN';
    if (status === 'DEVICE_UNKNOWN') return false;
    return status === 'CHANNEL_UNKNOWN' || devicesMax >= this.#devices.length + 1;
  }

  #recordOf(bad: BadRecord, channel: PlanChannel, receivedAtMs: number): DeviceRecord {
    const { name } = this.#random.pick(this.#devices);
    return recordOf({ device: name, channel: channel.name, receivedAtMs, ...bad });
  }

  #goodRecord(device: Device): DeviceRecord {
    const random = this.#random;
    if (device.sent.length > 0 && random.chance(0.12)) {
      const again = random.pick(device.sent);
      return random.chance(0.5) ? again : { ...again, receivedAtMs: this.#log.nowMs };
    }
    const channel = random.pick(this.#plan.channels);
    const key = this.#nextKey(device);
    const inPayload = device.keys === 'payload' || random.chance(0.05);
    const samples = this.#samples(device);
    const content = { samples, key: inPayload ? key : {}, nowMs: this.#log.nowMs };
    const { payload, ...rest } = randomPayload(random, channel, { content, node: device.node });
    const isDamaged = random.chance(0.04);
    const receivedAtMs =
      this.#log.nowMs + (random.chance(0.9) ? -random.int(0, 40) : random.pick([5000, -60_000]));
    const given = {
      device: device.name,
      channel: channel.name,
      receivedAtMs,
      payload: isDamaged ? damaged(random, payload) : payload,
      ...rest,
    };
    const record = recordOf(inPayload ? given : { ...given, ...transportKey(key) });
    device.sent.push(record);
    if (device.sent.length > SENT_KEPT) device.sent.shift();
    return record;
  }

  #nextKey(device: Device): PayloadKey {
    const random = this.#random;
    if (device.keys === 'none') return {};
    if (random.chance(device.restarts)) {
      device.bootId = random.chance(0.5) ? BigInt(random.int(0, 6)) : random.wide();
      device.sequence = 0n;
    }
    device.sequence += random.chance(0.1) ? BigInt(random.int(2, 30)) : 1n;
    const sequence = random.chance(0.1)
      ? BigInt(random.int(1, Number(device.sequence) + 2))
      : device.sequence;
    const isId = device.keys === 'id' || (device.keys === 'payload' && device.clockOffsetMs === 0);
    if (isId)
      return { eventId: `e${device.bootId}-${sequence}${random.chance(0.05) ? 'ü😀' : ''}` };
    return { bootId: device.bootId, sequence };
  }

  #samples(device: Device): Measurement[] {
    const random = this.#random;
    const count = random.chance(0.6) ? 1 : random.int(0, 6);
    return Array.from({ length: count }, () => {
      if (random.chance(0.5)) device.level += random.pick([1, -1, 1, -1, 8, -8, 0.5]);
      if (Math.abs(device.level) > 40) device.level = 0;
      const timeMs = random.chance(0.03) ? undefined : this.#eventTime(device);
      return { timeMs, level: device.level };
    });
  }

  /** Now and then one millisecond short of a bound, where watermarks lie. */
  #eventTime(device: Device): number {
    const timeMs = this.#onGrid(this.#habitualTime(device));
    return this.#random.chance(0.1) ? Math.floor(timeMs / 1000) * 1000 - 1 : timeMs;
  }

  #habitualTime(device: Device): number {
    const random = this.#random;
    const runHours = (this.#log.nowMs - START_MS) / HOUR_MS;
    const now = this.#log.nowMs + device.clockOffsetMs + Math.round(runHours * device.driftMs);
    const mixed = ['ordered', 'late', 'ahead', 'backlog'] as const;
    const habit = device.habit === 'mixed' ? random.pick(mixed) : device.habit;
    if (random.chance(0.05)) return Math.floor(now / 5000) * 5000;
    if (habit === 'late' && random.chance(0.2)) return now - random.pick([10_000, MINUTE_MS]);
    if (habit === 'late') return now - random.int(0, random.pick([2000, 200_000, 2 * HOUR_MS]));
    if (habit === 'ahead') return now + random.int(-5000, 6 * MINUTE_MS);
    if (habit === 'ordered') return now - random.int(0, 50);
    device.backlogMs += device.stepMs;
    if (device.backlogMs > now) device.backlogMs = now - random.int(0, 3 * HOUR_MS);
    return device.backlogMs;
  }

  #nativeRecord(): void {
    const random = this.#random;
    const device = random.pick(this.#devices);
    const record = this.#goodRecord(device);
    const { identity, channel, payload, kind } = record;
    const ofKey = this.#headers(record.key);
    const ofKind = kind === undefined ? undefined : `Millrace-Kind: ${kind}`;
    const headers = [ofKey, ofKind].filter((each) => each !== undefined).join('\r\n');
    this.#log.native({ identity, channel }, payload, headers === '' ? undefined : headers);
  }

  #headers(key: EventKey | undefined): string | undefined {
    const random = this.#random;
    if (random.chance(0.03)) {
      return random.pick([
        ...['Millrace-Event-Id:', 'Millrace-Boot-Id: 1', 'Millrace-Sequence: 3', 'Other: x'],
        ...[
          'Millrace-Boot-Id: 1\r\nMillrace-Sequence: 1x',
          'Millrace-Event-Id: a\r\nMillrace-Event-Id: b',
        ],
        'Millrace-Boot-Id: 18446744073709551616\r\nMillrace-Sequence: 3',
      ]);
    }
    if (key === undefined) return undefined;
    if ('eventId' in key) return `Other: y\r\nMillrace-Event-Id: ${key.eventId}`;
    return `Millrace-Boot-Id:${key.bootId}\r\nMillrace-Sequence: ${key.sequence} `;
  }

  #malformedBatch(): void {
    const random = this.#random;
    const whole = encodeRecordBatch([this.#goodRecord(random.pick(this.#devices))]);
    const body = random.pick([new Uint8Array(0), Uint8Array.of(10, 1), damaged(random, whole)]);
    const sequence = this.#log.append('batch', body);
    if (body.length < 3) this.#expected.push({ sequence, index: 0, status: 'BATCH_MALFORMED' });
  }

  #strangeSubject(): void {
    const random = this.#random;
    const tail = random.pick(['x', 'batch.1', 'tick.tick', 'iot.t1.s1.d0.c0', 'iot.a.b.c.x.d']);
    const sequence = this.#log.append(tail, random.bytes(4));
    this.#expected.push({ sequence, index: 0, status: 'BATCH_MALFORMED' });
  }
}

function transportKey(key: PayloadKey): { key?: EventKey } {
  if (key.eventId !== undefined) return { key: { eventId: key.eventId } };
  if (key.bootId === undefined || key.sequence === undefined) return {};
  return { key: { bootId: key.bootId, sequence: key.sequence } };
}

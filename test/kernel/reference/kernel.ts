/**
 * The reference kernel: the plain reading of assembly/README.md, with Maps and arrays and no
 * thought of speed. In: chunks of a partition's log. Out: rows, facts and dead letters of each
 * turn. It is what the WASM kernel is compared with; where they differ, the specification decides.
 */
import { FLUSH_SEQUENCES } from '../../../assembly/shared/abi.ts';
import type { LogChunk } from '../../../src/model/doors.ts';
import type { Plan, PlanChannel, PlanWindow } from '../../../src/model/plan.ts';
import type { LogPosition } from '../../../src/model/record.ts';
import { chunkMessages, type LogMessage } from '../../../src/wire/chunk.ts';
import type { Change } from './alert.ts';
import type { Device } from './device.ts';
import { Ledger } from './ledger.ts';
import { readMessage } from './message.ts';
import { Output } from './output.ts';
import { chainPlanHash, NO_PLAN } from './plan.ts';
import { applyRecord, malformedMessage } from './record.ts';
import { aggregateRow, alertRow, expiresAt, windowContent } from './row.ts';
import type { Moment, Section } from './section.ts';
import { type Emission, shapeOf } from './window.ts';

/** Two ticks: after a longer silence of the log the idle timers start again. */
const LOG_GAP_MS = 2_000;
const MINUTE_MS = 60_000;
const LEDGER_BLOCK_BITS = 16n;
const NS_PER_MS = 1_000_000n;

export interface ReferenceOptions {
  readonly log: string;
  readonly partition: number;
  readonly generation: number;
}

export interface ReferenceTurn {
  readonly rows: Output['rows'];
  readonly facts: Output['facts'];
  readonly deadLetters: Output['deadLetters'];
  readonly position: bigint;
  readonly needsTicks: boolean;
}

export class ReferenceKernel {
  readonly options: ReferenceOptions;
  position = 0n;
  logClock = 0;
  idleFloor = 0;
  plan: Plan = NO_PLAN;
  planHash = 0n;
  ledger = new Ledger(0n);
  output: Output;
  /** `sequence/index` of records that must not be applied. */
  readonly skips = new Set<string>();
  readonly devices: Device[] = [];
  /** The dictionary of the partition. */
  readonly texts = new Set<string>();
  /** Dead letters of records without a registered device. */
  readonly bucket = { minute: -1, count: 0 };
  /** Of the message being applied. */
  sequence = 0n;
  logMs = 0;
  sampleOrdinal = 0;
  #fragmentOrdinal = 0;
  /** Of the last flush point that looked for rows of quality. */
  #qualityMinute = Number.NEGATIVE_INFINITY;

  constructor(options: ReferenceOptions) {
    this.options = options;
    this.output = new Output(options.generation);
  }

  setSkips(skips: readonly LogPosition[]): void {
    for (const { sequence, index } of skips) this.skips.add(`${sequence}/${index}`);
  }

  turn(chunk: LogChunk): ReferenceTurn {
    for (const message of chunkMessages(chunk)) this.#apply(message);
    const { rows, facts, deadLetters } = this.output;
    this.output = new Output(this.options.generation);
    const needsTicks = this.ledger.changed || this.devices.some(hasSomethingOpen);
    return { rows, facts, deadLetters, position: this.position, needsTicks };
  }

  #apply(message: LogMessage): void {
    if (message.sequence <= this.position) return;
    this.#takePosition(message);
    this.#takeTime();
    this.#fireTimers();
    const request = readMessage(message, this.logMs);
    if (request.kind === 'records') {
      if (request.records === null) malformedMessage(this, message.payload);
      else for (const record of request.records) applyRecord(this, record);
    }
    const isFlushPoint = message.sequence % BigInt(FLUSH_SEQUENCES) === 0n;
    if (request.kind === 'tick' || isFlushPoint) this.#flush();
    this.position = message.sequence;
    if (request.kind === 'plan') this.#usePlan(Buffer.from(message.payload).toString('utf8'));
  }

  #takePosition(message: LogMessage): void {
    this.sequence = message.sequence;
    this.logMs = Number(message.logTimeNs / NS_PER_MS);
    this.output.startMessage(message.sequence);
    this.sampleOrdinal = 0;
    this.#fragmentOrdinal = 0;
    const block = message.sequence >> LEDGER_BLOCK_BITS;
    if (block !== this.ledger.block) {
      this.#emitLedger();
      this.ledger = new Ledger(block);
    }
    this.ledger.message(message.sequence - this.position - 1n);
  }

  #takeTime(): void {
    if (this.logMs - this.logClock > LOG_GAP_MS) this.idleFloor = this.logMs;
    this.logClock = Math.max(this.logClock, this.logMs);
  }

  #fireTimers(): void {
    const due = this.devices
      .flatMap((device) =>
        device.sortedSections().map(([channelId, section]) => {
          const { idleMs } = this.#channel(channelId);
          const deadline = Math.max(section.lastLogTimeMs, this.idleFloor) + idleMs;
          return { device, channelId, section, deadline };
        }),
      )
      .filter(({ section, deadline }) => section.unfired && deadline <= this.logClock)
      .sort((left, right) => left.deadline - right.deadline);
    for (const { device, channelId, section } of due) {
      section.fireIdle(this.moment(device, channelId, section));
    }
  }

  /** What a section may ask of the kernel while something happens to it. */
  moment(device: Device, channelId: number, section: Section): Moment {
    const channel = this.#channel(channelId);
    return {
      ...{ logClock: this.logClock, logMs: this.logMs, channel },
      emit: (window, emission) => {
        device.unflushed = true;
        const known = channel.windows.find((each) => shapeOf(each) === shapeOf(window));
        // Without rows and facts once the plan has dropped the window.
        if (known !== undefined) this.#emitWindow({ device, channel, section }, known, emission);
      },
      nextFragment: () => {
        const fragment = (this.sequence << 16n) | BigInt(this.#fragmentOrdinal);
        this.#fragmentOrdinal += 1;
        return fragment;
      },
    };
  }

  #emitWindow(
    of: { device: Device; channel: PlanChannel; section: Section },
    { name, retentionMs }: PlanWindow,
    emission: Emission,
  ): void {
    const { version, number } = this.output.nextVersion();
    const { watermarkMs } = of.section;
    const fact = {
      ...windowContent(emission, of.channel),
      identity: of.device.identity,
      window: name,
      // Before the first sample has moved it.
      watermarkMs: watermarkMs === Number.NEGATIVE_INFINITY ? 0 : watermarkMs,
      version,
      partition: this.options.partition,
      logTimeMs: this.logClock,
    };
    const expires = expiresAt(emission.start, retentionMs);
    this.output.row(`agg_${name}`, aggregateRow(fact, number, expires));
    this.output.facts.push(fact);
  }

  emitAlert(device: Device, channel: PlanChannel, { alert, raised, cleared }: Change): void {
    const { version, number } = this.output.nextVersion();
    const metric = channel.metrics.find(({ ordinal }) => ordinal === alert.metric)!;
    const fact = {
      ...{ kind: 'alert' as const, identity: device.identity, channel: channel.name },
      ...{ rule: alert.name, severity: alert.severity, metric: metric.name, unit: metric.unit },
      active: cleared === null,
      raisedAtMs: raised.at.eventMs,
      raisedSequence: raised.at.sequence,
      raisedOrdinal: raised.at.sampleOrdinal,
      ...{ sinceMs: raised.sinceMs, value: raised.value, peak: raised.peak },
      clearedAtMs: cleared?.eventMs ?? null,
      clearedValue: cleared?.value ?? null,
      ...{ version, partition: this.options.partition, logTimeMs: this.logClock },
    };
    const expires = expiresAt(fact.raisedAtMs, this.plan.alertRetentionMs);
    this.output.row('alerts', alertRow(fact, number, expires));
    this.output.facts.push(fact);
  }

  /** A record reaches a device: what was counted in an earlier minute is told first. */
  reach(device: Device): void {
    const minute = this.#minute();
    const { quality } = device;
    quality.counts = this.plan.quality;
    if (quality.counts) {
      if (quality.minute !== null && quality.minute < minute) this.#emitQuality(device);
      quality.minute = minute;
    }
    device.reach(this.logClock);
  }

  #minute(): number {
    return Math.floor(this.logClock / MINUTE_MS);
  }

  #passQuality(): void {
    const minute = this.#minute();
    if (minute <= this.#qualityMinute) return;
    this.#qualityMinute = minute;
    for (const device of this.devices) {
      if (device.quality.minute !== null && device.quality.minute < minute) {
        this.#emitQuality(device);
      }
    }
  }

  #emitQuality({ identity, quality }: Device): void {
    const minuteMs = quality.minute! * MINUTE_MS;
    this.output.row('quality_1m', {
      ...{ ...identity, minute: minuteMs, partition: this.options.partition },
      ...{ version: this.output.nextVersion().number, is_deleted: 0 },
      ...quality.take(),
      log_time: this.logClock,
      expires_at: expiresAt(minuteMs, this.plan.qualityRetentionMs),
    });
  }

  #flush(): void {
    this.#passQuality();
    for (const device of this.devices.filter(({ unflushed }) => unflushed)) {
      for (const [channelId, section] of device.sortedSections()) {
        section.flush(this.moment(device, channelId, section));
      }
      const isDue =
        device.lastShadowMs === null ||
        this.logClock - device.lastShadowMs >= this.plan.shadowIntervalMs;
      if (device.changed && isDue) this.#emitShadow(device);
      device.unflushed = device.changed;
    }
    this.#emitLedger();
  }

  #emitShadow(device: Device): void {
    const { version, number } = this.output.nextVersion();
    const { partition } = this.options;
    this.output.row('devices', device.row(partition, number));
    this.output.facts.push({
      kind: 'shadow',
      identity: device.identity,
      version,
      partition,
      logTimeMs: this.logClock,
      reported: device.reported(this.plan),
    });
    device.changed = false;
    device.lastShadowMs = this.logClock;
  }

  #emitLedger(): void {
    if (!this.ledger.changed) return;
    this.ledger.changed = false;
    const { log, partition } = this.options;
    this.output.row('ledger', {
      ...{ log, partition, version: this.output.nextVersion().number, is_deleted: 0 },
      ...this.ledger.row(),
      log_time: this.logClock,
    });
  }

  #usePlan(planText: string): void {
    this.plan = JSON.parse(planText) as Plan;
    this.planHash = chainPlanHash(this.planHash, planText);
  }

  #channel(id: number) {
    return this.plan.channels.find((channel) => channel.id === id)!;
  }
}

function hasSomethingOpen(device: Device): boolean {
  if (device.changed || device.quality.minute !== null) return true;
  return [...device.sections.values()].some(({ unfired, dirty }) => unfired || dirty);
}

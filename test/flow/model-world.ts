/**
 * One partition of the model kernel: applies log messages one by one. In: messages, a plan, the
 * skip list. Out: rows, facts and dead letters, each under the version of what caused it. Time is
 * the log's; nothing here knows of turns.
 */
import { OperatingError } from '../../src/model/error.ts';
import type { DeadLetter } from '../../src/model/fact.ts';
import type { LogPosition } from '../../src/model/record.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import {
  addToSession,
  addToWindow,
  type DeviceState,
  type ModelEvent,
  type ModelPlan,
  newDevice,
  type Receipt,
  receiveByBitmap,
  receiveId,
  receiveSequence,
  type WindowState,
  windowOf,
} from './device.ts';
import type { KernelSwitches } from './model-kernel.ts';
import { GENERATION_VERSIONS, type Row } from './read-model.ts';

export const FLUSH_SEQUENCES = 8;
const LEDGER_SEQUENCES = 64;
const GAP_MS = 2_000;
const DAY_MS = 86_400_000;
const ID_HORIZON_MS = 400 * DAY_MS;
/** Windows in memory before the mutant's arena is exhausted. */
const WINDOWS_MAX = 6;

const OUTCOMES = ['stored', 'duplicate', 'unknown', 'late', 'skipped'] as const;
type Account = Record<(typeof OUTCOMES)[number] | 'in', number>;

interface Head {
  readonly position: number;
  readonly clockMs: number;
  readonly ledger: [number, Account][];
  readonly dirtyBlocks: number[];
  readonly plan: ModelPlan | null;
  readonly generation: number;
}

/** The read model's table of them has the generation as version. */
export interface ModelLetter extends DeadLetter {
  readonly generation: number;
}

export class World {
  position = 0;
  readonly devices = new Map<string, DeviceState>();
  readonly changed = new Set<string>();
  readonly #partition: number;
  #generation: number;
  readonly #switches: KernelSwitches;
  #clockMs = 0;
  #plan: ModelPlan | null = null;
  #skips = new Set<string>();
  #ledger = new Map<number, Account>();
  #dirtyBlocks = new Set<number>();
  #rows: Row[] = [];
  #facts: Row[] = [];
  #letters: ModelLetter[] = [];
  /** The message that is being applied: it names the versions. */
  #message: { readonly sequence: number; readonly logTimeMs: number; ordinal: number };

  constructor(partition: number, generation: number, switches: KernelSwitches) {
    this.#partition = partition;
    this.#generation = generation;
    this.#switches = switches;
    this.#message = { sequence: 0, logTimeMs: 0, ordinal: 0 };
  }

  get emitted(): number {
    return this.#rows.length + this.#letters.length;
  }

  take() {
    const taken = { rows: this.#rows, facts: this.#facts, letters: this.#letters };
    this.#rows = [];
    this.#facts = [];
    this.#letters = [];
    return taken;
  }

  usePlan(text: string): void {
    this.#plan = JSON.parse(text) as ModelPlan;
  }

  setSkips(skips: readonly LogPosition[]): void {
    this.#skips = new Set(skips.map(({ sequence, index }) => `${sequence}.${index}`));
  }

  head(): Head {
    return {
      position: this.position,
      clockMs: this.#clockMs,
      ledger: [...this.#ledger],
      dirtyBlocks: [...this.#dirtyBlocks],
      plan: this.#plan,
      generation: this.#generation,
    };
  }

  useHead({ position, clockMs, ledger, dirtyBlocks, plan, generation }: Head): void {
    this.#generation = generation;
    this.position = position;
    this.#clockMs = clockMs;
    this.#ledger = new Map(ledger);
    this.#dirtyBlocks = new Set(dirtyBlocks);
    this.#plan = plan;
  }

  /**
   * State of an older generation goes on: what that one may have written from above the cut, over
   * rows that still count, is emitted again.
   */
  beginGeneration(generation: number): void {
    if (generation <= this.#generation) return;
    this.#generation = generation;
    const block = Math.floor(this.position / LEDGER_SEQUENCES);
    if (this.#ledger.has(block)) this.#dirtyBlocks.add(block);
    for (const [name, device] of this.devices) {
      for (const window of device.windows) if (window.hasFired) window.isDirty = true;
      for (const session of device.sessions) session.isDirty = true;
      device.isLastDirty = true;
      this.changed.add(name);
    }
  }

  /** True while something waits for time to pass. */
  get needsTicks(): boolean {
    if (this.#dirtyBlocks.size > 0) return true;
    for (const device of this.devices.values()) if (isWaiting(device)) return true;
    return false;
  }

  /** Yields after what may fill an output, and at a plan. */
  *apply(message: LogMessage): Generator<'emitted' | 'plan', void, void> {
    const sequence = Number(message.sequence);
    const stampMs = Number(message.logTimeNs / 1_000_000n);
    this.#message = { sequence, logTimeMs: stampMs, ordinal: 0 };
    yield* this.#passTime(stampMs);
    if (message.subject.endsWith('.plan')) {
      this.position = sequence;
      yield 'plan';
    }
    if (message.subject.endsWith('.batch')) {
      const events = JSON.parse(Buffer.from(message.payload).toString('utf8')) as ModelEvent[];
      for (const [index, event] of events.entries()) {
        this.#record(event, index);
        yield 'emitted';
      }
    }
    if (message.subject.endsWith('.tick') || sequence % FLUSH_SEQUENCES === 0) {
      for (const name of this.#names()) {
        this.#flushDevice(name, this.devices.get(name)!);
        yield 'emitted';
      }
      this.#flushLedger();
    }
    this.position = sequence;
  }

  /** For the mutant that lets a turn decide. */
  flush(): void {
    for (const name of this.#names()) this.#flushDevice(name, this.devices.get(name)!);
  }

  evictIfFull(): void {
    if (!this.#switches.evictsWhenFull) return;
    const devices = [...this.devices.values()];
    const count = devices.reduce((sum, { windows }) => sum + windows.length, 0);
    if (count <= WINDOWS_MAX) return;
    for (const device of devices) device.windows = device.windows.filter(({ isDirty }) => isDirty);
  }

  #names(): string[] {
    return [...this.devices.keys()].sort();
  }

  /** Timers fire between messages, in the order of their deadlines. */
  *#passTime(stampMs: number): Generator<'emitted', void, void> {
    const nowMs = this.#switches.usesWallClock?.() ?? stampMs;
    const isGap = this.#clockMs > 0 && nowMs - this.#clockMs > GAP_MS;
    this.#clockMs = Math.max(this.#clockMs, nowMs);
    const idle = this.#names()
      .map((name) => [name, this.devices.get(name)!] as const)
      .filter(([, { idleAtMs }]) => idleAtMs !== null)
      .sort(([, left], [, right]) => left.idleAtMs! - right.idleAtMs!);
    for (const [name, device] of idle) {
      if (isGap) device.idleAtMs = this.#clockMs + this.#plan!.idleMs;
      else if (device.idleAtMs! > this.#clockMs) continue;
      else this.#idle(name, device);
      this.changed.add(name);
      yield 'emitted';
    }
  }

  /** A firing, never a watermark: what comes late is still on time. */
  #idle(name: string, device: DeviceState): void {
    device.idleAtMs = null;
    if (this.#switches.idleAdvancesWatermark) device.watermarkMs = this.#clockMs;
    for (const window of device.windows) {
      if (window.isDirty) this.#emitWindow(name, window);
    }
  }

  #record(event: ModelEvent, index: number): void {
    const { sequence, logTimeMs } = this.#message;
    if (this.#skips.has(`${sequence}.${index}`)) {
      this.#letter(event, index, 'SKIPPED');
      this.#count('skipped');
      return;
    }
    if (event.isPoison) {
      throw new OperatingError('KERNEL_TRAPPED', `poison at ${sequence}.${index}`, {
        where: { partition: this.#partition, sequence: BigInt(sequence), index },
      });
    }
    const device = this.devices.get(event.device) ?? newDevice();
    this.devices.set(event.device, device);
    this.changed.add(event.device);
    const receipt = this.#receive(device, event);
    if (receipt === 'unknown') this.#letter(event, index, 'DEDUP_UNKNOWN');
    if (receipt !== 'new') {
      this.#count(receipt);
      return;
    }
    const plan = this.#plan!;
    const ageMs = Math.min(event.receivedMs, logTimeMs) - event.timeMs;
    const isPassed = this.#switches.idleAdvancesWatermark && event.timeMs < device.watermarkMs;
    if (ageMs > plan.ageMaxMs || isPassed) {
      this.#letter(event, index, 'TOO_LATE');
      this.#count('late');
      return;
    }
    this.#store(device, event, index);
  }

  #receive(device: DeviceState, { id, boot, seq }: ModelEvent): Receipt {
    if (id !== '') return receiveId(device, id, this.#clockMs + ID_HORIZON_MS);
    const receive = this.#switches.hasBitmap ? receiveByBitmap : receiveSequence;
    return receive(device, boot, seq);
  }

  #store(device: DeviceState, event: ModelEvent, index: number): void {
    const plan = this.#plan!;
    const { sequence, logTimeMs } = this.#message;
    const value = event.value * plan.scale;
    this.#count('stored');
    this.#emit({
      table: 'raw',
      key: `${event.device}/${event.timeMs}/${this.#partition}/${sequence}/${index}`,
      value: JSON.stringify({ event: eventName(event), timeMs: event.timeMs, value }),
      day: Math.floor(event.timeMs / DAY_MS),
    });
    const start = Math.floor(event.timeMs / plan.windowMs) * plan.windowMs;
    addToWindow(windowOf(device, start, plan, sequence), value);
    addToSession(device, event.timeMs, value, plan.gapMs);
    if (this.#switches.forgetsTombstones) device.retracted = [];
    device.last = value;
    device.isLastDirty = true;
    device.idleAtMs = this.#clockMs + plan.idleMs;
    device.maxMs = Math.max(device.maxMs, event.timeMs);
    const reachedMs = Math.min(device.maxMs, logTimeMs) - plan.boundMs - 1;
    device.watermarkMs = Math.max(device.watermarkMs, reachedMs);
    for (const window of device.windows) {
      const isOver = window.start + plan.windowMs <= device.watermarkMs;
      if (isOver && !window.hasFired) this.#emitWindow(event.device, window);
    }
  }

  #flushDevice(name: string, device: DeviceState): void {
    const plan = this.#plan;
    if (!plan) return;
    for (const window of device.windows) {
      if (window.hasFired && window.isDirty) this.#emitWindow(name, window);
    }
    for (const start of device.retracted) this.#emitSession(name, { start }, true);
    for (const session of device.sessions) {
      if (session.isDirty) this.#emitSession(name, session, false);
      session.isDirty = false;
    }
    if (device.isLastDirty) {
      const value = `${device.last}`;
      this.#emit({ table: 'last', key: name, value, isFact: true });
    }
    const kept = device.windows.filter(
      ({ start, hasFired }) =>
        !hasFired || start + plan.windowMs + plan.latenessMs > device.watermarkMs,
    );
    const isChanged = kept.length < device.windows.length || device.isLastDirty;
    if (isChanged || device.retracted.length > 0) this.changed.add(name);
    device.windows = kept;
    device.retracted = [];
    device.isLastDirty = false;
  }

  #flushLedger(): void {
    for (const block of [...this.#dirtyBlocks].sort((left, right) => left - right)) {
      const value = JSON.stringify(this.#ledger.get(block));
      this.#emit({ table: 'ledger', key: `${this.#partition}/${block}`, value });
    }
    this.#dirtyBlocks.clear();
  }

  #emitWindow(device: string, window: WindowState): void {
    const { start, fragment, count, sum, min, max } = window;
    window.hasFired = true;
    window.isDirty = false;
    this.changed.add(device);
    const value = this.#switches.writesDeltas
      ? `${count - window.told}`
      : JSON.stringify({ count, sum, min, max });
    window.told = count;
    this.#emit({ table: 'win', key: `${device}/${start}/${fragment}`, value, isFact: true });
  }

  #emitSession(
    device: string,
    session: { start: number; end?: number; count?: number; sum?: number },
    isDeleted: boolean,
  ): void {
    const { start, end, count, sum } = session;
    const value = isDeleted ? '' : JSON.stringify({ end, count, sum });
    this.changed.add(device);
    this.#emit({ table: 'ses', key: `${device}/${start}`, value, isDeleted, isFact: true });
  }

  #emit(what: {
    table: string;
    key: string;
    value: string;
    day?: number;
    isDeleted?: boolean;
    isFact?: boolean;
  }): void {
    const { sequence, logTimeMs } = this.#message;
    this.#message.ordinal += 1;
    const { table, key, value, day = 0, isDeleted = false, isFact = false } = what;
    const version = this.#generation * GENERATION_VERSIONS + sequence * 1e4 + this.#message.ordinal;
    const partition = this.#partition;
    const row = { table, key, version, isDeleted, value, day, partition, sequence, logTimeMs };
    this.#rows.push(row);
    if (isFact) this.#facts.push(row);
  }

  #letter(event: ModelEvent, index: number, reason: string): void {
    const { sequence, logTimeMs } = this.#message;
    this.#letters.push({
      identity: { tenant: 't', site: 's', device: event.device },
      channel: eventName(event),
      reason,
      partition: this.#partition,
      sequence: BigInt(sequence),
      index,
      offset: 0,
      metric: '',
      receivedAtMs: event.receivedMs,
      logTimeMs,
      payloadBytes: 0,
      sample: new Uint8Array(0),
      generation: this.#generation,
    });
  }

  #count(outcome: keyof Account): void {
    const block = Math.floor(this.#message.sequence / LEDGER_SEQUENCES);
    let account = this.#ledger.get(block);
    if (!account) {
      account = { in: 0, stored: 0, duplicate: 0, unknown: 0, late: 0, skipped: 0 };
      this.#ledger.set(block, account);
    }
    account.in += 1;
    account[outcome] += 1;
    this.#dirtyBlocks.add(block);
  }
}

/** What makes two deliveries the same event. */
export const eventName = ({ device, id, boot, seq }: ModelEvent): string =>
  id === '' ? `${device}#${boot}.${seq}` : `${device}#${id}`;

function isWaiting(device: DeviceState): boolean {
  if (device.idleAtMs !== null || device.isLastDirty || device.retracted.length > 0) return true;
  if (device.sessions.some(({ isDirty }) => isDirty)) return true;
  return device.windows.some(({ hasFired, isDirty }) => hasFired && isDirty);
}

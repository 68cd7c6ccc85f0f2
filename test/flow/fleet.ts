/**
 * Devices and their gateways: one gateway per partition, one append in flight, the same bytes again
 * until the log acknowledges them. A gateway that crashes forgets what is in flight; its devices
 * send it again, in other batches. In: a scenario. Out: the events that were acknowledged.
 */
import type { LogAppender } from '../../src/model/doors.ts';
import type { Random } from '../../src/sim/random.ts';
import { partitionOf } from '../../src/wire/subject.ts';
import { START_MS } from './clock.ts';
import { BOOTS_MAX, type ModelEvent } from './device.ts';
import { eventName } from './model-world.ts';
import type { Scenario } from './scenario.ts';
import { Life, type Scheduler } from './scheduler.ts';

const BATCH_MAX = 4;
const AGAIN_MS = 150;
const DAY_MS = 86_400_000;

interface Gateway {
  life: Life;
  queue: ModelEvent[];
  inFlight: ModelEvent[];
  /** Ends the waiting for something to send. */
  wake: () => void;
}

export class Fleet {
  readonly acknowledged = new Map<string, ModelEvent>();
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #scenario: Scenario;
  readonly #appender: (life: Life) => LogAppender;
  readonly #gateways: Gateway[];
  #unborn = 0;

  constructor(options: {
    readonly scheduler: Scheduler;
    readonly random: Random;
    readonly scenario: Scenario;
    readonly appender: (life: Life) => LogAppender;
  }) {
    this.#scheduler = options.scheduler;
    this.#random = options.random;
    this.#scenario = options.scenario;
    this.#appender = options.appender;
    this.#gateways = Array.from({ length: options.scenario.partitions }, (_, partition) => ({
      life: new Life(`gateway${partition}`),
      queue: [],
      inFlight: [],
      wake: () => {},
    }));
  }

  /** True once everything is sent and acknowledged. */
  get isDone(): boolean {
    const isIdle = ({ queue, inFlight }: Gateway) => queue.length + inFlight.length === 0;
    return this.#unborn === 0 && this.#gateways.every(isIdle);
  }

  start(): void {
    const { devices, backlogDays } = this.#scenario;
    for (let device = 0; device < devices; device += 1) this.#plan(`d${device}`);
    if (backlogDays > 0) this.#planDays('away', backlogDays);
    for (const gateway of this.#gateways) void this.#serve(gateway);
  }

  /** What the log has forgotten: devices that were told otherwise send it once more. */
  sendAgain(events: readonly ModelEvent[]): void {
    for (const event of events) this.#send(event, this.#scheduler.random.uniform() * 2_000);
  }

  crash(random: Random): void {
    this.died(this.#gateways[random.integer(this.#gateways.length)]!.life);
  }

  /** The process of a gateway is gone; another one takes its place. */
  died(life: Life): void {
    const gateway = this.#gateways.find((each) => each.life === life);
    if (!gateway) return;
    gateway.life.isAlive = false;
    gateway.life = new Life(gateway.life.name);
    // The devices send again what was not acknowledged to them, in their order.
    gateway.queue.unshift(...gateway.inFlight);
    gateway.inFlight = [];
    this.#scheduler.after(100, () => void this.#serve(gateway));
  }

  #gatewayOf(device: string): Gateway {
    const partition = partitionOf({ tenant: 't', site: 's', device }, this.#scenario.partitions);
    return this.#gateways[partition]!;
  }

  /** When which event happens, and when the device has a connection to send it. */
  #plan(device: string): void {
    const { eventsPerDevice, troubleMs, idRate, backlogRate, poisonRate } = this.#scenario;
    const random = this.#random;
    const hasIds = random.chance(idRate);
    const keepsBack = random.chance(backlogRate);
    const offsetMs = Math.floor((random.uniform() - 0.5) * 800);
    const stepMs = troubleMs / eventsPerDevice;
    const kept: { event: ModelEvent; atMs: number }[] = [];
    let boot = 1;
    let seq = 0;
    for (let number = 0; number < eventsPerDevice; number += 1) {
      // More than the memory of a device tells apart: the real kernel has its own tests of that.
      if (random.chance(0.08) && boot < BOOTS_MAX) {
        boot += 1;
        seq = 0;
      }
      seq += 1;
      const atMs = (number + random.uniform()) * stepMs;
      const event = {
        device,
        ...(hasIds ? { boot: 0, seq: 0, id: `m${number}` } : { boot, seq, id: '' }),
        timeMs: Math.floor(START_MS + atMs + offsetMs),
        receivedMs: 0,
        value: random.integer(1000),
        ...(random.chance(poisonRate) ? { isPoison: true } : {}),
      };
      // Offline for a while: what happened then comes after what is new.
      if (keepsBack && number < eventsPerDevice - 1 && random.chance(0.5)) {
        kept.push({ event, atMs });
        continue;
      }
      this.#send(event, atMs);
      if (random.chance(0.1)) this.#send(event, atMs + random.uniform() * 3_000);
      if (kept.length > 0 && random.chance(0.5)) {
        for (const each of kept.splice(0)) this.#send(each.event, atMs + 1);
      }
    }
    for (const each of kept) this.#send(each.event, troubleMs);
  }

  #planDays(device: string, days: number): void {
    for (let day = 0; day < days; day += 1) {
      const timeMs = START_MS - (days - day) * DAY_MS;
      const event = { device, boot: 1, seq: day + 1, id: '', timeMs, receivedMs: 0, value: day };
      this.#send(event, 5_000);
    }
  }

  #send(event: ModelEvent, atMs: number): void {
    this.#unborn += 1;
    this.#scheduler.after(Math.max(0, atMs), () => {
      this.#unborn -= 1;
      const receivedMs = Math.floor(START_MS + this.#scheduler.nowMs);
      const gateway = this.#gatewayOf(event.device);
      gateway.queue.push({ ...event, receivedMs });
      gateway.wake();
    });
  }

  async #serve(gateway: Gateway): Promise<void> {
    const { life } = gateway;
    const appender = this.#appender(life);
    const partition = this.#gateways.indexOf(gateway);
    const wait = (ms: number) =>
      new Promise<void>((resolve) => this.#scheduler.deliver(life, ms, resolve));
    for (;;) {
      if (gateway.queue.length === 0) {
        await new Promise<void>((resolve) => {
          gateway.wake = resolve;
        });
        // What comes within this time goes out together.
        await wait(this.#random.uniform() * 100);
        continue;
      }
      const days = this.#scenario.backlogDays;
      const most = gateway.queue[0]!.device === 'away' ? days : 1 + this.#random.integer(BATCH_MAX);
      gateway.inFlight = gateway.queue.splice(0, most);
      const body = Buffer.from(JSON.stringify(gateway.inFlight));
      for (;;) {
        const isStored = await appender.append({ kind: 'batch', partition, body }).then(
          () => true,
          () => false,
        );
        if (isStored) break;
        await wait(AGAIN_MS);
      }
      for (const event of gateway.inFlight.splice(0)) {
        this.acknowledged.set(eventName(event), event);
      }
    }
  }
}

/**
 * A simulated fleet: seeded trucks with the disorder of real ones. In: seed, trucks, start,
 * metrics. Out: the events of one step after the other, and each event as a record. Same options:
 * same events.
 */
import type { DeviceRecord } from '../model/record.ts';
import { DISORDER_BATCH, type Disorder, Shuffler, TSBS_DISORDER } from './disorder.ts';
import { createRandom, type Random } from './random.ts';
import { encodeTelemetry, type MetricTable } from './telemetry.ts';
import { Truck } from './truck.ts';

const FLEETS = ['East', 'West', 'North', 'South'];

/** One event of the ground truth; `sequence` counts a truck's events from 1, as on its flash. */
export interface SimulatedEvent {
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
  readonly channel: string;
  readonly bootId: bigint;
  readonly sequence: bigint;
  readonly eventTimeMs: number;
  readonly values: Readonly<Record<string, number>>;
}

export interface DueEvent {
  /** When the truck sends it, in simulated time; its event time may lie before. */
  readonly dueMs: number;
  readonly event: SimulatedEvent;
}

export interface SimulationOptions {
  readonly seed: number;
  readonly trucks: number;
  readonly startMs: number;
  /** Time between two samples of a truck. */
  readonly stepMs: number;
  readonly metrics: Readonly<Record<string, MetricTable>>;
  readonly disorder?: Disorder;
}

interface Member {
  readonly truck: Truck;
  readonly random: Random;
  readonly shuffler: Shuffler<SimulatedEvent>;
  readonly bootId: bigint;
  sequence: bigint;
  /** Entries since the last batch of disorder. */
  pending: SimulatedEvent[];
  /** Entries that make the next batch: the first one is shorter, so that trucks take turns. */
  batchLength: number;
}

export class Simulation {
  readonly #options: SimulationOptions;
  readonly #members: Member[];
  #steps = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.#members = Array.from({ length: options.trucks }, (_, index) => this.#member(index));
  }

  get simulatedTimeMs(): number {
    return this.#options.startMs + this.#steps * this.#options.stepMs;
  }

  /** All events that the fleet sends at its next step, in sending order, each with its due time. */
  step(): DueEvent[] {
    const { stepMs, trucks } = this.#options;
    const timeMs = this.simulatedTimeMs;
    this.#steps += 1;
    return this.#members.flatMap((member, index) => {
      const state = member.truck.step();
      const dueMs = timeMs + Math.floor((index * stepMs) / trucks);
      for (const channel of ['truck', 'diagnostics'] as const) {
        // What goes missing was never recorded: it has no sequence, so the boot has no hole.
        if (member.random.chance(this.#disorder.missing)) continue;
        member.pending.push(this.#event(index, channel, dueMs, state[channel]));
      }
      if (member.pending.length < member.batchLength && !this.#ordered) return [];
      member.batchLength = DISORDER_BATCH;
      return member.shuffler.batch(member.pending.splice(0)).map((event) => ({ dueMs, event }));
    });
  }

  /** What is still held back, at the end of a run. */
  drain(): SimulatedEvent[] {
    return this.#members.flatMap((member) => [
      ...member.shuffler.batch(member.pending.splice(0)),
      ...member.shuffler.drain(),
    ]);
  }

  record(event: SimulatedEvent, receivedAtMs: number): DeviceRecord {
    const { tenant, site, device, channel, bootId, sequence } = event;
    return {
      identity: { tenant, site, device },
      channel,
      receivedAtMs,
      payload: encodeTelemetry(event.eventTimeMs, event.values, this.#options.metrics[channel]),
      key: { bootId, sequence },
    };
  }

  get #disorder(): Disorder {
    return this.#options.disorder ?? TSBS_DISORDER;
  }

  get #ordered(): boolean {
    return this.#disorder.outOfOrder === 0;
  }

  #member(index: number): Member {
    const { seed } = this.#options;
    const random = createRandom(seed ^ Math.imul(index + 1, 0x9e3779b1));
    return {
      truck: new Truck(seed ^ Math.imul(index + 1, 0x85ebca6b)),
      random,
      shuffler: new Shuffler(random, this.#disorder, zeroOne),
      // A boot lasts until the start changes: a second run of the same start repeats its events.
      bootId: (BigInt(this.#options.startMs) << 16n) | BigInt(seed & 0xffff),
      sequence: 0n,
      pending: [],
      batchLength: 1 + (index % DISORDER_BATCH),
    };
  }

  #event(
    index: number,
    channel: string,
    eventTimeMs: number,
    values: Readonly<Record<string, number>>,
  ): SimulatedEvent {
    const member = this.#members[index];
    member.sequence += 1n;
    return {
      tenant: 'demo',
      site: FLEETS[index % FLEETS.length],
      device: `truck_${index}`,
      channel,
      bootId: member.bootId,
      sequence: member.sequence,
      eventTimeMs,
      values,
    };
  }
}

function zeroOne(event: SimulatedEvent, random: Random): SimulatedEvent {
  const names = Object.keys(event.values);
  return { ...event, values: { ...event.values, [names[random.integer(names.length)]]: 0 } };
}

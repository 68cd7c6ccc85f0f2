/**
 * The fleet of a chaos run: what every device sends is a function of (seed, device, number), so
 * whoever knows how many of a device's events were acknowledged knows them all. A lane is what one
 * partition's devices send, in order; entry n of a lane is event ⌊n / devices⌋ of device n mod
 * devices. Values are multiples of 1/8 of small numbers: their sums are exact in any order.
 *
 * Known disorder, by the hash of (seed, device, number):
 *   1.0 %  late by 2 to 20 s             stored, revises a window
 *   0.05 % late by 5 to 8 min            stored, opens a fragment
 *   0.2 %  one value out of range        stored without that value
 *   0.1 %  older than age.max            too old
 *   0.1 %  no telemetry at all           rejected
 *   1.0 %  sent again some events later  a duplicate
 */
import type { DeviceRecord, Identity } from '../../../src/model/record.ts';
import { encodeTelemetry, type MetricTable } from '../../../src/sim/telemetry.ts';
import { partitionOf } from '../../../src/wire/subject.ts';
import { AGE_MAX_MS, BEACON, PARTITIONS, VEHICLE } from '../settings.ts';

export interface FleetOptions {
  readonly seed: number;
  /** UTC; event 0 of every device lies shortly before. */
  readonly startMs: number;
  readonly vehicles: number;
  readonly beacons: number;
}

/** Between two events of a device. */
export const STEP_MS = 100;
/** A device restarts after so many events: a new boot, counting from 1. */
const EVENTS_PER_BOOT = 3_000;
const TENANT = 'chaos';

export interface FleetDevice {
  readonly number: number;
  readonly identity: Identity;
  readonly channel: string;
  readonly partition: number;
  /** How far its clock is behind: facts of a partition come all over the second. */
  readonly behindMs: number;
}

export type Fate = 'stored' | 'partly' | 'tooOld' | 'rejected';

export interface FleetEvent {
  readonly timeMs: number;
  readonly fate: Fate;
  /** Of stored readings; a value out of range is not among them. */
  readonly values: Readonly<Record<string, number>>;
}

export class Fleet {
  readonly devices: readonly FleetDevice[];
  /** Devices of each partition. */
  readonly lanes: readonly (readonly FleetDevice[])[];
  readonly options: FleetOptions;

  constructor(options: FleetOptions) {
    this.options = options;
    const { vehicles, beacons } = options;
    this.devices = Array.from({ length: vehicles + beacons }, (_, number) => {
      const isVehicle = number < vehicles;
      const device = isVehicle ? `vehicle_${number}` : `beacon_${number - vehicles}`;
      const identity = { tenant: TENANT, site: `site_${number % 4}`, device };
      const channel = isVehicle ? VEHICLE : BEACON;
      const behindMs = mix(options.seed, number, 0x51ed270b) % 1000;
      return { number, identity, channel, partition: partitionOf(identity, PARTITIONS), behindMs };
    });
    this.lanes = Array.from({ length: PARTITIONS }, (_, partition) =>
      this.devices.filter((device) => device.partition === partition),
    );
  }

  event(device: FleetDevice, number: number): FleetEvent {
    const hash = mix(this.options.seed, device.number, number);
    const onTimeMs = this.options.startMs + number * STEP_MS - device.behindMs;
    const share = hash % 10_000;
    const more = hash >>> 8;
    const values = valuesOf(device, number, hash);
    if (share < 10) return { timeMs: onTimeMs, fate: 'rejected', values: {} };
    if (share < 20) {
      return { timeMs: onTimeMs - 3 * AGE_MAX_MS, fate: 'tooOld', values: {} };
    }
    if (share < 40 && device.channel === VEHICLE) {
      const { velocity: _, ...rest } = values;
      return { timeMs: onTimeMs, fate: 'partly', values: rest };
    }
    if (share < 140) {
      return { timeMs: onTimeMs - 2_000 - (more % 18_000), fate: 'stored', values };
    }
    if (share < 145) {
      return { timeMs: onTimeMs - 300_000 - (more % 180_000), fate: 'stored', values };
    }
    return { timeMs: onTimeMs, fate: 'stored', values };
  }

  /** Number of an earlier event that is sent once more after event `number`, or null. */
  repeated(device: FleetDevice, number: number): number | null {
    const hash = mix(this.options.seed ^ 0x2545f491, device.number, number);
    const earlier = number - ((hash >>> 8) % 20);
    if (hash % 100 !== 0 || earlier < 0) return null;
    return this.event(device, earlier).fate === 'stored' ? earlier : null;
  }

  record(device: FleetDevice, number: number, options: RecordOptions): DeviceRecord {
    const { fate, timeMs, values } = this.event(device, number);
    const sent = fate === 'partly' ? { ...values, velocity: 99_999 } : values;
    return {
      identity: device.identity,
      channel: device.channel,
      receivedAtMs: options.receivedAtMs,
      payload:
        fate === 'rejected'
          ? NO_TELEMETRY
          : encodeTelemetry(timeMs, sent, options.metrics[device.channel]!),
      key: {
        bootId: BigInt(this.options.startMs) * 64n + BigInt(Math.floor(number / EVENTS_PER_BOOT)),
        sequence: BigInt(number % EVENTS_PER_BOOT) + 1n,
      },
    };
  }
}

export interface RecordOptions {
  readonly receivedAtMs: number;
  readonly metrics: Readonly<Record<string, MetricTable>>;
}

/** A length that runs beyond the end. */
const NO_TELEMETRY = Uint8Array.of(0x0a, 0x7f, 0x01);

function valuesOf(device: FleetDevice, number: number, hash: number): Record<string, number> {
  const other = mix(hash, number, device.number);
  if (device.channel === BEACON)
    return { counter: number, level: ((hash >>> 4) % 8_000) / 8 - 500 };
  return {
    counter: number,
    velocity: ((hash >>> 4) % 320) / 8,
    fuel: (other % 2_400) / 8,
    load: ((other >>> 12) % 40_000) / 4,
  };
}

/** 32 bits of three numbers (finalizer of MurmurHash3 over a running product). */
export function mix(first: number, second: number, third: number): number {
  let hash = Math.imul(first ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(second + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ Math.imul(third + 1, 0x297a2d39);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

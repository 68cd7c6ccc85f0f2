/**
 * What the kernel bench sends: shapes of records. In: a name. Out: the plan that takes them and a
 * writer of payloads. Values are multiples of 1/64, so that sums are exact in any order of addition
 * and subjects can be compared by a hash.
 */
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  type Plan,
  type PlanWindow,
  WINDOW_DEFAULTS,
} from '../../src/model/plan.ts';

export type Format = 'json' | 'protobuf';

export interface MetricShape {
  readonly name: string;
  readonly least: number;
  readonly span: number;
  readonly max: number;
}

export interface Shape {
  readonly channel: string;
  readonly metrics: readonly MetricShape[];
  /** Event time between two records of a device. */
  readonly cadenceMs: number;
  readonly windows: readonly PlanWindow[];
  /** JSON members that no path leads to. */
  readonly ballast: string;
}

export const LOG = 'bench';
export const PARTITION = 0;
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

const minutes: PlanWindow = { ...WINDOW_DEFAULTS, name: '1m', lengthMs: MINUTE_MS, retentionMs: 0 };
const hours: PlanWindow = { ...WINDOW_DEFAULTS, name: '1h', lengthMs: HOUR_MS, retentionMs: 0 };
const metric = (name: string, least: number, span: number, max: number) => ({
  ...{ name, least, span, max },
});

export const SHAPES = {
  point: {
    channel: 'climate',
    metrics: [metric('temperature', 15, 20, 90)],
    cadenceMs: SECOND_MS,
    windows: [minutes],
    ballast: ',"firmware":"1.4.2-r3","location":"hall 3 north","rssi":-67,"ok":true',
  },
  truck: {
    channel: 'truck',
    metrics: [
      metric('latitude', 47, 8, 90),
      metric('longitude', 6, 9, 180),
      metric('elevation', 100, 800, 9000),
      metric('velocity', 0, 100, 250),
      metric('heading', 0, 359, 360),
      metric('grade', 0, 15, 100),
      metric('fuel_consumption', 5, 30, 200),
    ],
    cadenceMs: 10 * SECOND_MS,
    windows: [minutes],
    ballast: ',"name":"truck","fleet":"South","model":"G-2000","load":{"kg":1500,"ok":true}',
  },
  series: {
    channel: 'series',
    metrics: [0, 1, 2, 3].map((index) => metric(`m${index}`, 10, 50, 500)),
    cadenceMs: 10 * SECOND_MS,
    windows: [minutes, hours],
    ballast: '',
  },
} as const satisfies Record<string, Shape>;
export type ShapeName = keyof typeof SHAPES;

export function planFor(shape: Shape, format: Format, devices: number): Plan {
  return {
    ...PLAN_DEFAULTS,
    ...{ version: 1, log: LOG, partitions: 1, devicesAllowed: null, devicesMax: devices },
    ...{ idsPerDevice: 64, dedupHorizonMs: 7 * 24 * HOUR_MS, deadLettersPerDeviceMinute: 100 },
    ...{ deadLetterRetentionMs: 0, shadowIntervalMs: MINUTE_MS },
    channels: [
      {
        ...CHANNEL_DEFAULTS,
        ...{ id: 0, name: shape.channel, retired: false, format, timePath: ['time'] },
        ...{ timeFormat: 'ms', timeRequired: true, eventIdPath: [], windows: shape.windows },
        ...{ outOfOrderMs: 5 * SECOND_MS, latenessMs: 5 * MINUTE_MS, idleMs: 10 * MINUTE_MS },
        ...{ maxAgeMs: 24 * HOUR_MS, agePolicy: 'reject', maxClockSkewMs: 5 * MINUTE_MS },
        ...{ clockPolicy: 'reject', unknownMetrics: 'reject', retentionMs: 0 },
        metrics: shape.metrics.map(({ name, max }, ordinal) => ({
          ...METRIC_DEFAULTS,
          ...{ ordinal, name, kind: 'number', unit: '1', scale: 1, offset: 0, min: -200, max },
          ...{ required: false, path: [name], retired: false },
        })),
      },
    ],
  } as Plan;
}

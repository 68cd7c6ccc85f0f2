/**
 * What the drain bench stores in the log before it measures. In: a name such as `batch-truck`. Out:
 * shape and format of the records, how many stand in a message, and the configuration that takes
 * them.
 */
import type { Format, Shape } from '../kernel/shape.ts';
import { SHAPES } from '../kernel/shape.ts';

export interface DrainCase {
  readonly name: string;
  readonly shape: Shape;
  readonly format: Format;
  readonly devices: number;
  /** 1: each record is a message of its own, as a native NATS client publishes it. */
  readonly recordsPerMessage: number;
  readonly events: number;
  /** False: aggregates only. */
  readonly storesSamples: boolean;
  /** With an alert that a hundredth of the values raises. */
  readonly alerts?: boolean;
}

export const LOG_ID = 'bench';
/** Small beside the cores of a server, enough for several to read at once. */
export const PARTITIONS = 4;
const K = 1_000;
const M = K * K;

const caseOf = (name: string, shape: Shape, devices: number, format: Format = 'protobuf') => {
  const isSingle = name.startsWith('single');
  const [recordsPerMessage, events] = isSingle ? [1, M] : [100, 5 * M];
  const storesSamples = !name.endsWith('-agg');
  return { name, shape, format, devices, recordsPerMessage, events, storesSamples };
};

export const CASES: readonly DrainCase[] = [
  caseOf('batch-point', SHAPES.point, 5 * K),
  caseOf('batch-truck', SHAPES.truck, 50 * K),
  caseOf('batch-point-agg', SHAPES.point, 5 * K),
  caseOf('batch-truck-agg', SHAPES.truck, 50 * K),
  caseOf('single-point', SHAPES.point, 5 * K),
  caseOf('single-truck', SHAPES.truck, 50 * K),
  caseOf('batch-point-json', SHAPES.point, 5 * K, 'json'),
  caseOf('batch-truck-json', SHAPES.truck, 50 * K, 'json'),
];

export const small = (given: DrainCase): DrainCase => ({
  ...given,
  devices: 50,
  // Long enough to close two minutes: a truck reports every ten seconds.
  events: given.shape.cadenceMs >= 10 * K ? K : 10 * K,
});

/** As a person would write it; JSON is YAML. */
/** Facts are measured where they are wanted (sustained); a backlog has none for anybody. */
export function configText({ shape, format, devices, storesSamples, alerts }: DrainCase): string {
  const { channel, metrics } = shape;
  return JSON.stringify({
    version: 1,
    log: { id: LOG_ID, partitions: PARTITIONS, maxBytes: '8GiB' },
    devices: { max: Math.ceil((devices / PARTITIONS) * 1.2) + 10 },
    kernel: { memory: '512MiB', workers: 0 },
    quality: { enabled: false },
    shadows: { publish: false },
    metrics: Object.fromEntries(
      metrics.map(({ name, max }) => [name, { unit: '1', min: -200, max }]),
    ),
    channels: {
      [channel]: {
        format,
        ...(format === 'json' ? { time: { path: 'time', format: 'ms' } } : {}),
        metrics: Object.fromEntries(
          metrics.map(({ name }) => [name, format === 'json' ? { path: name } : {}]),
        ),
        windows: [{ length: '1m', facts: false }],
        samples: { store: storesSamples },
        ...(alerts ? { alerts: { high: highest(shape) } } : {}),
        outOfOrder: '5s',
        lateness: '5m',
        idle: '10m',
        score: 'none',
        retention: { readings: 'forever', '1m': 'forever' },
      },
    },
  });
}

/** Above all but a hundredth of what the corpus draws: a truck's velocity, or the only metric. */
function highest({ metrics }: Shape): object {
  const { name, least, span } = metrics.find((metric) => metric.name === 'velocity') ?? metrics[0]!;
  return { metric: name, above: least + span * 0.99, severity: 'warning' };
}

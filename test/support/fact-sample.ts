/** Facts for tests, with every field different and the hard values among them. */
import type { AlertFact, DeadLetter, ShadowFact, WindowFact } from '../../src/model/fact.ts';

export function windowFact(change: Partial<WindowFact> = {}): WindowFact {
  return {
    kind: 'window',
    identity: { tenant: 'acme', site: 'north', device: 'truck-7' },
    channel: 'engine',
    window: '1m',
    windowStartMs: 1_767_225_600_000,
    windowEndMs: 1_767_225_660_000,
    windowMs: 60_000,
    deleted: false,
    fragment: 0n,
    revision: 0,
    version: { generation: 0, sequence: 9_007_199_254_740_993n, ordinal: 2 },
    partition: 3,
    watermarkMs: 1_767_225_660_000,
    logTimeMs: 1_767_225_661_234,
    metrics: [
      {
        metric: 'velocity',
        unit: 'm/s',
        count: 60,
        sum: 0.1 + 0.2,
        min: -1e-300,
        max: 1.7976931348623157e308,
        first: -0.5,
        firstTimeMs: 1_767_225_600_001,
        firstSequence: 18_446_744_073_709_551_615n,
        last: 5e-324,
        lastTimeMs: -1,
        lastSequence: 1n,
        mean: 3,
        m2: 12.25,
        score: 3.5,
        integral: -7e9,
        sketch: { keys: [-65_490, 0, 65_472], counts: [1, 58, 4_294_967_295] },
      },
    ],
    ...change,
  };
}

export function shadowFact(change: Partial<ShadowFact> = {}): ShadowFact {
  return {
    kind: 'shadow',
    identity: { tenant: 'acme', site: 'north', device: 'truck-7' },
    version: { generation: 1, sequence: 77n, ordinal: 0 },
    partition: 3,
    logTimeMs: 1_767_225_661_234,
    reported: [
      reported('velocity', 12.5),
      reported('odometer', 9_223_372_036_854_775_807n),
      reported('balance', -9_223_372_036_854_775_808n),
      reported('zero', 0n),
      reported('still', 0),
      reported('open', false),
      reported('moving', true),
      reported('state', 'ärger \u0000'),
      reported('silent', ''),
    ],
    ...change,
  };
}

function reported(metric: string, value: number | bigint | boolean | string) {
  return { channel: 'engine', metric, unit: '1', value, eventTimeMs: 1_767_225_600_500 };
}

export function alertFact(change: Partial<AlertFact> = {}): AlertFact {
  return {
    kind: 'alert',
    identity: { tenant: 'acme', site: 'north', device: 'truck-7' },
    channel: 'engine',
    rule: 'speeding',
    severity: 'critical',
    metric: 'velocity',
    unit: 'm/s',
    active: true,
    raisedAtMs: 1_767_225_620_000,
    raisedSequence: 9_007_199_254_740_993n,
    raisedOrdinal: 5,
    sinceMs: 1_767_225_600_000,
    value: 22.5,
    peak: -1e-300,
    clearedAtMs: null,
    clearedValue: null,
    version: { generation: 2, sequence: 9_007_199_254_740_993n, ordinal: 2 },
    partition: 3,
    logTimeMs: 1_767_225_661_234,
    ...change,
  };
}

export function deadLetter(change: Partial<DeadLetter> = {}): DeadLetter {
  return {
    identity: { tenant: 'acme', site: 'north', device: 'truck-7' },
    channel: 'engine',
    reason: 'OUT_OF_RANGE',
    partition: 3,
    sequence: 9_007_199_254_740_993n,
    index: 4,
    offset: 17,
    metric: 'velocity',
    receivedAtMs: 1_767_225_600_000,
    logTimeMs: 1_767_225_600_002,
    payloadBytes: 300,
    sample: Uint8Array.from([0, 1, 127, 128, 255]),
    ...change,
  };
}

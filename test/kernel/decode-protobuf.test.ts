/** Canonical telemetry: the kernel against the reference, which asks protobufjs. */
import { expect } from 'chai';
import fc from 'fast-check';
import { METRICS, Oracle, SEED } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';
import { encodeTelemetry, type ReadingInput, type TelemetryInput } from './telemetry.ts';

const CHANNEL = channelOf(1, 'c', {
  metrics: [
    // The texts that follow there are JSON's.
    ...METRICS.slice(0, 9),
    metricOf(9, 'needed', { required: true }),
    metricOf(10, 'ready', {
      ...{ kind: 'boolean', required: true, retired: true },
    }),
    metricOf(11, 'mode', { kind: 'text' }),
    metricOf(12, 'state', { kind: 'text', values: ['', 'on', 'é'] }),
  ],
});
const IGNORING = channelOf(1, 'c', {
  metrics: [...CHANNEL.metrics.slice(0, 9), ...CHANNEL.metrics.slice(11)].map(
    (metric, ordinal) => ({
      ...{ ...metric, ordinal },
    }),
  ),
  unknownMetrics: 'ignore',
});

const value: fc.Arbitrary<Partial<ReadingInput>> = fc.oneof(
  fc.double().map((number) => ({ number })),
  fc.double({ min: -10, max: 10 }).map((number) => ({ number })),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((integer) => ({ integer })),
  fc.bigInt({ min: -12n, max: 12n }).map((integer) => ({ integer })),
  fc.constantFrom({ integer: 2n ** 53n }, { integer: 2n ** 54n + 2n }, { integer: 2n ** 54n + 4n }),
  fc.boolean().map((boolean) => ({ boolean })),
  fc.string({ maxLength: 9, unit: 'binary' }).map((text) => ({ text })),
  fc.constantFrom('', 'on', 'é', 'x'.repeat(256), 'x'.repeat(257)).map((text) => ({ text })),
  fc.constant({}),
);
const name = fc.constantFrom('temperature', 'count', 'gone', 'nothing', '', 'needed', 'on', 'mode');
const named: fc.Arbitrary<Partial<ReadingInput>> = fc.oneof(
  fc.integer({ min: 1, max: 14 }).map((metric) => ({ metric })),
  fc.integer({ min: 9, max: 13 }).map((metric) => ({ metric })),
  fc.constantFrom({ metric: 0 }, { metric: 64 }, { metric: 65 }, { metric: 2 ** 32 - 1 }, {}),
  name.map((given) => ({ name: given })),
  fc
    .tuple(fc.integer({ min: 1, max: 9 }), name)
    .map(([metric, given]) => ({ metric, name: given })),
);
const reading = fc.tuple(named, value).map((parts): ReadingInput => Object.assign({}, ...parts));
const timeMs = fc.option(
  fc.oneof(
    fc.constantFrom(0n, 1n, -1n, 10413791999999n, 10413792000000n, -2208988800000n),
    fc.constantFrom(-2208988800001n, 2n ** 63n - 1n, -(2n ** 63n), 1735689600000n),
  ),
  { nil: undefined },
);
const sample = fc.record({
  timeMs,
  readings: fc.uniqueArray(reading, {
    maxLength: 6,
    selector: ({ metric, name: n }) => `${metric ?? n}`,
  }),
});
const telemetry: fc.Arbitrary<TelemetryInput> = fc
  .record({
    samples: fc.array(sample, { maxLength: 4 }),
    eventId: fc.option(
      fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('', 'x'.repeat(64), 'x'.repeat(65))),
      { nil: undefined, freq: 2 },
    ),
    bootId: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { nil: undefined }),
    sequence: fc.option(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })), {
      nil: undefined,
    }),
  })
  .map(({ eventId, bootId, sequence, samples }) => ({
    samples: samples.map(({ timeMs: time, readings }) =>
      time === undefined ? { readings } : { timeMs: time, readings },
    ),
    ...(eventId === undefined ? {} : { eventId }),
    ...(bootId === undefined ? {} : { bootId }),
    ...(sequence === undefined ? {} : { sequence }),
  }));
const payload = telemetry.map((input) => Buffer.from(encodeTelemetry(input)));

/** The wire by hand: what encoders do not write but decoders must read. */
const varint = (given: bigint, padding = 0): number[] => {
  const bytes: number[] = [];
  for (; given > 127n; given >>= 7n) bytes.push(Number(given & 127n) | 128);
  bytes.push(Number(given));
  for (let i = 0; i < padding; i++) {
    bytes[bytes.length - 1]! |= 128;
    bytes.push(0);
  }
  return bytes;
};
const anyVarint = fc
  .tuple(
    fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 2n ** 66n })),
    fc.nat(3),
  )
  .map(([given, padding]) => varint(given, padding));
const field = (number: fc.Arbitrary<number>, body: fc.Arbitrary<readonly number[]>) =>
  fc
    .tuple(number, fc.constantFrom(0, 1, 2, 2, 3, 4, 5, 6, 7), fc.nat(2), body, fc.boolean())
    .chain(([n, wire, padding, inner, honest]) => {
      const tag = varint(BigInt(n * 8 + wire), honest ? 0 : padding);
      const fixed = (length: number) =>
        fc.uint8Array({ minLength: honest ? length : 0, maxLength: length }).map((b) => [...b]);
      const length = BigInt(inner.length + (honest ? 0 : padding - 1));
      if (wire === 0) return anyVarint.map((given) => [...tag, ...given]);
      if (wire === 2) return fc.constant([...tag, ...varint(length < 0n ? 0n : length), ...inner]);
      return fixed(wire === 1 ? 8 : wire === 5 ? 4 : 0).map((given) => [...tag, ...given]);
    });
const well = (number: number, wire: number, body: fc.Arbitrary<readonly number[]>) =>
  body.map((inner) => [
    ...varint(BigInt(number * 8 + wire)),
    ...(wire === 2 ? varint(BigInt(inner.length)) : []),
    ...inner,
  ]);
const list = (...fields: fc.Arbitrary<readonly number[]>[]): fc.Arbitrary<readonly number[]> =>
  fc.array(fc.oneof(...fields), { maxLength: 6 }).map((each) => each.flat());
const eight = fc.uint8Array({ minLength: 8, maxLength: 8 }).map((bytes) => [...bytes]);
/** Characters of every length, and what only looks like one. */
const nearUtf8 = fc
  .array(
    fc.oneof(
      ...[[0x61], [0xc2, 0x80], [0xe0, 0xa0, 0x80], [0xed, 0x9f, 0xbf], [0xf0, 0x90, 0x80, 0x80]]
        .concat([[0xf4, 0x8f, 0xbf, 0xbf], [...Buffer.from('abcdefgh')]])
        .map((each) => ({ arbitrary: fc.constant(each), weight: 9 })),
      ...[
        [0xc1, 0x80],
        [0xe0, 0x9f, 0x80],
        [0xed, 0xa0, 0x80],
        [0xf0, 0x8f, 0x80, 0x80],
      ]
        .concat([[0xf4, 0x90, 0x80, 0x80], [0x80], [0xc2], [0xe1, 0x80], [0xf1, 0x80, 0x80]])
        .map((each) => ({ arbitrary: fc.constant(each), weight: 1 })),
    ),
    { maxLength: 5 },
  )
  .map((given) => given.flat());
const small = fc.integer({ min: 1, max: 13 }).map((given) => [given]);
const bytes = fc.uint8Array({ maxLength: 8 }).map((given) => [...given]);
const numbers: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 0, max: 7 }),
  fc.constantFrom(15, 16, 2 ** 29 - 1),
);
const odd = field(numbers, bytes);
const unknown = fc.oneof(
  well(6, 0, small),
  well(99, 1, eight),
  well(7, 2, bytes),
  well(3000, 0, small),
);
const rawReading = list(
  ...[well(1, 0, small), well(1, 0, small), well(2, 1, eight), well(3, 0, anyVarint)],
  ...[well(4, 0, anyVarint), well(5, 2, bytes), well(6, 2, nearUtf8), unknown],
);
const rawSample = list(
  ...[well(2, 2, rawReading), well(2, 2, rawReading), well(1, 1, eight), unknown],
);
const rawTelemetry = list(
  ...[well(1, 2, rawSample), well(1, 2, rawSample), well(1, 2, rawSample), well(2, 2, bytes)],
  ...[well(3, 1, eight), well(4, 0, small), unknown],
).map((given) => Buffer.from(given));
const oddReading = list(well(1, 0, small), well(2, 1, eight), odd);
const oddTelemetry = list(well(1, 2, list(well(2, 2, oddReading), odd)), odd).map((given) =>
  Buffer.from(given),
);
const mutated = fc
  .tuple(payload, fc.nat(), fc.nat(255), fc.constantFrom('set', 'insert', 'delete', 'truncate'))
  .map(([given, place, byte, how]) => {
    const at = place % (given.length + 1);
    const [before, after] = [given.subarray(0, at), given.subarray(at)];
    if (how === 'truncate') return before;
    if (how === 'insert') return Buffer.concat([before, Uint8Array.of(byte), after]);
    const rest = after.subarray(1);
    return Buffer.concat(how === 'set' ? [before, Uint8Array.of(byte), rest] : [before, rest]);
  });

for (const [title, channel] of [
  ['rejects', CHANNEL],
  ['ignores', IGNORING],
] as const) {
  describe(`Protobuf in the kernel, on a channel that ${title} unknown metrics`, () => {
    let oracle: Oracle;
    before(async () => {
      oracle = await Oracle.open(channel);
    });
    const property = (payloads: fc.Arbitrary<Uint8Array>, count: number) =>
      fc.assert(
        fc.property(payloads, (given) => oracle.check(given)),
        {
          ...{ seed: SEED, numRuns: count },
        },
      );

    it('decodes what protobufjs encodes', () => property(payload, 5_000));
    it('decodes fields in any order, repeated and unknown', () => property(rawTelemetry, 5_000));
    it('refuses odd wire types, tags and lengths where they are', () =>
      property(oddTelemetry, 5_000));
    it('stands mutations', () => property(mutated, 5_000));
    it('stands any bytes', () => property(fc.uint8Array({ maxLength: 30 }), 5_000));
    it('stands an end at every byte', () =>
      fc.assert(
        fc.property(payload, (given) => {
          for (let end = 0; end < given.length; end++) oracle.check(given.subarray(0, end));
        }),
        { seed: SEED, numRuns: 50 },
      ));

    it('saw every status that such a payload can have', () => {
      const own = channel === CHANNEL ? ['METRIC_UNKNOWN', 'REQUIRED_MISSING'] : [];
      const records = ['OK', 'PAYLOAD_MALFORMED', 'EVENT_ID_INVALID', 'NO_READINGS'];
      const numeric = ['TIME_MALFORMED', 'TYPE_MISMATCH', 'NOT_FINITE', 'OUT_OF_RANGE'];
      const inside = [...numeric, 'TEXT_LIMIT', 'NOT_LISTED'];
      expect([...oracle.seen.keys()]).to.have.members([...records, ...inside, ...own]);
      for (const count of oracle.seen.values()) expect(count).to.be.greaterThan(20);
    });
  });
}

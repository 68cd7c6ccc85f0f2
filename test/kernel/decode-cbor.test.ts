/** SenML in CBOR: the kernel against the reference, and the reference's reader against cbor-x. */
import { Decoder, Encoder } from 'cbor-x';
import { expect } from 'chai';
import fc from 'fast-check';
import { CborWriter, HALVES, type Value } from './cbor-writer.ts';
import { Oracle, SEED, SHARES } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';
import { Random } from './random.ts';
import { type Item, readCbor } from './reference/cbor.ts';

const PACKS = 6_000;
const MUTATIONS_PER_PACK = 4;

const CHANNEL = channelOf(1, 'senml', {
  ...{ format: 'senml-cbor', timePath: [], eventIdPath: [] },
  metrics: [
    metricOf(0, 'temperature', { path: ['temp'], sentUnit: 'Cel', min: -50, max: 1e300 }),
    metricOf(1, 'count', { kind: 'integer', path: ['count'] }),
    metricOf(2, 'on', { kind: 'boolean', path: ['dev:on'] }),
    metricOf(3, 'state', { kind: 'text', path: ['state'], values: ['ON', 'OFF', 'née'] }),
    metricOf(4, 'free', { kind: 'text', path: ['free'] }),
    metricOf(5, 'half', { kind: 'integer', path: ['half'], scale: 0.5 }),
  ],
});

/** Fields of RFC 8428 by their labels, and what their values may be. */
const NUMBERS: readonly (bigint | number)[] = [
  ...[0n, 1n, -1n, 23n, 24n, -25n, 255n, 256n, 65536n, 2n ** 32n, 2n ** 53n + 1n],
  ...[2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n), -(2n ** 63n) - 1n, -(2n ** 64n)],
  ...HALVES.map(([number]) => number),
  ...[3.25, 0.1, -40.5, 1e308, 2.5e-9, 1e-20, -1e-20, 21, 2 ** 53],
];
const TIMES: readonly (bigint | number)[] = [
  ...[1767225600n, 1767225600.001, 1767225600.9999, 1.7e9, -1n, -0.5, 0n, 10n, 268435455.5],
  ...[268435456n, 1e12, -1e12, 10n ** 12n - 1n, 2n ** 63n, -1e-19, 1e-19, 1e-300, 999999999999.9],
];
const UNKNOWN: readonly Value[] = [
  ...[null, 1n, 'x', [1n, [2n]], new Map<Value, Value>([['a', [true]]]), Buffer.of(1, 2), 1.5, []],
];

function field(random: Random): readonly [Value, Value] {
  const number = () => random.pick([...NUMBERS, 5n, 20.5]);
  const time = () => random.pick([...TIMES, ...NUMBERS.slice(0, 8)]);
  const names = ['temp', 'count', 'dev:on', 'state', 'free', 'half', '', 'other', 'a b', 'x/temp'];
  const all: readonly (readonly [bigint, string, () => Value])[] = [
    [0n, 'n', () => random.pick(names)],
    [-2n, 'bn', () => random.pick(['', 'urn:dev:1:', 'dev:', '_', 'room/', 'x'.repeat(257)])],
    [-3n, 'bt', time],
    [6n, 't', time],
    [-4n, 'bu', () => random.pick(['Cel', 'F', ''])],
    [1n, 'u', () => random.pick(['Cel', 'K'])],
    [-5n, 'bv', number],
    [-6n, 'bs', number],
    [5n, 's', number],
    [7n, 'ut', () => random.pick<Value>([60n, 0.5, -1n, ...NUMBERS])],
    [-1n, 'bver', () => random.pick<Value>([10n, 5n, 10, 11n, 0n, 5.5])],
  ];
  const [label, name, make] = random.pick(all);
  return [random.chance(0.1) ? name : label, make()];
}

function value(random: Random): readonly [Value, Value] {
  const kind = random.int(0, 9);
  if (kind < 6) return [2n, random.pick([...NUMBERS, 20.5, 21n])];
  if (kind === 6) return [3n, random.pick(['ON', 'née', '', 'x'.repeat(257), 'other'])];
  if (kind === 7) return [4n, random.chance(0.5)];
  return kind === 8 ? [8n, Buffer.of(1, 2)] : ['v', 3.5];
}

const NAMES = ['temp', 'count', 'dev:on', 'state', 'free', 'half', 'x/temp', 'other'];

function record(random: Random): Map<Value, Value> {
  const fields = new Map<Value, Value>();
  const add = ([label, what]: readonly [Value, Value]) => fields.set(label, what);
  if (random.chance(0.9)) add([0n, random.pick(NAMES)]);
  if (random.chance(0.4)) add([6n, random.pick(TIMES.slice(0, 8))]);
  if (random.chance(0.9)) add(value(random));
  for (let more = random.int(-2, 2); more > 0; more--) add(field(random));
  if (random.chance(0.1))
    add([random.pick<Value>(['x', 9n, -7n, 2n ** 60n]), random.pick(UNKNOWN)]);
  if (random.chance(0.01)) add([random.pick<Value>(['x_', true, 1.5]), 1n]);
  if (random.chance(0.02)) add([random.pick<Value>([0n, 2n, 3n, 4n, 6n]), random.pick(UNKNOWN)]);
  return fields;
}

const packOf = (random: Random): Value =>
  Array.from({ length: random.int(0, 20) > 0 ? random.int(1, 5) : 0 }, () => record(random));

/** What the reference read and what cbor-x gives, told alike. */
function plain({ what }: Item): unknown {
  if (what.kind === 'integer') return what.integer;
  if (what.kind === 'float') return real(what.double);
  if (what.kind === 'boolean') return what.boolean;
  if (what.kind === 'text') return Buffer.from(what.bytes).toString();
  if (what.kind === 'bytes') return Buffer.from(what.bytes).toString('hex');
  if (what.kind === 'array') return what.items.map(plain);
  if (what.kind === 'map') return what.entries.map((entry) => entry.map(plain));
  return null;
}

function told(given: unknown): unknown {
  if (typeof given === 'number') return real(given);
  if (given instanceof Uint8Array) return Buffer.from(given).toString('hex');
  if (Array.isArray(given)) return given.map(told);
  return given instanceof Map ? [...given].map((entry) => entry.map(told)) : given;
}

/** cbor-x gives small integers and floats as one kind of number. */
const real = (given: number): unknown =>
  Number.isInteger(given) && !Object.is(given, -0) ? BigInt(given) : given;

function mutated(payload: Buffer, random: Random): Buffer {
  const at = random.int(0, payload.length);
  const [before, after] = [payload.subarray(0, at), payload.subarray(at)];
  const odd = [0xff, 0x9f, 0xbf, 0x7f, 0x5f, 0x1b, 0x9b, 0xbb, 0x5b, 0xc1, 0xc4, 0xf8, 0xfc, 0xa0];
  const byte = Uint8Array.of(random.chance(0.5) ? random.pick(odd) : random.int(0, 255));
  switch (random.int(0, 3)) {
    case 0:
      return before;
    case 1:
      return Buffer.concat([before, byte, after.subarray(1)]);
    case 2:
      return Buffer.concat([before, byte, after]);
    default:
      return Buffer.concat([before, after.subarray(1)]);
  }
}

for (const { target, share } of SHARES) {
  describe(`SenML in CBOR in the kernel, ${target} build`, function () {
    this.timeout(300_000);
    const encoder = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });
    const decoder = new Decoder({ mapsAsObjects: false, useRecords: false });
    let oracle: Oracle;
    before(async () => {
      oracle = await Oracle.open(CHANNEL, target);
    });

    it(`reads packs as RFC 8428 resolves them, however they are written (seed ${SEED})`, () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const pack = packOf(random);
          const payload = new CborWriter(random, false).write(pack);
          expect(plain(readCbor(payload))).to.deep.equal(told(decoder.decode(payload)));
          oracle.check(payload);
          oracle.check(encoder.encode(decoder.decode(payload)));
          oracle.check(new CborWriter(random, true).write(pack));
          for (let i = 0; i < MUTATIONS_PER_PACK; i++) oracle.check(mutated(payload, random));
        }),
        { seed: SEED, numRuns: PACKS * share },
      );
    });

    it('stands an end at every byte', () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const payload = new CborWriter(random, true).write(packOf(random));
          for (let end = 0; end < payload.length; end++) oracle.check(payload.subarray(0, end));
        }),
        { seed: SEED, numRuns: Math.ceil(100 * share) },
      );
    });

    it('stands any bytes', () => {
      const bytes = fc.uint8Array({ maxLength: 40 });
      const inPack = bytes.map((some) => Uint8Array.of(0x81, 0xbf, ...some));
      fc.assert(
        fc.property(fc.oneof(bytes, inPack), (some) => oracle.check(some)),
        { seed: SEED, numRuns: Math.ceil(5_000 * share) },
      );
    });

    it('refuses the container inside 32 others, and what is malformed before it', () => {
      const nested = (levels: number) =>
        Buffer.from([0x81, 0xa1, 0x61, 0x78, ...Array(levels).fill(0x81), 0]);
      for (const levels of [29, 30, 31, 60_000]) oracle.check(nested(levels));
      const open = Buffer.alloc(61_000, 0x9f);
      for (const payload of [open, Buffer.alloc(61_000, 0xc1), Buffer.alloc(61_000, 0xbf)]) {
        oracle.check(payload);
        oracle.check(Buffer.concat([Buffer.of(0x81, 0xa1, 0x61, 0x78), payload.subarray(1)]));
      }
      const huge = Buffer.from('9bffffffffffffffff', 'hex');
      oracle.check(Buffer.concat([huge, Buffer.alloc(50_000, 0xa0)]));
    });

    if (share < 1) return;

    it('saw every status that such a payload can have', () => {
      const records = ['OK', 'PAYLOAD_MALFORMED', 'PAYLOAD_TOO_DEEP', 'NO_READINGS'];
      const readings = ['TYPE_MISMATCH', 'UNIT_MISMATCH', 'TEXT_LIMIT', 'NOT_FINITE', 'NOT_LISTED'];
      const others = ['TIME_MALFORMED', 'METRIC_UNKNOWN', 'OUT_OF_RANGE'];
      expect([...oracle.seen.keys()]).to.include.members([...records, ...readings, ...others]);
    });
  });
}

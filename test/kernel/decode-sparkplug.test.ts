/**
 * Sparkplug B in the kernel against the reference: sequences of births, data and deaths of a node
 * and its devices, as protobufjs encodes them by Tahu's .proto, and damaged.
 */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import fc from 'fast-check';
import * as status from '../../assembly/shared/status.ts';
import { byKernel, type Expected, expectedOf, SEED, SHARES } from './decode-oracle.ts';
import { sparkplugType as type } from './format/sparkplug.ts';
import { damaged, rearranged } from './message/value-generator.ts';
import { channelOf, metricOf, planOf } from './plan-sample.ts';
import { type AliasEntry, Probe } from './probe.ts';
import { Random } from './random.ts';
import { type Aliases, decodePayload } from './reference/decode.ts';

const METRICS = [
  metricOf(0, 'temperature', { path: ['Temperature'] }),
  metricOf(1, 'count', { kind: 'integer', path: ['Inputs/Count'] }),
  metricOf(2, 'on', { kind: 'boolean', path: ['pump', 'On'] }),
  metricOf(3, 'speed', { kind: 'integer', path: ['pump', 'Speed'] }),
  metricOf(4, 'mode', { kind: 'text', path: ['pump', 'Mode'] }),
  metricOf(5, 'wide', { path: ['pump', 'Wide'], scale: 0.5 }),
  metricOf(6, 'gone', { path: ['Gone'], retired: true }),
  metricOf(7, 'own', { kind: 'integer', path: ['bdSeq'] }),
];
const CHANNELS = [
  channelOf(1, 'c', { format: 'sparkplug', metrics: METRICS }),
  channelOf(1, 'c', { format: 'sparkplug', metrics: METRICS, unknownMetrics: 'ignore' }),
];
const NAMES = [
  ...['Temperature', 'Inputs/Count', 'On', 'Speed', 'Mode', 'Wide', 'Gone', 'bdSeq', 'other'],
  ...['Node Control/Rebirth', 'Device Control/x', 'Node Control', ''],
];
const KINDS = [
  ...['NBIRTH', 'NDATA', 'NDATA', '', 'DBIRTH/pump', 'DBIRTH/pump', 'DDATA/pump', 'DDATA/pump'],
  ...['DBIRTH/fan', 'DDATA/fan', 'DDEATH/pump', 'NDEATH'],
];
const BAD_KINDS = [
  ...['NCMD', 'DCMD/pump', 'STATE', 'NDATA/pump', 'DDATA', 'DDATA/', 'DDATA/a/b', 'ndata'],
  ...['NBIRT', 'NBIRTHS', 'XDATA', '/', 'NDATAX', 'DDEAT/p'],
];

function wide(random: Random) {
  const value = random.pick([
    ...[0n, 1n, 127n, 128n, 255n, 256n, 32768n, 65535n, 2n ** 31n, 2n ** 32n - 1n],
    ...[2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, random.wide()],
  ]);
  return { low: Number(value & 0xffffffffn) | 0, high: Number(value >> 32n) | 0, unsigned: true };
}

function randomValue(random: Random): object {
  return random.pick([
    () => ({ int_value: random.pick([0, 5, 255, 200, 2 ** 31, 2 ** 32 - 1, 2 ** 32 - 56]) }),
    () => ({ long_value: wide(random) }),
    () => ({ float_value: random.pick([0, 1.5, -0.1, Number.NaN, 3e38]) }),
    () => ({ double_value: random.pick([0, -0, 2.5, Infinity, 1e300]) }),
    () => ({ boolean_value: random.chance(0.5) }),
    () => ({ string_value: random.pick(['', 'auto', 'é', 'x'.repeat(257)]) }),
    () => ({ bytes_value: random.bytes(3) }),
    () => ({ dataset_value: {} }),
    () => ({ template_value: { version: 'x' } }),
    () => ({}),
  ])();
}

const timestamp = (random: Random) => ({
  timestamp: random.pick([
    0,
    1_785_600_000_000,
    1_785_600_000_001,
    20_000_000_000_000,
    wide(random),
  ]),
});

function randomMetric(random: Random, isBirth: boolean): object {
  const isNamed = random.chance(isBirth ? 0.95 : 0.3);
  return {
    ...(isNamed ? { name: random.pick(NAMES) } : {}),
    ...(random.chance(isNamed ? 0.8 : 0.95) ? { alias: random.int(0, 12) } : {}),
    ...(random.chance(isBirth ? 0.9 : 0.1) ? { datatype: random.int(0, 14) } : {}),
    ...(random.chance(0.3) ? timestamp(random) : {}),
    ...(random.chance(0.1) ? { is_historical: random.chance(0.8) } : {}),
    ...(random.chance(0.05) ? { is_null: random.chance(0.8), is_transient: true } : {}),
    ...(random.chance(0.05) ? { properties: { keys: ['Quality'] }, metadata: {} } : {}),
    ...randomValue(random),
  };
}

function randomPayload(random: Random, kind: string): Uint8Array {
  const count = random.pick([0, 1, 3, 8, 14]);
  const isBirth = kind.includes('BIRTH');
  return Uint8Array.from(
    type
      .encode({
        ...(random.chance(0.8) ? timestamp(random) : {}),
        metrics: Array.from({ length: count }, () => randomMetric(random, isBirth)),
        ...(random.chance(0.9) ? { seq: random.pick([0, 1, 255, random.int(0, 255), 255]) } : {}),
        ...(random.chance(0.02) ? { seq: 256 } : {}),
        ...(random.chance(0.1) ? { uuid: 'u', body: random.bytes(2) } : {}),
      } as never)
      .finish(),
  );
}

/** A device on both sides. */
class Pair {
  readonly #probe: Probe;
  readonly #channel: (typeof CHANNELS)[number];
  readonly seen = new Map<string, number>();
  #entries: AliasEntry[] = [];
  #aliases: Aliases = new Map();

  constructor(probe: Probe, channel: (typeof CHANNELS)[number]) {
    this.#probe = probe;
    this.#channel = channel;
    probe.use(planOf([channel]));
  }

  apply(kind: string, payload: Uint8Array): void {
    this.#probe.situate(kind, this.#entries);
    const decoded = this.#probe.decode(payload, 1);
    const spark = this.#probe.spark();
    const situation = { receivedMs: 0, kind, aliases: this.#aliases };
    const wanted = decodePayload(payload, this.#channel, situation);
    const expected = expectedOf(wanted, this.#channel);
    const given = byKernel(decoded);
    const shown = `${kind} ${Buffer.from(payload).toString('hex')}`;
    if (!isDeepStrictEqual(given, expected)) expect(given, shown).to.deep.equal(expected);
    this.#count(expected);
    if (wanted.status !== status.OK) return;
    expect((spark.flags & 1) !== 0, `filtered: ${shown}`).to.equal(wanted.filtered);
    expect(spark.sequence, shown).to.equal(wanted.sparkSequence ?? 256);
    expect((spark.flags & 2) !== 0, `birth: ${shown}`).to.equal(wanted.aliases !== undefined);
    if (wanted.aliases === undefined) return;
    const { space, aliases } = spark;
    this.#entries = this.#entries.filter((each) => space !== 0 && each.space !== space);
    this.#entries.push(...aliases);
    this.#aliases = wanted.aliases;
    this.#compareAliases(shown);
  }

  #compareAliases(shown: string): void {
    const kernel = this.#entries.map(
      ({ alias, ordinal, dataType, space }) => `${alias} ${ordinal} ${dataType} ${space !== 0}`,
    );
    const reference = [...this.#aliases.values()].map(({ alias, target, dataType, space }) => {
      const ordinal =
        target === 'undeclared' ? 2 ** 32 - 1 : target === 'own' ? 2 ** 32 - 2 : target;
      return `${alias} ${ordinal} ${dataType} ${space !== ''}`;
    });
    expect(kernel.sort(), shown).to.deep.equal(reference.sort());
  }

  #count(expected: Expected): void {
    const add = (name: string) => this.seen.set(name, (this.seen.get(name) ?? 0) + 1);
    add(expected.status);
    for (const sample of expected.samples ?? []) {
      if (sample.historical) add('historical');
      for (const reading of [sample, ...sample.readings]) {
        if (reading.status !== 'OK') add(reading.status);
      }
    }
  }
}

for (const { target, share } of SHARES) {
  describe(`Sparkplug B in the kernel, ${target} build`, () => {
    let probe: Probe;
    const seen = new Map<string, number>();
    before(async () => {
      probe = await Probe.open(planOf([CHANNELS[0]!]), target);
    });
    after(() => probe.situate('', []));

    const sessions = (count: number, apply: (random: Random, pair: Pair) => void) =>
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const pair = new Pair(probe, random.pick(CHANNELS));
          apply(random, pair);
          for (const [name, times] of pair.seen) seen.set(name, (seen.get(name) ?? 0) + times);
        }),
        { seed: SEED, numRuns: Math.ceil(count * share) },
      );

    it('reads sessions of births, data and deaths', () =>
      sessions(1_500, (random, pair) => {
        for (let i = 0; i < 12; i += 1) {
          const kind = random.chance(0.04) ? random.pick(BAD_KINDS) : random.pick(KINDS);
          const payload = randomPayload(random, kind);
          pair.apply(kind, random.chance(0.3) ? rearranged(random, payload) : payload);
        }
      }));

    it('stands damage', () =>
      sessions(600, (random, pair) => {
        pair.apply('NBIRTH', randomPayload(random, 'NBIRTH'));
        for (let i = 0; i < 12; i += 1) {
          const kind = random.pick(KINDS);
          pair.apply(kind, damaged(random, randomPayload(random, kind)));
        }
      }));

    it('stands an end at every byte', () =>
      sessions(20, (random, pair) => {
        const kind = random.pick(KINDS);
        const payload = randomPayload(random, kind);
        for (let end = 0; end < payload.length; end += 1)
          pair.apply(kind, payload.subarray(0, end));
      }));

    it('remembers as many aliases as there is room for, in any order', () => {
      for (const [count, expected] of [
        [4096, 'OK'],
        [4097, 'LIMIT_EXCEEDED'],
      ] as const) {
        const random = new Random(count);
        const pair = new Pair(probe, CHANNELS[1]!);
        const aliases = Array.from({ length: count }, (_, i) => (i * 2731) % 4099);
        const metrics = aliases.map((alias) => ({ name: 'x', alias, is_null: true }));
        const payload = Uint8Array.from(type.encode({ metrics } as never).finish());
        pair.apply('NBIRTH', payload);
        expect([...pair.seen.keys()]).to.deep.equal([expected]);
        pair.apply('DBIRTH/pump', randomPayload(random, 'DBIRTH/pump'));
      }
    });

    it('reads signed integers as two’s complement by their data type', () => {
      for (const [datatype, value, expected] of [
        ...[
          [1, 0xff, -1n],
          [1, 0xffffff80, -128n],
          [2, 0xffff, -1n],
          [3, 2 ** 32 - 5, -5n],
        ],
        ...[
          [5, 0x1ff, 255n],
          [6, 0x1ffff, 65535n],
          [7, 2 ** 32 - 1, 4294967295n],
          [0, 7, 7n],
        ],
      ] as const) {
        const pair = new Pair(probe, CHANNELS[0]!);
        const metrics = [{ name: 'Inputs/Count', datatype, int_value: value }];
        const payload = Uint8Array.from(type.encode({ metrics } as never).finish());
        pair.apply('NBIRTH', payload);
        const reading = probe.decode(payload, 1).samples[0]?.readings[0];
        expect(BigInt.asIntN(64, reading!.bits)).to.equal(expected);
      }
    });

    if (share < 1) return;

    it('saw every status that such a payload can have', () => {
      const records = ['OK', 'PAYLOAD_MALFORMED'];
      const unknown = ['METRIC_UNKNOWN', 'ALIAS_UNKNOWN'];
      const inside = ['TIME_MALFORMED', 'TYPE_MISMATCH', 'NOT_FINITE', 'TEXT_LIMIT', 'historical'];
      expect([...seen.keys()]).to.have.members([...records, ...unknown, ...inside]);
      for (const [name, count] of seen) expect(count, name).to.be.greaterThan(10);
    });
  });
}

/**
 * Sparkplug B for generated logs: what an edge node and its devices publish one message after the
 * other. In: channels and what was measured. Out: payloads as protobufjs encodes them by Tahu's
 * .proto, with their kinds: births that bind aliases anew, data by alias, deaths, `seq` with gaps.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { rearranged } from '../message/value-generator.ts';
import type { Random } from '../random.ts';
import { type Content, randomInteger, randomMetrics, randomNumber, randomText } from './value.ts';

const proto = new URL('../sparkplug.proto', import.meta.url.replace('/build/test/', '/test/'));
export const sparkplugType = protobuf
  .parse(readFileSync(fileURLToPath(proto), 'utf8'), { keepCase: true })
  .root.lookupType('org.eclipse.tahu.protobuf.Payload');

export const encodeSparkplug = (payload: object): Uint8Array =>
  Uint8Array.from(sparkplugType.encode(payload as never).finish());

interface Space {
  /** '' for the node's own. */
  readonly name: string;
  readonly metrics: readonly PlanMetric[];
}

interface Birth {
  readonly aliases: ReadonlyMap<number, bigint>;
  readonly dataTypes: ReadonlyMap<number, number>;
}

const BAD_KINDS = ['NCMD', 'DCMD/pump', 'DDATA', 'DDATA/', 'NDATA/pump', 'DDATA/a/b', 'x'];

export class SparkplugNode {
  #sequence = 0;
  /** By channel and space: what was born last. */
  readonly #births = new Map<string, Birth>();

  next(random: Random, channel: PlanChannel, content: Content) {
    const space = pickSpace(random, channel);
    const place = `${channel.id}/${space.name}`;
    const choice = random.unit();
    const isBorn = this.#births.has(place);
    if (choice < 0.04) return this.#death(random, space, place);
    const isBirth = isBorn ? choice < 0.1 : choice < 0.9;
    if (isBirth) this.#bear(random, space, place);
    const birth = this.#births.get(place) ?? { aliases: new Map(), dataTypes: new Map() };
    const metrics = content.samples.flatMap(({ timeMs, level }, index) => {
      const chosen = randomMetrics(random, { ...channel, metrics: space.metrics });
      const isWhole = isBirth && index === 0;
      const historical = random.chance(0.12) ? { is_historical: true } : {};
      const time = timeMs === undefined ? {} : { timestamp: wide(BigInt(Math.round(timeMs))) };
      return (isWhole ? space.metrics : chosen).map((metric) => ({
        ...this.#named(random, metric, { birth, isWhole }),
        ...time,
        ...historical,
        ...sparkValue(random, metric, { level, dataType: birth.dataTypes.get(metric.ordinal) }),
      }));
    });
    const [first] = content.samples;
    const isShared = content.samples.length < 2 && random.chance(0.7);
    const shared =
      isShared && first?.timeMs !== undefined
        ? { timestamp: wide(BigInt(Math.round(first.timeMs))) }
        : {};
    const payload = encodeSparkplug({
      ...shared,
      metrics: [
        ...(isShared ? metrics.map(({ timestamp: _, ...rest }) => rest) : metrics),
        ...strangers(random, isBirth),
      ],
      ...this.#count(random, isBirth && space.name === ''),
    });
    const kind = random.chance(0.01) ? random.pick(BAD_KINDS) : kindOf(random, space, isBirth);
    return { kind, payload: random.chance(0.2) ? rearranged(random, payload) : payload };
  }

  /** New aliases; a node that is born anew forgets those of its devices, as it should. */
  #bear(random: Random, space: Space, place: string): void {
    if (space.name === '' && random.chance(0.7)) this.#births.clear();
    const base = random.pick([0n, 10n, 100n, 2n ** 40n, 2n ** 64n - 70n]);
    const turn = BigInt(random.int(0, 3));
    const count = BigInt(Math.max(1, space.metrics.length));
    const aliases = new Map<number, bigint>();
    const dataTypes = new Map<number, number>();
    for (const [index, { ordinal, kind }] of space.metrics.entries()) {
      const alias = base + ((BigInt(index) + turn) % count);
      // Now and then two have one alias.
      aliases.set(ordinal, random.chance(0.02) ? base : alias);
      dataTypes.set(ordinal, dataTypeOf(random, kind));
    }
    this.#births.set(place, { aliases, dataTypes });
  }

  #death(random: Random, space: Space, place: string) {
    const isNode = space.name === '';
    if (isNode && random.chance(0.7)) this.#births.clear();
    this.#births.delete(place);
    const counted = !isNode || random.chance(0.2) ? this.#count(random, false) : {};
    const metrics = isNode ? [{ name: 'bdSeq', datatype: 4, long_value: 1 }] : [];
    const kind = isNode ? 'NDEATH' : `DDEATH/${space.name}`;
    return {
      kind,
      payload: encodeSparkplug({ timestamp: 1_767_225_600_000, metrics, ...counted }),
    };
  }

  #named(
    random: Random,
    metric: PlanMetric,
    { birth, isWhole }: { birth: Birth; isWhole: boolean },
  ) {
    const alias = birth.aliases.get(metric.ordinal);
    const isNamed = isWhole ? random.chance(0.98) : alias === undefined || random.chance(0.1);
    const isAliased = alias !== undefined && random.chance(isNamed ? 0.9 : 0.98);
    const unknown = random.chance(0.02) ? { alias: 9_999_999 } : {};
    const typed = isWhole || random.chance(0.05);
    return {
      ...(isNamed ? { name: metric.path.at(-1) } : unknown),
      ...(isAliased ? { alias: wide(alias) } : {}),
      ...(typed ? { datatype: birth.dataTypes.get(metric.ordinal) ?? 0 } : {}),
    };
  }

  /** `seq` as it counts: some messages were lost, some say none. */
  #count(random: Random, isNodeBirth: boolean): object {
    const lost = random.chance(0.08) ? random.pick([1, 2, 30, 255]) : 0;
    this.#sequence = isNodeBirth ? random.pick([0, 0, 250]) : (this.#sequence + 1 + lost) & 255;
    if (random.chance(0.03)) return {};
    return { seq: random.chance(0.005) ? 256 : this.#sequence };
  }
}

function pickSpace(random: Random, { metrics }: PlanChannel): Space {
  const name = random.pick(['', '', 'pump', 'fan']);
  const ofSpace = metrics.filter(({ path }) => (path.length > 1 ? path[0] : '') === name);
  // A device without metrics is seldom worth a message.
  if (ofSpace.length === 0 && random.chance(0.9)) {
    return { name: '', metrics: metrics.filter(({ path }) => path.length === 1) };
  }
  return { name, metrics: ofSpace };
}

function kindOf(random: Random, { name }: Space, isBirth: boolean): string {
  if (name !== '') return `${isBirth ? 'DBIRTH' : 'DDATA'}/${name}`;
  if (isBirth) return 'NBIRTH';
  return random.chance(0.2) ? '' : 'NDATA';
}

/** What a node says besides its metrics. */
function strangers(random: Random, isBirth: boolean): object[] {
  const own = [
    { name: 'bdSeq', datatype: 4, long_value: 3 },
    { name: 'Node Control/Rebirth', alias: 500, datatype: 11, boolean_value: false },
  ];
  if (isBirth) return [...(random.chance(0.7) ? own : []), ...(random.chance(0.2) ? [OTHER] : [])];
  return random.chance(0.03) ? [random.pick([OTHER, { alias: 501, int_value: 1 }, own[1]!])] : [];
}

const OTHER = { name: 'other', alias: 501, datatype: 3, int_value: 7 };

/** 64 bits as protobufjs takes them. */
const wide = (value: bigint) => {
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn) | 0, high: Number(bits >> 32n) | 0, unsigned: true };
};

/** Tahu's numbers: Int8 … UInt64 are 1 … 8, Float 9, Double 10, Boolean 11, String 12. */
function dataTypeOf(random: Random, kind: PlanMetric['kind']): number {
  if (kind === 'boolean') return 11;
  if (kind === 'text') return 12;
  if (kind === 'integer') return random.pick([1, 2, 3, 4, 4, 4, 5, 7, 8, 0]);
  return random.pick([9, 10, 10, 10, 3, 4]);
}

function sparkValue(
  random: Random,
  { kind }: PlanMetric,
  { level, dataType = 0 }: { level: number; dataType?: number | undefined },
): object {
  if (random.chance(0.03)) {
    return random.pick([
      ...[{}, { is_null: true }, { is_null: true, double_value: 1 }, { bytes_value: Buffer.of(1) }],
      ...[{ dataset_value: {} }, { string_value: 'on' }, { boolean_value: true }, { int_value: 5 }],
    ]);
  }
  if (kind === 'boolean') return { boolean_value: random.chance(0.5) };
  if (kind === 'text') return { string_value: randomText(random) };
  if (kind === 'integer' || (dataType >= 1 && dataType <= 8)) {
    const value = randomInteger(random, level);
    const isWide = dataType === 4 || dataType === 8 || random.chance(0.1);
    return isWide ? { long_value: wide(value) } : { int_value: Number(BigInt.asUintN(32, value)) };
  }
  const value = random.chance(0.01) ? Number.NaN : randomNumber(random, level);
  return dataType === 9 ? { float_value: value } : { double_value: value };
}

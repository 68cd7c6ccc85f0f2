/** Avro binary: the kernel against the reference, and the reference against avsc. */
import avro, { type Type, type types } from 'avsc';
import { expect } from 'chai';
import fc from 'fast-check';
import { OK, PAYLOAD_TOO_DEEP, SCHEMA_UNKNOWN } from '../../assembly/shared/status.ts';
import type { PlanChannel } from '../../src/model/plan.ts';
import { compileAvroSchema } from '../../src/registry/schema/avro-schema.ts';
import { avroChannel, type Json, Payloads, Schemas, varint } from './avro-generator.ts';
import { Oracle, SEED, SHARES } from './decode-oracle.ts';
import { channelOf } from './plan-sample.ts';
import { Random } from './random.ts';
import { type AvroValue, readAvro } from './reference/avro-reader.ts';

const SCHEMAS = 640;
const PAYLOADS_PER_SCHEMA = 16;
const MUTATIONS_PER_PAYLOAD = 2;

/** Longs exactly, and unions by their branch. */
const long = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer(value: bigint) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(value);
    return bytes;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === 'bigint',
  compare: (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0),
});
function avscType(schema: Json): Type {
  // Logical types stand in the way of the registry, and what they say is not read here.
  const bare = JSON.stringify(schema).replace(/\{"type":"(\w+)","logicalType":[^}]*\}/g, '"$1"');
  return avro.Type.forSchema(JSON.parse(bare), { wrapUnions: true, registry: { long } });
}

function compiled(schema: Json, channel: PlanChannel): PlanChannel {
  const verdict = compileAvroSchema({ text: JSON.stringify(schema), file: 'test.avsc' }, channel);
  expect(verdict, JSON.stringify(schema)).to.have.property('schema');
  return 'schema' in verdict ? { ...channel, schema: verdict.schema } : channel;
}

/** What the reference read, as avsc gives it: unions unwrapped, bytes left out. */
function plain({ value }: AvroValue): unknown {
  if (value.kind === 'items') return value.items.map(plain);
  if (value.kind === 'members')
    return Object.fromEntries([...value.members].map(([name, member]) => [name, plain(member)]));
  if (value.kind === 'boolean') return value.boolean;
  if (value.kind === 'integer') return value.integer;
  if (value.kind === 'double') return value.double;
  return value.kind === 'text' ? value.text : null;
}

function unwrapped(type: Type, value: unknown): unknown {
  const kind = type.typeName;
  if (kind.startsWith('union')) {
    if (value === null) return null;
    const [branch, inner] = Object.entries(value as object)[0]!;
    const { types } = type as types.WrappedUnionType;
    return unwrapped(types.find((each) => each.branchName === branch)!, inner);
  }
  if (kind === 'record') {
    const fields = (type as types.RecordType).fields.map(({ name, type: of }) => [
      name,
      unwrapped(of, (value as Record<string, unknown>)[name]),
    ]);
    return Object.fromEntries(fields);
  }
  if (kind === 'map') {
    const of = (type as types.MapType).valuesType as Type;
    const members = Object.entries(value as object).map(([n, each]) => [n, unwrapped(of, each)]);
    return Object.fromEntries(members);
  }
  if (kind === 'array') {
    const items = (value as unknown[]).map((each) =>
      unwrapped((type as types.ArrayType).itemsType, each),
    );
    // Of what takes no bytes the reference counts nothing out.
    return items.every((item) => isNothing(item)) ? null : items;
  }
  if (kind === 'int') return BigInt(value as number);
  return kind === 'bytes' || kind === 'fixed' ? null : value;
}

/** Null, or made of nothing else: the two sides may tell it differently. */
function isNothing(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  return typeof value === 'object' && Object.values(value).every(isNothing);
}

function withoutNothing(value: unknown): unknown {
  if (isNothing(value)) return null;
  if (Array.isArray(value)) return value.map(withoutNothing);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).map(([name, each]) => [name, withoutNothing(each)]);
  return Object.fromEntries(kept.filter(([, each]) => each !== null));
}

const HUGE = [
  [...Array(9).fill(255), 1],
  [...Array(10).fill(255)],
  [...Array(9).fill(128), 1],
  [...Array(9).fill(128), 2],
  varint(-(2n ** 31n) - 1n),
  varint(2n ** 62n),
  varint(-1n),
  varint(-2n),
];

function mutated(payload: Buffer, random: Random): Buffer {
  const at = random.int(0, payload.length);
  const [before, after] = [payload.subarray(0, at), payload.subarray(at)];
  switch (random.int(0, 4)) {
    case 0:
      return before;
    case 1:
      return Buffer.concat([before, Uint8Array.of(random.int(0, 255)), after.subarray(1)]);
    case 2:
      return Buffer.concat([before, Uint8Array.of(random.int(0, 255)), after]);
    case 3:
      return Buffer.concat([before, after.subarray(1)]);
    default:
      return Buffer.concat([before, Uint8Array.from(random.pick(HUGE)), after.subarray(1)]);
  }
}

for (const { target, share } of SHARES) {
  describe(`Avro in the kernel, ${target} build`, function () {
    this.timeout(300_000);
    let oracle: Oracle;
    let cases = 0;
    before(async () => {
      const channel = channelOf(1, 'avro', { format: 'avro', timePath: [], eventIdPath: [] });
      const schema = { type: 'record', name: 'R', fields: [{ name: 'value', type: 'double' }] };
      oracle = await Oracle.open(compiled(schema, channel), target);
    });

    it(`reads what avsc writes and reads, by any schema (seed ${SEED})`, () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const schema = new Schemas(random).root();
          const channel = compiled(schema, avroChannel(schema, random));
          oracle.use(channel);
          const type = avscType(schema);
          const payloads = new Payloads(schema, random);
          for (let i = 0; i < PAYLOADS_PER_SCHEMA; i++) {
            const payload = payloads.next();
            oracle.check(payload);
            const decoded = type.fromBuffer(payload);
            const nodes = channel.schema?.kind === 'avro' ? channel.schema.nodes : [];
            expect(withoutNothing(plain(readAvro(payload, nodes, [])))).to.deep.equal(
              withoutNothing(unwrapped(type, decoded)),
            );
            oracle.check(type.toBuffer(decoded));
            cases += 2;
            for (let j = 0; j < MUTATIONS_PER_PAYLOAD; j++) oracle.check(mutated(payload, random));
          }
        }),
        { seed: SEED, numRuns: SCHEMAS * share },
      );
      expect(cases).to.be.at.least(20_000 * share);
    });

    it('stands an end at every byte', () => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const schema = new Schemas(random).root();
          oracle.use(compiled(schema, avroChannel(schema, random)));
          const payload = new Payloads(schema, random).next().subarray(0, 400);
          for (let end = 0; end <= payload.length; end++) oracle.check(payload.subarray(0, end));
        }),
        { seed: SEED, numRuns: Math.ceil(200 * share) },
      );
    });

    const LIST = {
      type: 'record',
      name: 'List',
      fields: [
        { name: 'value', type: 'double' },
        { name: 'nothing', type: { type: 'array', items: 'null' } },
        { name: 'next', type: ['null', 'List'] },
      ],
    };
    const ONE = { format: 'avro', timePath: [], eventIdPath: [] } as const;
    const link = Buffer.concat([Buffer.alloc(8), Buffer.of(0)]);

    it('refuses an array inside 32 records', () => {
      const channel = compiled(LIST, channelOf(1, 'avro', ONE));
      oracle.use(channel);
      const listOf = (links: number) =>
        Buffer.concat([
          ...Array(links).fill(Buffer.concat([link, Buffer.of(2)])),
          link,
          Buffer.of(0),
        ]);
      for (const links of [30, 31, 32, 6_000]) oracle.check(listOf(links));
      expect(oracle.probe.decode(listOf(30))).to.include({ status: OK });
      expect(oracle.probe.decode(listOf(31))).to.include({ status: PAYLOAD_TOO_DEEP, offset: 318 });
    });

    it('passes at once over any number of items that take no bytes', () => {
      oracle.use(compiled(LIST, channelOf(1, 'avro', ONE)));
      const after = (block: number[]) => Buffer.from([...Buffer.alloc(8), ...block, 0, 0]);
      for (const count of [2n ** 63n - 1n, -(2n ** 63n), -1n]) {
        oracle.check(after([...varint(count), ...(count < 0n ? [0] : [])]));
        oracle.check(after([...varint(count), 2]));
      }
      const many = Array.from({ length: 6_000 }, () => varint(2n ** 63n - 1n)).flat();
      oracle.check(after(many));
      expect(oracle.probe.decode(after(many))).to.include({ status: OK });
    });

    it('reads behind the prefix of Confluent, and refuses ids that are not listed', () => {
      oracle.use({
        ...compiled(LIST, channelOf(1, 'avro', ONE)),
        ...{ framing: 'confluent', schemaIds: [7, 70_000] },
      });
      const body = Buffer.concat([link, Buffer.of(0)]);
      for (const id of [7, 70_000, 0, 8]) {
        const prefix = Buffer.from([0, ...Buffer.from(id.toString(16).padStart(8, '0'), 'hex')]);
        const whole = Buffer.concat([prefix, body]);
        for (let end = 0; end <= whole.length; end++) oracle.check(whole.subarray(0, end));
        oracle.check(Buffer.concat([Buffer.of(1), whole.subarray(1)]));
        expect(oracle.probe.decode(whole).status).to.equal(
          id === 7 || id === 70_000 ? OK : SCHEMA_UNKNOWN,
        );
      }
    });

    if (share < 1) return;

    it('saw every status that such a payload can have', () => {
      const records = ['OK', 'PAYLOAD_MALFORMED', 'EVENT_ID_INVALID', 'NO_READINGS'];
      const samples = ['TIME_MALFORMED', 'REQUIRED_MISSING'];
      const readings = ['TYPE_MISMATCH', 'TEXT_LIMIT', 'NOT_FINITE', 'NOT_LISTED', 'OUT_OF_RANGE'];
      expect([...oracle.seen.keys()]).to.include.members([...records, ...samples, ...readings]);
    });
  });
}

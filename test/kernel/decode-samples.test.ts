/** Arrays of samples in JSON: the kernel against the reference. */
import { expect } from 'chai';
import fc from 'fast-check';
import type { PlanChannel } from '../../src/model/plan.ts';
import { Oracle, SEED } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';

const METRICS = [
  metricOf(0, 'value', { path: ['v'], required: true, max: 1e6 }),
  metricOf(1, 'text', { kind: 'text', path: ['s'], values: ['on', 'é'] }),
  metricOf(2, 'again', { kind: 'text', path: ['s'] }),
  metricOf(3, 'inner', { kind: 'integer', path: ['in', 'n'] }),
  metricOf(4, 'named', { path: ['d'] }),
];
const CHANNEL = channelOf(1, 'c', {
  ...{ format: 'json', samplesPath: ['a', 'd'], timePath: ['t'], eventIdPath: ['id'] },
  ...{ timeFormat: 'ms', metrics: METRICS },
});
/** Where time and id lie; some of it where nothing can be. */
const CHANNELS: readonly PlanChannel[] = [
  CHANNEL,
  { ...CHANNEL, timeOf: 'record' },
  { ...CHANNEL, timeOf: 'record', timePath: ['a', 't'], eventIdPath: ['a', 'id'] },
  { ...CHANNEL, timeOf: 'record', timePath: ['a', 'd', 't'], eventIdPath: ['a', 'd', 'id'] },
  { ...CHANNEL, timeOf: 'record', timePath: ['a'], eventIdPath: ['a', 'd'] },
  { ...CHANNEL, samplesPath: ['d'], timePath: ['in', 't'] },
  { ...CHANNEL, samplesPath: ['d'], timePath: [], eventIdPath: [] },
];

const scalar = fc.constantFrom(
  ...['1', '-2.5', '1e400', '2000000', 'true', 'null', '"on"', '"\\u006fn"', '"\\u00e9"', '"x"'],
  ...['1785600000000', '"1785600000000"', '-1', '"\\ud800"', '[]', '{}', '[1,{"v":2}]', '{"d":[]}'],
);
const member = (...names: string[]) =>
  fc.constantFrom(...names.map((name) => JSON.stringify(name)));
const objectOf = (members: fc.Arbitrary<readonly [string, string]>, maxLength: number) =>
  fc
    .uniqueArray(members, { maxLength, selector: ([name]) => name })
    .map((given) => `{${given.map((each) => each.join(':')).join(' ,')}}`);
const inner = objectOf(fc.tuple(member('n', 't', 'x'), scalar), 3);
const element = objectOf(
  fc.oneof(
    fc.tuple(member('v', 's', 't', 'd', 'x', 'id'), scalar),
    fc.tuple(fc.constantFrom('"v"', '"\\u0076"'), fc.constantFrom('1', '2.5', '3e3')),
    fc.tuple(fc.constant('"in"'), inner),
  ),
  5,
);
const array = fc
  .array(fc.oneof({ arbitrary: element, weight: 20 }, { arbitrary: scalar, weight: 1 }), {
    maxLength: 5,
  })
  .map((elements) => `[${elements.join(' , ')}]`);
const samples = fc.oneof({ arbitrary: array, weight: 6 }, { arbitrary: scalar, weight: 1 });
const above = objectOf(
  fc.oneof(
    fc.tuple(fc.constant('"d"'), samples),
    fc.tuple(member('t', 'id', 'v', 'd'), scalar),
    fc.tuple(fc.constant('"d"'), samples),
  ),
  3,
);
const document = objectOf(
  fc.oneof(
    fc.tuple(fc.constant('"a"'), fc.oneof({ arbitrary: above, weight: 8 }, scalar)),
    fc.tuple(fc.constant('"d"'), samples),
    fc.tuple(member('t', 'id', 'v', 'in'), scalar),
  ),
  4,
);

describe(`arrays of samples in JSON (seed ${SEED})`, () => {
  const seen = new Map<string, number>();
  for (const [place, channel] of CHANNELS.entries()) {
    it(`are the samples of a record, way ${place + 1} of saying time and id`, async () => {
      const oracle = await Oracle.open(channel);
      fc.assert(
        fc.property(document, (payload) => oracle.check(payload)),
        { seed: SEED + place, numRuns: 1_500 },
      );
      for (const [name, count] of oracle.seen) seen.set(name, (seen.get(name) ?? 0) + count);
    });
  }

  it('saw every status that they can have', () => {
    expect([...seen.keys()]).to.have.members([
      ...['OK', 'PAYLOAD_MALFORMED', 'EVENT_ID_INVALID', 'NO_READINGS', 'TIME_MALFORMED'],
      ...['REQUIRED_MISSING', 'TYPE_MISMATCH', 'NOT_FINITE', 'NOT_LISTED', 'OUT_OF_RANGE'],
    ]);
    for (const [name, count] of seen) expect(count, name).to.be.greaterThan(5);
  });

  it('may hold a member in every element, but none twice in one', async () => {
    const oracle = await Oracle.open(CHANNEL);
    oracle.check('{"a":{"d":[{"v":1,"in":{"n":1}},{"v":2,"in":{"n":2}},null,{"v":3}]}}');
    oracle.check('{"a":{"d":[{"v":1},{"v":2,"\\u0076":3}]}}');
    oracle.check('{"a":{"d":[]},"a":{"d":[]}}');
    expect([...oracle.seen]).to.deep.equal([
      ['OK', 1],
      ['PAYLOAD_MALFORMED', 2],
    ]);
  });

  it('are at most 4,096, and as deep as any other payload', async () => {
    const oracle = await Oracle.open({ ...CHANNEL, timeOf: 'record' });
    const given = (count: number) =>
      oracle.check(`{"a":{"d":[${Array(count).fill('{"v":1}').join()}]},"t":5}`);
    for (const count of [4095, 4096, 4097]) given(count);
    expect(oracle.seen.get('LIMIT_EXCEEDED')).to.equal(1);
    const path = Array.from({ length: 31 }, () => 'a');
    for (const down of [27, 28, 29]) {
      const deep = await Oracle.open({
        ...CHANNEL,
        samplesPath: ['a', 'd'],
        metrics: [metricOf(0, 'v', { path: [...path.slice(0, down), 'v'] })],
      });
      deep.check(`{"a":{"d":[${'{"a":'.repeat(down)}{"v":1}${'}'.repeat(down)}]}}`);
      expect([...deep.seen.keys()]).to.deep.equal([down < 29 ? 'OK' : 'PAYLOAD_TOO_DEEP']);
    }
  });

  it('keep texts of all samples apart, also those written with escapes', async () => {
    const oracle = await Oracle.open(CHANNEL);
    const elements = Array.from({ length: 3000 }, (_, i) =>
      i % 2 === 0 ? `{"s":"\\u00e9${i % 7}"}` : '{"s":"\\u006f\\u006e"}',
    );
    oracle.check(`{"a":{"d":[${elements.join()}]}}`);
  });
});

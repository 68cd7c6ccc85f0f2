/** SenML in JSON: the kernel against the reference, which resolves packs as RFC 8428 says. */
import { expect } from 'chai';
import fc from 'fast-check';
import { Oracle, SEED } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';

const METRICS = [
  metricOf(0, 'temperature', { path: ['temp'], sentUnit: 'Cel', min: -100, max: 1e300 }),
  metricOf(1, 'humidity', { path: ['urn:dev:ow:1:hum'], kind: 'integer', sentUnit: '%RH' }),
  metricOf(2, 'label', { path: ['label'], kind: 'text', values: ['on', 'é', 'off'] }),
  metricOf(3, 'open', { path: ['open'], kind: 'boolean' }),
  metricOf(4, 'count', { path: ['count'], kind: 'integer', scale: 0.5 }),
  metricOf(5, 'gone', { path: ['gone'], retired: true }),
  metricOf(6, 'whole', { path: ['a/b:c'] }),
  metricOf(7, 'c', { path: ['c'], kind: 'text' }),
];
const CHANNEL = channelOf(1, 'c', {
  ...{ format: 'senml-json', timePath: [], eventIdPath: [], metrics: METRICS },
});

const quoted = (text: string) => JSON.stringify(text);
const names = ['temp', 'urn:dev:ow:1:hum', 'hum', 'label', 'open', 'count', 'gone', 'c', 'a/b:c'];
const name = fc.oneof(
  { arbitrary: fc.constantFrom(...[...names, 'x/temp', 'b:c'].map(quoted)), weight: 30 },
  fc.constantFrom(...['x:', '', '-x', 'é', 'x y', 'y'.repeat(250)].map(quoted)),
  fc.constantFrom('"te\\u006dp"', '"\\ud800"'),
);
const baseName = fc.oneof(
  { arbitrary: fc.constantFrom('"urn:dev:ow:1:"', '"a/"', '""', '"a\\/"'), weight: 10 },
  fc.constantFrom(...['z'.repeat(240), 'z'.repeat(256), '_', 'urn:dev:ow:1:temp'].map(quoted)),
  fc.constant(`"${'y'.repeat(257)}"`),
);
const unit = fc.constantFrom('"Cel"', '"%RH"', '"K"', '""', '"\\u0043el"', '"\\ud800"');
const integer = fc.constantFrom(
  ...['0', '-0', '1', '-1', '7', '9007199254740993', '9223372036854775807', '9223372036854775808'],
  ...['-9223372036854775808', '-9223372036854775809'],
);
const real = fc.oneof(
  fc.constantFrom('0.5', '-0.0', '3.0', '1e2', '1e400', '-1e400', '1e16', '-1.5e-3', '2e300'),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => JSON.stringify(value)),
);
const number = fc.oneof(integer, real);
const time = fc.oneof(
  fc.constantFrom('0', '-0', '-5', '1.785e9', '1785600000.0005', '0.0004999999', '-0.0005'),
  fc.constantFrom('268435455.999', '268435456', '-1785600000', '1e12', '-1e12', '999999999999.9'),
  fc.constantFrom('1e400', '1e-400', '-1e-19', '-1e-18', '1e-18', '0.000999999999999999999', '0e9'),
  fc.constantFrom('1320067464.001999999999999999', '0.000000000000000001', '-1e999999', '1e999999'),
  fc.integer({ min: -3000, max: 3000 }).map((ms) => String(ms / 1000)),
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }).map((ms) => `${ms}e-3`),
);
const text = fc.constantFrom(
  '"on"',
  '"\\u00e9"',
  '"é"',
  '"off "',
  '"\\udc00"',
  `"${'x'.repeat(257)}"`,
);
const truth = fc.constantFrom('true', 'false');
const version = fc.oneof(
  { arbitrary: fc.constantFrom('10', '1', '10.0', '1e1', '5'), weight: 5 },
  fc.constantFrom('11', '0', '-1', '1.5', '1e400'),
);
const other = fc.constantFrom('null', '{}', '[[1],{"v":2}]', '"x"', '1', 'true', '[]');
const FIELDS: Record<string, fc.Arbitrary<string>> = {
  ...{ bn: baseName, bt: time, bu: unit, bv: number, bs: number, bver: version },
  ...{ n: name, u: unit, v: number, vs: text, vb: truth, vd: text, s: number, t: time, ut: time },
};
const field = (label: string, of: fc.Arbitrary<string>) =>
  of.map((value) => `${quoted(label)}:${value}`);
/** A value now and then of the wrong type. */
const likely = (label: string) =>
  field(
    label,
    fc.oneof({ arbitrary: FIELDS[label]!, weight: 150 }, { arbitrary: other, weight: 1 }),
  );
const maybe = (label: string, times: number) =>
  fc.oneof({ arbitrary: likely(label), weight: 1 }, { arbitrary: fc.constant(''), weight: times });
const value = fc.oneof(
  { arbitrary: likely('v'), weight: 12 },
  ...['vs', 'vb', 'vd', 's'].map((label) => ({ arbitrary: likely(label), weight: 3 })),
  { arbitrary: fc.constant(''), weight: 1 },
);
const odd = fc.oneof(
  fc.constantFrom('"x":1', '"x":{"n":[]}', '"":0', '"v":1', '"\\u0076s":"on"', '"bvx":2', '"N":1'),
  fc.constantFrom('"x_":1', '"_":1', '"\\u005f":1', '"bn":"b/"', '"t":-1', '"\\ud800":2'),
);
const record = fc
  .tuple(
    fc.tuple(...['bn', 'bt', 'bu', 'bv'].map((label) => maybe(label, 5))),
    fc.tuple(...['bs', 'bver', 'ut'].map((label) => maybe(label, 12))),
    fc.tuple(fc.oneof({ arbitrary: likely('n'), weight: 20 }, fc.constant('')), value),
    fc.tuple(maybe('u', 2), maybe('t', 1)),
    fc.oneof({ arbitrary: odd, weight: 1 }, { arbitrary: fc.constant(''), weight: 40 }),
  )
  .chain((groups) => {
    const given = groups.flat().filter((each) => each !== '');
    return fc.shuffledSubarray(given, { minLength: given.length });
  })
  .map((members) => `{${members.join(',')}}`);
const element = fc.oneof({ arbitrary: record, weight: 150 }, other);
const pack = fc.array(element, { maxLength: 6 }).map((records) => `[ ${records.join(' , ')} ]`);

describe(`SenML in the kernel (seed ${SEED})`, () => {
  let oracle: Oracle;
  before(async () => {
    oracle = await Oracle.open(CHANNEL);
  });
  const property = (texts: fc.Arbitrary<string | Uint8Array>, count: number) =>
    fc.assert(
      fc.property(texts, (payload) => oracle.check(payload)),
      { seed: SEED, numRuns: count },
    );

  it('resolves packs as RFC 8428 says', () => property(pack, 8_000));

  it('refuses what is no pack, wherever a text is changed', () =>
    property(
      fc
        .tuple(
          pack.map((given) => Buffer.from(given)),
          fc.nat(),
          fc.constantFrom(...'{}[]",:_e-0'),
        )
        .map(([bytes, place, byte]) => {
          const at = place % (bytes.length + 1);
          return Buffer.concat([bytes.subarray(0, at), Buffer.from(byte), bytes.subarray(at + 1)]);
        }),
      4_000,
    ));

  it('ignores unknown names where the plan says so, and then they part no samples', async () => {
    const open = await Oracle.open({ ...CHANNEL, unknownMetrics: 'ignore' });
    open.check('[{"n":"temp","v":1,"t":5},{"n":"x","v":1,"t":6},{"n":"open","vb":true,"t":5}]');
    open.check('[{"n":"x","v":1,"t":6}]');
    expect([...open.seen]).to.deep.equal([
      ['OK', 1],
      ['NO_READINGS', 1],
    ]);
  });

  it('reads the examples of the RFC', async () => {
    const metrics = ['voltage', 'current', 'temperature', 'humidity'].map((metric, i) =>
      metricOf(i, metric),
    );
    const examples = await Oracle.open({ ...CHANNEL, metrics });
    for (const text of [
      '[{"n":"urn:dev:ow:10e2073a01080063/temperature","u":"Cel","v":23.1}]',
      '[{"bn":"urn:dev:ow:10e2073a01080063:","n":"voltage","u":"V","v":120.1},' +
        '{"n":"current","u":"A","v":1.2}]',
      '[{"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,' +
        '"n":"voltage","u":"V","v":120.1},{"n":"current","t":-5,"v":1.2},' +
        '{"n":"current","t":-4,"v":1.3}]',
      '[{"bn":"2001:db8::2/","bt":1.320078429e+09,"n":"temperature","u":"Cel","v":27.2},' +
        '{"n":"humidity","u":"%RH","v":80}]',
      '[{"bn":"urn:dev:ow:10e2073a01080063:"},{"n":"temperature","u":"Cel","v":23.1}]',
    ]) {
      examples.check(text);
    }
    expect([...examples.seen]).to.deep.equal([['OK', 5]]);
    const [sample] = examples.probe.decode(
      '[{"bt":1.276020076001e+09,"n":"current","t":-5,"v":1.2}]',
    ).samples;
    expect(sample!.eventTimeMs).to.equal(1_276_020_071_001n);
  });

  it('saw every status that a SenML payload can have', () => {
    const inside = ['TIME_MALFORMED', 'TYPE_MISMATCH', 'UNIT_MISMATCH', 'TEXT_LIMIT', 'NOT_FINITE'];
    expect([...oracle.seen.keys()]).to.have.members([
      ...['OK', 'PAYLOAD_MALFORMED', 'NO_READINGS', 'METRIC_UNKNOWN', 'NOT_LISTED', 'OUT_OF_RANGE'],
      ...inside,
    ]);
    for (const [name, count] of oracle.seen) expect(count, name).to.be.greaterThan(5);
  });
});

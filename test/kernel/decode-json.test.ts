/** JSON by path: the kernel against the reference, which asks JSON.parse. */
import { expect } from 'chai';
import fc from 'fast-check';
import { PAYLOAD_MALFORMED, PAYLOAD_TOO_DEEP } from '../../assembly/shared/status.ts';
import { METRICS, Oracle, SEED } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';

const CHANNEL = channelOf(1, 'c', {
  ...{ format: 'json', timePath: ['a', 'ts'], timeFormat: 'iso8601', eventIdPath: ['id'] },
  metrics: METRICS,
});

const space = fc.constantFrom('', '', '', ' ', '\n', '\t\r ');
const number = fc.oneof(
  fc.constantFrom('0', '-0', '3.0', '1e2', '5', '-5', '10', '11', '3.5', '1e400', '-7', '1e16'),
  fc.constantFrom('9223372036854775807', '9223372036854775808', '-9223372036854775808', '7.0e0'),
  fc.constantFrom('9007199254740993', '-9223372036854775809', '1e300', '1e301', '1e108', '0.5'),
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((value) => JSON.stringify(value)),
  fc.integer().map(String),
);
const time = fc.constantFrom(
  ...['2024-02-29T12:00:00Z', '2023-02-29T12:00:00Z', '2024-01-01 00:00:00', '1969-12-31T23:59:59'],
  ...['1899-12-31T23:59:59.999Z', '1900-01-01T00:00:00Z', '2299-12-31T23:59:59.9999999Z'],
  ...['2300-01-01T00:00:00Z', '2024-06-30T23:59:60Z', '2024-06-30t10:00:00.1+05:30', ''],
  ...['2024-06-30T24:00:00Z', '2024-06-30 10:00:00.123456-23:59', '2024-06-30T10:00:00.Z'],
  ...['2024-06-30 10:00:00+0530', '2024-13-01T00:00:00Z', '0000-01-01T00:00:00Z', '2024-6-1'],
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }).map((value) => JSON.stringify(value)),
  fc.constantFrom('""', '"\\u0041\\ud83d\\ude00\\n"', '"\\ud800"', '"\\udc00\\ud800x"', '"é€😀"'),
  fc.constantFrom('"/\\/\\"\\\\\\b\\f\\r\\t"', `"${'x'.repeat(64)}"`, `"${'x'.repeat(65)}"`),
  fc.constantFrom(`"${'é'.repeat(32)}"`, `"${'\\u00e9'.repeat(33)}"`),
  fc.constantFrom('"on"', '"\\u006fn"', `"${'é'.repeat(128)}"`, `"${'\\u00e9'.repeat(128)}x"`),
  fc.constantFrom(`"${'y'.repeat(300)}\\udead"`),
  time.map((value) => JSON.stringify(value)),
  time.map((value) => JSON.stringify(value).replace(':', '\\u003a')),
);
const scalar = fc.oneof(number, number, text, fc.constantFrom('true', 'false', 'null'));
/** Keys that the plan names, as plain text and escaped, and others near them. */
const key = fc.constantFrom(
  ...[
    '"t"',
    '"n"',
    '"a"',
    '"b"',
    '"on"',
    '"deep"',
    '"é"',
    '"ts"',
    '"s"',
    '"id"',
    '"gone"',
    '"x"',
    '""',
  ],
  ...['"\\u0061"', '"\\u00e9"', '"\\u00E9"', '"t "', '"\\ud800"', `"${'k'.repeat(300)}"`],
);
const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    tie('object'),
    tie('array'),
  ),
  object: fc
    .uniqueArray(fc.tuple(key, space, tie('value'), space), { maxLength: 5, selector: ([k]) => k })
    .map((members) => `{${members.map(([k, s, v, e]) => `${s}${k}${e}:${s}${v}${e}`).join(',')}}`),
  array: fc
    .array(fc.tuple(space, tie('value')))
    .map((items) => `[${items.map((i) => i.join('')).join(',')}]`),
}));
const member = (name: string, of: fc.Arbitrary<string>) =>
  fc.option(of, { nil: '' }).map((given) => (given === '' ? '' : `"${name}":${given}`));
const object = (...members: fc.Arbitrary<string>[]) =>
  fc.tuple(...members).chain((given) =>
    fc
      .shuffledSubarray(
        given.filter((each) => each !== ''),
        { minLength: 0 },
      )
      .map((some) => `{${some.join(' , ')}}`),
  );
/** Mostly what the plan expects. */
const likely = object(
  member('t', fc.oneof(number, scalar)),
  member('n', fc.oneof(number, scalar)),
  member('\\u00e9', number),
  member('id', fc.oneof(text, scalar)),
  member('other', value),
  member('s', fc.oneof(text, scalar)),
  member(
    'a',
    object(
      member('n', number),
      member(
        'ts',
        fc.oneof(
          time.map((each) => JSON.stringify(each)),
          scalar,
        ),
      ),
      member('b', fc.oneof(object(member('on', scalar), member('deep', number)), value)),
    ),
  ),
);
const document = fc
  .tuple(space, fc.oneof(likely, likely, value), space)
  .map((parts) => parts.join(''));

/** One byte changed, taken away or put in. */
const mutated = fc
  .tuple(
    document.map((given) => Buffer.from(given)),
    fc.nat(),
    fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('{}[]",:\\u0e-+.'))),
    fc.constantFrom('set', 'insert', 'delete', 'truncate'),
  )
  .map(([bytes, place, byte, how]) => {
    const at = place % (bytes.length + 1);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (how === 'truncate') return before;
    if (how === 'insert') return Buffer.concat([before, Uint8Array.of(byte), after]);
    const rest = after.subarray(1);
    return Buffer.concat(how === 'set' ? [before, Uint8Array.of(byte), rest] : [before, rest]);
  });
const token = fc.constantFrom(
  ...['{', '}', '[', ']', ',', ':', '"', '\\', '"t"', '"a"', 'true', 'nul', '-', '0', '1.', 'e5'],
  ...['\\u12', ' ', '\u00e9', '\u0001', '{"t":1', '"a":{', '\ufeff', '1', '01', '"x":'],
);
const soup = fc.array(token, { maxLength: 12 }).map((tokens) => tokens.join(''));

describe(`JSON in the kernel (seed ${SEED})`, () => {
  let oracle: Oracle;
  before(async () => {
    oracle = await Oracle.open(CHANNEL);
  });
  const property = <T extends string | Uint8Array>(payloads: fc.Arbitrary<T>, count: number) =>
    fc.assert(
      fc.property(payloads, (payload) => oracle.check(payload)),
      {
        ...{ seed: SEED, numRuns: count },
      },
    );

  it('decodes what JSON.parse accepts, by the rules of the plan', () => property(document, 6_000));
  it('refuses what JSON.parse refuses, at the first byte that cannot be', () =>
    property(mutated, 12_000));
  it('stands any sequence of tokens', () => property(soup, 6_000));
  it('stands any bytes', () =>
    property(
      fc
        .uint8Array({ maxLength: 40 })
        .map((bytes) => Buffer.concat([Buffer.from('{"t":"'), bytes])),
      6_000,
    ));

  it('knows every beginning of a UTF-8 character', () => {
    for (let lead = 0x7f; lead <= 0xff; lead++) {
      for (const second of [0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0]) {
        for (const rest of [[], [0x80], [0x80, 0xbf], [0xbf, 0x7f], [0xc0, 0x80]]) {
          const bytes = Uint8Array.from([lead, second, ...rest]);
          oracle.check(Buffer.concat([Buffer.from('{"n":1,"x":"'), bytes, Buffer.from('"}')]));
        }
      }
    }
  });

  it('keeps converted integers inside Int64', async () => {
    const metrics = [metricOf(0, 'n', { kind: 'integer', scale: 2, offset: 0 })];
    const doubling = await Oracle.open({ ...CHANNEL, metrics });
    const half = 2n ** 62n;
    for (const raw of [half, half - 1n, half - 512n, -half, -half - 1n, -half - 1024n, 2n ** 63n]) {
      doubling.check(`{"n":${raw}}`);
    }
    expect([...doubling.seen]).to.deep.include(['OK', 7]);
    expect([...doubling.seen]).to.deep.include(['TYPE_MISMATCH', 4]);
  });

  it('stops at the end wherever a text is cut off', () => {
    const whole = Buffer.from(
      ' {"a" : {"ts":"2024-01-01T00:00:00.123456789+01:00","b":{"on":true,"deep":-1.5e-3},"n":4},' +
        '"t":[1,{"x":null}],"\\u00e9":7.0,"id":"\\ud83d\\ude00é€😀","k":false,"n":-12} ',
    );
    for (let end = 0; end <= whole.length; end++) oracle.check(whole.subarray(0, end));
    expect(oracle.seen.get('OK')).to.be.greaterThan(1);
  });

  it('reads nesting of 32 and calls 33 too deep, unless it is malformed', () => {
    const nested = (open: string, close: string, depth: number) =>
      `{"x":${open.repeat(depth - 1)}1${close.repeat(depth - 1)},"t":1}`;
    for (const depth of [31, 32, 33, 34, 500]) {
      oracle.check(nested('[', ']', depth));
      oracle.check(nested('{"t":', '}', depth));
      oracle.check(nested('{"a":', '}', depth).replace('"x"', '"a"'));
      oracle.check(`${nested('[', ']', depth)}x`);
    }
    expect(oracle.seen.get('PAYLOAD_TOO_DEEP')).to.be.greaterThan(5);
  });

  it('passes brackets alone in time linear in their number', () => {
    const open = oracle.probe.decode('['.repeat(61_440));
    expect(open).to.include({ status: PAYLOAD_MALFORMED, offset: 61_440 });
    const closed = oracle.probe.decode('['.repeat(30_720) + ']'.repeat(30_720));
    expect(closed).to.include({ status: PAYLOAD_TOO_DEEP, offset: 32 });
    const objects = oracle.probe.decode('{"x":'.repeat(12_000));
    expect(objects).to.include({ status: PAYLOAD_MALFORMED, offset: 60_000 });
  });

  it('saw every status that a JSON payload can have', () => {
    const records = ['OK', 'PAYLOAD_MALFORMED', 'PAYLOAD_TOO_DEEP', 'EVENT_ID_INVALID'];
    const inside = ['TIME_MALFORMED', 'TYPE_MISMATCH', 'NOT_FINITE', 'OUT_OF_RANGE', 'TEXT_LIMIT'];
    expect([...oracle.seen.keys()]).to.have.members([
      ...records,
      'NO_READINGS',
      'NOT_LISTED',
      ...inside,
    ]);
    for (const count of oracle.seen.values()) expect(count).to.be.greaterThan(5);
  });
});

describe(`JSON time stamps in the kernel (seed ${SEED})`, () => {
  const stamps = fc.oneof(
    number,
    fc.bigInt({ min: -3n * 10n ** 18n, max: 12n * 10n ** 18n }).map(String),
    fc
      .tuple(fc.bigInt({ min: -3n * 10n ** 12n, max: 12n * 10n ** 12n }), fc.nat(999_999_999))
      .map(([whole, fraction]) => `${whole}.${fraction}`),
    fc
      .tuple(fc.integer({ min: 1, max: 99999 }), fc.integer({ min: -30, max: 30 }))
      .map((p) => p.join('e')),
    fc.bigInt({ min: 0n, max: 12n * 10n ** 18n }).map((digits) => `"00${digits}"`),
    fc.constantFrom('"1.5"', '"-1"', '""', '" 1"', 'true', '[]', 'null', '1e999999', '0e999999'),
    fc.constantFrom(
      '"00"',
      '-0.0000001',
      '-1e-999999',
      '1e-999999',
      `"${'1'.repeat(70)}"`,
      '"1e3"',
    ),
  );
  for (const timeFormat of ['s', 'ms', 'us', 'ns'] as const) {
    it(`floor epochs in ${timeFormat} to milliseconds exactly`, async () => {
      const oracle = await Oracle.open({ ...CHANNEL, timeFormat });
      fc.assert(
        fc.property(stamps, (stamp) => oracle.check(`{"a":{"ts":${stamp}},"n":1}`)),
        { seed: SEED, numRuns: 3_000 },
      );
    });
  }

  it('in ISO 8601 are checked against the calendar', async () => {
    const oracle = await Oracle.open(CHANNEL);
    const two = (max: number) => fc.nat(max).map((digits) => String(digits).padStart(2, '0'));
    const iso = fc
      .tuple(
        fc.integer({ min: 1890, max: 2310 }).map(String),
        ...[two(13), two(32), fc.constantFrom('T', ' ', 't', '_'), two(25), two(61), two(61)],
        fc.constantFrom('', '.5', '.', '.1239', ',5', '.000000000000000000000001'),
        fc.constantFrom('Z', 'z', '', '+01:00', '-23:59', '+24:00', '+0100', ' Z', '+01:0'),
      )
      .map(([year, month, day, t, hour, minute, second, fraction, zone]) =>
        JSON.stringify(`${year}-${month}-${day}${t}${hour}:${minute}:${second}${fraction}${zone}`),
      );
    fc.assert(
      fc.property(iso, (stamp) => oracle.check(`{"a":{"ts":${stamp}},"n":1}`)),
      { seed: SEED, numRuns: 10_000 },
    );
  });
});

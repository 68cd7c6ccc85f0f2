/** Decimals to doubles: bit for bit what JSON.parse gives, through the JSON decoder. */
import { expect } from 'chai';
import fc from 'fast-check';
import * as status from '../../assembly/shared/status.ts';
import { channelOf, metricOf, planOf } from './plan-sample.ts';
import { Probe } from './probe.ts';

const SEED = Number(process.env['MILLRACE_SEED'] ?? 20260722);
const COUNT = 20_000;

const bitsOf = (value: number): bigint => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const doubleOf = (bits: bigint): number => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};

/** Every digit of a finite double and of the midpoint above it, as decimals. */
function exactDecimal(numerator: bigint, binaryExponent: number): string {
  if (binaryExponent >= 0) return String(numerator << BigInt(binaryExponent));
  const digits = numerator * 5n ** BigInt(-binaryExponent);
  return `${digits}e${binaryExponent}`;
}

function midpointAbove(bits: bigint): string {
  const biased = Number(bits >> 52n);
  const fraction = bits & ((1n << 52n) - 1n);
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n);
  return exactDecimal(mantissa * 2n + 1n, (biased === 0 ? -1074 : biased - 1075) - 1);
}

/** 5^power · 2^n with 2^127 ≤ it < 2^128: rounded down, but up from 5^-27 to 5^-1. */
function powerOfFive(power: number): bigint {
  const five = 5n ** BigInt(Math.abs(power));
  const bits = five.toString(2).length;
  if (power >= 0) return bits <= 128 ? five << BigInt(128 - bits) : five >> BigInt(bits - 128);
  const down = (1n << BigInt(bits + 127)) / five;
  return power < -27 ? down : down + 1n;
}

const finiteBits = fc.bigInt({ min: 0n, max: 0x7fefffffffffffffn });
const anyBits = fc.oneof(finiteBits, fc.bigInt({ min: 0n, max: 1n << 52n }));
const digitText = (max: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: max })
    .map((digits) => digits.join(''));
const whole = (max: number) => digitText(max).map((digits) => digits.replace(/^0+(?=.)/, ''));
const decimal = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc.oneof(whole(5), whole(25), whole(60)),
    fc.option(fc.oneof(digitText(4), digitText(30))),
    fc.option(fc.integer({ min: -345, max: 320 })),
  )
  .map(([sign, integer, fraction, exponent]) =>
    [
      sign,
      integer,
      fraction === null ? '' : `.${fraction}`,
      exponent === null ? '' : `e${exponent}`,
    ].join(''),
  );

describe(`numbers of the kernel (seed ${SEED})`, () => {
  let probe: Probe;
  before(async () => {
    const channel = channelOf(1, 'c', { format: 'json', metrics: [metricOf(0, 'value')] });
    probe = await Probe.open(planOf([channel]));
  });

  function check(text: string): void {
    const expected = JSON.parse(text) as number;
    const { status: recordStatus, samples } = probe.decode(`{"value":${text}}`);
    expect(recordStatus, text).to.equal(status.OK);
    const reading = samples[0]!.readings[0]!;
    if (Number.isFinite(expected)) {
      expect(reading.status, text).to.equal(status.OK);
      expect(reading.bits, `${text} is ${expected}`).to.equal(bitsOf(expected));
    } else {
      expect(reading.status, text).to.equal(status.NOT_FINITE);
      expect(reading.bits, text).to.equal(0n);
    }
  }
  const property = (texts: fc.Arbitrary<string>, count = COUNT) =>
    fc.assert(fc.property(texts, check), { seed: SEED, numRuns: count });

  it('has the first 128 bits of every power of five', () => {
    const view = new DataView(probe.memory.buffer, probe.kernel.powersOfFive());
    for (let power = -342; power <= 308; power++) {
      const at = (power + 342) * 16;
      const words = (view.getBigUint64(at, true) << 64n) | view.getBigUint64(at + 8, true);
      expect(words, `5^${power}`).to.equal(powerOfFive(power));
    }
  });

  it('reads what is known to be hard', () => {
    const hard = [
      '0',
      '-0',
      '0.0',
      '-0.0',
      '0e99999',
      '1e400',
      '-1e400',
      '1e-400',
      '-1e-400',
      '1.7976931348623157e308',
      '1.7976931348623158e308',
      '1.7976931348623159e308',
      '1.797693134862315807e308',
      '4.9e-324',
      '5e-324',
      '2.4703282292062327e-324',
      '2.4703282292062328e-324',
      '2.2250738585072011e-308',
      '2.2250738585072012e-308',
      '2.2250738585072014e-308',
      '9007199254740993',
      '9007199254740992',
      '9007199254740991',
      '9223372036854775807',
      '9223372036854775808',
      '18446744073709551615',
      '18446744073709551616',
      '123456789012345678901234567890',
      '1e22',
      '1e23',
      '8.5e22',
      '9.5367431640625e-7',
      '7.2057594037927933e16',
      '72057594037927945e3',
      '0.1',
      '0.3',
      '1.00000000000000011102230246251565404236316680908203125',
      '1.00000000000000011102230246251565404236316680908203124',
      '1.00000000000000011102230246251565404236316680908203126',
      '1.00000000000000033306690738754696212708950042724609375',
      '6631236846766476e-316',
      '179769313486231580793e289',
      '3.2e+5',
      '3E-5',
      '1e99999999999999',
      `0.${'0'.repeat(30_000)}1e30001`,
      `1${'0'.repeat(30_000)}e-30000`,
      `1${'0'.repeat(400)}`,
      `0.${'0'.repeat(400)}1`,
      `${'9'.repeat(5000)}e-4990`,
      `1.${'0'.repeat(5000)}1`,
      `9007199254740993.${'0'.repeat(900)}1`,
      `9007199254740993.${'0'.repeat(900)}0`,
    ];
    for (const text of hard) {
      check(text);
      if (!text.startsWith('-')) check(`-${text}`);
    }
  });

  it('reads the shortest text of any double back', () =>
    property(anyBits.map((bits) => JSON.stringify(doubleOf(bits)))));

  it('reads doubles with 17 to 25 digits', () =>
    property(
      fc
        .tuple(anyBits, fc.integer({ min: 16, max: 24 }))
        .map(([bits, digits]) => doubleOf(bits).toExponential(digits)),
    ));

  it('reads any decimal', () => property(decimal));

  it('decides midpoints, and what lies just beside them, by all their digits', () =>
    property(
      fc
        .tuple(anyBits, fc.constantFrom('0', '1', '-1', '00000000000000000001'))
        .map(([bits, beside]) => {
          const [digits = '', exponent = '0'] = midpointAbove(bits).split('e');
          if (beside === '-1') return `${BigInt(digits) * 10n - 1n}e${Number(exponent) - 1}`;
          return `${digits}${beside}e${Number(exponent) - beside.length}`;
        }),
      4_000,
    ));

  it('decides midpoints cut off after 15 to 40 digits', () =>
    property(
      fc.tuple(anyBits, fc.integer({ min: 15, max: 40 })).map(([bits, kept]) => {
        const [digits = '', exponent = '0'] = midpointAbove(bits).split('e');
        const short = digits.slice(0, kept);
        return `${short}e${Number(exponent) + digits.length - short.length}`;
      }),
    ));
});

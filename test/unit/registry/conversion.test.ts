import { assert } from 'chai';
import fc from 'fast-check';
import {
  type Conversion,
  findConversion,
  findUnitProblem,
  isConversion,
} from '../../../src/registry/unit/conversion.ts';
import { decimal, divide, rational, toNumber } from '../../../src/registry/unit/rational.ts';
import { unitTables } from '../../../src/registry/unit/ucum.ts';
import { readUnit, UnitError } from '../../../src/registry/unit/unit.ts';

function conversionOf(from: string, to: string): Conversion {
  const found = findConversion(from, to);
  assert.isTrue(isConversion(found), JSON.stringify(found));
  return found as Conversion;
}

/** Exact fractions, as numerator / denominator. */
type Fraction = readonly [bigint, bigint];
const NOTHING: Fraction = [0n, 1n];

describe('Unit conversion', () => {
  const exact: [from: string, to: string, scale: Fraction, offset: Fraction][] = [
    ['[degF]', 'Cel', [5n, 9n], [-160n, 9n]],
    ['Cel', '[degF]', [9n, 5n], [32n, 1n]],
    ['[degF]', 'K', [5n, 9n], [45967n * 5n, 900n]],
    ['Cel', 'K', [1n, 1n], [27315n, 100n]],
    ['K', 'Cel', [1n, 1n], [-27315n, 100n]],
    ['[degRe]', 'Cel', [5n, 4n], NOTHING],
    ['mCel', 'Cel', [1n, 1000n], NOTHING],
    ['[mi_i]/h', 'm/s', [44704n, 100_000n], NOTHING],
    ['km/h', 'm/s', [5n, 18n], NOTHING],
    ['[kn_i]', 'm/s', [1852n, 3600n], NOTHING],
    ['%', '1', [1n, 100n], NOTHING],
    ['1', '%', [100n, 1n], NOTHING],
    ['%', '%', [1n, 1n], NOTHING],
    ['s', 's', [1n, 1n], NOTHING],
    ['ms', 's', [1n, 1000n], NOTHING],
    ['min', 's', [60n, 1n], NOTHING],
    ['h', 's', [3600n, 1n], NOTHING],
    ['kW.h', 'J', [3_600_000n, 1n], NOTHING],
    ['L/h', 'm3/s', [1n, 3_600_000n], NOTHING],
    ['[gal_us]', 'L', [3_785_411_784n, 1_000_000_000n], NOTHING],
    ['[lb_av]', 'kg', [45_359_237n, 100_000_000n], NOTHING],
    ['bar', 'Pa', [100_000n, 1n], NOTHING],
    ['[in_i]', 'mm', [254n, 10n], NOTHING],
    ['{rev}/min', 'Hz', [1n, 60n], NOTHING],
    ['10*3/mL', '/L', [1_000_000n, 1n], NOTHING],
    ['m/s2', 'cm.s-2', [100n, 1n], NOTHING],
    ['kg.m/(s.s)', 'N', [1n, 1n], NOTHING],
    ['Mibit/s', 'Kibit/s', [1024n, 1n], NOTHING],
    ['[IU]/L', '[IU]/mL', [1n, 1000n], NOTHING],
    ['%{occupied}', '1', [1n, 100n], NOTHING],
  ];
  for (const [from, to, scale, offset] of exact) {
    it(`${from} → ${to} is the double nearest to the exact value`, () => {
      const found = conversionOf(from, to);
      assert.strictEqual(found.scale, toNumber(rational(...scale)));
      assert.strictEqual(found.offset, toNumber(rational(...offset)));
    });
  }

  it('agrees with plain division where that is correctly rounded', () => {
    assert.deepStrictEqual(conversionOf('[degF]', 'Cel'), { scale: 5 / 9, offset: -160 / 9 });
    assert.deepStrictEqual(conversionOf('[mi_i]/h', 'm/s'), { scale: 0.44704, offset: 0 });
    assert.deepStrictEqual(conversionOf('km/h', 'm/s'), { scale: 5 / 18, offset: 0 });
  });

  it('converts degrees by the double nearest to π/180', () => {
    assert.closeTo(conversionOf('deg', 'rad').scale, Math.PI / 180, 1e-17);
  });

  it('gives a factor and its reciprocal whose product is 1 within a rounding', () => {
    for (const [from, to] of exact) {
      const product = conversionOf(from, to).scale * conversionOf(to, from).scale;
      assert.closeTo(product, 1, 3e-16, `${from} ↔ ${to}`);
    }
  });

  it('agrees with the factors of ucum-lhc for every unit of its tables', () => {
    // Where the library's own number is not that of the standard.
    const known = new Set(['[mesh_i]', '[LPF]', '/[LPF]', '{#}/[LPF]']);
    let compared = 0;
    for (const unit of unitTables().allUnitsByDef()) {
      if (known.has(unit.csCode_) || unit.csCode_.includes(' ')) continue;
      const own = readUnit(unit.csCode_);
      if (own.opaque !== null) continue;
      assert.closeTo(toNumber(own.factor) / unit.magnitude_, 1, 1e-12, unit.csCode_);
      compared += 1;
    }
    assert.isAbove(compared, 700);
  });

  const refused: [from: string, to: string, what: RegExp, near?: string][] = [
    ['kmh', 'm/s', /no unit 'kmh'/, 'km/h'],
    ['mph', 'm/s', /cannot be converted to m\/s: it measures/, '[mi_i]/h'],
    ['°C', 'Cel', /printable ASCII/, 'Cel'],
    ['celsius', 'Cel', /no unit 'celsius'/, 'Cel'],
    ['degF', 'Cel', /no unit 'degF'/, '[degF]'],
    ['km /h', 'm/s', /printable ASCII/],
    ['', 'm', /printable ASCII/],
    ['Cel', 'm/s', /it measures K, not m.s-1/],
    ['m', '1', /it measures m, not 1/],
    ['[IU]', '1', /it measures \[IU\], not 1/],
    ['Cel/h', 'K/h', /scale with an offset or a logarithm within a product/],
    ['dB', 'B', /not linear/],
    ['m/', 'm', /lacks a unit at ''/],
    ['(m', 'm', /lacks a closing parenthesis/],
    ['m)', 'm', /something unexpected at '\)'/],
    ['m{a', 'm', /something unexpected/],
    ['m99', 'm', /exponent over 30/],
    ['constructor', 'm', /no unit/],
    ['__proto__', 'm', /no unit/],
    ['km2m', 'm', /unexpected/],
    ['k'.repeat(65), 'm', /longer than 64/],
  ];
  for (const [from, to, what, near] of refused) {
    it(`refuses ${JSON.stringify(from.slice(0, 20))} → ${to} and says why`, () => {
      const found = findConversion(from, to);
      assert.isFalse(isConversion(found));
      if (isConversion(found)) return;
      assert.match(found.what, what);
      assert.strictEqual(found.near, near);
    });
  }

  it('takes a unit that is not linear as it comes', () => {
    assert.deepStrictEqual(conversionOf('[pH]', '[pH]'), { scale: 1, offset: 0 });
    assert.isNull(findUnitProblem('dB'));
  });

  it('reads or refuses any text, and nothing else happens', () => {
    const piece = fc.constantFrom('m', 'k', '[degF]', '/', '.', '(', ')', '{x}', '2', '-', '10*');
    const code = fc.oneof(
      fc.string(),
      fc.array(piece).map((parts) => parts.join('')),
    );
    const property = fc.property(code, (text) => {
      try {
        readUnit(text);
      } catch (error) {
        assert.instanceOf(error, UnitError);
      }
    });
    fc.assert(property, { seed: 20_260_801, numRuns: 2000 });
  });
});

describe('Fractions', () => {
  it('are rounded to the nearest double, as the language rounds decimals', () => {
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e200, max: 1e200 });
    const property = fc.property(finite, (value) => {
      if (Math.abs(value) < 1e-200) return;
      assert.strictEqual(toNumber(decimal(value.toString().replace('+', ''))), value);
    });
    fc.assert(property, { seed: 20_260_801, numRuns: 1000 });
  });

  it('are rounded as the quotient of two exact integers is', () => {
    const integer = fc.integer({ min: 1, max: 2 ** 31 - 1 });
    const property = fc.property(integer, integer, (left, right) => {
      const own = toNumber(divide(rational(BigInt(left)), rational(BigInt(right))));
      assert.strictEqual(own, left / right);
    });
    fc.assert(property, { seed: 20_260_801, numRuns: 1000 });
  });

  it('tie to even', () => {
    assert.strictEqual(toNumber(rational(2n ** 53n + 1n)), 2 ** 53);
    assert.strictEqual(toNumber(rational(2n ** 53n + 3n)), 2 ** 53 + 4);
    assert.strictEqual(toNumber(rational(-(2n ** 53n) - 3n)), -(2 ** 53) - 4);
  });

  it('leave a tie by the smallest remainder', () => {
    const tie = (2n ** 53n + 1n) * 2n ** 60n;
    assert.strictEqual(toNumber(rational(tie + 1n, 2n ** 60n)), 2 ** 53 + 2);
    assert.strictEqual(toNumber(rational(tie - 1n, 2n ** 60n)), 2 ** 53);
  });
});

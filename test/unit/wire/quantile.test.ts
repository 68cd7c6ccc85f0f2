import { expect } from 'chai';
import fc from 'fast-check';
import { quantileOf } from '../../../src/wire/quantile.ts';
import { exactQuantile, sketchOf } from '../readmodel/sketch.ts';

const SEED = 20_260_811;

function check(values: readonly number[]): void {
  const { bin, bin_count } = sketchOf(values);
  const held = {
    sketch: { keys: bin, counts: bin_count },
    min: Math.min(...values),
    max: Math.max(...values),
  };
  for (const share of [0, 0.01, 0.5, 0.95, 0.99, 1]) {
    const exact = exactQuantile(values, share);
    const error = Math.abs(quantileOf(held, share)! - exact);
    expect(error <= Math.abs(exact) / 128 + 2 ** -1022, `${share} of ${values}`).to.equal(true);
  }
}

describe('A quantile from a sketch', () => {
  it('is within 1/128 of the true one, whatever the values', () => {
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, min: -100, max: 100 }),
      fc.constantFrom(0, -0, 1, -1, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE),
    );
    fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), check), {
      seed: SEED,
      numRuns: 2_000,
    });
  });

  it('is the value itself when there is one, and null without readings', () => {
    const { bin, bin_count } = sketchOf([12.345]);
    const one = { sketch: { keys: bin, counts: bin_count }, min: 12.345, max: 12.345 };
    expect(quantileOf(one, 0.5)).to.equal(12.345);
    expect(quantileOf({ ...one, sketch: { keys: [], counts: [] } }, 0.5)).to.equal(null);
    expect(quantileOf({ ...one, sketch: null }, 0.5)).to.equal(null);
  });
});

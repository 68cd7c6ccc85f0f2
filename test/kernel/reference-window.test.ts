/**
 * The oracle is checked: what an accumulator keeps, against exact arithmetic. Windows are tabled
 * beside the kernel's in window-kind.test.ts.
 */
import { expect } from 'chai';
import { Random } from './random.ts';
import { type Accumulator, emptyAccumulator, fold, merge, shown } from './reference/accumulator.ts';
import { binOf, quantile } from './reference/sketch.ts';

describe('reference kernel: accumulators', () => {
  const SEEDS = 40;
  interface Point {
    readonly value: number;
    readonly timeMs: number;
    readonly sequence: bigint;
    readonly score: number;
  }

  const foldAll = (points: readonly Point[]): Accumulator => {
    const into = emptyAccumulator(true);
    for (const point of points) fold(into, point);
    return into;
  };

  /** Large offset, tiny spread; values are whole multiples of 2⁻²⁰, so that sums are exact. */
  function series(random: Random, size: number): Point[] {
    const offset = random.pick([0, 1, 1e6, -1e9]);
    return Array.from({ length: size }, (_, place) => ({
      value: offset + random.int(-1000, 1000) / 2 ** 20,
      timeMs: 1000 * place + random.int(-3000, 3000),
      ...{ sequence: BigInt(place), score: 0 },
    }));
  }

  const SCALE = 2 ** 20;
  const exact = (points: readonly Point[]) => {
    const whole = points.map(({ value }) => BigInt(value * SCALE));
    const sum = whole.reduce((total, each) => total + each, 0n);
    const squares = whole.reduce((total, each) => total + each * each, 0n);
    const size = BigInt(points.length);
    const m2 = Number(squares * size - sum * sum) / Number(size) / SCALE ** 2;
    return { sum: Number(sum) / SCALE, m2 };
  };

  const near = (got: number, wanted: number) =>
    expect(Math.abs(got - wanted)).to.be.at.most(1e-12 * Math.abs(wanted));

  it('agree with exact sums and squares to 1e-12, whole or merged', () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const random = new Random(seed);
      const points = series(random, random.int(2, 400));
      const cut = random.int(1, points.length - 1);
      const parts = [points.slice(0, cut), points.slice(cut)].map(foldAll) as [
        Accumulator,
        Accumulator,
      ];
      const wanted = exact(points);
      for (const got of [foldAll(points), merge(...parts), merge(parts[1], parts[0])].map(shown)) {
        near(got.sum, wanted.sum);
        near(got.m2, wanted.m2);
        expect(got.count).to.equal(points.length);
        expect(got.min).to.equal(Math.min(...points.map(({ value }) => value)));
        expect(got.sketch!.counts.reduce((sum, count) => sum + count)).to.equal(points.length);
      }
    }
  });

  it('hold a value until the next reading for the mean over time', () => {
    const at = (value: number, timeMs: number) => ({ value, timeMs, sequence: 1n, score: 0 });
    const whole = foldAll([at(1, 0), at(5, 10), at(2, 40)]);
    expect(shown(whole).integral).to.equal(1 * 10 + 5 * 30);
    // What is earlier than all holds until the first; what is within changes nothing.
    fold(whole, at(7, -10));
    fold(whole, at(100, 20));
    expect(shown(whole).integral).to.equal(7 * 10 + 160);
    const parts = merge(foldAll([at(1, 0), at(5, 10)]), foldAll([at(2, 40), at(3, 50)]));
    expect(shown(parts).integral).to.equal(10 + 5 * 30 + 20);
  });

  it('keep quantiles to 1/128', () => {
    const random = new Random(1);
    const values = Array.from(
      { length: 5000 },
      () => (random.unit() - 0.3) * 10 ** random.int(-3, 3),
    );
    const points = values.map((value, place) => ({
      ...{ value, timeMs: place, sequence: BigInt(place), score: 0 },
    }));
    const { bins, min, max } = foldAll(points);
    const sorted = values.toSorted((left, right) => left - right);
    for (const p of [0, 0.01, 0.5, 0.95, 0.99, 1]) {
      const wanted = sorted[Math.floor(p * (sorted.length - 1))]!;
      const error = Math.abs(quantile(bins!, p, { min, max }) - wanted) / Math.abs(wanted);
      expect(error, `p ${p}`).to.be.at.most(1 / 128);
    }
    expect([binOf(0), binOf(-0), binOf(5e-324), binOf(-1) + binOf(1)]).to.deep.equal([0, 0, 0, 0]);
  });
});

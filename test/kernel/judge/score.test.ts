/** Scores: against the formulas of assembly/README.md, bit by bit, in the rows of windows. */
import { expect } from 'chai';
import {
  SCORE_MAX,
  SCORE_SPAN,
  SCORE_WARM_UP,
  SEASON_WARM_UP,
} from '../../../assembly/shared/abi.ts';
import type { Kernel } from '../../../src/model/doors.ts';
import type { ScoreKind } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { drive } from '../drive.ts';
import { all } from '../log-writer.ts';
import { HOUR_MS, windowOf } from '../plan-sample.ts';
import { Random } from '../random.ts';
import { Story } from '../story.ts';

const HOURS = 168;
const SECOND_WINDOW = windowOf('1s', 1_000);

class Mean {
  n = 0;
  mean = 0;
  variance = 0;
  readonly #round: (value: number) => number;
  readonly #warmUp: number;

  constructor(warmUp: number, round = (value: number) => value) {
    this.#warmUp = warmUp;
    this.#round = round;
  }

  /** Null before it knows enough. */
  score(value: number): number | null {
    const d = value - this.mean;
    const isWarm = this.n >= this.#warmUp;
    const z =
      this.variance === 0 ? (d === 0 ? 0 : SCORE_MAX) : Math.abs(d) / Math.sqrt(this.variance);
    this.n += 1;
    const a = Math.max(1 / this.n, 1 / SCORE_SPAN);
    this.mean = this.#round(this.mean + a * d);
    this.variance = this.#round((1 - a) * (this.variance + a * d * d));
    return isWarm ? Math.min(z, SCORE_MAX) : null;
  }
}

describe('a score', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  /** The score of each value, one window of a second each. */
  async function scores(score: ScoreKind, values: readonly (readonly [number, number])[]) {
    const story = Story.of({ score, windows: [SECOND_WINDOW], maxAgeMs: 1e12 });
    for (const [second, value] of values) story.send(second, { value });
    // A last one, so that the windows before it close.
    story.send(values.at(-1)![0] + 10, { value: 0 });
    const { facts } = await drive(story.open(kernel), all(story.log.messages));
    const windows = facts.filter((fact) => fact.kind === 'window' && fact.revision === 0);
    return windows.map((fact) => (fact.kind === 'window' ? fact.metrics[0]!.score : -1));
  }

  it('is 0 until the series has warmed up, then the distance in deviations', async () => {
    const random = new Random(7);
    const values = Array.from({ length: 600 }, (_, each) => [each, random.unit() * 10] as const);
    const mean = new Mean(SCORE_WARM_UP);
    const wanted = values.map(([, value]) => Math.fround(mean.score(value) ?? 0));
    expect(wanted[SCORE_WARM_UP - 1]).to.equal(0);
    expect(wanted[SCORE_WARM_UP]).to.be.greaterThan(0);
    expect(await scores('ewma', values)).to.deep.equal(wanted);
  });

  it('of a constant series that changes is cut off', async () => {
    const values = Array.from({ length: 40 }, (_, each) => [each, each < 39 ? 5 : 6] as const);
    const got = await scores('ewma', values);
    expect(got.at(-2)).to.equal(0);
    expect(got.at(-1)).to.equal(SCORE_MAX);
  });

  it('begins anew where values are too far apart for doubles', async () => {
    const values = Array.from({ length: 80 }, (_, each) => [each, each === 0 ? 1e300 : 1] as const);
    const got = await scores('ewma', values);
    // Variance overflows at the second value: 32 more are needed, and then all are alike.
    expect(got.every((score) => score === 0)).to.equal(true);
  });

  it('by season compares with the same hour of other weeks', async () => {
    const random = new Random(11);
    const hourS = HOUR_MS / 1_000;
    const values: (readonly [number, number])[] = [];
    for (let hour = 0; hour < 27 * HOURS; hour += 1) {
      values.push([hour * hourS, (hour % 24) * 100 + random.unit()]);
    }
    const series = new Mean(SCORE_WARM_UP);
    const seasons = Array.from({ length: HOURS }, () => new Mean(SEASON_WARM_UP, Math.fround));
    const first = Math.floor(Date.UTC(2026, 0, 1) / HOUR_MS);
    const wanted = values.map(([, value], hour) => {
      const z = series.score(value) ?? 0;
      return Math.fround(seasons[(first + hour) % HOURS]!.score(value) ?? z);
    });
    expect(await scores('seasonal', values)).to.deep.equal(wanted);
  });
});

/**
 * The oracle is checked by hand-computed examples: hopping, session and count windows, and what an
 * accumulator keeps, against exact arithmetic.
 */
import { expect } from 'chai';
import type { WindowFact } from '../../src/model/fact.ts';
import { type PlanWindow, WINDOW_DEFAULTS } from '../../src/model/plan.ts';
import { all, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, planOf } from './plan-sample.ts';
import { Random } from './random.ts';
import { type Accumulator, emptyAccumulator, fold, merge, shown } from './reference/accumulator.ts';
import { ReferenceKernel } from './reference/kernel.ts';
import { binOf, quantile } from './reference/sketch.ts';
import { encodeTelemetry } from './telemetry.ts';

const SECOND_MS = 1000;

interface Told {
  readonly window: Partial<PlanWindow>;
  /** Log time and event time in seconds; a number alone is a tick. */
  readonly log: readonly (number | readonly [number, number])[];
  readonly idleMs?: number;
  readonly latenessMs?: number;
}

/** Rows as `start-end#fragment r<revision> n<count>`, † for a tombstone, in order of emission. */
function rowsOf({ window, log: told, idleMs = HOUR_MS, latenessMs = HOUR_MS }: Told): string[] {
  const windows = [{ ...WINDOW_DEFAULTS, name: 'w', lengthMs: 0, retentionMs: 0, ...window }];
  const log = new LogWriter();
  log.plan(planOf([channelOf(0, 'c', { windows, idleMs, latenessMs })]));
  for (const entry of told) {
    const [logS, eventS] = typeof entry === 'number' ? [entry, null] : entry;
    log.at(START_MS + logS * SECOND_MS);
    if (eventS === null) log.tick();
    else {
      const timeMs = START_MS + Math.round(eventS * SECOND_MS);
      const payload = encodeTelemetry({
        samples: [{ timeMs, readings: [{ metric: 1, number: 1 }] }],
      });
      log.batch([recordOf({ payload, receivedAtMs: log.nowMs })]);
    }
  }
  const kernel = new ReferenceKernel({ log: 'test', partition: PARTITION, generation: 1 });
  const { facts } = kernel.turn(all(log.messages)[0]!);
  return facts
    .filter((fact): fact is WindowFact => fact.kind === 'window')
    .map((fact) => {
      const [start, end] = [fact.windowStartMs, fact.windowEndMs].map(
        (ms) => (ms - START_MS) / SECOND_MS,
      );
      const name = fact.fragment === 0n ? '' : `#${fact.fragment >> 16n}`;
      const content = fact.deleted ? '†' : `n${fact.metrics[0]!.count}`;
      return `${start}-${end}${name} r${fact.revision} ${content}`;
    });
}

function check(rows: readonly (readonly [string, Told, readonly string[]])[]): void {
  for (const [title, told, wanted] of rows) {
    it(title, () => expect(rowsOf(told)).to.deep.equal(wanted));
  }
}

describe('reference kernel: hopping windows', () => {
  const window = { kind: 'hopping', lengthMs: 20_000, everyMs: 10_000 } as const;
  check([
    [
      'end at every hop and hold the panes before it',
      {
        window,
        log: [
          [5, 5],
          [15, 15],
          [25, 25],
        ],
      },
      ['-10-10 r0 n1', '0-20 r0 n2'],
    ],
    [
      'fire at the last millisecond and not before',
      {
        window,
        log: [
          [5, 5],
          [9.999, 9.999],
        ],
      },
      [],
    ],
    [
      'fire by idle time up to the last that holds a pane',
      { window, idleMs: 1500, log: [[5, 5], 6, 7] },
      ['-10-10 r0 n1', '0-20 r0 n1'],
    ],
    [
      'are revised at the flush point, all that hold what came late',
      { window, log: [[5, 5], [15, 15], [25, 25], [26, 12], 27] },
      // The pane 10-20 is dirty: 0-20 has fired, 10-30 has not.
      ['-10-10 r0 n1', '0-20 r0 n2', '0-20 r1 n3'],
    ],
    [
      'get a fragment for what comes when a pane of theirs has left',
      { window, log: [[5, 5], [31, 31], 31, [32, 6], [32, 14], 33, [55, 55]] },
      [
        ...['-10-10 r0 n1', '0-20 r0 n1'],
        // 5 has left: 0-10 and 10-20 share a window with it.
        ...['-10-10#5 r1 n1', '0-20#5 r1 n1', '0-20#6 r1 n1', '10-30#6 r1 n1'],
        ...['20-40 r0 n1', '30-50 r0 n1'],
      ],
    ],
  ]);
});

describe('reference kernel: session windows', () => {
  const window = { kind: 'session', lengthMs: 60_000, gapMs: 10_000 } as const;
  check([
    [
      'end a gap after their last event',
      {
        window,
        log: [
          [5, 5],
          [14.999, 14.999],
          [24.999, 24.999],
          [34.999, 34.999],
        ],
      },
      ['5-24.999 r0 n2', '24.999-34.999 r0 n1'],
    ],
    [
      'are as long as the longest allows',
      {
        window: { ...window, lengthMs: 15_000 },
        log: [
          [0, 0],
          [8, 8],
          [15, 15],
          [20, 20],
          [40, 40],
        ],
      },
      ['0-25 r0 n3', '20-30 r0 n1'],
    ],
    [
      'become one when an event fills the gap: the later has a tombstone',
      { window, idleMs: 1500, log: [[0, 0], [0, 15], 1, 2, [3, 8], 4] },
      ['0-10 r0 n1', '15-25 r0 n1', '15-25 r1 †', '0-25 r1 n3'],
    ],
    [
      'have another name when they begin earlier: the old one has a tombstone',
      { window, idleMs: 1500, log: [[20, 20], 21, [21.4, 21], 23, [23, 15], 24] },
      ['20-31 r0 n2', '20-31 r1 †', '15-31 r0 n3'],
    ],
    [
      'stay until lateness is over, late or not',
      {
        window,
        latenessMs: 5_000,
        log: [[0, 0], [12, 12], 12, [14.999, 14.999], 15, [15, 1], 16, [25, 25], 25, [25, 2], 26],
      },
      // The session 0-11 has left; one that begins later than any that left needs no fragment.
      ['0-10 r0 n1', '0-11 r1 n2', '12-24.999 r0 n2', '2-12 r0 n1'],
    ],
  ]);
});

describe('reference kernel: count windows', () => {
  const window = { kind: 'count', count: 4, everyCount: 2 } as const;
  check([
    [
      'are emitted when they are full, in log order',
      {
        window,
        log: [
          [1, 1],
          [2, 2],
          [3, 3],
          [4, 0.5],
          [5, 5],
          [6, 4],
          [7, 7],
        ],
      },
      ['0.5-3.001#5 r0 n4', '0.5-5.001#7 r0 n4'],
    ],
    [
      'of one pane follow each other',
      {
        window: { ...window, count: 2 },
        log: [
          [1, 1],
          [2, 2],
          [3, 3],
          [4, 4],
          [5, 5],
        ],
      },
      ['1-2.001#3 r0 n2', '3-4.001#5 r0 n2'],
    ],
  ]);
});

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

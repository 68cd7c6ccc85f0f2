/**
 * Hopping, session and count windows by hand: a few lines of events, and the rows that they make
 * in every build of the kernel and in the reference.
 */
import { expect } from 'chai';
import type { Fact, WindowFact } from '../../src/model/fact.ts';
import { type PlanChannel, type PlanWindow, WINDOW_DEFAULTS } from '../../src/model/plan.ts';
import { everyBuild } from './build.ts';
import { drive, GENERATION, runReference } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const SECOND_MS = 1000;

interface Told extends Partial<PlanChannel> {
  readonly window: Partial<PlanWindow>;
  /** Log time and event time in seconds; a number alone is a tick. */
  readonly log: readonly (number | readonly [number, number])[];
}

/** The first event is a, the second b: the values are powers of two, so that sums tell them. */
function logOf({ window, log: told, ...channel }: Told): LogWriter {
  const windows = [{ ...WINDOW_DEFAULTS, name: 'w', lengthMs: 0, retentionMs: 0, ...window }];
  const log = new LogWriter();
  log.plan(planOf([channelOf(0, 'c', { windows, idleMs: HOUR_MS, ...channel })]));
  let number = 1;
  for (const entry of told) {
    const [logS, eventS] = typeof entry === 'number' ? [entry, null] : entry;
    log.at(START_MS + logS * SECOND_MS);
    if (eventS === null) log.tick();
    else {
      const timeMs = START_MS + Math.round(eventS * SECOND_MS);
      const payload = encodeTelemetry({ samples: [{ timeMs, readings: [{ metric: 1, number }] }] });
      log.batch([recordOf({ payload, receivedAtMs: log.nowMs })]);
      number *= 2;
    }
  }
  return log;
}

function lettersOf({ count, sum }: WindowFact['metrics'][0]): string {
  const letters = [...'abcdefgh'].filter((_, place) => (sum >> place) & 1);
  expect(letters.length, 'as many as are counted').to.equal(count);
  return letters.join('');
}

/** Rows as `start-end#message-of-fragment r<revision> <events>`, † for a tombstone, as emitted. */
const rowsOf = (facts: readonly Fact[]): string[] =>
  facts
    .filter((fact): fact is WindowFact => fact.kind === 'window')
    .map((fact) => {
      const [start, end] = [fact.windowStartMs, fact.windowEndMs].map(
        (ms) => (ms - START_MS) / SECOND_MS,
      );
      const name = fact.fragment === 0n ? '' : `#${fact.fragment >> 16n}`;
      const content = fact.deleted ? '†' : lettersOf(fact.metrics[0]!);
      return `${start}-${end}${name} r${fact.revision} ${content}`;
    });

describe('windows by hand', function () {
  this.timeout(60_000);
  const kernels = everyBuild();

  function check(rows: readonly (readonly [string, Told, readonly string[]])[]): void {
    for (const [title, told, wanted] of rows) {
      it(title, async () => {
        const { messages } = logOf(told);
        expect(rowsOf(runReference({ messages, skips: [] } as never).facts)).to.deep.equal(wanted);
        for (const kernel of kernels.values()) {
          const partition = kernel.open({
            ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 32 << 20 },
          });
          expect(rowsOf((await drive(partition, all(messages))).facts)).to.deep.equal(wanted);
          partition.close();
        }
      });
    }
  }

  describe('hopping ones', () => {
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
        ['-10-10 r0 a', '0-20 r0 ab'],
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
        ['-10-10 r0 a', '0-20 r0 a'],
      ],
      [
        'are revised at the flush point, all that hold what came late',
        { window, log: [[5, 5], [15, 15], [25, 25], [26, 12], 27] },
        // The pane 10-20 is dirty: 0-20 has fired, 10-30 has not.
        ['-10-10 r0 a', '0-20 r0 ab', '0-20 r1 abd'],
      ],
      [
        'get a fragment for what comes when a pane of theirs has left',
        { window, log: [[5, 5], [31, 31], 31, [32, 6], [32, 14], 33, [55, 55]] },
        [
          ...['-10-10 r0 a', '0-20 r0 a'],
          // 5 has left: 0-10 and 10-20 share a window with it.
          ...['-10-10#5 r1 c', '0-20#5 r1 c', '0-20#6 r1 d', '10-30#6 r1 d'],
          ...['20-40 r0 b', '30-50 r0 b'],
        ],
      ],
    ]);
  });

  describe('sessions', () => {
    const window = { kind: 'session', lengthMs: 60_000, gapMs: 10_000 } as const;
    /** Nothing closes by what comes after it. */
    const open = { window, outOfOrderMs: 60_000 } as const;
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
        ['5-24.999 r0 ab', '24.999-34.999 r0 c'],
      ],
      [
        'do not hold what comes when the gap is over, nor what is a gap before them',
        {
          ...open,
          log: [
            [5, 20],
            [6, 30],
            [7, 10],
            [200, 200],
          ],
        },
        ['10-20 r0 c', '20-30 r0 a', '30-40 r0 b'],
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
        ['0-25 r0 abc', '20-30 r0 d'],
      ],
      [
        'become one when an event fills the gap: the later has a tombstone',
        { window, idleMs: 1500, log: [[0, 0], [0, 15], 1, 2, [3, 8], 4] },
        ['0-10 r0 a', '15-25 r0 b', '15-25 r1 †', '0-25 r1 abc'],
      ],
      [
        'become one without a tombstone while nobody has seen them',
        {
          ...open,
          log: [
            [0, 0],
            [15, 15],
            [16, 8],
            [100, 100],
          ],
        },
        ['0-25 r0 abc'],
      ],
      [
        'stay two when one of both would be too long: the lower takes the event',
        {
          ...open,
          window: { ...window, lengthMs: 15_000 },
          log: [
            [0, 0],
            [18, 18],
            [19, 9],
            [100, 100],
          ],
        },
        ['0-19 r0 ac', '18-28 r0 b'],
      ],
      [
        'have another name when they begin earlier: the old one has a tombstone',
        { window, idleMs: 1500, log: [[20, 20], 21, [21.4, 21], 23, [23, 15], 24] },
        ['20-31 r0 ab', '20-31 r1 †', '15-31 r0 abc'],
      ],
      [
        'stay until lateness is over, late or not',
        {
          ...{ window, latenessMs: 5_000 },
          log: [[0, 0], [12, 12], 12, [14.999, 14.999], 15, [15, 1], 16, [25, 25], 25, [25, 2], 26],
        },
        // The session 0-11 has left; one that begins later than any that left needs no fragment.
        ['0-10 r0 a', '0-11 r1 ad', '12-24.999 r0 bc', '2-12 r0 f'],
      ],
      [
        'get a fragment when they begin where one has left',
        { window, latenessMs: 5_000, log: [[0, 0], [100, 100], 100.5, [101, 3], [101, 0], 102] },
        ['0-10 r0 a', '0-13#6 r0 cd'],
      ],
      [
        'leave their name behind when they get a fragment later',
        {
          ...{ window, latenessMs: 88_000 },
          log: [[0, 0], [100, 100], 100.5, [101, 3], 102, [102, 0], 103],
        },
        ['0-10 r0 a', '3-13 r0 c', '3-13 r1 †', '0-13#7 r0 cd'],
      ],
    ]);
  });

  describe('count windows', () => {
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
        ['0.5-3.001#5 r0 abcd', '0.5-5.001#7 r0 cdef'],
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
        ['1-2.001#3 r0 ab', '3-4.001#5 r0 cd'],
      ],
      [
        'slide by one sample',
        {
          window: { ...window, count: 3, everyCount: 1 },
          log: [
            [1, 1],
            [2, 2],
            [3, 3],
            [4, 4],
          ],
        },
        ['1-3.001#4 r0 abc', '2-4.001#5 r0 bcd'],
      ],
      [
        'of one sample are that sample',
        {
          window: { ...window, count: 1, everyCount: 1 },
          log: [
            [1, 1],
            [2, 0],
          ],
        },
        ['1-1.001#2 r0 a', '0-0.001#3 r0 b'],
      ],
      [
        'wait for neither time nor ticks',
        { window, idleMs: 1500, log: [[1, 1], [2, 2], [3, 3], 5, 4000, [4001, 4000]] },
        ['1-4000.001#7 r0 abcd'],
      ],
      [
        'take what is late as what is not',
        {
          ...{ window: { ...window, count: 2 }, latenessMs: 1000 },
          log: [[100, 100], [101, 1], [102, 50], [103, 2], 104],
        },
        ['1-100.001#3 r0 ab', '2-50.001#5 r0 cd'],
      ],
    ]);
  });
});

/**
 * The oracle is checked by hand-computed examples: windows, watermarks, firings, fragments and
 * dedup. Each example is a few messages and what must come of them.
 */
import { expect } from 'chai';
import type { WindowFact } from '../../src/model/fact.ts';
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import type { EventKey } from '../../src/model/record.ts';
import { all, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import {
  channelOf,
  HOUR_MS,
  HOUR_WINDOW,
  MINUTE_MS,
  MINUTE_WINDOW,
  planOf,
} from './plan-sample.ts';
import { ReferenceKernel, type ReferenceTurn } from './reference/kernel.ts';
import { encodeTelemetry } from './telemetry.ts';

const SECOND_MS = 1000;

/** A log being told event by event, in seconds after START_MS. */
class Story {
  readonly log = new LogWriter();

  constructor(channel: Partial<PlanChannel> = {}, plan: Partial<Plan> = {}) {
    this.log.plan(planOf([channelOf(0, 'c', channel)], plan));
  }

  /** One record with one sample per event time, at a log time. */
  event(
    logS: number,
    eventS: number | readonly number[],
    given: { value?: number; key?: EventKey; device?: string } = {},
  ) {
    const { value = 1, key, device } = given;
    const times = typeof eventS === 'number' ? [eventS] : eventS;
    const samples = times.map((seconds) => ({
      timeMs: Math.round(START_MS + seconds * SECOND_MS),
      readings: [{ metric: 1, number: value }],
    }));
    const nowMs = START_MS + logS * SECOND_MS;
    const payload = encodeTelemetry({ samples });
    const record = { payload, receivedAtMs: nowMs, ...(key ? { key } : {}) };
    this.log.at(nowMs).batch([recordOf(device === undefined ? record : { ...record, device })]);
    return this;
  }

  tick(logS: number) {
    this.log.at(START_MS + logS * SECOND_MS).tick();
    return this;
  }

  run(): ReferenceTurn {
    const kernel = new ReferenceKernel({ log: 'test', partition: PARTITION, generation: 1 });
    return kernel.turn(all(this.log.messages)[0]!);
  }

  /** Windows as `start+seconds#fragment r<revision> n<count> @<sequence>`, in order of emission. */
  windows(): string[] {
    const facts = this.run().facts.filter((fact): fact is WindowFact => fact.kind === 'window');
    return facts.map(({ window, windowStartMs, fragment, revision, metrics, version }) => {
      const start = (windowStartMs - START_MS) / SECOND_MS;
      const name = fragment === 0n ? '' : `#${fragment >> 16n}.${fragment & 0xffffn}`;
      return `${window} ${start}${name} r${revision} n${metrics[0]!.count} @${version.sequence}`;
    });
  }

  /** Terminal states that occurred, with their counts. */
  states(): Record<string, number> {
    const row = this.run().rows.get('ledger')!.at(-1)!;
    const states = ['stored', 'partly', 'duplicate', 'dedup_unknown', 'too_late', 'rejected'];
    return Object.fromEntries(
      states.filter((state) => row[state] !== 0n).map((state) => [state, Number(row[state])]),
    );
  }
}

function check(rows: readonly [string, () => Story, readonly string[]][]): void {
  for (const [title, story, windows] of rows) {
    it(title, () => expect(story().windows()).to.deep.equal(windows));
  }
}

describe('reference kernel: windows', () => {
  check([
    [
      'fire when the watermark reaches their last millisecond, with revision 0',
      () => new Story().event(10, 10).event(59, 59).event(61, 61),
      ['1m 0 r0 n2 @4'],
    ],
    [
      'stay open while the out-of-order bound keeps the watermark back',
      // Watermark after 64.999 s − 5 s − 1 ms is 59.998 s; the window ends at 59.999 s.
      () => new Story({ outOfOrderMs: 5000 }).event(10, 10).event(65, 64.999),
      [],
    ],
    [
      'fire one millisecond later',
      () => new Story({ outOfOrderMs: 5000 }).event(10, 10).event(65, 65),
      ['1m 0 r0 n1 @3'],
    ],
    [
      'are not fired by a clock that is ahead of the log',
      // Event at 100 s, but the log says 30 s: the watermark is 30 s.
      () => new Story().event(10, 10).event(30, 100).event(31, 31),
      [],
    ],
    [
      'are fired by an earlier event that was ahead, once the log has come that far',
      () => new Story().event(10, 10).event(30, 100).event(62, 20),
      ['1m 0 r0 n2 @4'],
    ],
    [
      'fire in order of window, then start, at one record',
      () =>
        new Story({ windows: [MINUTE_WINDOW, HOUR_WINDOW] }).event(10, [10, 70]).event(3600, 3600),
      ['1m 0 r0 n1 @3', '1m 60 r0 n1 @3', '1h 0 r0 n2 @3'],
    ],
    [
      'are revised at the flush point, not at the late event',
      () => new Story().event(10, 10).event(61, 61).event(62, 20).event(63, 21).tick(64),
      ['1m 0 r0 n1 @3', '1m 0 r1 n3 @6'],
    ],
    [
      'that open behind the watermark are born fired: revision 0 at the flush point',
      () => new Story().event(130, 130).event(131, 20).tick(132),
      ['1m 0 r0 n1 @4'],
    ],
    [
      'do not fire by idle time a millisecond early',
      () => new Story({ idleMs: 3000 }).event(10, 10).tick(12).tick(12.999),
      [],
    ],
    [
      'fire by idle time from the last record on, at the next message',
      () => new Story({ idleMs: 3000 }).event(10, 10).tick(12).event(13, 13, { device: 'b' }),
      ['1m 0 r0 n1 @4'],
    ],
    [
      'do not move the watermark when they fire by idle time: the next event joins as a revision',
      () =>
        new Story({ idleMs: 3000 })
          .event(10, 10)
          .tick(11.5)
          .event(13, 12, { device: 'b' })
          .event(13, 12)
          .tick(14),
      ['1m 0 r0 n1 @4', '1m 0 r1 n2 @6'],
    ],
    [
      'have left when they fired by idle time before a flush point; what returns opens a fragment once',
      () =>
        new Story({ idleMs: 3000 })
          .event(10, 10)
          .tick(11.5)
          .tick(13)
          .event(14, 12)
          .tick(15.5)
          .tick(17)
          // The fragment has fired and is kept now: what returns again joins it.
          .event(18, 13)
          .tick(19),
      ['1m 0 r0 n1 @4', '1m 0#5.0 r0 n1 @7', '1m 0#5.0 r1 n2 @9'],
    ],
    [
      'wait for the whole idle time again after a gap in the log of more than two ticks',
      () => new Story({ idleMs: 3000 }).event(10, 10).tick(14).tick(16).tick(16.999).tick(17),
      ['1m 0 r0 n1 @6'],
    ],
    [
      'fire by idle time without a gap, in the order of deadline and then of device',
      () =>
        new Story({ idleMs: 3000 })
          .event(10, 10, { device: 'b' })
          .event(10, 10, { device: 'a' })
          .event(9, 9, { device: 'c' })
          .tick(11.9)
          .tick(13),
      // The log clock does not go back: all three have the deadline 13 s, so slots decide.
      ['1m 0 r0 n1 @6', '1m 0 r0 n1 @6', '1m 0 r0 n1 @6'],
    ],
  ]);

  it('leave when they have fired and nothing ever came late; a return opens a fragment', () => {
    const story = new Story().event(10, 10).event(70, 70).tick(71).event(72, 20).tick(73);
    expect(story.windows()).to.deep.equal(['1m 0 r0 n1 @3', '1m 0#5.0 r0 n1 @6']);
  });

  it('evict all but the newest and the last touched while late events come', () => {
    const story = new Story({ latenessMs: HOUR_MS })
      .event(10, 10)
      .event(70, 70)
      .event(130, 130)
      .event(200, 190)
      .event(200, 65)
      .event(200, 125)
      // Fired: 0, 60, 120. Newest and last touched is 120: 0 and 60 leave.
      .tick(201)
      .event(202, 20)
      .event(203, 75)
      .event(203, 125)
      .tick(204);
    expect(story.windows()).to.deep.equal([
      '1m 0 r0 n1 @3',
      '1m 60 r0 n1 @4',
      '1m 120 r0 n1 @5',
      '1m 60 r1 n2 @8',
      '1m 120 r1 n2 @8',
      // @9 and @10 open fragments of 0 and 60, @11 finds 120 in memory.
      '1m 0#9.0 r0 n1 @12',
      '1m 60#10.0 r0 n1 @12',
      '1m 120 r2 n3 @12',
    ]);
  });

  it('forget that events came late once lateness has passed since', () => {
    const run = (flushS: number) => {
      const story = new Story({ latenessMs: 100_000, outOfOrderMs: 30_000 });
      story.event(10, 10).event(95, 95).event(95, 20).tick(flushS).event(flushS, 30);
      return story.tick(flushS).windows().at(-1);
    };
    expect(run(195)).to.equal('1m 0 r2 n3 @7');
    expect(run(195.001)).to.equal('1m 0#6.0 r0 n1 @7');
  });

  it('number the fragments of one message', () => {
    const story = new Story().event(10, [10, 70, 130]).event(250, 250).tick(251);
    expect(story.event(252, [20, 75]).tick(253).windows().slice(3)).to.deep.equal([
      '1m 0#5.0 r0 n1 @6',
      '1m 60#5.1 r0 n1 @6',
    ]);
  });

  it('leave memory when the lateness is over, also the newest', () => {
    const run = (lastS: number) =>
      new Story({ latenessMs: 10_000, windows: [MINUTE_WINDOW] })
        .event(10, 10)
        .event(lastS, lastS)
        .event(lastS, 15)
        .tick(lastS)
        .event(lastS + 1, 20)
        .tick(lastS + 2)
        .windows()
        .at(-1);
    // Kept until watermark ≥ 60 + 10 s − 1 ms, which is event time 70 s.
    expect(run(69.999)).to.equal('1m 0 r2 n3 @7');
    expect(run(70)).to.equal('1m 0#6.0 r0 n1 @7');
  });

  it('make room for a 65th: the lowest unfired is emitted and leaves', () => {
    const events = Array.from({ length: 65 }, (_, minute) => 10 + minute * 60);
    const story = new Story({ outOfOrderMs: 48 * HOUR_MS, maxAgeMs: 48 * HOUR_MS });
    story.event(64 * 60 + 10, events).event(64 * 60 + 11, 20);
    expect(story.windows()).to.deep.equal(['1m 0 r0 n1 @2', '1m 60 r0 n1 @3']);
  });

  it('fold count, sum with compensation, extremes, first, last, mean and m2', () => {
    const story = new Story()
      .event(10, 30, { value: 1e100 })
      .event(11, 20, { value: 1 })
      .event(12, 30, { value: -1e100 })
      .event(13, 25, { value: 3 })
      .event(61, 61);
    const [fact] = story.run().facts as [WindowFact];
    expect(fact.metrics[0]).to.include({
      ...{ count: 4, sum: 4, min: -1e100, max: 1e100 },
      ...{ first: 1, firstTimeMs: START_MS + 20_000, firstSequence: 3n },
      ...{ last: -1e100, lastTimeMs: START_MS + 30_000, lastSequence: 4n },
    });
    const plain = new Story();
    for (const value of [2, 4, 4, 4, 5, 5, 7, 9]) plain.event(value, value, { value });
    const [even] = plain.event(61, 61).run().facts as [WindowFact];
    expect(even.metrics[0]!.mean).to.be.closeTo(5, 1e-12);
    expect(even.metrics[0]!.m2).to.be.closeTo(32, 1e-12);
  });

  it('of one minute start at the floor also before 1970', () => {
    const before1970 = [-1, 1].map((ms) => (ms - START_MS) / SECOND_MS);
    const story = new Story({ maxAgeMs: 1e14 }).event(10, before1970);
    const row = story.run().rows.get('agg_1m')![0]!;
    expect(row['window_start']).to.equal(-MINUTE_MS);
  });
});

const boot = (sequence: number, bootId = 1): { key: EventKey } => ({
  key: { bootId: BigInt(bootId), sequence: BigInt(sequence) },
});
const id = (eventId: string): { key: EventKey } => ({ key: { eventId } });

describe('reference kernel: dedup', () => {
  const rows: readonly [string, () => Story, Record<string, number>][] = [
    [
      'counts a boot sequence once',
      () => new Story().event(1, 1, boot(5)).event(2, 2, boot(5)).event(3, 3, boot(6)),
      { stored: 2, duplicate: 1 },
    ],
    [
      'counts a backlog behind a live event',
      () => {
        const story = new Story().event(1, 1, boot(5000));
        for (let sequence = 1; sequence < 100; sequence += 1) story.event(2, 1, boot(sequence));
        return story;
      },
      { stored: 100 },
    ],
    [
      'knows nothing at or below the floor once 17 intervals were there',
      () => {
        const story = new Story();
        for (let place = 1; place <= 17; place += 1) story.event(1, 1, boot(place * 10));
        // The interval 10 was dropped: 9 and 10 are unknown, 11 is new, 20 is known.
        for (const sequence of [9, 10, 11, 20]) story.event(2, 2, boot(sequence));
        return story;
      },
      { stored: 18, duplicate: 1, dedup_unknown: 2 },
    ],
    [
      'merges neighbours, so that 16 intervals last',
      () => {
        const story = new Story();
        for (let place = 1; place <= 16; place += 1) story.event(1, 1, boot(place * 10));
        // 11 joins 10; 9 joins too; so nothing was dropped and 10 is still a duplicate.
        for (const sequence of [11, 9, 10]) story.event(2, 2, boot(sequence));
        return story;
      },
      { stored: 18, duplicate: 1 },
    ],
    [
      'forgets the oldest of five boots and distrusts what is not newer than it',
      () => {
        const story = new Story();
        for (const bootId of [1, 2, 3, 4, 5]) story.event(bootId, bootId, boot(1, bootId));
        // Boot 1 was evicted with its event at 1 s.
        return story.event(6, 1, boot(1, 1)).event(6, 2, boot(1, 6));
      },
      { stored: 6, dedup_unknown: 1 },
    ],
    [
      'counts an event id once, and remembers only what was stored',
      () => new Story().event(1, 1000, id('a')).event(2, 2, id('a')).event(3, 3, id('a')),
      { stored: 1, duplicate: 1, rejected: 1 },
    ],
    [
      'drops the oldest id when there are too many, and lifts the floor to its event time',
      () => {
        const story = new Story({}, { idsPerDevice: 2 });
        for (const name of ['a', 'b', 'c']) story.event(10, 5, id(name));
        return story.event(11, 5, id('a')).event(11, 6, id('d')).event(12, 5, id('c'));
      },
      { stored: 4, dedup_unknown: 1, duplicate: 1 },
    ],
    [
      'drops ids older than the horizon when the next is added',
      () =>
        new Story({}, { dedupHorizonMs: 10_000 })
          .event(1, 1, id('a'))
          .event(11, 11, id('b'))
          .event(11, 1, id('a'))
          .event(11.001, 11, id('c'))
          .event(12, 1, id('a')),
      { stored: 3, duplicate: 1, dedup_unknown: 1 },
    ],
  ];
  for (const [title, story, states] of rows) {
    it(title, () => expect(story().tick(20).states()).to.deep.equal(states));
  }

  it('keeps devices apart', () => {
    const story = new Story()
      .event(1, 1, { ...id('a'), device: 'd1' })
      .event(1, 1, { ...id('a'), device: 'd2' });
    expect(story.tick(2).states()).to.deep.equal({ stored: 2 });
  });
});

/**
 * Streams that are known to be hard, by name: one channel with windows of every kind, and devices
 * that do one thing that goes wrong in the field. In: nothing. Out: a whole log; equal every time.
 */
import { type PlanChannel, type PlanWindow, WINDOW_DEFAULTS } from '../../src/model/plan.ts';
import type { DeviceRecord, EventKey } from '../../src/model/record.ts';
import type { Stream } from './generator.ts';
import { LogWriter, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, MINUTE_MS, metricOf, planOf, windowOf } from './plan-sample.ts';
import { Random } from './random.ts';
import { encodeTelemetry } from './telemetry.ts';

const SECOND_MS = 1000;
const DAY_MS = 24 * HOUR_MS;
/** Events of a device that had no connection. */
const BACKLOG_EVENTS = 5000;
const RECORDS_PER_BATCH = 50;
/** A clock that runs ahead, but less than the default maxClockSkew of five minutes. */
const AHEAD_MS = 290 * SECOND_MS;

const special = (given: Partial<PlanWindow> & { name: string }): PlanWindow => ({
  ...{ ...WINDOW_DEFAULTS, lengthMs: 0, retentionMs: 0 },
  ...given,
});

/** The coarser ones are whole numbers of the finest. */
export const TUMBLING: readonly PlanWindow[] = [
  windowOf('1m', MINUTE_MS),
  { ...windowOf('1h', HOUR_MS), sketch: true },
  windowOf('1d', DAY_MS),
];
export const WINDOWS: readonly PlanWindow[] = [
  ...TUMBLING,
  special({ name: '5m1', kind: 'hopping', lengthMs: 5 * MINUTE_MS, everyMs: MINUTE_MS }),
  special({ name: 'visit', kind: 'session', lengthMs: 7 * DAY_MS, gapMs: 5 * MINUTE_MS }),
  special({ name: 'last60', kind: 'count', count: 60, everyCount: 20 }),
];

export const CHANNEL = 'c';
const METRICS = [metricOf(0, 'speed', { max: 200 }), metricOf(1, 'load', { kind: 'integer' })];

function channel(given: Partial<PlanChannel>): PlanChannel {
  return channelOf(0, CHANNEL, {
    ...{
      metrics: METRICS,
      windows: WINDOWS,
      outOfOrderMs: 10 * SECOND_MS,
      latenessMs: 2 * HOUR_MS,
    },
    ...{ maxAgeMs: 7 * DAY_MS, timePath: [], eventIdPath: [], score: 'ewma', contentDedup: true },
    alerts: [
      {
        ...{ id: 0, name: 'speeding', metric: 0, severity: 'warning', condition: 'above', low: 0 },
        ...{ high: 90, hysteresis: 10, dwellMs: 30 * SECOND_MS, retired: false },
      },
    ],
    ...given,
  });
}

class Story {
  readonly random: Random;
  readonly log = new LogWriter();
  readonly #seed: number;
  #batch: DeviceRecord[] = [];

  constructor(seed: number, given: Partial<PlanChannel> = {}) {
    this.#seed = seed;
    this.random = new Random(seed);
    this.change(given);
  }

  change(given: Partial<PlanChannel>): void {
    this.send();
    this.log.plan(planOf([channel(given)], { quality: true, deadLettersPerDeviceMinute: 100_000 }));
  }

  /** One event, received now: a slow wave with noise, so that alerts are raised and cleared. */
  event(eventMs: number, given: { device?: string; key?: EventKey; value?: number } = {}): void {
    const { device = 'd1', key, value } = given;
    const wave = 60 + 45 * Math.sin(eventMs / (10 * MINUTE_MS));
    const number = value ?? wave + Math.round(this.random.unit() * 1000) / 100;
    const readings = [
      { metric: 1, number },
      { metric: 2, integer: BigInt(Math.round(number)) },
    ];
    const payload = encodeTelemetry({ samples: [{ timeMs: Math.round(eventMs), readings }] });
    const receivedAtMs = this.log.nowMs;
    this.#batch.push(recordOf({ device, payload, receivedAtMs, ...(key ? { key } : {}) }));
    if (this.#batch.length === RECORDS_PER_BATCH) this.send();
  }

  /** Log time passes, with a tick a second at most `ticksMax` times. */
  pass(ms: number, ticksMax = 20): this {
    this.send();
    const step = Math.max(SECOND_MS, Math.ceil(ms / ticksMax));
    for (let passed = 0; passed < ms; passed += step) {
      this.log.nowMs += Math.min(step, ms - passed);
      this.log.tick();
    }
    return this;
  }

  send(): void {
    if (this.#batch.length > 0) this.log.batch(this.#batch);
    this.#batch = [];
  }

  /** Silence until all windows have fired and their revisions are out. */
  end(): Stream {
    this.pass(2 * MINUTE_MS, 120);
    return { seed: this.#seed, messages: this.log.messages, skips: [], expected: [] };
  }
}

const key = (sequence: number): EventKey => ({ bootId: 1n, sequence: BigInt(sequence) });

function disordered(): Stream {
  const story = new Story(1);
  const sent: [number, number][] = [];
  for (let sequence = 1; sequence <= 1500; sequence += 1) {
    const late = story.random.pick([0, 0, 0, 3, 9, 30, 200, 2000, 5000]);
    const eventMs = story.log.nowMs - story.random.int(0, late) * SECOND_MS;
    sent.push([sequence, eventMs]);
    story.event(eventMs, { key: key(sequence) });
    if (story.random.chance(0.2)) {
      const [again, timeMs] = story.random.pick(sent);
      story.event(timeMs, { key: key(again) });
    }
    if (story.random.chance(0.2)) story.pass(story.random.int(0, 20) * SECOND_MS, 3);
  }
  return story.end();
}

function backlog(): Stream {
  const story = new Story(2);
  story.event(story.log.nowMs, { key: key(BACKLOG_EVENTS + 1) });
  story.pass(2 * SECOND_MS);
  const beginMs = story.log.nowMs - BACKLOG_EVENTS * 5 * SECOND_MS;
  for (let sequence = 1; sequence <= BACKLOG_EVENTS; sequence += 1) {
    story.event(beginMs + sequence * 5 * SECOND_MS, { key: key(sequence) });
  }
  return story.end();
}

/** Beyond maxAge: the first of two days. */
function twoDaysOffline(): Stream {
  const story = new Story(3, { maxAgeMs: DAY_MS });
  const lostMs = story.log.nowMs;
  story.event(lostMs, { key: key(1) });
  for (let hour = 0; hour < 48; hour += 1) {
    story.event(story.log.nowMs, { device: 'd2' });
    story.pass(HOUR_MS, 3);
  }
  for (let minute = 1; minute < 48 * 60; minute += 1) {
    story.event(lostMs + minute * MINUTE_MS, { key: key(1 + minute) });
  }
  story.event(story.log.nowMs, { key: key(48 * 60 + 1) });
  return story.end();
}

function clockAhead(given: Partial<PlanChannel>, driftMs: number): Stream {
  const story = new Story(4, given);
  for (let place = 1; place <= 600; place += 1) {
    const delayMs = story.random.int(0, 400);
    const aheadMs = AHEAD_MS + (place * driftMs) / 600;
    story.event(story.log.nowMs - delayMs + aheadMs, { key: key(place) });
    story.event(story.log.nowMs - delayMs, { device: 'd2', key: key(place) });
    story.pass(5 * SECOND_MS, 1);
  }
  return story.end();
}

/** Every record finds that its hour was fired by idle time. */
function seldom(): Stream {
  const story = new Story(5);
  for (let place = 1; place <= 200; place += 1) {
    story.event(story.log.nowMs, { key: key(place) });
    story.pass(story.random.pick([45, 50, 170]) * SECOND_MS, 50);
  }
  return story.end();
}

function extremes(): Stream {
  const story = new Story(6, { metrics: [metricOf(0, 'speed'), METRICS[1]!] });
  for (let place = 1; place <= 6000; place += 1) {
    const size = 10 ** story.random.int(-300, 150);
    const value = (story.random.unit() - 0.5) * story.random.pick([1, 1, 1e6, size]);
    story.event(story.log.nowMs + place, { value: story.random.chance(0.01) ? 0 : value });
  }
  return story.end();
}

function changing(): Stream {
  const story = new Story(7);
  const plans: Partial<PlanChannel>[] = [
    { windows: TUMBLING.slice(0, 2), score: 'seasonal', alerts: [] },
    { windows: WINDOWS.map((window) => ({ ...window, sketch: true })), clockPolicy: 'accept' },
    { windows: WINDOWS.toReversed(), score: 'none', rules: RULES },
    { windows: WINDOWS.slice(2), suspectPolicy: 'accept', rules: RULES },
  ];
  for (let place = 1; place <= 1200; place += 1) {
    if (place % 240 === 0) story.change(plans[place / 240 - 1]!);
    const lateMs = story.random.pick([0, 0, 0, 5, 70, 400]) * SECOND_MS;
    story.event(story.log.nowMs - lateMs, { key: key(place) });
    story.pass(story.random.int(0, 5) * SECOND_MS, 2);
  }
  return story.end();
}

const RULES = [{ name: 'sane', left: 0, operator: '<=' as const, right: 1 }];

export const SCENARIOS: Readonly<Record<string, () => Stream>> = {
  'out-of-order, late and duplicate events': disordered,
  'a live event followed by a backlog of 5,000': backlog,
  'a device back after two days offline': twoDaysOffline,
  'a clock 290 s ahead': () => clockAhead({}, 0),
  'a clock 290 s ahead that is corrected': () => clockAhead({ clockPolicy: 'correct' }, 0),
  'a clock that drifts beyond what is accepted': () => clockAhead({}, 60 * SECOND_MS),
  'a clock that drifts and is corrected': () =>
    clockAhead({ clockPolicy: 'correct' }, 60 * SECOND_MS),
  'records further apart than the idle time': seldom,
  'more distinct values than a sketch has bins': extremes,
  'plans that change windows, alerts and scores': changing,
};

/** When the scenarios' logs begin. */
export const SCENARIO_START_MS = START_MS;

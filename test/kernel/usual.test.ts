/**
 * Steady streams, which the kernel takes the short way (assembly/usual.ts), and what shows only
 * afterwards that each sample was noted everywhere: silence, a duplicate, a late one, a clock that
 * is ahead. Rows, facts and dead letters equal the reference's in every build.
 */
import { expect } from 'chai';
import { CLOCK_BUCKET_MS } from '../../assembly/shared/abi.ts';
import type { Plan, PlanAlert, PlanChannel } from '../../src/model/plan.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import { everyBuild } from './build.ts';
import { difference, drive, GENERATION, lines, runReference } from './drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, MINUTE_MS, MINUTE_WINDOW, metricOf, planOf, windowOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const SECOND_MS = 1000;
const IDLE_MS = 30_000;
const DEVICES = ['d1', 'd2'];
const METRICS = [0, 1, 2].map((ordinal) => metricOf(ordinal, `m${ordinal}`, { max: 900 }));
const WINDOWS = [windowOf('10s', 10 * SECOND_MS), MINUTE_WINDOW];

const ALERT: PlanAlert = {
  ...{ id: 0, name: 'high', metric: 1, severity: 'warning', condition: 'above', low: 0, high: 100 },
  ...{ hysteresis: 0, dwellMs: 0, retired: false },
};

class SteadyStream {
  readonly log = new LogWriter();
  #sequence = 0n;
  #sent: DeviceRecord[] = [];

  constructor(plan: Plan) {
    this.log.plan(plan);
  }

  /** A record a second and device, of so many samples, `aheadMs` before what the log says. */
  send(seconds: number, samples = 1, aheadMs = -20): this {
    for (let second = 0; second < seconds; second += 1) {
      this.log.at(this.log.nowMs + SECOND_MS);
      this.#sequence += 1n;
      this.#sent = [];
      for (const device of DEVICES) this.#record(device, samples, aheadMs);
      this.log.tick();
    }
    return this;
  }

  #record(device: string, samples: number, aheadMs: number): void {
    const number = Number(this.#sequence);
    // Varies, so that the clock's model has something to learn from every sample.
    const delayMs = (number * 7) % 19;
    const made = Array.from({ length: samples }, (_, place) => ({
      timeMs: this.log.nowMs + aheadMs - delayMs - (samples - 1 - place) * 100,
      readings: [
        { metric: 1, number: Math.sin(number) * 10 + place },
        ...(number % 3 === 0 ? [{ metric: 3, number: number / 7 }] : []),
        { metric: 2, number: number % 25 === 0 ? 500 : number % 5 },
      ],
    }));
    const payload = encodeTelemetry({ samples: made });
    const key = { bootId: 1n, sequence: this.#sequence };
    const record = recordOf({ device, payload, key, receivedAtMs: this.log.nowMs });
    this.#sent.push(record);
    this.log.batch([record]);
  }

  /** The last records come once more. */
  repeat(): this {
    this.log.batch(this.#sent);
    return this;
  }

  /** Ticks only, in halves of a second. */
  wait(ms: number): this {
    for (const end = this.log.nowMs + ms; this.log.nowMs < end; ) {
      this.log.at(this.log.nowMs + SECOND_MS / 2);
      this.log.tick();
    }
    return this;
  }
}

const STEADY: readonly (readonly [string, Partial<PlanChannel>, Partial<Plan>])[] = [
  ['with windows only', {}, {}],
  ['with a shadow every five seconds', {}, { shadowIntervalMs: 5000 }],
  ['out of order within two seconds', { outOfOrderMs: 2000, latenessMs: 15_000 }, {}],
  ['with little lateness', { windows: [MINUTE_WINDOW], latenessMs: 1000 }, {}],
  ['with scores', { score: 'ewma' }, {}],
  ['with scores in windows of two samples', { score: 'ewma', windows: [windowOf('2s', 2000)] }, {}],
  ['with alerts', { alerts: [ALERT] }, {}],
  ['with quality', { timelyMs: 10 }, { quality: true }],
  ['with sketches', { windows: WINDOWS.map((window) => ({ ...window, sketch: true })) }, {}],
  ['with clocks corrected', { clockPolicy: 'correct', maxClockSkewMs: 5000 }, {}],
];

const OPTIONS = { metrics: METRICS, windows: WINDOWS, idleMs: IDLE_MS };

/** All that follows a steady stretch and tells what is remembered of it. */
function streamOf(channel: Partial<PlanChannel>, given: Partial<Plan>): SteadyStream {
  const stream = new SteadyStream(planOf([channelOf(0, 'c', { ...OPTIONS, ...channel })], given));
  stream
    .send(95)
    .repeat()
    .send(5, 1, 1000)
    .send(1, 1, -8 * SECOND_MS)
    .send(3);
  stream
    .wait(IDLE_MS + 2 * SECOND_MS)
    .send(20, 4)
    .repeat();
  stream.wait(IDLE_MS - SECOND_MS).send(15);
  const lateMs = stream.log.nowMs - 2 * MINUTE_MS;
  stream
    .send(1, 1, -2 * MINUTE_MS)
    .send(5)
    .send(1, 1, 4000)
    .send(5);
  stream.wait(2 * IDLE_MS);
  // Once more into the windows that the late one had opened: which of them is still there?
  stream.send(1, 1, lateMs - stream.log.nowMs).send(5);
  // A bucket of the clock model in which the clock is behind: the ahead one of before is forgotten.
  stream.log.at(stream.log.nowMs + CLOCK_BUCKET_MS);
  stream.send(5, 1, -500);
  stream.log.at(stream.log.nowMs + CLOCK_BUCKET_MS);
  return stream.send(5, 1, 1000).wait(2 * IDLE_MS);
}

describe('a steady stream', function () {
  this.timeout(60_000);
  const kernels = everyBuild();

  for (const [title, channel, given] of STEADY) {
    it(`equals the reference ${title}`, async () => {
      const { messages } = streamOf(channel, given).log;
      const wanted = lines(runReference({ messages, skips: [] } as never));
      for (const kernel of kernels.values()) {
        const options = { log: LOG, partition: PARTITION, generation: GENERATION };
        const partition = kernel.open({ ...options, memoryBytes: 32 << 20 });
        // In several turns, so that regions are used again.
        const outcome = await drive(partition, cut(messages, always(50)));
        expect(difference(lines(outcome), wanted)).to.equal('');
        partition.close();
      }
    });
  }

  it('fires its last windows by the log time of its last record, not of its first', () => {
    const stream = new SteadyStream(planOf([channelOf(0, 'c', OPTIONS)])).send(95);
    const last = stream.log.nowMs;
    const { messages } = stream.wait(2 * IDLE_MS).log;
    const { facts } = runReference({ messages, skips: [] } as never);
    const fired = facts.flatMap((fact) =>
      fact.kind === 'window' && fact.logTimeMs > last ? [fact.logTimeMs] : [],
    );
    expect([...new Set(fired)]).to.deep.equal([last + IDLE_MS]);
  });
});

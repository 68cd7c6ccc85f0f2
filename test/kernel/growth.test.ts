/**
 * Device blocks that grow, and move while they do: a plan that widens every cell of every window.
 * In: one device's log, and others' that use what a moved block leaves. Out: rows and facts as the
 * reference gives them.
 */
import { expect } from 'chai';
import type { Plan, PlanMetric, PlanWindow } from '../../src/model/plan.ts';
import { BUILDS, startKernel } from './build.ts';
import { difference, drive, GENERATION, lines, runReference } from './drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, metricOf, planOf, windowOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const MIB = 1024 * 1024;
const OPTIONS = { log: LOG, partition: PARTITION, generation: GENERATION };
const SECOND_MS = 1000;
const NARROW: number = 1;
const WIDE = 20;

/** Different numbers of cells a window: who mistakes one window for another finds too few. */
const WINDOWS: readonly PlanWindow[] = [
  windowOf('1s', SECOND_MS),
  { ...windowOf('p', 8 * SECOND_MS), kind: 'hopping', everyMs: 2 * SECOND_MS, sketch: true },
  { ...windowOf('s', 60 * SECOND_MS), kind: 'session', gapMs: 1500 },
  { ...windowOf('n', 0), kind: 'count', count: 6, everyCount: 2 },
  { ...windowOf('10s', 10 * SECOND_MS), sketch: true },
  windowOf('1m', 60 * SECOND_MS),
];

function planWith(metrics: number, version: number): Plan {
  const declared: PlanMetric[] = Array.from({ length: metrics }, (_, ordinal) =>
    metricOf(ordinal, `m${ordinal}`),
  );
  const channel = channelOf(0, 'c', {
    metrics: declared,
    windows: WINDOWS,
    outOfOrderMs: 300 * SECOND_MS,
    idleMs: 3_600_000,
  });
  return { ...planOf([channel], { devicesMax: 1_000_000 }), version } as Plan;
}

interface Burst {
  readonly metrics: number;
  readonly devices: readonly string[];
  readonly seconds: number;
}

/** A record a second and device, readings of all metrics, every third second left out. */
function send(log: LogWriter, { metrics, devices, seconds }: Burst): void {
  for (let second = 0; second < seconds; second += 1) {
    const timeMs = log.nowMs + SECOND_MS;
    log.at(timeMs);
    if (second % 3 === 2) continue;
    const readings = Array.from({ length: metrics }, (_, ordinal) => ({
      metric: ordinal + 1,
      number: (second % 7) * 1.5 + ordinal,
    }));
    const payload = encodeTelemetry({ samples: [{ timeMs, readings }] });
    log.batch(devices.map((device) => recordOf({ device, payload, receivedAtMs: timeMs })));
  }
}

const fleet = (count: number, name = 'd') => Array.from({ length: count }, (_, i) => `${name}${i}`);

describe('growing device blocks', function () {
  this.timeout(60_000);

  for (const build of BUILDS) {
    it(`keep every cell when a plan widens all windows: ${build}`, async () => {
      const log = new LogWriter();
      log.plan(planWith(NARROW, 1));
      send(log, { metrics: NARROW, devices: fleet(6), seconds: 40 });
      log.plan(planWith(WIDE, 2));
      send(log, { metrics: WIDE, devices: fleet(6), seconds: 20 });
      for (let tick = 0; tick < 5; tick += 1) log.at(log.nowMs + 3_600_000).tick();
      const kernel = await startKernel(build);
      const partition = kernel.open({ ...OPTIONS, memoryBytes: 64 * MIB });
      const got = await drive(partition, cut(log.messages, always(10)));
      partition.close();
      await kernel.stop();
      const stream = { seed: 0, messages: log.messages, skips: [], expected: [] };
      expect(difference(lines(got), lines(runReference(stream as never)))).to.equal('');
    });
  }
});

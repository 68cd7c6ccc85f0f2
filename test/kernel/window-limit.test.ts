/**
 * The largest windows there can be: 64 metrics whose sketches have all their bins, in a pane that
 * 64 windows hold. A row of them takes a mebibyte: the turn stops between two, and nothing
 * overflows (the debug build asserts the bounds of staged rows and sealed blocks).
 */
import { expect } from 'chai';
import { SKETCH_BINS_MAX, SKETCH_SHIFT } from '../../assembly/shared/abi.ts';
import type { WindowFact } from '../../src/model/fact.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, MINUTE_MS, metricOf, planOf, windowOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const METRICS = 64;
const PANES = 64;
const SAMPLES_PER_RECORD = 64;
/** More than a sketch has bins: the last ones join others. */
const KEYS = SKETCH_BINS_MAX + 64;

/** A value in the middle of the bin with that key. */
function middleOf(key: number): number {
  const bits = (BigInt(key) << BigInt(SKETCH_SHIFT)) | (1n << BigInt(SKETCH_SHIFT - 1));
  return new Float64Array(new BigInt64Array([bits]).buffer)[0]!;
}

describe('the largest windows', function () {
  this.timeout(120_000);

  it('are emitted one by one, however many fire at once', async () => {
    const metrics = Array.from({ length: METRICS }, (_, ordinal) =>
      metricOf(ordinal, `m${ordinal}`),
    );
    const hopping = windowOf('big', PANES * MINUTE_MS);
    const windows = [{ ...hopping, kind: 'hopping', everyMs: MINUTE_MS, sketch: true }] as const;
    const log = new LogWriter();
    log.plan(planOf([channelOf(0, 'c', { metrics, windows })]));
    const timeMs = log.nowMs;
    for (let first = 0; first < KEYS; first += SAMPLES_PER_RECORD) {
      const samples = Array.from({ length: SAMPLES_PER_RECORD }, (_, index) => {
        const number = middleOf(65_000 + first + index);
        return { timeMs, readings: metrics.map((_, ordinal) => ({ metric: ordinal + 1, number })) };
      });
      log.at(log.nowMs + 1);
      log.batch([recordOf({ payload: encodeTelemetry({ samples }), receivedAtMs: log.nowMs })]);
    }
    for (let tick = 0; tick < 60; tick += 1) log.at(log.nowMs + 1000).tick();
    const kernel = await startKernel('debug');
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 256 << 20 },
    });
    const outcome = await drive(partition, cut(log.messages, always(1000)));
    await kernel.stop();
    const facts = outcome.facts.filter((fact): fact is WindowFact => fact.kind === 'window');
    expect(facts.length).to.equal(PANES);
    expect(outcome.parts).to.be.greaterThan(PANES / 8);
    expect(outcome.tables.get('agg_big')!.length).to.equal(PANES);
    for (const { metrics: aggregates } of facts) {
      expect(aggregates.length).to.equal(METRICS);
      const { sketch } = aggregates.at(-1)!;
      expect(sketch!.keys.length).to.equal(SKETCH_BINS_MAX);
      expect(sketch!.counts.reduce((sum, count) => sum + count, 0)).to.equal(KEYS);
    }
  });
});

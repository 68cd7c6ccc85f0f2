/**
 * How exact aggregates are: sums and variances of hard series against exact arithmetic, quantiles
 * against sorted values, finer windows against coarser ones. In: generated series and the nine real
 * ones of ../shared/data/nab. Values come 100 ms apart.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { SKETCH_SHIFT } from '../../assembly/shared/abi.ts';
import { projectFolder } from '../../src/base/project.ts';
import type { Kernel } from '../../src/model/doors.ts';
import type { MetricAggregate, QuantileSketch, WindowFact } from '../../src/model/fact.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, HOUR_WINDOW, MINUTE_WINDOW, planOf, windowOf } from './plan-sample.ts';
import { Random } from './random.ts';
import { encodeTelemetry } from './telemetry.ts';

const NAB = join(projectFolder(), '../shared/data/nab');
const DAY_MS = 86_400_000;
const DAY_WINDOW = { ...windowOf('1d', DAY_MS), sketch: true };
const STEP_MS = 100;
const READINGS = 100_000;
const SAMPLES_PER_RECORD = 1000;
const SEED = 3;

function real(): [string, number[]][] {
  const files = readdirSync(NAB, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.csv'))
    .map((file) => {
      const lines = readFileSync(join(NAB, file), 'utf8').trim().split('\n').slice(1);
      return [file, lines.map((line) => Number(line.split(',')[1]))];
    });
}

function generated(): [string, number[]][] {
  const random = new Random(SEED);
  const series = (value: (index: number) => number) =>
    Array.from({ length: READINGS }, (_, i) => value(i));
  const unit = () => random.int(0, 1_000_000) / 1_000_000;
  return [
    ['a large offset and a tiny spread', series(() => 1e9 + unit() * 1e-3)],
    ['alternating signs', series((i) => (i % 2 === 0 ? 1 : -1) * (1e6 + unit()))],
    ['many magnitudes', series(() => 10 ** random.int(-6, 6) * (unit() + 0.5))],
  ];
}

/** Exactly value · 2^1074. */
function scaled(value: number): bigint {
  const bits = BigInt.asUintN(64, new BigInt64Array(new Float64Array([value]).buffer)[0]!);
  const exponent = (bits >> 52n) & 0x7ffn;
  const fraction = bits & 0xfffffffffffffn;
  const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
  return bits >> 63n === 1n ? -size : size;
}

/** |got − numerator/denominator| ≤ 1e-12 · reference, all exactly; scale of got is 2^1074. */
function isClose(got: number, numerator: bigint, denominator: bigint, reference: bigint): boolean {
  const away = scaled(got) * denominator - numerator;
  return (away < 0n ? -away : away) * 10n ** 12n <= reference;
}

function quantile({ keys, counts }: QuantileSketch, rank: number, { min, max }: MetricAggregate) {
  let before = 0;
  for (const [place, key] of keys.entries()) {
    before += counts[place]!;
    if (before > rank) return Math.min(max, Math.max(min, middleOf(key)));
  }
  throw new Error('the rank lies in a bin');
}

function middleOf(key: number): number {
  const edge = (bin: number) =>
    new Float64Array(new BigInt64Array([BigInt(bin) << BigInt(SKETCH_SHIFT)]).buffer)[0]!;
  const size = key === 0 ? 0 : (edge(Math.abs(key)) + edge(Math.abs(key) + 1)) / 2;
  return key < 0 ? -size : size;
}

describe('aggregates', function () {
  this.timeout(120_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('scalar');
  });
  after(() => kernel.stop());

  async function windowsOf(values: readonly number[]): Promise<WindowFact[]> {
    const windows = [MINUTE_WINDOW, HOUR_WINDOW, DAY_WINDOW];
    const log = new LogWriter();
    log.plan(planOf([channelOf(0, 'c', { windows })]));
    log.at(Math.ceil(log.nowMs / DAY_MS) * DAY_MS);
    for (let first = 0; first < values.length; first += SAMPLES_PER_RECORD) {
      const samples = values.slice(first, first + SAMPLES_PER_RECORD).map((number, index) => ({
        timeMs: log.nowMs + index * STEP_MS,
        readings: [{ metric: 1, number }],
      }));
      const payload = encodeTelemetry({ samples });
      log.at(log.nowMs + samples.length * STEP_MS);
      log.batch([recordOf({ payload, receivedAtMs: log.nowMs })]);
    }
    // Idle times count from the end of a silence: nothing is left open after a minute of ticks.
    for (let tick = 0; tick < 60; tick += 1) log.at(log.nowMs + 1000).tick();
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 },
    });
    const outcome = await drive(partition, cut(log.messages, always(16)));
    partition.close();
    return outcome.facts.filter((fact): fact is WindowFact => fact.kind === 'window');
  }

  for (const [name, values] of [...generated(), ...real()]) {
    it(`are exact to 1e-12, quantiles to 1 %, and add up: ${name}`, async () => {
      const facts = await windowsOf(values);
      const metrics = (window: string) =>
        facts.filter((fact) => fact.window === window).map((fact) => fact.metrics[0]!);
      const [day] = metrics('1d') as [MetricAggregate];
      const exact = values.map(scaled);
      const sum = exact.reduce((total, value) => total + value, 0n);
      const size = exact.reduce((total, value) => total + (value < 0n ? -value : value), 0n);
      expect(day.count).to.equal(values.length);
      expect(isClose(day.sum, sum, 1n, size), `sum ${day.sum}`).to.equal(true);
      // n · Σx² − (Σx)², in units of 2^-2148.
      const count = BigInt(values.length);
      const squares = count * exact.reduce((total, value) => total + value * value, 0n) - sum * sum;
      const unit = 1n << 1074n;
      const isRight = isClose(day.m2, squares, count * unit, squares);
      expect(isRight, `m2 ${day.m2}`).to.equal(true);
      const sorted = values.toSorted((left, right) => left - right);
      for (const p of [0.01, 0.5, 0.95, 0.99]) {
        const rank = Math.floor(p * (values.length - 1));
        const got = quantile(day.sketch!, rank, day);
        expect(Math.abs(got - sorted[rank]!)).to.be.at.most(Math.abs(sorted[rank]!) * 0.01);
      }
      for (const window of ['1m', '1h']) {
        const parts = metrics(window);
        expect(parts.reduce((total, part) => total + part.count, 0)).to.equal(day.count);
        expect(Math.min(...parts.map((part) => part.min))).to.equal(day.min);
        expect(Math.max(...parts.map((part) => part.max))).to.equal(day.max);
        expect([parts[0]!.first, parts.at(-1)!.last]).to.deep.equal([day.first, day.last]);
        const total = parts.reduce((added, part) => added + scaled(part.sum), 0n);
        expect(isClose(day.sum, total, 1n, size)).to.equal(true);
      }
    });
  }
});

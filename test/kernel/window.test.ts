/** Windows in the compiled kernel: their life, what a changed plan does to them, and their rows. */
import { expect } from 'chai';
import type { Kernel } from '../../src/model/doors.ts';
import { versionNumber, type WindowFact } from '../../src/model/fact.ts';
import type { Plan } from '../../src/model/plan.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION, type Outcome } from './drive.ts';
import { always, cut, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import {
  channelOf,
  HOUR_WINDOW,
  MINUTE_MS,
  MINUTE_WINDOW,
  metricOf,
  planOf,
  windowOf,
} from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const ONE = channelOf(0, 'c', { windows: [MINUTE_WINDOW] });
const planWith = (...windows: Plan['channels'][number]['windows']): Plan =>
  planOf([{ ...ONE, windows }]);

/** Event times in seconds from START_MS, values are 1, 2, 3 …; `tick` is a flush point. */
type Step = number | 'tick' | Plan;

describe('windows', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  async function run(...steps: readonly Step[]): Promise<Outcome> {
    const log = new LogWriter();
    let value = 0;
    for (const step of steps) {
      log.at(Math.max(log.nowMs + 1, typeof step === 'number' ? START_MS + step * 1000 + 1 : 0));
      if (step === 'tick') log.tick();
      else if (typeof step === 'object') log.plan(step);
      else {
        value += 1;
        const timeMs = START_MS + step * 1000;
        const readings = [{ metric: 1, number: value }];
        const payload = encodeTelemetry({ samples: [{ timeMs, readings }] });
        log.batch([recordOf({ payload, receivedAtMs: log.nowMs })]);
      }
    }
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 },
    });
    return drive(partition, cut(log.messages, always(4)));
  }

  /** `sequence: window start in seconds / fragment / revision = count, sum` */
  const story = (outcome: Outcome): string[] =>
    outcome.facts
      .filter((fact): fact is WindowFact => fact.kind === 'window')
      .map((fact) => {
        const { version, window, windowStartMs, fragment, revision, metrics } = fact;
        const start = (windowStartMs - START_MS) / 1000;
        const [{ count, sum } = { count: 0, sum: 0 }] = metrics;
        return `${version.sequence}: ${window} ${start}/${fragment}/${revision} = ${count}, ${sum}`;
      });

  it('fire when the watermark passes their last millisecond', async () => {
    expect(story(await run(planWith(MINUTE_WINDOW), 0, 59.999))).to.deep.equal([]);
    const fired = await run(planWith(MINUTE_WINDOW), 0, 59.999, 60);
    expect(story(fired)).to.deep.equal(['4: 1m 0/0/0 = 2, 3']);
  });

  it('fire once, are revised at flush points, and only when something came', async () => {
    const steps = [10, 70, 20, 'tick', 30, 'tick', 'tick'] as const;
    expect(story(await run(planWith(MINUTE_WINDOW), ...steps))).to.deep.equal([
      ...['3: 1m 0/0/0 = 1, 1', '5: 1m 0/0/1 = 2, 4', '7: 1m 0/0/2 = 3, 8'],
    ]);
  });

  it('that left memory open a fragment named after their record', async () => {
    // Five windows fire; the last and the one touched last stay, the others leave at the tick.
    const outcome = await run(planWith(MINUTE_WINDOW), 0, 60, 120, 180, 240, 'tick', 1, 'tick');
    const fragment = (8n << 16n).toString();
    expect(story(outcome).slice(4)).to.deep.equal([`9: 1m 0/${fragment}/0 = 1, 6`]);
  });

  it('never exceed 64 a length; the oldest leaves first', async () => {
    const minutes = Array.from({ length: 70 }, (_, each) => each * 60);
    const plan = planOf([{ ...ONE, outOfOrderMs: 24 * 60 * MINUTE_MS }]);
    const outcome = await run(plan, ...minutes);
    expect(story(outcome).length).to.equal(6);
    expect(story(outcome)[0]).to.equal('66: 1m 0/0/0 = 1, 1');
  });

  it('follow a plan: new ones begin, dropped ones are silent, kept ones go on', async () => {
    const five = windowOf('5s', 5_000);
    const outcome = await run(
      planWith(MINUTE_WINDOW, HOUR_WINDOW),
      10,
      planWith(five, HOUR_WINDOW),
      11,
      3_700,
    );
    expect(story(outcome)).to.deep.equal(['5: 5s 10/0/0 = 1, 2', '5: 1h 0/0/0 = 2, 3']);
  });

  it('take metrics that a plan adds, beside what they have', async () => {
    const metrics = [metricOf(0, 'value'), metricOf(1, 'other')];
    const wide = planOf([{ ...ONE, metrics }]);
    const outcome = await run(planOf([ONE]), 10, wide, 20, 70);
    expect(story(outcome)).to.deep.equal(['5: 1m 0/0/0 = 2, 3']);
    const row = outcome.tables.get('agg_1m')![0]!;
    expect(row['metric']).to.deep.equal(['value']);
  });

  it('have rows and facts of the same content', async () => {
    const outcome = await run(planWith(MINUTE_WINDOW, HOUR_WINDOW), 10, 20, 70, 3_700);
    const facts = outcome.facts.filter((fact): fact is WindowFact => fact.kind === 'window');
    const rows = [...(outcome.tables.get('agg_1m') ?? []), ...(outcome.tables.get('agg_1h') ?? [])];
    expect(rows.length).to.equal(facts.length);
    const versions = new Map(facts.map((fact) => [versionNumber(fact.version), fact]));
    for (const row of rows) {
      const fact = versions.get(row['version'] as bigint)!;
      const [{ sum, mean, m2 }] = fact.metrics as [WindowFact['metrics'][0]];
      expect([[sum], [mean], [m2]]).to.deep.equal([row['sum'], row['mean'], row['m2']]);
      expect(fact.windowStartMs).to.equal(row['window_start']);
      expect(fact.watermarkMs).to.equal(row['watermark']);
    }
  });
});

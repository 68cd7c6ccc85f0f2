/**
 * What a plan does not want is left out: rows of samples, facts of a window, shadows. Everything
 * else is as if it were wanted, the state included.
 */
import { expect } from 'chai';
import type { Kernel, TurnOutput } from '../../src/model/doors.ts';
import type { Plan, PlanAlert } from '../../src/model/plan.ts';
import { planText } from '../../src/registry/plan-text.ts';
import { startKernel } from './build.ts';
import { GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_WINDOW, MINUTE_MS, MINUTE_WINDOW, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const ALERT: PlanAlert = {
  id: 0,
  name: 'hot',
  metric: 0,
  severity: 'warning',
  condition: 'above',
  low: 0,
  high: 50,
  hysteresis: 0,
  dwellMs: 0,
  retired: false,
};

function planWith(choice: { samples: boolean; minutes: boolean; shadows: boolean }): Plan {
  const { samples, minutes, shadows } = choice;
  const windows = [{ ...MINUTE_WINDOW, facts: minutes }, HOUR_WINDOW];
  const stored = channelOf(0, 'kept', { windows, alerts: [ALERT] });
  const chosen = channelOf(1, 'chosen', { windows, alerts: [ALERT], storeSamples: samples });
  return planOf([stored, chosen], { publishShadows: shadows });
}

/** A device on both channels, two hours long, hot in the middle. */
async function outputsOf(kernel: Kernel, text: string): Promise<TurnOutput[]> {
  const log = new LogWriter();
  log.append('plan', Buffer.from(text));
  for (let minute = 0; minute < 130; minute += 1) {
    const timeMs = START_MS + minute * MINUTE_MS;
    const number = minute === 60 ? 80 : 20;
    const payload = encodeTelemetry({ samples: [{ timeMs, readings: [{ metric: 1, number }] }] });
    const records = ['kept', 'chosen'].map((channel) =>
      recordOf({ device: 'd', channel, payload, receivedAtMs: timeMs }),
    );
    log.at(timeMs).batch(records);
    log.at(timeMs + 1000).tick();
  }
  const memoryBytes = 64 * 1024 * 1024;
  const partition = kernel.open({
    log: LOG,
    partition: PARTITION,
    generation: GENERATION,
    memoryBytes,
  });
  const outputs: TurnOutput[] = [];
  for (const chunk of all(log.messages)) {
    let output = await partition.turn(chunk);
    for (; output.status !== 'done'; output = await partition.resume()) {
      outputs.push(output);
      if (output.status === 'plan') partition.usePlan(text);
    }
    outputs.push(output);
  }
  partition.close();
  return outputs;
}

const blocksOf = (outputs: readonly TurnOutput[]) =>
  outputs.flatMap(({ blocks }) =>
    blocks.map(({ table, bytes }) => `${table} ${Buffer.from(bytes).toString('hex')}`),
  );
const factsOf = (outputs: readonly TurnOutput[]) => outputs.flatMap(({ facts }) => facts);

describe('what a plan does not want', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  let whole: TurnOutput[];
  before(async () => {
    kernel = await startKernel('simd');
    const plan = planWith({ samples: true, minutes: true, shadows: true });
    whole = await outputsOf(kernel, planText(plan));
  });
  after(() => kernel.stop());

  it('is none of it by default, also in a plan that could not say it yet', async () => {
    const plan = JSON.parse(planText(planWith({ samples: true, minutes: true, shadows: true })));
    delete plan.publishShadows;
    for (const channel of plan.channels) {
      delete channel.storeSamples;
      for (const window of channel.windows) delete window.facts;
    }
    const outputs = await outputsOf(kernel, JSON.stringify(plan));
    expect(factsOf(outputs)).to.deep.equal(factsOf(whole));
    expect(blocksOf(outputs)).to.deep.equal(blocksOf(whole));
    const kinds = new Set(factsOf(whole).map(({ kind }) => kind));
    expect([...kinds]).to.have.members(['window', 'alert', 'shadow']);
  });

  it('rows of samples: those of the channel are missing, nothing else', async () => {
    const plan = planWith({ samples: false, minutes: true, shadows: true });
    const outputs = await outputsOf(kernel, planText(plan));
    const others = blocksOf(whole).filter((block) => !block.startsWith('ch_chosen '));
    expect(others.length).to.be.lessThan(blocksOf(whole).length);
    expect(blocksOf(outputs)).to.deep.equal(others);
    expect(factsOf(outputs)).to.deep.equal(factsOf(whole));
  });

  it('facts of a window: those are missing, its rows are there', async () => {
    const plan = planWith({ samples: true, minutes: false, shadows: true });
    const outputs = await outputsOf(kernel, planText(plan));
    const isMinute = (fact: { kind: string; window?: string }) => fact.window === '1m';
    expect(factsOf(whole).some(isMinute)).to.equal(true);
    expect(factsOf(outputs)).to.deep.equal(factsOf(whole).filter((fact) => !isMinute(fact)));
    expect(blocksOf(outputs)).to.deep.equal(blocksOf(whole));
  });

  it('shadows: those are missing, the rows of devices are there', async () => {
    const plan = planWith({ samples: true, minutes: true, shadows: false });
    const outputs = await outputsOf(kernel, planText(plan));
    const others = factsOf(whole).filter(({ kind }) => kind !== 'shadow');
    expect(others.length).to.be.lessThan(factsOf(whole).length);
    expect(factsOf(outputs)).to.deep.equal(others);
    expect(blocksOf(outputs)).to.deep.equal(blocksOf(whole));
  });
});

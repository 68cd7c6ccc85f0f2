/**
 * The proof with real processes, as long as a test run can bear. `npm run chaos` is the same for as
 * long as you like. Figures of time are shown and not judged: this machine may be busy.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { type ChaosOutcome, runChaos } from './chaos.ts';
import { longestSilence } from './check/failover.ts';
import { type Engine, findEngine } from './container/engine.ts';
import { FAULT_KINDS, type FaultKind, planFaults } from './plan.ts';
import { brokenPromises, figuresOf, reportText } from './report.ts';
import type { Stage } from './stage.ts';

const RATE = 21_000;
const SCALING_WAIT_MS = 10_000;
/** Longer than the 15 s after which output pauses. */
const MAJORITY_LOST_MS = 20_000;

interface Run {
  readonly minutes: number;
  readonly seed: number;
  readonly kinds?: readonly FaultKind[];
  readonly during?: (stage: Stage) => Promise<void>;
  readonly engine?: Extract<Engine, { launch: unknown }>;
}

async function run({ engine, ...options }: Run): Promise<ChaosOutcome> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
  const outcome = await runChaos({
    ...options,
    ...(engine ? { launch: engine.launch(folder) } : {}),
    folder,
    eventsPerSecond: RATE,
    workers: 3,
    say: () => {},
  });
  const broken = brokenPromises(outcome);
  expect(broken, reportText(outcome, broken)).to.deep.equal([]);
  return outcome;
}

const show = (title: string, figures: object) =>
  console.log(`      ${title} ${JSON.stringify(figures)}`);

describe('a plan of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    const plan = (seed: number) =>
      planFaults({ seed, minutes: 10, workers: 3, natsServers: 3, partitions: 8 });
    expect(plan(1)).to.deep.equal(plan(1));
    expect(plan(1)).not.to.deep.equal(plan(2));
  });

  for (const minutes of [2, 10, 60]) {
    it(`has every kind of fault, more than 20 a minute, within ${minutes} minutes`, () => {
      for (let seed = 1; seed <= 20; seed += 1) {
        const plan = planFaults({ seed, minutes, workers: 3, natsServers: 3, partitions: 8 });
        expect(new Set(plan.map(({ kind }) => kind)).size).to.equal(FAULT_KINDS.length);
        expect(plan.length).to.be.at.least(20 * minutes);
        const end = Math.max(...plan.map(({ atMs, durationMs }) => atMs + durationMs));
        expect(end).to.be.at.most(minutes * 60_000);
      }
    });
  }

  it('pauses workers for 20 s, longer than output pauses by itself', () => {
    const plan = planFaults({ seed: 1, minutes: 10, workers: 3, natsServers: 3, partitions: 8 });
    const pauses = plan.filter(({ kind }) => kind === 'worker-pause');
    for (const { durationMs } of pauses) expect(durationMs).to.equal(20_000);
  });
});

describe('a cluster of real processes under load', function () {
  this.timeout(600_000);

  it('loses nothing and counts nothing twice under every kind of fault', async () => {
    const outcome = await run({ minutes: 2.5, seed: 4 });
    show('all faults:', figuresOf(outcome));
  });

  it('loses nothing when servers of NATS are killed; what they do not lead goes on', async () => {
    const outcome = await run({ minutes: 0.7, seed: 5, kinds: ['nats-kill'] });
    expect(outcome.faults.some(({ partitions }) => partitions !== null)).to.equal(true);
    show('NATS servers killed:', figuresOf(outcome));
  });

  it('waits without a majority of NATS, says so, and loses nothing', async () => {
    const outcome = await run({
      ...{ minutes: 0, seed: 8 },
      async during({ cluster }) {
        const lost = cluster.nats.slice(1);
        await Promise.all(lost.map((node) => node.process.kill()));
        await systemClock.wait(MAJORITY_LOST_MS);
        for (const node of lost) node.start();
        await Promise.all(lost.map((node) => node.untilHealthy()));
      },
    });
    expect(outcome.deaths).to.deep.equal([]);
    const codes = new Set(outcome.troubles.map(([, code]) => code));
    expect([...codes]).to.include.members(['OWNERSHIP_UNREACHABLE']);
    show('longest silence of a partition:', longestSilence(outcome.factTimes, outcome.loadEndMs));
  });

  it('takes workers in and lets them go, and every partition stays whole', async () => {
    const outcome = await run({
      ...{ minutes: 0, seed: 6 },
      async during(stage) {
        await stage.cluster.addWorker('worker-4');
        await systemClock.wait(SCALING_WAIT_MS);
        await stage.cluster.removeWorker('worker-1');
        await systemClock.wait(SCALING_WAIT_MS);
        await stage.cluster.removeWorker('worker-4');
        await systemClock.wait(SCALING_WAIT_MS);
      },
    });
    expect(outcome.deaths).to.deep.equal([]);
    show('longest silence of a partition:', longestSilence(outcome.factTimes, outcome.loadEndMs));
  });
});

describe('a cluster in containers under load', function () {
  this.timeout(600_000);
  const kinds: FaultKind[] = ['worker-kill', 'worker-pause', 'worker-cut', 'nats-kill'];

  it('loses nothing and counts nothing twice', async function () {
    const engine = await findEngine();
    if ('missing' in engine) {
      const rule = '!'.repeat(76);
      console.log(`      ${rule}`);
      console.log(
        '      NOT RUN IN CONTAINERS: there is no Docker engine here. The same suite ran on',
      );
      console.log('      processes, above. Start an engine to have it run on containers too.');
      console.log(`      (${engine.missing})`);
      console.log(`      ${rule}`);
      this.skip();
    }
    const outcome = await run({ minutes: 1, seed: 7, kinds, engine });
    show('in containers:', figuresOf(outcome));
  });
});

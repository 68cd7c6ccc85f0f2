/** Alerts at the record: raised, kept, cleared; rows and facts of the same content. */
import { expect } from 'chai';
import type { Kernel } from '../../../src/model/doors.ts';
import type { AlertFact } from '../../../src/model/fact.ts';
import type { PlanAlert } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { metricOf, planOf } from '../plan-sample.ts';
import { atS, jsonChannel, Story } from '../story.ts';

function alertOf(id: number, given: Partial<PlanAlert>): PlanAlert {
  return {
    ...{ id, name: `a${id}`, metric: 0, severity: 'warning', condition: 'above', low: 0, high: 0 },
    ...{ hysteresis: 0, dwellMs: 0, retired: false, ...given },
  };
}

describe('an alert', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  /** Values second by second from 100 on; what is raised (+) and cleared (−), with its peak. */
  async function check(alert: Partial<PlanAlert>, values: readonly number[], wanted: string[]) {
    const story = Story.of({ alerts: [alertOf(0, alert)] });
    values.forEach((value, each) => void story.send(100 + each, { value }));
    const facts = (await story.play(kernel)).facts.filter((fact) => fact.kind === 'alert');
    expect(
      facts.map((fact) =>
        fact.active
          ? `+${(fact.raisedAtMs - atS(100)) / 1_000} ${fact.value}`
          : `-${(fact.clearedAtMs! - atS(100)) / 1_000} ${fact.peak}`,
      ),
    ).to.deep.equal(wanted);
  }

  it('above is raised beyond its bound, not at it, and cleared at it', () =>
    check({ high: 90 }, [90, 90.5, 95, 91, 90, 91], ['+1 90.5', '-4 95', '+5 91']));

  it('below likewise', () =>
    check({ condition: 'below', low: 10 }, [10, 9, 3, 9, 10], ['+1 9', '-4 3']));

  it('outside watches both bounds; its peak is the farthest, the earlier at a tie', () =>
    check(
      { condition: 'outside', low: 10, high: 20 },
      [15, 22, 7, 13, 25, 5, 20],
      ['+1 22', '-3 7', '+4 25', '-6 25'],
    ));

  it('stays raised inside the hysteresis and is cleared at its end', () =>
    check({ high: 90, hysteresis: 5 }, [91, 89, 85.001, 85, 90], ['+0 91', '-3 91']));

  it('outside clears only when it is back behind both hystereses', () =>
    check(
      { condition: 'outside', low: 10, high: 20, hysteresis: 2 },
      [9, 11, 19, 18.5, 18, 12],
      ['+0 9', '-4 9'],
    ));

  it('waits until the breach has held for the dwell time', () =>
    check({ high: 90, dwellMs: 3_000 }, [91, 92, 93, 94, 10], ['+3 94', '-4 94']));

  it('begins to wait anew when the breach ends', () =>
    check({ high: 90, dwellMs: 2_000 }, [91, 92, 90, 91, 92, 93], ['+5 93']));

  it('watches neither what is late nor what was refused', async () => {
    const metrics = [metricOf(0, 'value', { max: 100 })];
    const story = Story.of({ metrics, alerts: [alertOf(0, { high: 90 })] });
    story.send(100, { value: 1 }).send(101, { value: 99 }, { time: 50 }).send(102, { value: 101 });
    expect((await story.play(kernel)).facts).to.deep.equal([]);
  });

  it('gives a row and a fact when it is raised and when it is cleared', async () => {
    const alerts = [
      alertOf(0, { high: 5, retired: true }),
      alertOf(1, { name: 'speeding', severity: 'critical', high: 90, dwellMs: 1_000 }),
      alertOf(2, { name: 'fast', severity: 'info', high: 50 }),
    ];
    const metrics = [metricOf(0, 'speed', { kind: 'integer', unit: 'km/h' })];
    const story = Story.of({ metrics, alerts }, { alertRetentionMs: 3_600_500 });
    story.send(100, { speed: 91 }).send(101, { speed: 120 }).send(105, { speed: 60 });
    const { facts, tables } = await story.play(kernel);
    const alertFacts = facts.filter((fact): fact is AlertFact => fact.kind === 'alert');
    expect(
      alertFacts.map((fact) => `${fact.rule} ${fact.active} ${fact.version.ordinal}`),
    ).to.deep.equal(['fast true 0', 'speeding true 0', 'speeding false 0']);
    expect(alertFacts[2]).to.deep.equal({
      ...{ kind: 'alert', identity: { tenant: 't1', site: 's1', device: 'd1' }, channel: 'c' },
      ...{ rule: 'speeding', severity: 'critical', metric: 'speed', unit: 'km/h' },
      ...{ active: false, raisedAtMs: atS(101), raisedSequence: 3n, raisedOrdinal: 0 },
      ...{ sinceMs: atS(100), value: 120, peak: 120, clearedAtMs: atS(105), clearedValue: 60 },
      version: { generation: 2, sequence: 4n, ordinal: 0 },
      ...{ partition: 3, logTimeMs: atS(105) },
    });
    const rows = tables.get('alerts')!;
    expect(rows.map(({ rule, severity, active }) => [rule, severity, active])).to.deep.equal([
      ['fast', 'info', true],
      ['speeding', 'critical', true],
      ['speeding', 'critical', false],
    ]);
    expect(rows[1]).to.include({ cleared_at: 0, cleared_value: 0, since: atS(100), peak: 120 });
    expect(rows[2]!.expires_at).to.equal(Math.ceil((atS(101) + 3_600_500) / 1_000));
  });

  it('that a plan adds begins idle beside those that are raised', async () => {
    const first = jsonChannel({ alerts: [alertOf(0, { high: 90 })] });
    const second = { ...first, alerts: [...first.alerts, alertOf(1, { high: 95 })] };
    const story = new Story(planOf([first])).send(100, { value: 99 });
    story
      .plan(planOf([second]))
      .send(101, { value: 99 })
      .send(102, { value: 1 });
    const { facts } = await story.play(kernel);
    expect(
      facts.map((fact) => fact.kind === 'alert' && `${fact.rule} ${fact.active}`),
    ).to.deep.equal(['a0 true', 'a1 true', 'a0 false', 'a1 false']);
  });
});

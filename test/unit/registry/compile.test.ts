import { assert } from 'chai';
import { withoutPlace } from '../../../src/model/config.ts';
import { METRIC_DEFAULTS, type Plan } from '../../../src/model/plan.ts';
import { compilePlan, parsePlan, planDifference, planText } from '../../../src/registry/index.ts';
import { configOf, fleet, problemsOf } from './fixture.ts';

const idsOf = (plan: Plan) =>
  plan.channels.map(({ id, name, retired }) => [id, name, retired ? 'retired' : '']);
const ordinalsOf = (plan: Plan, channel = 0) =>
  plan.channels[channel].metrics.map((metric) => [
    metric.ordinal,
    metric.name,
    metric.retired ? 'retired' : '',
  ]);

describe('Compiling a plan', () => {
  it('numbers channels and metrics in the order of the file', () => {
    const plan = compilePlan(fleet({ b: ['y', 'x'], a: ['x'] }), null);
    assert.deepStrictEqual(idsOf(plan), [
      [0, 'b', ''],
      [1, 'a', ''],
    ]);
    assert.deepStrictEqual(ordinalsOf(plan), [
      [0, 'y', ''],
      [1, 'x', ''],
    ]);
  });

  it('keeps numbers for ever: dropped ones retire, new ones come last', () => {
    const first = compilePlan(fleet({ a: ['x', 'y'], b: ['x'] }), null);
    const second = compilePlan(fleet({ c: ['x'], a: ['z', 'y'] }), first);
    assert.deepStrictEqual(idsOf(second), [
      [0, 'a', ''],
      [1, 'b', 'retired'],
      [2, 'c', ''],
    ]);
    assert.deepStrictEqual(ordinalsOf(second), [
      [0, 'x', 'retired'],
      [1, 'y', ''],
      [2, 'z', ''],
    ]);
    const third = compilePlan(fleet({ b: ['x'], a: ['x', 'y', 'z'] }), second);
    assert.deepStrictEqual(idsOf(third), [
      [0, 'a', ''],
      [1, 'b', ''],
      [2, 'c', 'retired'],
    ]);
    assert.deepStrictEqual(
      ordinalsOf(third).map(([ordinal, name]) => [ordinal, name]),
      [
        [0, 'x'],
        [1, 'y'],
        [2, 'z'],
      ],
    );
  });

  it('keeps ids of alerts for ever, and names their metrics by ordinal', () => {
    const config = (alerts: string) =>
      configOf(`metrics: { x: {}, y: {} }
channels: { a: { metrics: { x: {}, y: {} }, alerts: { ${alerts} } } }`);
    const first = compilePlan(
      config('p: { metric: y, above: 1 }, q: { metric: x, below: 1 }'),
      null,
    );
    const second = compilePlan(
      config('r: { metric: x, above: 2 }, q: { metric: y, above: 3 }'),
      first,
    );
    const third = compilePlan(config('p: { metric: x, above: 4 }'), second);
    const idsOfAlerts = (plan: Plan) =>
      plan.channels[0].alerts.map(({ id, name, metric, retired }) => [id, name, metric, retired]);
    assert.deepStrictEqual([first, second, third].map(idsOfAlerts), [
      [
        [0, 'p', 1, false],
        [1, 'q', 0, false],
      ],
      [
        [0, 'p', 1, true],
        [1, 'q', 1, false],
        [2, 'r', 0, false],
      ],
      [
        [0, 'p', 0, false],
        [1, 'q', 1, true],
        [2, 'r', 0, true],
      ],
    ]);
    assert.deepStrictEqual(planDifference(first, second), [
      '- alert a.p (its rows stay)',
      '~ alert a.q: condition below → above',
      '~ alert a.q: low 1 → 0',
      '~ alert a.q: high 0 → 3',
      '~ alert a.q: metric 0 → 1',
      '+ alert a.r (warning)',
    ]);
  });

  it('names metrics of rules by ordinal, and converts no text', () => {
    const config = configOf(`metrics: { x: {}, t: { kind: text, unit: '1' }, y: {} }
channels: { a: { metrics: { t: {}, y: {}, x: {} }, rules: { r: 'x > y' } } }`);
    const [channel] = compilePlan(config, null).channels;
    assert.deepStrictEqual(channel.rules, [{ name: 'r', left: 1, operator: '<', right: 2 }]);
    assert.include(channel.metrics[0], { kind: 'text', scale: 1, offset: 0 });
  });

  it('compares the unit of SenML where the channel names one', () => {
    const config = configOf(`metrics: { x: { unit: Cel }, y: { unit: m/s } }
channels: { a: { format: senml-json, metrics: { x: {}, y: { unit: km/h } } } }`);
    const [channel] = compilePlan(config, null).channels;
    assert.deepStrictEqual(
      channel.metrics.map(({ sentUnit, path }) => [sentUnit, path]),
      [
        ['', ['x']],
        ['km/h', ['y']],
      ],
    );
  });

  it('gives the same text for the same configuration, also when compiled onto itself', () => {
    const config = fleet({ a: ['x', 'y'], b: ['x'] });
    const plan = compilePlan(config, null);
    assert.strictEqual(planText(compilePlan(config, null)), planText(plan));
    assert.strictEqual(planText(compilePlan(config, plan)), planText(plan));
    assert.strictEqual(planText(compilePlan(config, parsePlan(planText(plan)))), planText(plan));
  });

  it('converts to the canonical unit and passes everything else on', () => {
    const config = configOf(`
metrics: { temperature: { unit: Cel, min: -40, max: 85 }, open: { kind: boolean } }
channels:
  climate:
    time: { path: at, format: ms, required: true }
    eventId: { path: id }
    metrics: { temperature: { path: air.f, unit: '[degF]', required: true }, open: {} }
    windows: [1m]
devices: { policy: strict, allow: [a/b/c] }
`);
    const plan = compilePlan(config, null);
    assert.deepStrictEqual(plan.devicesAllowed, ['a/b/c']);
    const [channel] = plan.channels;
    assert.deepStrictEqual(channel.timePath, ['at']);
    assert.strictEqual(channel.timeFormat, 'ms');
    assert.isTrue(channel.timeRequired);
    assert.deepStrictEqual(channel.eventIdPath, ['id']);
    assert.deepStrictEqual(channel.metrics[0], {
      ...METRIC_DEFAULTS,
      ordinal: 0,
      name: 'temperature',
      kind: 'number',
      unit: 'Cel',
      scale: 5 / 9,
      offset: -160 / 9,
      min: -40,
      max: 85,
      required: true,
      path: ['air', 'f'],
      retired: false,
    });
    assert.include(channel.metrics[1], { kind: 'boolean', scale: 1, offset: 0, min: null });
  });

  it('allows any device unless strict', () => {
    assert.isNull(compilePlan(fleet({ a: ['x'] }), null).devicesAllowed);
  });

  it('refuses a changed unit or kind, also of a retired metric that returns', () => {
    const first = compilePlan(fleet({ a: ['x', 'y'] }), null);
    const gone = compilePlan(fleet({ a: ['y'] }), first);
    const changed = configOf(
      'metrics: { x: { unit: km/h, kind: integer } }\nchannels: { a: { metrics: { x: {} } } }',
    );
    for (const previous of [first, gone]) {
      assert.deepStrictEqual(
        problemsOf(() => compilePlan(changed, previous)),
        [
          "metrics.x.unit: was 'm/s' in channel a: " +
            'a changed unit is a new column: give it a new name, given "km/h"',
          "metrics.x.kind: was 'number' in channel a: " +
            'a changed kind is a new column: give it a new name, given "integer"',
        ],
      );
    }
  });

  it('takes a changed range, path, sending unit and policy as they come', () => {
    const first = compilePlan(fleet({ a: ['x'] }), null);
    const config = configOf(
      'metrics: { x: { unit: m/s, max: 9 } }\n' +
        'channels: { a: { metrics: { x: { path: p, unit: km/h } } } }',
    );
    const { max, scale, path } = compilePlan(config, first).channels[0].metrics[0];
    assert.deepStrictEqual({ max, scale, path }, { max: 9, scale: 5 / 18, path: ['p'] });
  });

  it('reports units that do not fit, at their place when one is known', () => {
    const config = configOf(
      'metrics: { x: { unit: m/s } }\nchannels: { a: { metrics: { x: { unit: K } } } }',
    );
    const found = problemsOf(() =>
      compilePlan(config, null, (problem) => {
        const located = withoutPlace(problem);
        return { ...located, text: `here: ${located.text}` };
      }),
    );
    assert.deepStrictEqual(found, [
      'here: channels.a.metrics.x.unit: cannot be converted to m/s: ' +
        'it measures K, not m.s-1, given "K"',
    ]);
  });

  it('refuses another number of partitions for the same log, and takes it for another', () => {
    const config = (log: string) => configOf(`log: ${log}`);
    const first = compilePlan(config('{ partitions: 4 }'), null);
    assert.deepStrictEqual(
      problemsOf(() => compilePlan(config('{ partitions: 8 }'), first)),
      [
        "log.partitions: is fixed for the life of a log: 'main' has 4; " +
          'choose another log.id to begin a new log, given 8',
      ],
    );
    assert.strictEqual(compilePlan(config('{ id: b, partitions: 8 }'), first).partitions, 8);
  });

  it('counts retired metrics and channels towards the limits', () => {
    const names = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${prefix}${index}`);
    const first = compilePlan(fleet({ a: names('x', 40) }), null);
    assert.lengthOf(compilePlan(fleet({ a: names('y', 24) }), first).channels[0].metrics, 64);
    assert.deepStrictEqual(
      problemsOf(() => compilePlan(fleet({ a: names('y', 25) }), first)),
      ['channels.a.metrics: has 65 with those no longer declared, at most 64: use another channel'],
    );
  });

  it('refuses a plan that does not fit a log message', () => {
    const allow = (count: number) => {
      const devices = Array.from({ length: count }, (_, index) => `tenant/site/device-${index}`);
      return configOf(`devices: { policy: strict, allow: [${devices.join(', ')}] }`);
    };
    assert.lengthOf(compilePlan(allow(2000), null).devicesAllowed ?? [], 2000);
    const [problem] = problemsOf(() => compilePlan(allow(4000), null));
    assert.match(problem, /makes a plan of \d+ bytes, a log message holds 65536/);
  });
});

describe('The difference between two plans', () => {
  const before = compilePlan(fleet({ a: ['x', 'y'], b: ['x'] }), null);

  it('is empty when nothing changed', () => {
    assert.deepStrictEqual(planDifference(before, before), []);
  });

  it('names all channels when there was no plan', () => {
    assert.deepStrictEqual(planDifference(null, before), ['+ channel a', '+ channel b']);
  });

  it('says what a person changed, in the words of the configuration', () => {
    const config = configOf(`
shadows: { interval: 1m }
metrics: { x: { unit: m/s, max: 9 }, z: { unit: s } }
channels:
  a: { metrics: { x: {}, z: {} }, lateness: 2h, windows: [5m], retention: { readings: forever } }
  c: { metrics: { x: {} } }
`);
    const after = compilePlan(config, before);
    assert.deepStrictEqual(planDifference(before, after), [
      '~ plan: shadowInterval 5s → 1m',
      '~ channel a: windows [1m for 90d, 1h for 5y] → [5m for 90d]',
      '~ channel a: lateness 1h → 2h',
      '~ channel a: retention 14d → forever',
      '~ metric a.x: max null → 9',
      '- metric a.y (its column and state stay)',
      '+ metric a.z (s)',
      '- channel b (its rows and state stay)',
      '+ channel c',
    ]);
    const back = compilePlan(fleet({ a: ['x', 'y'], b: ['x'] }), after);
    const lines = planDifference(after, back);
    assert.includeMembers(lines, ['+ metric a.y (again)', '+ channel b (again)']);
  });
});

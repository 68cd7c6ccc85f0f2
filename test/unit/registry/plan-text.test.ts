import { assert } from 'chai';
import { isOperatingError } from '../../../src/model/error.ts';
import {
  CHANNEL_DEFAULTS,
  METRIC_DEFAULTS,
  PLAN_DEFAULTS,
  WINDOW_DEFAULTS,
} from '../../../src/model/plan.ts';
import { compilePlan, parsePlan, planText } from '../../../src/registry/index.ts';
import { configOf, fleet } from './fixture.ts';

const plan = compilePlan(fleet({ a: ['x', 'y'], b: ['x'] }), null);
const text = planText(plan);

describe('The text of a plan', () => {
  it('is read back as the same plan', () => {
    assert.deepStrictEqual(parsePlan(text), plan);
    assert.strictEqual(planText(parsePlan(text)), text);
  });

  it('does not depend on the order of members', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      const entries = Object.entries(value).reverse();
      return Object.fromEntries(entries.map(([key, member]) => [key, reversed(member)]));
    };
    assert.strictEqual(planText(reversed(plan) as typeof plan), text);
  });

  it('has its members by name and no spaces outside of names', () => {
    assert.match(text, /^\{"alertRetentionMs":\d+,"channels":\[\{"agePolicy":"reject",/);
    assert.notMatch(text, /\s/);
  });

  it('is read when it was written before a plan could say more', () => {
    const without = (value: object, defaults: object) =>
      Object.fromEntries(Object.entries(value).filter(([name]) => !(name in defaults)));
    const old = {
      ...without(plan, PLAN_DEFAULTS),
      channels: plan.channels.map((channel) => ({
        ...without(channel, CHANNEL_DEFAULTS),
        metrics: channel.metrics.map((metric) => without(metric, METRIC_DEFAULTS)),
        windows: channel.windows.map((window) => without(window, WINDOW_DEFAULTS)),
      })),
    } as unknown as typeof plan;
    assert.deepStrictEqual(parsePlan(planText(old)), {
      ...plan,
      ...PLAN_DEFAULTS,
      channels: plan.channels.map((channel) => ({
        ...channel,
        ...CHANNEL_DEFAULTS,
        windows: channel.windows.map((window) => ({ ...window, sketch: false })),
      })),
    });
  });

  it('keeps everything that a channel can say', () => {
    const config = configOf(`
metrics: { a: {}, b: { maxRate: 2, stuck: 1h }, t: { kind: text, values: [on] } }
channels:
  x:
    samples: { path: rows }
    time: { path: at, of: record }
    metrics: { a: {}, b: {}, t: {} }
    rules: { order: "a >= b" }
    alerts: { hot: { metric: a, outside: [1, 2], dwell: 5s } }
    windows: [{ length: 10m, every: 1m }, { session: 1m }, { count: 9, every: 3 }]
    score: seasonal
    clock: { policy: correct }
    suspect: accept
    framing: confluent
    schema: { ids: [7, 4294967295] }
dedup: { contents: 9 }
texts: { max: 7 }
quality: { enabled: false }
`);
    const whole = compilePlan(config, null);
    assert.deepStrictEqual(parsePlan(planText(whole)), whole);
  });

  const damaged: [title: string, damage: (text: string) => string, why: RegExp][] = [
    ['no JSON', (whole) => whole.slice(0, -1), /JSON/],
    ['empty', () => '', /JSON/],
    ['another version', (whole) => whole.replace('"version":1', '"version":2'), /\/version/],
    ['a member more', (whole) => whole.replace('"channels"', '"aa":1,"channels"'), /additional/],
    ['a member less', (whole) => whole.replace('"partitions":16,', ''), /partitions/],
    ['a wrong kind', (whole) => whole.replace('"kind":"number"', '"kind":"word"'), /kind/],
    ['a scale of 0', (whole) => whole.replace('"scale":1', '"scale":0'), /scale/],
    ['channel ids with a gap', (whole) => whole.replace('"id":1', '"id":2'), /b has id 2/],
    ['ordinals twice', (whole) => whole.replace('"ordinal":1', '"ordinal":0'), /y has ordinal 0/],
    ['spaces', (whole) => whole.replace(',', ', '), /canonical/],
    ['a member twice', (whole) => whole.replace('"id":0', '"id":0,"id":0'), /canonical/],
  ];
  for (const [title, damage, why] of damaged) {
    it(`is refused with ${title}`, () => {
      const other = damage(text);
      assert.notStrictEqual(other, text);
      try {
        parsePlan(other);
        assert.fail('read');
      } catch (error) {
        assert.isTrue(isOperatingError(error, 'PLAN_UNREADABLE'), String(error));
        assert.match((error as Error).message, why);
      }
    });
  }
});

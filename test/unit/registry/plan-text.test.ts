import { assert } from 'chai';
import { isOperatingError } from '../../../src/model/error.ts';
import { compilePlan, parsePlan, planText } from '../../../src/registry/index.ts';
import { fleet } from './fixture.ts';

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

  it('begins with its channels and has no spaces outside of names', () => {
    assert.match(text, /^\{"channels":\[\{"agePolicy":"reject",/);
    assert.notMatch(text, /\s/);
  });

  const damaged: [title: string, damage: (text: string) => string, why: RegExp][] = [
    ['no JSON', (whole) => whole.slice(0, -1), /JSON/],
    ['empty', () => '', /JSON/],
    ['another version', (whole) => whole.replace('"version":1', '"version":2'), /\/version/],
    ['a member more', (whole) => whole.replace('{"channels"', '{"a":1,"channels"'), /additional/],
    ['a member less', (whole) => whole.replace('"partitions":16,', ''), /partitions/],
    ['a wrong kind', (whole) => whole.replace('"kind":"number"', '"kind":"text"'), /kind/],
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

import { assert } from 'chai';
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
} from '../../../src/base/quantity.ts';

describe('Durations and sizes', () => {
  const durations: [string, number | null][] = [
    ['0s', 0],
    ['5ms', 5],
    ['10s', 10_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
    ['5y', 5 * 365 * 86_400_000],
    ['forever', 0],
    ['999999999s', 999_999_999_000],
    ['1000000000s', null],
    ['10', null],
    ['1.5h', null],
    ['-1s', null],
    ['01s', null],
    ['1 h', null],
    ['1H', null],
    ['', null],
  ];
  for (const [text, expected] of durations) {
    it(`reads the duration '${text}' as ${expected}`, () => {
      assert.strictEqual(parseDuration(text), expected);
    });
  }

  const sizes: [string, number | null][] = [
    ['0B', 0],
    ['512KiB', 524_288],
    ['256MiB', 268_435_456],
    ['4GiB', 4_294_967_296],
    ['1TiB', 1_099_511_627_776],
    ['1MB', null],
    ['1gib', null],
    ['64', null],
  ];
  for (const [text, expected] of sizes) {
    it(`reads the size '${text}' as ${expected}`, () => {
      assert.strictEqual(parseSize(text), expected);
    });
  }

  it('writes a duration in the largest unit that gives a whole number', () => {
    const written = [0, 5, 90_000, 60_000, 3_600_000, 86_400_000, 365 * 86_400_000];
    const expected = ['0s', '5ms', '90s', '1m', '1h', '1d', '1y'];
    assert.deepStrictEqual(written.map(formatDuration), expected);
  });

  it('writes a size in the largest unit that gives a whole number', () => {
    const written = [0, 1, 1536, 1024, 2 ** 20, 3 * 2 ** 30];
    assert.deepStrictEqual(written.map(formatSize), ['0B', '1B', '1536B', '1KiB', '1MiB', '3GiB']);
  });
});

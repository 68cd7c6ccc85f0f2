import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { createTroubleTeller } from '../../../src/cli/run/trouble.ts';
import { type ErrorCode, OperatingError } from '../../../src/model/error.ts';

describe('the trouble of a running instance', () => {
  const script = (steps: readonly [atMs: number, code: ErrorCode][]) => {
    let nowMs = 0;
    const told: string[] = [];
    const trouble = createTroubleTeller({
      clock: { ...systemClock, monotonicMs: () => nowMs },
      tell: ({ code }, repeated) => told.push(`${nowMs} ${code} ${repeated}`),
    });
    for (const [atMs, code] of steps) {
      nowMs = atMs;
      trouble(new OperatingError(code, 'x'));
    }
    return told;
  };

  it('is told at once, then every 30 s with how often it came', () => {
    const steps = [0, 10, 29_999, 30_000, 31_000].map(
      (atMs) => [atMs, 'CLICKHOUSE_UNREACHABLE'] as const,
    );
    expect(script(steps.map(([atMs, code]) => [atMs, code]))).to.deep.equal([
      '0 CLICKHOUSE_UNREACHABLE 0',
      '30000 CLICKHOUSE_UNREACHABLE 2',
    ]);
  });

  it('is told per code, and always when it does not pass by itself', () => {
    expect(
      script([
        [0, 'LOG_FULL'],
        [1, 'NATS_UNREACHABLE'],
        [2, 'MEMORY_FULL'],
        [3, 'MEMORY_FULL'],
        [4, 'LOG_FULL'],
      ]),
    ).to.deep.equal(['0 LOG_FULL 0', '1 NATS_UNREACHABLE 0', '2 MEMORY_FULL 0', '3 MEMORY_FULL 0']);
  });
});

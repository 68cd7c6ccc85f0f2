/** Waits on a condition. In: a question, a deadline. Out: resolves when it is true, else throws. */
import { systemClock } from '../../src/base/clock.ts';

const POLL_MS = 5;

export async function until(
  isTrue: () => boolean | Promise<boolean>,
  deadlineMs = 30_000,
): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (!(await isTrue())) {
    if (systemClock.monotonicMs() > endMs) {
      throw new Error(`not true within ${deadlineMs} ms: ${isTrue}`);
    }
    await systemClock.wait(POLL_MS);
  }
}

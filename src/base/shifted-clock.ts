/**
 * A clock whose wall time is off by what a file says, as a machine's is after its time service set
 * it: tests move the time of one running process by writing the file. In: a file with whole
 * milliseconds, which may be negative. No such file, or no number in it: the time of the system.
 * Monotonic time and waits are never touched, as no wall clock moves those.
 */
import { readFileSync } from 'node:fs';
import { type Clock, systemClock } from './clock.ts';

/** A jump is seen after this long at most. */
const READ_EVERY_MS = 50;

export function createShiftedClock(file: string): Clock {
  let offsetMs = 0;
  let readAtMs = Number.NEGATIVE_INFINITY;
  return {
    ...systemClock,
    nowMs() {
      const atMs = systemClock.monotonicMs();
      if (atMs - readAtMs >= READ_EVERY_MS) {
        readAtMs = atMs;
        offsetMs = readOffsetMs(file);
      }
      return systemClock.nowMs() + offsetMs;
    },
  };
}

function readOffsetMs(file: string): number {
  try {
    const offsetMs = Number(readFileSync(file, 'utf8'));
    return Number.isSafeInteger(offsetMs) ? offsetMs : 0;
  } catch {
    return 0;
  }
}

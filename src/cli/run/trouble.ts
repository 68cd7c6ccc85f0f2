/**
 * Tells the trouble of a running instance. In: every error of the environment as it happens, the
 * same one many times a second while a server is gone. Out: its first occurrence at once, then at
 * most one line per code and TELL_EVERY_MS, with how often it came meanwhile.
 */
import type { Clock } from '../../base/clock.ts';
import type { ErrorCode, OperatingError } from '../../model/error.ts';

const TELL_EVERY_MS = 30_000;

export interface TroubleOptions {
  readonly clock: Clock;
  /** `repeated`: occurrences that were not told since the last one that was. */
  readonly tell: (error: OperatingError, repeated: number) => void;
}

export function createTroubleTeller({ clock, tell }: TroubleOptions) {
  const told = new Map<ErrorCode, { atMs: number; repeated: number }>();
  return (error: OperatingError): void => {
    const nowMs = clock.monotonicMs();
    const last = told.get(error.code);
    // What does not pass by itself halts something: never held back.
    if (last && error.retry !== 'never' && nowMs - last.atMs < TELL_EVERY_MS) {
      last.repeated += 1;
      return;
    }
    told.set(error.code, { atMs: nowMs, repeated: 0 });
    tell(error, last?.repeated ?? 0);
  };
}

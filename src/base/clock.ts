/**
 * The only place where time enters the program. A turn never sees a clock: its time comes from the
 * log (ARCHITECTURE law 3). Tests and the simulation inject their own.
 */
export interface Clock {
  /** UTC wall clock in milliseconds: for stamps on the way in and for what a person reads. */
  nowMs(): number;
  /** Monotonic milliseconds: for durations, deadlines and time-outs. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when aborted. */
  wait(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  wait: (durationMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, durationMs);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', onAbort, { once: true });
    }),
};

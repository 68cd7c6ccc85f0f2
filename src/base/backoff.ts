/**
 * Exponential back-off without randomness: the n-th wait is `firstMs · 2^n`, at most `maxMs`.
 * Whoever retries owns the bound on the number of tries.
 */
export interface Backoff {
  nextMs(): number;
  reset(): void;
}

export function createBackoff(firstMs: number, maxMs: number): Backoff {
  let waitMs = firstMs;
  return {
    nextMs() {
      const current = waitMs;
      waitMs = Math.min(maxMs, waitMs * 2);
      return current;
    },
    reset() {
      waitMs = firstMs;
    },
  };
}

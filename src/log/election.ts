/**
 * Waits while a stream has no leader. In: something to ask of JetStream that may be asked twice.
 * Out: its answer, or NATS_UNREACHABLE when nobody answered for ELECTION_MS_MAX. A server that dies
 * leaves its streams without leader for 4–9 s (measured; docs/chaos.md): whoever starts meanwhile
 * has nothing to do but wait.
 */
import { createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import { isOperatingError } from '../model/error.ts';

/** A leader is elected within this, with room for a machine that is busy. */
const ELECTION_MS_MAX = 30_000;
const AGAIN_FIRST_MS = 200;
const AGAIN_MS_MAX = 2_000;

export async function untilLed<Answer>(clock: Clock, ask: () => Promise<Answer>): Promise<Answer> {
  const endMs = clock.monotonicMs() + ELECTION_MS_MAX;
  const backoff = createBackoff(AGAIN_FIRST_MS, AGAIN_MS_MAX);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isOver = clock.monotonicMs() >= endMs;
      if (isOver || !isOperatingError(error, 'NATS_UNREACHABLE')) throw error;
      await clock.wait(backoff.nextMs());
    }
  }
}

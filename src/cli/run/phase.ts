/**
 * What the partitions of a running instance are doing, by request and reply: only its process knows
 * that one has halted, and why. In: the runtime's status. Out: phases, by partition; none when the
 * process does not answer.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import type { PartitionPhase, Runtime } from '../../runtime/index.ts';
import { phaseSubject } from '../../wire/subject.ts';

/** It is on this machine or near; one whose loop stands still for longer has other troubles. */
const ANSWER_MS_MAX = 3_000;

export interface PhaseState {
  readonly phase: PartitionPhase;
  /** Why it is halted or waits; null: nothing is wrong. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Until the connection is closed. */
export function servePhases(
  nc: NatsConnection,
  { log, name }: { readonly log: string; readonly name: string },
  runtime: Pick<Runtime, 'status'>,
): void {
  nc.subscribe(phaseSubject(log, name), {
    callback: (failure, request) => {
      if (failure) return;
      const phases = runtime.status.map(
        ({ phase, error }): PhaseState => ({
          phase,
          error: error && { code: error.code, message: error.message },
        }),
      );
      request.respond(JSON.stringify(phases));
    },
  });
}

export async function askPhases(
  nc: NatsConnection,
  { log, name }: { readonly log: string; readonly name: string },
): Promise<readonly PhaseState[]> {
  try {
    const reply = await nc.request(phaseSubject(log, name), '', { timeout: ANSWER_MS_MAX });
    return reply.json<PhaseState[]>();
  } catch {
    return []; // it has just ended, or hangs: everything else is asked of engines
  }
}

/**
 * Runs a simulation against a sender: the ingest door, or anything of its shape. Open loop: every
 * event has its scheduled send time, whatever the answers do. Out: what was acknowledged, for the
 * ground truth, and what was refused.
 */
import type { Clock } from '../base/clock.ts';
import type { DeviceRecord, LogPosition } from '../model/record.ts';
import type { SimulatedEvent, Simulation } from './simulation.ts';

export interface RunOptions {
  readonly simulation: Simulation;
  readonly send: (record: DeviceRecord) => Promise<LogPosition>;
  readonly clock: Clock;
  /** Events per second; 0 = as fast as the log takes them; 'realtime' = when each falls due. */
  readonly eventsPerSecond: number | 'realtime';
  /** Stops after this many events; 0 = runs until the signal aborts. */
  readonly eventsMax: number;
  /** Called for every acknowledged event, in order of acknowledgement. */
  readonly onAcknowledged: (event: SimulatedEvent) => void;
  readonly onRefused: (event: SimulatedEvent, error: unknown) => void;
}

/** Events in flight at most: enough to fill record batches, little enough to hold in memory. */
const IN_FLIGHT_MAX = 20_000;

/**
 * Open loop: every event has its scheduled send time; the log's pace only bounds what is in flight.
 * `signal` ends the sending, `cut` the waiting for answers, e.g. of a server that is gone.
 */
export async function runSimulation(
  options: RunOptions,
  signal: AbortSignal,
  cut?: AbortSignal,
): Promise<number> {
  const { simulation, clock, eventsPerSecond, eventsMax } = options;
  const startedMs = clock.monotonicMs();
  let inFlight = 0;
  let wake = () => {};
  cut?.addEventListener('abort', () => wake());
  const change = () => new Promise<void>((resolve) => (wake = resolve));
  const waits = (max: number) => inFlight > max && !cut?.aborted;
  let sent = 0;
  const more = () => !signal.aborted && (eventsMax === 0 || sent < eventsMax);
  while (more()) {
    for (const { dueMs, event } of simulation.step()) {
      if (!more()) break;
      const waitMs =
        eventsPerSecond === 'realtime'
          ? dueMs - clock.nowMs()
          : startedMs + (eventsPerSecond && (sent * 1000) / eventsPerSecond) - clock.monotonicMs();
      if (waitMs > 1) await clock.wait(waitMs, signal).catch(() => {});
      if (!more()) break;
      inFlight += 1;
      void options
        .send(simulation.record(event, clock.nowMs()))
        .then(() => options.onAcknowledged(event))
        .catch((error: unknown) => options.onRefused(event, error))
        .finally(() => {
          inFlight -= 1;
          wake();
        });
      sent += 1;
      while (waits(IN_FLIGHT_MAX - 1)) await change();
    }
  }
  while (waits(0)) await change();
  return sent;
}

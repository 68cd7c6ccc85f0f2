/** The demo: a simulated fleet of trucks sends through the ingest door, in real time. */
import type { Clock } from '../../base/clock.ts';
import type { Ingest } from '../../model/doors.ts';
import type { Plan } from '../../model/plan.ts';
import { type MetricTable, runSimulation, Simulation } from '../../sim/index.ts';

export const DEMO_TRUCKS = 1000;
const DEMO_STEP_MS = 10_000;
const DEMO_SEED = 1;

/** Metric tables of the fleet's channels, by the ordinals of a plan. */
export function fleetMetrics(plan: Plan): Record<string, MetricTable> {
  const tables = plan.channels.map(
    (channel) =>
      [
        channel.name,
        new Map(
          channel.metrics.map(({ name, ordinal, kind }) => [
            name,
            { ordinal, integer: kind === 'integer' },
          ]),
        ),
      ] as const,
  );
  return Object.fromEntries(tables);
}

export async function runDemo(
  ingest: Ingest,
  plan: Plan,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const simulation = new Simulation({
    seed: DEMO_SEED,
    trucks: DEMO_TRUCKS,
    startMs: clock.nowMs(),
    stepMs: DEMO_STEP_MS,
    metrics: fleetMetrics(plan),
  });
  await runSimulation(
    {
      simulation,
      send: (record) => ingest.admit(record),
      clock,
      eventsPerSecond: 'realtime',
      eventsMax: 0,
      onAcknowledged: () => {},
      onRefused: () => {}, // counted by ingest, shown in the status
    },
    signal,
  );
}

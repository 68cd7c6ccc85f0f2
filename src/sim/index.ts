/** The simulator room: a seeded fleet, its disorder, and how it is sent. */
export { NO_DISORDER, TSBS_DISORDER } from './disorder.ts';
export { type RunOptions, runSimulation } from './run.ts';
export {
  type DueEvent,
  type SimulatedEvent,
  Simulation,
  type SimulationOptions,
} from './simulation.ts';
export { encodeTelemetry, type MetricTable } from './telemetry.ts';

/**
 * The embedded NATS server: find or fetch a binary, run it with a generated configuration, keep it
 * alive. Knows nothing of streams: those are the log room's.
 */
export { findNatsServer, type NatsServerBinary } from './binary.ts';
export {
  createNatsEngine,
  type NatsAddress,
  type NatsEngine,
  type NatsEngineOptions,
} from './engine.ts';
export type { PortChoice } from './port.ts';

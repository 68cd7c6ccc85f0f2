/**
 * The embedded NATS server: find or fetch a binary, run it with a generated configuration, keep it
 * alive. Knows nothing of streams: those are the log room's.
 */
export { findNatsServer, NATS_VERSION_MIN, type NatsServerBinary } from './binary.ts';
export {
  createNatsEngine,
  endLeftover,
  type NatsAddress,
  type NatsEngine,
  type NatsEngineOptions,
} from './engine.ts';
export { choosePorts, type PortChoice } from './port.ts';

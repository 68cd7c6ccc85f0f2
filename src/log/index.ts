/**
 * The log room: append, pull, and what else of the runtime's doors lies on JetStream. Knows
 * streams, subjects and connections, nothing of what a message means.
 */
export { createLogAppender } from './appender.ts';
export { createHerald } from './company/herald.ts';
export { createMembership, type Order, type Roster } from './company/membership.ts';
export { hearRefusals, tellRefusal } from './company/refusal.ts';
export {
  createNatsConnection,
  type LinkStatus,
  type NatsConnectionOptions,
  type NatsLink,
} from './connection.ts';
export { untilLed } from './election.ts';
export { createOwnership } from './ownership-store.ts';
export { createLogReader, type Disturbance } from './pull/reader.ts';
export { createLogPurger } from './purger.ts';
export {
  openStateFolder,
  openStateStore,
  succeedingStore,
  sweepStateFolder,
} from './state/state-folder.ts';
export { createStateStore, OBJECT_BYTES_MAX } from './state/state-store.ts';
export { ensureStreams } from './stream.ts';
export { planStreams, type StreamOptions } from './stream-plan.ts';

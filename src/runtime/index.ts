/**
 * The runtime room: owns partitions of one log, feeds each from its stream and supervises them;
 * with other workers it shares them out, follows theirs and takes over.
 */
export type { Self } from './company/cluster.ts';
export { type Candidate, place, type Seat } from './company/placement.ts';
export type { PartitionPhase, PartitionStatus } from './partition.ts';
export { appendPlan } from './plan-feed.ts';
export { createRuntime, type Runtime, type RuntimeOptions } from './runtime.ts';
export {
  createSavepoint,
  getSavepoint,
  listSavepoints,
  removeSavepoint,
  restoreSavepoint,
  type Savepoint,
} from './state/savepoint.ts';

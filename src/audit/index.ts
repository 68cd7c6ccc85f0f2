/**
 * The audit room: computes partitions anew from their log, with the same kernel and without owning
 * them, and compares what comes out with what is stored.
 */
export type { Books } from './book.ts';
export type { RowDifference, TableComparison } from './comparison.ts';
export type { Ask, Tell } from './door.ts';
export { type Extent, findExtent, type Retained, restoreAt, type Unverifiable } from './extent.ts';
export { checkPromotable, promote } from './promotion.ts';
export { dropState, keepSelected, loadJobs, type ReplayJob, replay, saveJob } from './replay.ts';
export { type Selection, selected } from './selection.ts';
export { compareStored, type Verification, verify } from './verification.ts';

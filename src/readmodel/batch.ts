/**
 * What is stored together: blocks of many partitions by table, and how far in the log each
 * partition's blocks reach. Made by the inserter; shipped, spooled and read back as one piece.
 */
import type { Block } from '../model/doors.ts';

export interface PartitionBlock extends Block {
  readonly partition: number;
}

/** A stretch of one partition's log: all rows of (after, position] are in the batch. */
export interface Reach {
  /** Null: not known, as of the first batch since the partition was claimed. */
  readonly after: bigint | null;
  readonly position: bigint;
}

export interface Batch {
  readonly tables: ReadonlyMap<string, readonly PartitionBlock[]>;
  readonly reaches: ReadonlyMap<number, Reach>;
}

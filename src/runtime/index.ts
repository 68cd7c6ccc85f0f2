/**
 * The runtime room: owns the partitions of one log, feeds each from its stream and supervises them.
 * Every partition is on its own; one that halts leaves the others running.
 */
import type { OperatingError } from '../model/error.ts';
import { Partition, type PartitionOptions, type PartitionStatus } from './partition.ts';

export type { PartitionPhase, PartitionStatus } from './partition.ts';
export { appendPlan } from './plan-feed.ts';

export interface RuntimeOptions extends Omit<PartitionOptions, 'partition'> {
  readonly partitions: number;
}

export interface Runtime {
  start(): void;
  readonly status: readonly PartitionStatus[];
  readonly troubles: readonly OperatingError[];
  /** Stops the loops, takes last checkpoints, releases the partitions. */
  stop(): Promise<void>;
}

export function createRuntime(options: RuntimeOptions): Runtime {
  const partitions = Array.from(
    { length: options.partitions },
    (_, partition) => new Partition({ ...options, partition }),
  );
  return {
    start: () => {
      for (const partition of partitions) partition.start();
    },
    get status() {
      return partitions.map((partition) => partition.status);
    },
    get troubles() {
      return partitions.flatMap(({ status }) => (status.error ? [status.error] : []));
    },
    async stop() {
      await Promise.all(partitions.map((partition) => partition.stop()));
    },
  };
}

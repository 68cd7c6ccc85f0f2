/**
 * All partitions of one log in one process. Every partition is on its own; one that halts leaves
 * the others running. Alone the process owns all; in company it owns its share and follows others'.
 */
import type { Clock } from '../base/clock.ts';
import { Semaphore } from '../base/semaphore.ts';
import type { Membership } from '../model/doors.ts';
import type { OperatingError } from '../model/error.ts';
import { RECOVERIES_MAX } from '../model/limit.ts';
import { Cluster, type Doings, type Self } from './company/cluster.ts';
import { Partition, type PartitionOptions, type PartitionStatus } from './partition.ts';

/** A worker that stops gives its partitions away first, when there is somebody. */
const DRAIN_MS_MAX = 4_000;
const DRAIN_POLL_MS = 20;

type Shared = 'partition' | 'onFenced' | 'recoveries' | 'company';

export interface RuntimeOptions extends Omit<PartitionOptions, Shared> {
  readonly partitions: number;
  /** Absent: this process is alone with the log. */
  readonly company?: {
    readonly membership: Membership;
    readonly self: Self;
    readonly standbys: number;
  };
}

export interface Runtime {
  start(): void;
  readonly status: readonly PartitionStatus[];
  readonly troubles: readonly OperatingError[];
  /** How often trouble of each error code was met since the start. */
  readonly troubleCounts: Readonly<Record<string, number>>;
  /** Hands over what others can take, stops the loops, takes last checkpoints, releases. */
  stop(): Promise<void>;
}

export function createRuntime(options: RuntimeOptions): Runtime {
  const { clock, company } = options;
  const troubles = new Map<string, number>();
  const onTrouble = (partition: number, error: OperatingError) => {
    troubles.set(error.code, (troubles.get(error.code) ?? 0) + 1);
    options.onTrouble(partition, error);
  };
  // How partitions move on is no alarm, but an operator sees that a zombie was refused.
  const onFenced = (_: number, { code }: OperatingError) => {
    troubles.set(code, (troubles.get(code) ?? 0) + 1);
  };
  const cluster = company ? new Cluster({ ...company, ...options }) : null;
  const shared = {
    recoveries: new Semaphore(RECOVERIES_MAX),
    company:
      cluster && company
        ? {
            cluster,
            moves: new Semaphore(1),
            requestHandOver: company.membership.requestHandOver,
          }
        : null,
  };
  const partitions = Array.from(
    { length: options.partitions },
    (_, partition) => new Partition({ ...options, ...shared, onTrouble, onFenced, partition }),
  );
  const status = () => partitions.map((partition) => partition.status);
  return {
    start: () => {
      cluster?.start(() => doings(status(), troubles));
      company?.membership.serve({
        handOver: (partition) => partitions[partition]?.handOver() ?? Promise.resolve(false),
        drain: (on) => {
          cluster?.drain(on);
          return true;
        },
      });
      for (const partition of partitions) partition.start();
    },
    get status() {
      return status();
    },
    get troubles() {
      return status().flatMap(({ error }) => (error ? [error] : []));
    },
    get troubleCounts() {
      return Object.fromEntries(troubles);
    },
    async stop() {
      if (cluster) await drained(cluster, clock, status);
      await Promise.all(partitions.map((partition) => partition.stop()));
      await cluster?.stop();
    },
  };
}

async function drained(
  cluster: Cluster,
  clock: Clock,
  status: () => readonly PartitionStatus[],
): Promise<void> {
  cluster.drain(true);
  const endMs = clock.monotonicMs() + DRAIN_MS_MAX;
  const owns = () => status().some(({ phase }) => phase === 'running' || phase === 'recovering');
  while (owns() && cluster.peers.length > 0 && clock.monotonicMs() < endMs) {
    await clock.wait(DRAIN_POLL_MS);
  }
}

function doings(status: readonly PartitionStatus[], troubles: Map<string, number>): Doings {
  const owned = status.filter(({ phase }) => phase === 'running' || phase === 'recovering');
  const followed = status.filter(({ phase }) => phase === 'following');
  return {
    owns: owned.map(({ partition, epoch, position, checkpoint, published }) => ({
      ...{ partition, epoch, published },
      position: `${position}`,
      checkpoint: `${checkpoint}`,
    })),
    follows: followed.map(({ partition, position }) => ({ partition, position: `${position}` })),
    troubles: Object.fromEntries(troubles),
  };
}

/**
 * Where turns run: in this thread, or in worker threads to which partitions are pinned (a
 * partition's state stays in one core's caches). In: a module and a number of workers. Out: `run`.
 * At most one turn of a partition is in flight; different partitions run side by side.
 */
import { Piscina } from 'piscina';
import { siblingModule } from '../base/sibling.ts';
import type { KernelModule } from './binary.ts';
import { runTurn, type TurnCall, type TurnResult } from './worker.ts';

export interface TurnPool {
  run(partition: number, call: TurnCall): Promise<TurnResult>;
  stop(): Promise<void>;
}

/** `workers` 0: in this thread, which is best on few cores. */
export function createTurnPool(module: KernelModule, workers: number): TurnPool {
  return workers === 0 ? inlinePool(module) : workerPool(module, workers);
}

function inlinePool(module: KernelModule): TurnPool {
  return {
    run: async (_partition, call) => runTurn(module, call),
    stop: async () => {},
  };
}

/** One single-thread pool per worker: Piscina itself has no affinity. */
function workerPool(module: KernelModule, workers: number): TurnPool {
  const filename = siblingModule(import.meta.url, './worker').href;
  const threads = Array.from(
    { length: workers },
    () => new Piscina({ filename, minThreads: 1, maxThreads: 1, workerData: { module } }),
  );
  return {
    run: (partition, call) => threads[partition % workers]!.run(call),
    stop: async () => {
      await Promise.all(threads.map((thread) => thread.destroy()));
    },
  };
}

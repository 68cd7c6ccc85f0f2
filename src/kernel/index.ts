/**
 * The kernel room: folds a partition's log into rows, facts, dead letters and state, in WebAssembly
 * (assembly/README.md). In: which build, how many worker threads. Out: the Kernel door.
 */
import type { Kernel } from '../model/doors.ts';
import { type KernelBuild, loadKernel } from './binary.ts';
import { WasmPartition } from './partition.ts';
import { createTurnPool } from './pool.ts';

export { type KernelBuild, loadKernel } from './binary.ts';

export interface KernelSettings {
  /** `auto`: simd where the machine has it, else scalar. All builds give the same bytes. */
  readonly build: KernelBuild;
  /** Worker threads; 0 = turns run in this thread. */
  readonly workers: number;
}

/** KERNEL_INCOMPATIBLE when the binary is missing or of another version. */
export async function createKernel(settings: KernelSettings): Promise<Kernel> {
  const module = loadKernel(settings.build);
  const pool = createTurnPool(module, settings.workers);
  return {
    open: (options) => new WasmPartition(module, pool, options),
    stop: () => pool.stop(),
  };
}

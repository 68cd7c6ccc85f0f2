/**
 * The kernel's three builds, which must give the same bytes; turns run in this thread. `everyBuild`
 * belongs into a suite: it starts a kernel of each before the suite's tests and stops them after.
 */
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel } from '../../src/model/doors.ts';

export const BUILDS = ['debug', 'simd', 'scalar'] as const;
export type Build = (typeof BUILDS)[number];

export function startKernel(build: Build): Promise<Kernel> {
  return createKernel({ build, workers: 0 });
}

/** Filled when the first test of the suite begins. */
export function everyBuild(): ReadonlyMap<Build, Kernel> {
  const kernels = new Map<Build, Kernel>();
  before(async () => {
    for (const build of BUILDS) kernels.set(build, await startKernel(build));
  });
  after(async () => {
    for (const kernel of kernels.values()) await kernel.stop();
  });
  return kernels;
}

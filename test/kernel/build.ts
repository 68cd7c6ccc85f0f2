/** The kernel's three builds, which must give the same bytes; turns run in this thread. */
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel } from '../../src/model/doors.ts';

export const BUILDS = ['debug', 'simd', 'scalar'] as const;
export type Build = (typeof BUILDS)[number];

export function startKernel(build: Build): Promise<Kernel> {
  return createKernel({ build, workers: 0 });
}

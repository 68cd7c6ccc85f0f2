/**
 * One call of a turn in a worker thread. In: a partition's shared memory and which call. Out: its
 * result code, or the trap's message. Keeps nothing: an instance costs less than the hand-over, and
 * everything that lasts is in the memory.
 */
import { workerData } from 'piscina';
import { instantiate, isTrap, type KernelMemory, type KernelModule } from './binary.ts';

export interface TurnCall {
  readonly memory: KernelMemory;
  /** Input region and bytes of a new chunk; absent to resume. */
  readonly chunk?: { readonly region: number; readonly bytes: number };
}

export type TurnResult = { readonly code: number } | { readonly trap: string };

export default function run(call: TurnCall): TurnResult {
  return runTurn((workerData as { module: KernelModule }).module, call);
}

export function runTurn(module: KernelModule, call: TurnCall): TurnResult {
  const kernel = instantiate(module, call.memory);
  try {
    const { chunk } = call;
    return { code: chunk ? kernel.turn(chunk.region, chunk.bytes) : kernel.resume() };
  } catch (error) {
    if (isTrap(error)) return { trap: error.message };
    throw error;
  }
}

/**
 * The kernel's ABI: all of its exports. Addresses and bytes are u32, results are RESULT_ codes of
 * shared/control.ts; everything wider is left in the control block. The module has no mutable
 * globals and no managed objects: every call takes the partition's memory as it finds it.
 */
import { CHUNK_BYTES_MAX, ABI_VERSION, SEMANTICS_VERSION } from './shared/abi';
import {
  BLOCKS_AT, EXPORT_AT, INDEX_KEY_AT, INPUT_AT, SKIPS_AT, control, durable, layOut, mapIsRight,
} from './memory';
import { decodingIsRight } from './cursor';
import { beginGeneration } from './generation';
import { defaultKey } from './identity';
import { poolAllocate, poolFree, poolOpen } from './pool';
import { recordIsRight } from './record';
import { RESULT_DONE, RESULT_MEMORY_FULL } from './shared/control';
import { beginExport, endExport, fillExport, takeExport } from './capture';
import { hashState } from './state-hash';
import { importCheck, importChunk, importEnd } from './state';
import { fnv1a64, fnv1a64Byte, FNV_OFFSET } from './text';
import { rebuildTimers } from './timer';
import { turnOf } from './work';
import { beginTurn, continueTurn } from './turn';

/** Version of this interface, and of what the kernel computes. */
export function abi_version(): u32 { return ABI_VERSION; }
export function semantics_version(): u32 { return SEMANTICS_VERSION; }

/**
 * The module's own data ends here: must not exceed STATE_BASE. 0 when its records are misplaced.
 */
export function data_end(): u32 {
  return mapIsRight() && recordIsRight() && decodingIsRight() ? <u32>__heap_base : 0;
}

/** Lays out a fresh memory of zeros; it has no plan yet. */
export function open(memoryBytes: u32, partition: u32, generation: u32): i32 {
  const c = control();
  if (load<u64>(INDEX_KEY_AT) == 0) defaultKey();
  const pool = layOut(memoryBytes);
  if (pool == 0) return RESULT_MEMORY_FULL;
  poolOpen(pool, memoryBytes);
  c.abi = ABI_VERSION;
  c.partition = partition;
  c.input = <u32>INPUT_AT;
  c.blocks = <u32>BLOCKS_AT;
  c.export = <u32>EXPORT_AT;
  c.skips = <u32>SKIPS_AT;
  durable().generation = generation;
  return RESULT_DONE;
}

/** Room for a plan image, behind it for the plan's text; 0 when there is none. */
export function plan_room(bytes: u32): u32 { return <u32>poolAllocate(bytes); }

/**
 * Puts the image at `plan` in force. `text` bytes behind `image` are the plan record's body: they
 * are chained into the state when a plan record is pending, and not when a checkpoint is restored.
 */
export function plan_use(plan: u32, image: u32, text: u32): void {
  const c = control();
  if (c.plan != 0) poolFree(c.plan);
  c.plan = plan;
  if (c.planPending != 0) {
    const d = durable();
    let hash = FNV_OFFSET;
    for (let i: u64 = 0; i < 64; i += 8) hash = fnv1a64Byte(hash, <u32>(d.planHash >> i) & 255);
    d.planHash = fnv1a64(hash, plan + image, text);
    c.planPending = 0;
  }
  turnOf().channel = 0;
  rebuildTimers();
}

/** Applies the chunk of `bytes` in input region 0 or 1. */
export function turn(region: u32, bytes: u32): i32 {
  return beginTurn(INPUT_AT + region * CHUNK_BYTES_MAX, bytes);
}
export function resume(): i32 { return continueTurn(); }

/**
 * Captures what changed, or all, or what changed and slice k of n of the rest (n = 0: none). Then
 * `export_fill` (about `bytes`; 1 at the end) and `export_take` of the chunks that are ready, also
 * between and after turns, then `export_end`.
 */
export function export_begin(all: u32, slice: u32, slices: u32): void {
  beginExport(all, slice, slices);
}
export function export_fill(bytes: u32): u32 { return fillExport(bytes); }
export function export_take(): void { takeExport(); }
export function export_end(acknowledged: u32): void { endExport(acknowledged); }

export function import_chunk(bytes: u32): i32 { return importChunk(bytes); }
/**
 * After the last chunk: checks that nothing is missing; then, when `state_hash` is right, the end.
 */
export function import_check(): i32 { return importCheck(); }
export function import_end(): void { importEnd(); }
/** What is imported goes on in a later generation: see generation.ts. */
export function begin_generation(generation: u32): void { beginGeneration(generation); }

/** Leaves the hash of the state in the control block. */
export function state_hash(): void { hashState(); }

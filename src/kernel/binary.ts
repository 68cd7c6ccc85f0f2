/**
 * The kernel's binary: which of the three builds, compiled once, checked, and instantiated over a
 * partition's memory. In: a build's name. Out: a module, and the exports of assembly/index.ts.
 *
 * WebAssembly's own API is used: the module has integers and one imported memory, for which a
 * loader would only add a layer. An instance is cheap (tens of microseconds) and holds nothing.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ABI_VERSION, SEMANTICS_VERSION } from '../../assembly/shared/abi.ts';
import { STATE_BASE } from '../../assembly/shared/control.ts';
import { assert } from '../base/assert.ts';
import { projectFolder } from '../base/project.ts';
import { OperatingError } from '../model/error.ts';

export type KernelBuild = 'auto' | 'simd' | 'scalar' | 'debug';

/** A compiled build; may be handed to worker threads. */
export interface KernelModule {
  readonly brand?: 'module';
}

/** The shared memory of one partition; may be handed to worker threads. */
export interface KernelMemory {
  readonly buffer: SharedArrayBuffer;
}

/** What is used of it: neither TypeScript's es2023 library nor Node's types describe it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => KernelModule;
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
    readonly shared: boolean;
  }) => KernelMemory;
  readonly Instance: new (module: KernelModule, imports: object) => { readonly exports: object };
  readonly RuntimeError: new (message: string) => Error;
  validate(bytes: Uint8Array): boolean;
};

/** The engine's API, typed, for those who compile parts of the kernel themselves. */
export const webAssembly = WebAssembly;

/** Exports of assembly/index.ts. All numbers are u32; results are RESULT_ codes. */
export interface KernelExports {
  abi_version(): number;
  semantics_version(): number;
  data_end(): number;
  open(memoryBytes: number, partition: number, generation: number): number;
  plan_room(bytes: number): number;
  plan_use(plan: number, imageBytes: number, textBytes: number): void;
  turn(region: number, bytes: number): number;
  resume(): number;
  export_begin(all: number, slice: number, slices: number): void;
  export_fill(bytes: number): number;
  export_take(): void;
  export_end(acknowledged: number): void;
  import_chunk(bytes: number): number;
  import_check(): number;
  import_end(): void;
  begin_generation(generation: number): void;
  state_hash(): void;
}

/** Enough to hold the module's own data. */
const PROBE_PAGES = 8;
const FILES = { simd: 'release.wasm', scalar: 'scalar.wasm', debug: 'debug.wasm' } as const;

/** A module of one function that uses a vector: valid only where SIMD is. */
const SIMD_PROBE = new Uint8Array([
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0],
  ...[10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11],
]);

/** The compiled module of a build; KERNEL_INCOMPATIBLE when it is missing or of another version. */
export function loadKernel(build: KernelBuild): KernelModule {
  const chosen = build === 'auto' ? (WebAssembly.validate(SIMD_PROBE) ? 'simd' : 'scalar') : build;
  const path = join(projectFolder(), 'build', 'kernel', FILES[chosen]);
  if (!existsSync(path)) {
    throw new OperatingError('KERNEL_INCOMPATIBLE', `no kernel at ${path}: run \`npm run setup\``);
  }
  const module = new WebAssembly.Module(readFileSync(path));
  check(module, path);
  return module;
}

function check(module: KernelModule, path: string): void {
  const probe = instantiate(module, createMemory(PROBE_PAGES));
  const found = probe.abi_version();
  const semantics = probe.semantics_version();
  const dataEnd = probe.data_end();
  if (found === ABI_VERSION && semantics === SEMANTICS_VERSION && dataEnd > 0) {
    assert(dataEnd <= STATE_BASE, `data of the kernel end at ${dataEnd}, behind ${STATE_BASE}`);
    return;
  }
  throw new OperatingError(
    'KERNEL_INCOMPATIBLE',
    `${path} has ABI ${found}, semantics ${semantics}; this program needs ${ABI_VERSION}, ` +
      `${SEMANTICS_VERSION}: run \`npm run setup\``,
    { where: { path, abi: found, semantics } },
  );
}

export function instantiate(module: KernelModule, memory: KernelMemory): KernelExports {
  const env = { memory, abort: onAbort };
  return new WebAssembly.Instance(module, { env }).exports as KernelExports;
}

/** The full planned size at once, never grown: untouched pages cost nothing. */
export function createMemory(pages: number): KernelMemory {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** A bug of the kernel, as opposed to one of the host. */
export function isTrap(error: unknown): error is Error {
  return error instanceof WebAssembly.RuntimeError;
}

/** The debug build's assertions arrive here; what is thrown is a trap like any other. */
function onAbort(_message: number, _file: number, line: number, column: number): never {
  throw new WebAssembly.RuntimeError(`assertion of the kernel at line ${line}:${column}`);
}

/**
 * One partition's kernel: its shared memory, the plan in force, and the calls into it. In: chunks
 * and plans. Out: blocks, facts, dead letters, state chunks, the state's hash.
 *
 * Invariants: at most one turn in flight; nothing else touches the memory meanwhile; a memory in
 * which a turn trapped is never used again (restore a checkpoint into a new one and replay).
 */
import { randomBytes } from 'node:crypto';
import { CHUNK_BYTES_MAX } from '../../assembly/shared/abi.ts';
import * as C from '../../assembly/shared/control.ts';
import { assert } from '../base/assert.ts';
import type {
  ExportPart,
  KernelOptions,
  LogChunk,
  PartitionKernel,
  Sweep,
  TurnOutput,
} from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { PLAN_DEFAULTS, type Plan } from '../model/plan.ts';
import type { LogPosition } from '../model/record.ts';
import {
  createMemory,
  instantiate,
  type KernelExports,
  type KernelMemory,
  type KernelModule,
} from './binary.ts';
import { planImage } from './image/plan-image.ts';
import { type Names, namesOf, OutputReader } from './output.ts';
import type { TurnPool } from './pool.ts';
import type { TurnCall } from './worker.ts';

const PAGE_BYTES = 65_536;
const HASH_DIGITS = 16;
/** More than a memory has, as the i32 that the kernel counts down. */
const WHOLE_BYTES = 2 ** 31 - 1;
const STATUSES = ['done', 'more', 'plan'] as const;

type Phase = 'ready' | 'more' | 'plan' | 'running' | 'closed' | 'broken';

export class WasmPartition implements PartitionKernel {
  readonly #options: KernelOptions;
  readonly #pool: TurnPool;
  readonly #memory: KernelMemory;
  readonly #view: DataView;
  readonly #kernel: KernelExports;
  readonly #memoryBytes: number;
  #names: Names;
  #phase: Phase = 'ready';
  /** Input regions are used in turn. */
  #region = 0;
  #needsResume = false;
  /** From the beginning of an export until all of it is in chunks. */
  #isExporting = false;
  #exported: Uint8Array[] = [];

  constructor(module: KernelModule, pool: TurnPool, options: KernelOptions) {
    const pages = Math.floor(options.memoryBytes / PAGE_BYTES);
    this.#options = options;
    this.#pool = pool;
    this.#memory = createMemory(pages);
    this.#view = new DataView(this.#memory.buffer);
    this.#kernel = instantiate(module, this.#memory);
    // The address behind the last byte of 4 GiB has no u32.
    this.#memoryBytes = Math.min(pages * PAGE_BYTES, 2 ** 32 - PAGE_BYTES);
    this.#keyIndex();
    const result = this.#kernel.open(this.#memoryBytes, options.partition, options.generation);
    if (result !== C.RESULT_DONE) throw this.#full('the fixed regions');
    this.#names = this.#install(planBefore(options.log), '');
  }

  async turn(chunk: LogChunk): Promise<TurnOutput> {
    assert(this.#phase === 'ready', `a turn begins when the last one is done: ${this.#phase}`);
    const bytes = chunk.bytes.length;
    assert(bytes <= CHUNK_BYTES_MAX, `a chunk has at most ${CHUNK_BYTES_MAX} B, this one ${bytes}`);
    this.#region = 1 - this.#region;
    const at = this.#control(C.CONTROL_INPUT_AT) + this.#region * CHUNK_BYTES_MAX;
    new Uint8Array(this.#memory.buffer, at, bytes).set(chunk.bytes);
    return this.#run({ memory: this.#memory, chunk: { region: this.#region, bytes } });
  }

  async resume(): Promise<TurnOutput> {
    assert(this.#phase === 'more' || this.#needsResume, `nothing to resume: ${this.#phase}`);
    return this.#run({ memory: this.#memory });
  }

  usePlan(planText: string): void {
    this.#assertIdle();
    assert(this.#control(C.CONTROL_MESSAGE_OPEN_AT) === 0, 'a plan is used between messages');
    this.#names = this.#install(JSON.parse(planText) as Plan, planText);
    if (this.#phase === 'plan') this.#phase = 'ready';
  }

  setSkips(skips: readonly LogPosition[]): void {
    this.#assertIdle();
    const { partition } = this.#options;
    const ahead = skips.filter((skip) => skip.partition === partition && skip.index >= 0);
    assert(ahead.length <= C.SKIPS_MAX, `at most ${C.SKIPS_MAX} records are skipped`);
    ahead.forEach(({ sequence, index }, place) => {
      const at = this.#control(C.CONTROL_SKIPS_AT) + place * C.SKIP_BYTES;
      this.#view.setBigUint64(at, sequence, true);
      this.#view.setUint32(at + 8, index, true);
    });
    this.#view.setUint32(C.STATE_BASE + C.CONTROL_SKIP_COUNT_AT, ahead.length, true);
  }

  /** Copied at once, so that what is yielded later is one state. */
  exportState(scope: 'changed' | 'all'): Iterable<Uint8Array> {
    this.#beginExport(scope === 'all' ? 1 : 0, { slice: 0, of: 0 });
    const chunks: Uint8Array[] = [];
    for (;;) {
      const part = this.continueExport(WHOLE_BYTES);
      chunks.push(...part.chunks);
      if (part.rootHash !== null) return chunks;
    }
  }

  beginExport(sweep: Sweep): void {
    this.#beginExport(0, sweep);
  }

  continueExport(bytes: number): ExportPart {
    this.#assertIdle();
    assert(this.#isExporting, 'an export is continued after it was begun');
    let left = bytes;
    let isWhole = false;
    for (;;) {
      isWhole = this.#kernel.export_fill(left) === 1;
      const taken = this.#takeChunks();
      left -= taken;
      // Without a chunk that was ready the kernel stopped because it copied what was asked for.
      if (isWhole || taken === 0 || left <= 0) break;
    }
    const chunks = this.#exported;
    this.#exported = [];
    if (isWhole) this.#isExporting = false;
    return { chunks, rootHash: isWhole ? this.#foundHash() : null };
  }

  exportDone(acknowledged: boolean): void {
    // A broken memory is not exported again; its owner may still learn how the last export went.
    if (this.#phase !== 'broken') this.#kernel.export_end(acknowledged ? 1 : 0);
    this.#isExporting = false;
    this.#exported = [];
  }

  importState(chunk: Uint8Array): void {
    this.#assertIdle();
    if (chunk.length > C.EXPORT_CHUNK_BYTES) throw this.#corrupt('a chunk is too long');
    const at = this.#control(C.CONTROL_EXPORT_AT);
    new Uint8Array(this.#memory.buffer, at, chunk.length).set(chunk);
    this.#checkState(this.#kernel.import_chunk(chunk.length), 'a chunk is not whole');
  }

  importDone(rootHash: string): void {
    this.#assertIdle();
    this.#checkState(this.#kernel.import_check(), 'chunks are missing');
    const found = this.#foundHash();
    if (found !== rootHash) throw this.#corrupt(`its hash is ${found}, not ${rootHash}`);
    this.#kernel.import_end();
    this.#kernel.begin_generation(this.#options.generation);
  }

  stateHash(): string {
    this.#assertBetweenMessages();
    this.#kernel.state_hash();
    return this.#foundHash();
  }

  #foundHash(): string {
    const hash = this.#view.getBigUint64(C.STATE_BASE + C.CONTROL_STATE_HASH_AT, true);
    return hash.toString(16).padStart(HASH_DIGITS, '0');
  }

  get position(): bigint {
    return this.#view.getBigUint64(C.STATE_BASE + C.CONTROL_POSITION_AT, true);
  }

  stats(): { devices: number; memoryBytesUsed: number; memoryBytesMax: number } {
    const outside = this.#memoryBytes - this.#control(C.CONTROL_POOL_BYTES_AT);
    return {
      devices: this.#control(C.CONTROL_DEVICE_COUNT_AT),
      memoryBytesUsed: outside + this.#control(C.CONTROL_POOL_USED_AT),
      memoryBytesMax: this.#memoryBytes,
    };
  }

  close(): void {
    assert(this.#phase !== 'running', 'a partition is closed between turns');
    this.#phase = 'closed';
  }

  // --- turns ----------------------------------------------------------------------------------
  async #run(call: TurnCall): Promise<TurnOutput> {
    this.#phase = 'running';
    this.#needsResume = false;
    const result = await this.#pool.run(this.#options.partition, call).catch((error: unknown) => {
      this.#phase = 'broken';
      throw error;
    });
    if ('trap' in result) throw this.#trapped(result.trap);
    if (this.#isExporting) this.#copyWanted();
    assert(result.code !== C.RESULT_CHUNK_BAD, 'a chunk holds whole entries');
    const output = this.#output(result.code);
    if (output.status === 'more') this.#phase = 'more';
    else this.#phase = output.status === 'plan' ? 'plan' : 'ready';
    // Behind a plan record the rest of the chunk waits, also once the plan is in use.
    this.#needsResume = output.status === 'plan';
    return output;
  }

  #output(code: number): TurnOutput {
    if (code === C.RESULT_MEMORY_FULL) {
      this.#phase = 'broken';
      throw this.#full(`record ${this.#control(C.CONTROL_RECORD_INDEX_AT)}`);
    }
    const { partition, generation } = this.#options;
    const status = STATUSES[code];
    assert(status !== undefined, `a turn ended with code ${code}`);
    const names = this.#names;
    const reader = new OutputReader({ memory: this.#memory, names, partition, generation });
    return {
      blocks: reader.blocks(),
      facts: reader.facts(),
      deadLetters: reader.deadLetters(),
      status,
      position: this.position,
      needsTicks: this.#control(C.CONTROL_NEEDS_TICKS_AT) !== 0,
    };
  }

  // --- export ---------------------------------------------------------------------------------
  #beginExport(all: number, { slice, of }: Sweep): void {
    this.#assertBetweenMessages();
    this.#kernel.export_begin(all, slice, of);
    this.#isExporting = true;
    this.#exported = [];
  }

  /** Chunks that a turn filled with what it was about to change, and the block it waits for. */
  #copyWanted(): void {
    this.#takeChunks();
    while (this.#control(C.CONTROL_EXPORT_WANTED_AT) !== 0) {
      this.#kernel.export_fill(0);
      this.#takeChunks();
    }
  }

  /** Copies the chunks that are ready, and gives how many bytes they have. */
  #takeChunks(): number {
    const ready = this.#control(C.CONTROL_EXPORT_READY_AT);
    if (ready === 0) return 0;
    let taken = 0;
    for (let place = 0; place < ready; place += 1) {
      const at = this.#control(C.CONTROL_EXPORT_AT) + place * C.EXPORT_CHUNK_BYTES;
      const bytes = this.#view.getUint32(at + C.EXPORT_SIZE_AT, true);
      this.#exported.push(new Uint8Array(this.#memory.buffer, at, bytes).slice());
      taken += bytes;
    }
    this.#kernel.export_take();
    return taken;
  }

  // --- plan -----------------------------------------------------------------------------------
  #install(plan: Plan, planText: string): Names {
    const image = planImage(plan);
    const text = Buffer.from(planText, 'utf8');
    const at = this.#kernel.plan_room(image.length + text.length);
    if (at === 0) throw this.#full('the plan');
    const room = new Uint8Array(this.#memory.buffer, at, image.length + text.length);
    room.set(image);
    room.set(text, image.length);
    this.#kernel.plan_use(at, image.length, text.length);
    return namesOf(plan);
  }

  /** Chosen ids must not meet in the index; the key decides nothing that comes out (law 3). */
  #keyIndex(): void {
    const at = C.STATE_BASE + C.CONTROL_INDEX_KEY_AT;
    new Uint8Array(this.#memory.buffer, at, C.INDEX_KEY_BYTES).set(randomBytes(C.INDEX_KEY_BYTES));
  }

  // --- checks ---------------------------------------------------------------------------------
  #control(at: number): number {
    return this.#view.getUint32(C.STATE_BASE + at, true);
  }

  #assertIdle(): void {
    const usable = this.#phase !== 'running' && this.#phase !== 'closed';
    assert(usable && this.#phase !== 'broken', `the partition is ${this.#phase}`);
  }

  #assertBetweenMessages(): void {
    this.#assertIdle();
    assert(this.#control(C.CONTROL_MESSAGE_OPEN_AT) === 0, 'a message is half applied');
    assert(this.#control(C.CONTROL_PLAN_PENDING_AT) === 0, 'a plan record waits for its plan');
  }

  #trapped(message: string): OperatingError {
    this.#phase = 'broken';
    const sequence = this.#view.getBigUint64(C.STATE_BASE + C.CONTROL_SEQUENCE_AT, true);
    const index = this.#control(C.CONTROL_RECORD_INDEX_AT);
    const { partition } = this.#options;
    return new OperatingError(
      'KERNEL_TRAPPED',
      `the kernel trapped at sequence ${sequence} of partition ${partition}: ${message}`,
      // −1: between records, in a timer or at a flush point; there is nothing to skip then.
      { where: { partition, sequence, index: index === C.NO_RECORD ? -1 : index } },
    );
  }

  #full(what: string): OperatingError {
    const { partition, memoryBytes } = this.#options;
    const position = this.position;
    return new OperatingError(
      'MEMORY_FULL',
      `${memoryBytes} B are too few for partition ${partition}: no room for ${what} ` +
        `after sequence ${position}; raise kernel.memory in millrace.yaml`,
      { where: { partition, memoryBytes, position } },
    );
  }

  #checkState(code: number, what: string): void {
    if (code === C.RESULT_DONE) return;
    throw code === C.RESULT_MEMORY_FULL ? this.#full('the checkpoint') : this.#corrupt(what);
  }

  #corrupt(what: string): OperatingError {
    const { partition } = this.#options;
    return new OperatingError(
      'CHECKPOINT_CORRUPT',
      `the checkpoint of partition ${partition} cannot be used: ${what}`,
      { where: { partition } },
    );
  }
}

/**
 * In force until the first plan record: no channels, no devices (assembly/README.md, "Details").
 */
function planBefore(log: string): Plan {
  return {
    ...PLAN_DEFAULTS,
    version: 1,
    log,
    partitions: 1,
    channels: [],
    devicesAllowed: null,
    devicesMax: 0,
    idsPerDevice: 1,
    dedupHorizonMs: 0,
    deadLettersPerDeviceMinute: 100,
    deadLetterRetentionMs: 0,
    shadowIntervalMs: 0,
    publishShadows: true,
  };
}

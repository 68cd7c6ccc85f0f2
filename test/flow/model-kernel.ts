/**
 * The model kernel: what a partition's kernel must do, in a few hundred lines of TypeScript and a
 * millisecond a run. State, rows and facts are pure functions of the log; turns, chunks and full
 * outputs change nothing. Its switches break one rule each (test/flow/mutant.ts).
 */
import { createHash } from 'node:crypto';
import type {
  ExportPart,
  Kernel,
  KernelOptions,
  LogChunk,
  PartitionKernel,
  Sweep,
  TurnOutput,
} from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import type { DeadLetter, Fact } from '../../src/model/fact.ts';
import type { LogPosition } from '../../src/model/record.ts';
import { chunkMessages } from '../../src/wire/chunk.ts';
import { World } from './model-world.ts';
import type { Row } from './read-model.ts';

export interface KernelSwitches {
  readonly writesDeltas?: boolean;
  readonly usesWallClock?: () => number;
  readonly emitsAtTurnEnd?: boolean;
  readonly clearsMarksEarly?: boolean;
  readonly hasBitmap?: boolean;
  readonly idleAdvancesWatermark?: boolean;
  readonly evictsWhenFull?: boolean;
  readonly forgetsTombstones?: boolean;
}

export interface ModelKernelOptions {
  /** How a turn's reply travels: a scheduling point like every other door. */
  readonly reply: <Result>(what: string, run: () => Result) => Promise<Result>;
  /** Emissions that fit one output. */
  readonly outputMax: () => number;
  readonly devicesPerChunk: number;
  readonly switches: KernelSwitches;
  readonly violate: (what: string) => void;
  /** True when a fault took part of a checkpoint: then it need not be readable. */
  readonly isDamaged: () => boolean;
  /** Outputs as the process is given them; a mutant takes something away. */
  readonly change?: (partition: number, output: TurnOutput) => TurnOutput;
}

export function createModelKernel(options: ModelKernelOptions): Kernel {
  return {
    open: (kernelOptions) => new ModelKernel(kernelOptions, options),
    stop: async () => {},
  };
}

type Step = 'more' | 'plan';

class ModelKernel implements PartitionKernel {
  readonly #options: ModelKernelOptions;
  readonly #partition: number;
  readonly #generation: number;
  #world: World;
  #turn: Generator<Step, void, void> | null = null;
  #isBroken = false;
  #isClosed = false;
  #exporting: ReadonlySet<string> | null = null;
  #copied: { readonly chunks: Uint8Array[]; readonly rootHash: string } | null = null;

  constructor({ partition, generation }: KernelOptions, options: ModelKernelOptions) {
    this.#options = options;
    this.#partition = partition;
    this.#generation = generation;
    this.#world = new World(partition, generation, options.switches);
  }

  get position(): bigint {
    return BigInt(this.#world.position);
  }

  async turn(chunk: LogChunk): Promise<TurnOutput> {
    if (this.#turn) this.#options.violate('a turn began within a turn');
    this.#turn = this.#apply(chunk);
    return this.resume();
  }

  async resume(): Promise<TurnOutput> {
    const what = `turn ${this.#partition} from ${this.position}`;
    const output = await this.#options.reply(what, () => this.#step());
    return this.#options.change?.(this.#partition, output) ?? output;
  }

  #step(): TurnOutput {
    if (this.#isBroken) this.#options.violate('a kernel that trapped was used again');
    if (this.#isClosed || !this.#turn) {
      throw new OperatingError('KERNEL_TRAPPED', 'a kernel was used that is closed');
    }
    try {
      const { value, done } = this.#turn.next();
      if (done) this.#turn = null;
      return this.#output(done ? 'done' : value);
    } catch (error) {
      this.#isBroken = true;
      throw error;
    }
  }

  *#apply(chunk: LogChunk): Generator<Step, void, void> {
    const world = this.#world;
    let max = this.#options.outputMax();
    for (const message of chunkMessages(chunk)) {
      for (const step of world.apply(message)) {
        if (step === 'emitted' && world.emitted < max) continue;
        yield step === 'plan' ? 'plan' : 'more';
        max = this.#options.outputMax();
      }
    }
    if (this.#options.switches.emitsAtTurnEnd) world.flush();
    world.evictIfFull();
  }

  #output(status: TurnOutput['status']): TurnOutput {
    const world = this.#world;
    const { rows, facts, letters } = world.take();
    const tables = new Map<string, Row[]>();
    for (const row of rows) tables.set(row.table, [...(tables.get(row.table) ?? []), row]);
    return {
      blocks: [...tables].map(([table, its]) => ({
        table,
        rows: its.length,
        bytes: Buffer.from(JSON.stringify(its)),
      })),
      facts: facts as unknown as Fact[],
      deadLetters: letters as DeadLetter[],
      status,
      position: this.position,
      needsTicks: world.needsTicks,
    };
  }

  usePlan(planText: string): void {
    this.#world.usePlan(planText);
  }

  setSkips(skips: readonly LogPosition[]): void {
    this.#world.setSkips(skips);
  }

  exportState(scope: 'changed' | 'all'): Uint8Array[] {
    return this.#export((name) => scope === 'all' || this.#world.changed.has(name));
  }

  beginExport({ slice, of }: Sweep): void {
    const isDue = (name: string, place: number) =>
      place % of === slice || this.#world.changed.has(name);
    this.#copied = { chunks: this.#export(isDue), rootHash: this.stateHash() };
  }

  /** One chunk at a time, so that turns come between. */
  continueExport(): ExportPart {
    const copied = this.#copied;
    if (!copied) throw new RangeError('bug: no export was begun');
    const chunks = copied.chunks.splice(0, 1);
    return { chunks, rootHash: copied.chunks.length === 0 ? copied.rootHash : null };
  }

  #export(isDue: (name: string, place: number) => boolean): Uint8Array[] {
    if (this.#turn) this.#options.violate('state was exported within a turn');
    const world = this.#world;
    const names = [...world.devices.keys()].filter(isDue);
    this.#exporting = new Set(world.changed);
    world.changed.clear();
    const chunks = [Buffer.from(JSON.stringify({ head: world.head() }))];
    for (let at = 0; at < names.length; at += this.#options.devicesPerChunk) {
      const some = names.slice(at, at + this.#options.devicesPerChunk);
      const devices = some.map((name) => [name, world.devices.get(name)]);
      chunks.push(Buffer.from(JSON.stringify({ devices })));
    }
    return chunks;
  }

  exportDone(acknowledged: boolean): void {
    const { clearsMarksEarly } = this.#options.switches;
    if (!acknowledged && !clearsMarksEarly) {
      for (const name of this.#exporting ?? []) this.#world.changed.add(name);
    }
    this.#exporting = null;
    this.#copied = null;
  }

  importState(chunk: Uint8Array): void {
    const { head, devices } = JSON.parse(Buffer.from(chunk).toString('utf8'));
    if (head) this.#world.useHead(head);
    for (const [name, device] of devices ?? []) this.#world.devices.set(name, device);
  }

  importDone(rootHash: string): void {
    if (this.stateHash() === rootHash) {
      this.#world.beginGeneration(this.#generation);
      return;
    }
    if (!this.#options.isDamaged()) this.#options.violate('a checkpoint is not what was captured');
    throw new OperatingError('CHECKPOINT_CORRUPT', 'the root hash differs');
  }

  stateHash(): string {
    const devices = [...this.#world.devices].sort(([left], [right]) => (left < right ? -1 : 1));
    const text = JSON.stringify([this.#world.head(), devices]);
    return createHash('sha256').update(text).digest('hex');
  }

  stats() {
    return { devices: this.#world.devices.size, memoryBytesUsed: 0, memoryBytesMax: 1 };
  }

  close(): void {
    this.#isClosed = true;
  }
}

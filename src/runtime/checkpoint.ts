/**
 * Takes checkpoints of one partition: changed device blocks become state objects, and the ownership
 * record names them once everything up to its position is in ClickHouse and on its subjects.
 *
 *   1 capture   freeze the kernel's state between two turns (marks are kept)
 *   2 store     copy it between later turns, a little at a time, into objects written once
 *               (names: increment.ts)
 *   3 wait      until all rows and facts handed in before the capture are acknowledged
 *   4 write     the record, by compare-and-set; only now are the marks cleared
 *   5 collect   objects that no retained checkpoint names any more
 *
 * Invariant: an object is removed only when a record of ours that does not name it has been
 * written, or when it is of an epoch before ours and our record never named it.
 */
import { createHash } from 'node:crypto';
import type { Mutex } from '../base/mutex.ts';
import type {
  BlockSink,
  FactSink,
  LogIdentity,
  LogReader,
  OwnershipRecord,
  PartitionKernel,
  StateStore,
  Sweep,
} from '../model/doors.ts';
import { isOperatingError } from '../model/error.ts';
import {
  EXPORT_PART_BYTES,
  IDENTITIES_MAX,
  IDENTITY_SEQUENCES,
  LAYOUT_VERSION,
} from '../model/limit.ts';
import { checkpointsOf, objectsOf, storedIdentity, takenAtMs } from '../model/ownership.ts';
import type { Lease } from './lease.ts';
import { keptObjects, nextSweep, objectName } from './state/increment.ts';
import { retained } from './state/retention.ts';

/** One slice of one: all devices. */
const EVERYTHING: Sweep = { slice: 0, of: 1 };

export interface CheckpointOptions {
  readonly partition: number;
  readonly lease: Lease;
  readonly stateStore: StateStore;
  readonly reader: LogReader;
  readonly blocks: BlockSink;
  readonly facts: FactSink;
  readonly semanticsVersion: number;
  /** Held while the kernel copies: between turns. */
  readonly boundary: Mutex;
  /** Whether the kernel was restored from the checkpoint that the record names first. */
  readonly isNewest: boolean;
}

/** What the loop knows at the moment of capture. */
export interface CheckpointMark {
  readonly identity: LogIdentity;
  readonly planText: string;
}

export interface Capture extends CheckpointMark {
  readonly kernel: PartitionKernel;
  readonly sweep: Sweep;
  /** Objects of the state that the changes are on top of. */
  readonly base: readonly string[];
  readonly position: bigint;
}

export class Checkpointer {
  readonly #options: CheckpointOptions;
  /** True until a checkpoint of all devices: what was restored is not what the record names. */
  #isWhole: boolean;
  /** Captures of this owner: a failed one leaves objects behind that have other bytes. */
  #attempts = 0;
  /** Objects that no record of ours names: of uploads that failed, of owners before us. */
  #orphans: string[] = [];
  #isSwept = false;
  /** What the commit under way waits for. */
  readonly #waits = new Set<string>();

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#isWhole = !options.isNewest;
  }

  /** What changed and a slice of the rest; only between two turns, and takes next to no time. */
  capture(kernel: PartitionKernel, mark: CheckpointMark): Capture {
    const base = this.#isWhole ? [] : this.#options.lease.record.objects;
    const sweep = this.#isWhole ? EVERYTHING : nextSweep(base);
    kernel.beginExport(sweep);
    return { ...mark, kernel, sweep, base, position: kernel.position };
  }

  /** What the commit under way waits for, in words; '' when none is. */
  get waitsFor(): string {
    return [...this.#waits].join(', ');
  }

  async #waiting<Result>(what: string, work: Promise<Result>): Promise<Result> {
    this.#waits.add(what);
    try {
      return await work;
    } finally {
      this.#waits.delete(what);
    }
  }

  /** Settles when the record names the capture; then the kernel may clear its marks. */
  async commit(capture: Capture): Promise<void> {
    const { lease, partition, blocks, facts } = this.#options;
    const before = lease.record;
    const plan = planObject(partition, before, capture.planText);
    const flushed = Promise.all([
      this.#waiting('ClickHouse for its rows', blocks.flushed(partition)),
      this.#waiting('NATS for its facts', facts.flushed()),
    ]);
    flushed.catch(() => {}); // it is asked below, once nothing copies any more
    const names: string[] = [];
    try {
      const storing = this.#store(capture, before, names);
      const rootHash = await this.#waiting('the store of its state objects', storing);
      await this.#storePlan(plan, capture.planText);
      await flushed;
      const objects = keptObjects(capture.base, names);
      await lease.write(await this.#changeOf(before, capture, { objects, plan, rootHash }));
    } catch (error) {
      this.#orphans.push(...names);
      // No room for another state: what is retained beside it gives way.
      if (isOperatingError(error, 'STATE_FULL')) await ignoringTrouble(this.#makeRoom());
      throw error;
    }
    this.#isWhole = false;
    // What is left behind is collected after the next checkpoint.
    await ignoringTrouble(this.#collect(before));
  }

  /** Stores one part while turns go on, then has the kernel copy the next one between them. */
  async #store(
    { kernel, sweep, position }: Capture,
    { generation, epoch }: OwnershipRecord,
    names: string[],
  ): Promise<string> {
    const { boundary, stateStore, partition } = this.#options;
    const attempt = ++this.#attempts;
    const stem = `${partition}.${generation}.${epoch}.${position}`;
    for (;;) {
      const part = await boundary.run(() => kernel.continueExport(EXPORT_PART_BYTES));
      const saves = part.chunks.map((chunk) => {
        const name = objectName(stem, sweep, attempt, names.length);
        names.push(name);
        return stateStore.save(name, chunk);
      });
      await Promise.all(saves);
      if (part.rootHash !== null) return part.rootHash;
    }
  }

  async #storePlan(name: string, text: string): Promise<void> {
    if (name === '' || objectsOf(this.#options.lease.record).has(name)) return;
    await this.#options.stateStore.save(name, Buffer.from(text, 'utf8'));
  }

  async #changeOf(
    before: OwnershipRecord,
    captured: Capture,
    stored: Pick<OwnershipRecord, 'objects' | 'plan' | 'rootHash'>,
  ): Promise<Partial<OwnershipRecord>> {
    const { partition, reader, semanticsVersion } = this.#options;
    const identity = storedIdentity(captured.identity);
    const newest = before.identities.at(-1);
    const isDue = !newest || captured.position >= BigInt(newest.sequence) + IDENTITY_SEQUENCES;
    const { firstSequence } = await reader.state(partition);
    const change = {
      position: `${captured.position}`,
      identity,
      identities: isDue
        ? [...before.identities, identity].slice(-IDENTITIES_MAX)
        : before.identities,
      ...stored,
      planText: '',
      stateGeneration: before.generation,
      cut: null,
      semanticsVersion,
      layoutVersion: LAYOUT_VERSION,
    };
    const nowMs = takenAtMs(change);
    return { ...change, history: retained(checkpointsOf(before), nowMs, firstSequence) };
  }

  /** Objects that the record named before and names no more, and those that it never named. */
  async #collect(before: OwnershipRecord): Promise<void> {
    const { lease, partition, stateStore } = this.#options;
    const kept = objectsOf(lease.record);
    if (!this.#isSwept) this.#orphans.push(...(await this.#leftBehind()));
    const named = [...objectsOf(before)].filter((name) => name.startsWith(`${partition}.`));
    const dead = [...named, ...this.#orphans].filter((name) => !kept.has(name));
    this.#orphans = dead;
    if (dead.length > 0) await stateStore.remove(dead);
    this.#orphans = [];
    this.#isSwept = true;
  }

  /** What owners of earlier epochs uploaded and no record of theirs came to name. */
  async #leftBehind(): Promise<string[]> {
    const { lease, partition, stateStore } = this.#options;
    const kept = objectsOf(lease.record);
    const names = await stateStore.list(`${partition}.`);
    return names.filter((name) => !kept.has(name) && epochOf(name) < lease.record.epoch);
  }

  /** Forgets what is not needed to go on; the next interval finds the room. */
  async #makeRoom(): Promise<void> {
    const { lease, partition, reader } = this.#options;
    const before = lease.record;
    const { firstSequence } = await reader.state(partition);
    const usable = before.history.filter(({ position }) => BigInt(position) + 1n >= firstSequence);
    const anchor = firstSequence > 1n ? usable.slice(-1) : [];
    if (anchor.length < before.history.length) await lease.write({ history: anchor });
    await this.#collect(before);
  }
}

/** One object per text and epoch: only its own epoch's holder may remove it. */
function planObject(partition: number, before: OwnershipRecord, text: string): string {
  if (text === '') return '';
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  const known = [...objectsOf(before)].find((name) => name.endsWith(`.plan.${hash}`));
  return known?.startsWith(`${partition}.`) ? known : `${partition}.${before.epoch}.plan.${hash}`;
}

/** Of a plan's name the second token, of a chunk's the third. */
function epochOf(name: string): number {
  const tokens = name.split('.');
  return Number(tokens[2] === 'plan' ? tokens[1] : tokens[2]);
}

async function ignoringTrouble(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isOperatingError(error)) throw error;
  }
}

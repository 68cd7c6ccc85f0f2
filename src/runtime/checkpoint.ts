/**
 * Takes checkpoints of one partition: changed device blocks become state objects, and the ownership
 * record names them once everything up to its position is in ClickHouse and on its subjects.
 *
 *   1 capture   export the kernel's state between two turns (a copy; marks are kept)
 *   2 store     objects under `<partition>.<generation>.<epoch>.<position>.<n>`, written once
 *   3 wait      until all rows and facts handed in before the capture are acknowledged
 *   4 write     the record, by compare-and-set; only now are the marks cleared
 *   5 collect   objects that no record names any more (the previous checkpoint's are kept)
 */
import type {
  BlockSink,
  FactSink,
  LogIdentity,
  OwnershipRecord,
  PartitionKernel,
  StateStore,
} from '../model/doors.ts';
import { IDENTITIES_MAX, IDENTITY_SEQUENCES, STATE_INCREMENTS_MAX } from '../model/limit.ts';
import type { Lease } from './lease.ts';

export interface CheckpointOptions {
  readonly partition: number;
  readonly lease: Lease;
  readonly stateStore: StateStore;
  readonly blocks: BlockSink;
  readonly facts: FactSink;
}

/** What the loop knows at the moment of capture. */
export interface CheckpointMark {
  readonly identity: LogIdentity;
  readonly planText: string;
}

export class Checkpointer {
  readonly #options: CheckpointOptions;
  #increments = STATE_INCREMENTS_MAX;
  #previousObjects: readonly string[];

  constructor(options: CheckpointOptions) {
    this.#options = options;
    this.#previousObjects = options.lease.record.objects;
  }

  /** A copy of what changed; only between two turns. */
  capture(kernel: PartitionKernel, mark: CheckpointMark): Capture {
    const whole = this.#increments >= STATE_INCREMENTS_MAX;
    return {
      ...mark,
      whole,
      chunks: [...kernel.exportState(whole ? 'all' : 'changed')],
      rootHash: kernel.stateHash(),
      position: kernel.position,
    };
  }

  /** Settles when the record names the capture; then the kernel may clear its marks. */
  async commit(capture: Capture): Promise<void> {
    const { lease, partition, blocks, facts } = this.#options;
    const before = lease.record;
    const stem = `${partition}.${before.generation}.${before.epoch}.${capture.position}`;
    const names = capture.chunks.map((_, index) => `${stem}.${index}`);
    await Promise.all([
      this.#store(names, capture.chunks),
      blocks.flushed(partition),
      facts.flushed(),
    ]);
    const objects = capture.whole ? names : [...before.objects, ...names];
    await lease.write(changeOf(before, capture, objects));
    this.#increments = capture.whole ? 0 : this.#increments + 1;
    await this.#collect(before.objects, objects);
  }

  async #store(names: readonly string[], chunks: readonly Uint8Array[]): Promise<void> {
    for (const [index, name] of names.entries()) {
      await this.#options.stateStore.save(name, chunks[index]);
    }
  }

  /** Objects of the last but one checkpoint that neither of the last two names. */
  async #collect(previous: readonly string[], current: readonly string[]): Promise<void> {
    const kept = new Set([...previous, ...current]);
    const dead = this.#previousObjects.filter((name) => !kept.has(name));
    this.#previousObjects = previous;
    if (dead.length > 0) await this.#options.stateStore.remove(dead);
  }
}

export interface Capture extends CheckpointMark {
  readonly whole: boolean;
  readonly chunks: readonly Uint8Array[];
  readonly position: bigint;
  readonly rootHash: string;
}

const identityText = (identity: LogIdentity) => ({
  sequence: `${identity.sequence}`,
  logTimeNs: `${identity.logTimeNs}`,
  hash: identity.hash,
});

function changeOf(
  before: OwnershipRecord,
  captured: Capture,
  objects: readonly string[],
): Partial<OwnershipRecord> {
  const identity = identityText(captured.identity);
  const newest = before.identities.at(-1);
  const due = !newest || captured.position >= BigInt(newest.sequence) + IDENTITY_SEQUENCES;
  return {
    position: `${captured.position}`,
    identity,
    identities: due ? [...before.identities, identity].slice(-IDENTITIES_MAX) : before.identities,
    objects,
    rootHash: captured.rootHash,
    planText: captured.planText,
  };
}

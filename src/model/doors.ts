/**
 * The doors: interfaces where rooms meet. Only main.ts and cli/ see both sides of one. Everything
 * the runtime needs is injected through these, so that one thread and one seed can decide every
 * interleaving in test/flow. All promises reject with OperatingError for trouble of the
 * environment.
 */
import type { DeadLetter, Fact } from './fact.ts';
import type { OwnershipRecord, StoredIdentity } from './ownership.ts';
import type { Plan } from './plan.ts';
import type { DeviceRecord, LogPosition } from './record.ts';

// --- log: append
// ----------------------------------------------------------------------------------
export interface LogAppend {
  /** Subject tail after `log.<log>.<p>.`: 'batch', 'tick', 'plan'. */
  readonly kind: 'batch' | 'tick' | 'plan' | 'ctl';
  readonly partition: number;
  readonly body: Uint8Array;
}

export interface LogAppender {
  /**
   * Resolves with the stream sequence once the log has stored the message; LOG_FULL, APPEND_REFUSED
   * or NATS_UNREACHABLE otherwise. One attempt: whoever calls retries the same bytes. The body may
   * be reused after the promise settles.
   */
  append(message: LogAppend): Promise<bigint>;
}

// --- log: pull
// ------------------------------------------------------------------------------------
/** Whole entries (layout in assembly/shared/abi.ts), contiguous in stream sequence. */
export interface LogChunk {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
}

/** What identifies one stored message: enough to notice that a log lost its tail and grew again. */
export interface LogIdentity {
  readonly sequence: bigint;
  readonly logTimeNs: bigint;
  /** 64-bit hash of subject and payload, as hex. */
  readonly hash: string;
}

export interface LogState {
  readonly firstSequence: bigint;
  readonly lastSequence: bigint;
  readonly bytes: number;
  readonly bytesMax: number;
}

export interface LogReader {
  /**
   * Yields chunks from `fromSequence` on, without end: catches up by Direct Get, then tails. Gaps
   * in the stream (deleted messages) are passed over; a disturbed delivery is recreated at last +
   * 1. Ends when the signal aborts. Chunks are owned by the caller.
   */
  read(partition: number, fromSequence: bigint, signal: AbortSignal): AsyncIterable<LogChunk>;
  state(partition: number): Promise<LogState>;
  /** From the stream leader; null when there is no such message. */
  identity(partition: number, sequence: bigint): Promise<LogIdentity | null>;
  /** Raw body of one message, null when the log no longer has it. */
  message(
    partition: number,
    sequence: bigint,
  ): Promise<{
    subject: string;
    headers: Uint8Array;
    payload: Uint8Array;
    logTimeNs: bigint;
  } | null>;
}

export interface LogPurger {
  /**
   * Removes messages below `keepFrom` that were stored before `beforeMs` (UTC). Gives how many
   * went. The caller sees to it that a durable checkpoint covers them.
   */
  purge(partition: number, keepFrom: bigint, beforeMs: number): Promise<number>;
}

// --- ownership and checkpoints
// ----------------------------------------------------------------------
export type { Checkpoint, OwnershipRecord } from './ownership.ts';

export interface Ownership {
  /** Read from the leader, with the revision to compare against; null when there is none. */
  load(partition: number): Promise<{ record: OwnershipRecord; revision: bigint } | null>;
  /**
   * Compare-and-set: writes when the newest revision is `revision` (0n: none yet). Gives the new
   * revision, or null on a conflict. A lost reply is settled by reading back and comparing nonces.
   */
  save(partition: number, record: OwnershipRecord, revision: bigint): Promise<bigint | null>;
  /** Poisoned records of the partition, to be skipped on every replay. */
  skips(partition: number): Promise<readonly LogPosition[]>;
  /** Create-only: a second call for the same position changes nothing. */
  addSkip(position: LogPosition): Promise<void>;
  /**
   * Skips of messages behind `after` that the log has lost: other messages stand in their places.
   * Only for who owns the partition. May be repeated.
   */
  dropSkips(partition: number, after: bigint): Promise<void>;
}

/** What one worker tells the others about itself, several times a second. */
export interface MemberStatus {
  /** Names the worker for as long as its data folder lives. */
  readonly id: string;
  /** Differs in every process: two processes with one id are a mistake to be found. */
  readonly process: string;
  readonly startedAtMs: number;
  readonly version: string;
  readonly semanticsVersion: number;
  /** Owns nothing new and hands over what it has. */
  readonly draining: boolean;
  readonly owns: readonly OwnedPartition[];
  readonly follows: readonly FollowedPartition[];
  /** How often trouble of each error code was met since the start. */
  readonly troubles: Readonly<Record<string, number>>;
}

export interface OwnedPartition {
  readonly partition: number;
  readonly epoch: number;
  readonly position: string;
  readonly checkpoint: string;
  /** Up to here all facts and dead letters are on their subjects; null: not known. */
  readonly published: Published | null;
}

/** What was published stays so, whoever said it: but only for the log that holds the message. */
export interface Published {
  readonly generation: number;
  readonly identity: StoredIdentity;
}

export interface FollowedPartition {
  readonly partition: number;
  readonly position: string;
}

/** A member as this process sees it; `heardAtMs` is on our own monotonic clock. */
export interface Member extends MemberStatus {
  readonly heardAtMs: number;
}

/** What a worker may be asked to do. */
export interface MemberOrders {
  /** Releases the partition once a checkpoint was taken; false when it is not ours. */
  handOver(partition: number): Promise<boolean>;
  drain(on: boolean): boolean;
}

/**
 * Who is there. Who owns what does not depend on its being right: only the ownership record
 * decides. What a member says it has `published` is believed.
 */
export interface Membership {
  /** Sends `status()` until stopped; others hear it in their `members`. */
  announce(status: () => MemberStatus): void;
  /** Everybody heard lately, also those who have fallen silent since; never ourselves. */
  readonly members: readonly Member[];
  /** Since when we could have heard anybody, on our own monotonic clock: a connection may break. */
  readonly hearingSinceMs: number;
  /** Asks a member to give a partition up; true once its record is released. */
  requestHandOver(member: string, partition: number): Promise<boolean>;
  /** Carries out what others ask of us, from now on. */
  serve(orders: MemberOrders): void;
  /** Partitions that an operator wants on a certain member. */
  pins(): Promise<ReadonlyMap<number, string>>;
  stop(): Promise<void>;
}

/** Checkpoint chunks: written once, acknowledged, checked when read. */
export interface StateStore {
  save(name: string, bytes: Uint8Array): Promise<void>;
  /** Null when missing; CHECKPOINT_CORRUPT when it is not what was written. */
  load(name: string): Promise<Uint8Array | null>;
  remove(names: readonly string[]): Promise<void>;
  list(prefix: string): Promise<readonly string[]>;
}

// --- kernel
// ---------------------------------------------------------------------------------------
/** Finished rows of one table as one ClickHouse Native block. Bytes are owned by the receiver. */
export interface Block {
  readonly table: string;
  readonly rows: number;
  readonly bytes: Uint8Array;
}

export interface TurnOutput {
  readonly blocks: readonly Block[];
  readonly facts: readonly Fact[];
  readonly deadLetters: readonly DeadLetter[];
  /**
   * 'done': the whole chunk is applied. 'more': an output region was full: take these outputs and
   * call `resume`. 'plan': the message at `position` is a plan record: call `usePlan`, then
   * `resume`.
   */
  readonly status: 'done' | 'more' | 'plan';
  /** Last sequence fully applied. */
  readonly position: bigint;
  /** Unflushed revisions or pending timers: the owner must append ticks. */
  readonly needsTicks: boolean;
}

/** Slice `slice` of `of`: after all of them every device was exported. `of` 0: no slice. */
export interface Sweep {
  readonly slice: number;
  readonly of: number;
}

/** Chunks in any order among the parts of one export; the hash comes with the last part. */
export interface ExportPart {
  readonly chunks: readonly Uint8Array[];
  /** `stateHash` of the state that was captured; null while there is more to copy. */
  readonly rootHash: string | null;
}

export interface PartitionKernel {
  /** Applies a chunk (or its rest, without argument). At most one turn in flight. */
  turn(chunk: LogChunk): Promise<TurnOutput>;
  resume(): Promise<TurnOutput>;
  /** Text of the plan record that stopped the turn, or of a restored checkpoint. */
  usePlan(planText: string): void;
  /** Records that must not be applied; set before any replay. */
  setSkips(skips: readonly LogPosition[]): void;
  /**
   * Chunks (≤ 512 KiB) of the devices changed since the last acknowledged export, or of all. Marks
   * are cleared only by `exportDone(true)`; `exportDone(false)` merges them back.
   */
  exportState(scope: 'changed' | 'all'): Iterable<Uint8Array>;
  /**
   * Captures the state as it is now without copying it: the devices changed since the last
   * acknowledged export, and one slice of the others. `continueExport` copies about `bytes` of it
   * at a time, between turns; what a turn is about to change is copied before that. `exportDone`
   * ends it, also early. One export at a time.
   */
  beginExport(sweep: Sweep): void;
  continueExport(bytes: number): ExportPart;
  exportDone(acknowledged: boolean): void;
  /**
   * Applies one exported chunk to a fresh memory; later chunks win. Call `importDone` after the
   * last.
   */
  importState(chunk: Uint8Array): void;
  /**
   * Rebuilds indexes and checks the root hash: CHECKPOINT_CORRUPT when it differs. A state of an
   * older generation than the kernel was opened for begins the newer one: what it may have emitted
   * is emitted again at the next flush point.
   */
  importDone(rootHash: string): void;
  /** Independent of where state lies in memory; equal for equal logs. */
  stateHash(): string;
  readonly position: bigint;
  stats(): { devices: number; memoryBytesUsed: number; memoryBytesMax: number };
  close(): void;
}

export interface KernelOptions {
  readonly log: string;
  readonly partition: number;
  readonly generation: number;
  readonly memoryBytes: number;
}

export interface Kernel {
  /** A fresh, empty partition. */
  open(options: KernelOptions): PartitionKernel;
  stop(): Promise<void>;
}

// --- sinks
// ----------------------------------------------------------------------------------------
/** The combined inserter: one per process, all partitions' blocks of a table together. */
export interface BlockSink {
  /**
   * Takes blocks of a partition whose turn ended at `position`. Resolves when there is room for
   * more (back-pressure), not when they are stored.
   */
  insert(partition: number, blocks: readonly Block[], position: bigint): Promise<void>;
  /**
   * Resolves when everything handed in for the partition so far is durably in ClickHouse, or in a
   * spool that counts as much.
   */
  flushed(partition: number): Promise<void>;
}

/** How far the read model is: asked before a partition goes on from a checkpoint. */
export interface BlockProgress {
  /**
   * The partition goes on in `generation` from `cut`: rows of older generations from above it count
   * no more, and the partition is visible up to it. Resolves when that is durably so. May be
   * repeated as long as the generation has no checkpoint.
   */
  beginGeneration(partition: number, generation: number, cut: bigint): Promise<void>;
  /**
   * Log sequence up to which all rows of the partition are in ClickHouse or on their way there
   * without a gap; 0n when nothing is known of it. Less than a checkpoint's position:
   * READMODEL_BEHIND. From then on alarms about what was handed in before are settled. Rejects
   * with CLICKHOUSE_UNREACHABLE.
   */
  reached(partition: number): Promise<bigint>;
  /**
   * The partition goes on from `position`: what it hands in next follows there. A gap between that
   * and what ClickHouse holds is READMODEL_BEHIND from `insert` or `flushed`.
   */
  begin(partition: number, position: bigint): void;
}

export interface FactSink {
  /** Publishes in acknowledged batches; resolves when there is room for more. */
  publish(facts: readonly Fact[]): Promise<void>;
  deadLetters(letters: readonly DeadLetter[]): Promise<void>;
  /** Resolves when everything handed in so far is acknowledged by the server. */
  flushed(): Promise<void>;
  /** For everything handed in so far, by whomever. */
  receipt(): Receipt;
}

export interface Receipt {
  /** Once true it stays so. */
  readonly isAcknowledged: boolean;
}

/** Creates what a plan needs in the read model, before the plan record is appended. */
export interface PlanTables {
  prepare(plan: Plan): Promise<void>;
}

// --- ingest
// ---------------------------------------------------------------------------------------
export interface Ingest {
  /**
   * Resolves with the position once the log has stored the record. Refuses before the log with
   * IDENTITY_INVALID, RECORD_TOO_LARGE, INGEST_STOPPED or LOG_FULL; each refusal is counted.
   */
  admit(record: DeviceRecord): Promise<LogPosition>;
  readonly counts: {
    readonly accepted: number;
    readonly refused: Readonly<Record<string, number>>;
  };
  /** Admits no more, waits until everything admitted is answered. */
  stop(): Promise<void>;
}

/**
 * Limits of the host, each written once with unit and reason. The kernel's limits live in
 * assembly/shared/abi.ts, because both sides compile them.
 */
import { MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../../assembly/shared/abi.ts';
import { assert } from '../base/assert.ts';

/** The kernel's limits and layouts, for the rooms that do not read assembly/ themselves. */
export * from '../../assembly/shared/abi.ts';

/** Body of a record batch; one log message, so that any message fits an arena. */
export const BATCH_BYTES_MAX = MESSAGE_BYTES_MAX;

/** How long a batch waits for company, as Kafka producers do: latency bought for fewer messages. */
export const BATCH_LINGER_MS = 5;

/** Records waiting per partition before `admit` itself waits: a few batches, not a store. */
export const INGEST_QUEUE_BYTES_MAX = 1024 * 1024;

/** A full turn of outputs waits for the sinks at most this often before the partition waits. */
export const STATE_CHUNK_BYTES_MAX = 512 * 1024;

/** One tick per second of log time while something waits for it (EXACTLY_ONCE §3). */
export const TICK_INTERVAL_MS = 1000;

/** A checkpoint under way for longer is told: replays and takeovers grow with it. */
export const CHECKPOINT_SLOW_MS = 30_000;

/** Renewal of the ownership record; claims count in missed ones. */
export const RENEW_INTERVAL_MS = 1000;

/** Members tell each other that they live, and what they do. */
export const HEARTBEAT_INTERVAL_MS = 200;

/** Their heralds say it again in between. */
export const HEARTBEAT_REPEAT_MS = 100;

/**
 * A member not heard for this long is taken for dead by its standbys: four missed repetitions and a
 * margin for a busy machine. A false alarm costs a move, never a result.
 */
export const MEMBER_SILENT_MS = 450;

/**
 * A worker whose loop stands still for no longer than this lives and goes on: well above the
 * longest stall seen (0.9 s, three workers on two busy cores). One that is stuck is replaced.
 */
export const LOOP_STALL_MAX_MS = 3_000;

/** Silent for this long, a member loses its places to others: longer than a restart of NATS. */
export const MEMBER_GONE_MS = 5_000;

/** Outputs that a standby keeps per partition until a checkpoint covers them; then it waits. */
export const STANDBY_BYTES_MAX = 64 * 1024 * 1024;

/** Partitions that one process restores at once: each needs memory, disk and a core. */
export const RECOVERIES_MAX = 2;

/** An unreachable record changes nothing for this long: nobody else can claim meanwhile either. */
export const OWNERSHIP_PAUSE_MS = 15_000;

/** The owner halts before a turn whose log stamps are further ahead of its own clock. */
export const LOG_AHEAD_MAX_MS = 60_000;

/** Messages between two remembered identities of the log, and how many are remembered. */
export const IDENTITY_SEQUENCES = 1024n;
export const IDENTITIES_MAX = 64;

/**
 * Layout of the ownership record and of state objects. 1: the plan's text stands in the record, and
 * there is one checkpoint; such records are read. A higher number than ours is refused.
 */
export const LAYOUT_VERSION = 2;

/**
 * Retained beside the newest and the previous checkpoint: one per 10 minutes of log time, further
 * back one per as much time as it is old, so that a week takes about a dozen.
 */
export const CHECKPOINT_SLOT_MS = 600_000;
/** Without the newest. Each may hold a whole state on STATE, or share it with its neighbours. */
export const CHECKPOINTS_RETAINED_MAX = 16;

/** Records skipped for poison per partition and hour before it halts. */
export const SKIPS_PER_HOUR_MAX = 8;

/**
 * A message is purged only below a checkpoint that has been durable for so long (EXACTLY_ONCE §4).
 */
export const PURGE_AFTER_MS = 600_000;
export const PURGE_INTERVAL_MS = 60_000;

/**
 * From this share of a log stream's bytes on retention yields: what is checkpointed may go at once.
 * Before devices are refused, so that a log that is purged in time refuses nobody.
 */
export const LOG_YIELD_SHARE = 0.7;

/** From this share on devices are refused: ticks, plans and checkpoints always find room. */
export const LOG_FULL_SHARE = 0.8;

/** Slices of the state that did not change: each checkpoint has one (state/increment.ts). */
export const STATE_SLICES = 32;
/** State that is copied between two turns: about 2 ms. */
export const EXPORT_PART_BYTES = 2_097_152;

assert(PAYLOAD_BYTES_MAX + 4096 <= BATCH_BYTES_MAX, 'a payload, its ids and framing fit a batch');

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

/** Renewal of the ownership record; claims count in missed ones. */
export const RENEW_INTERVAL_MS = 1000;

/** An unreachable record changes nothing for this long: nobody else can claim meanwhile either. */
export const OWNERSHIP_PAUSE_MS = 15_000;

/** The owner halts before a turn whose log stamps are further ahead of its own clock. */
export const LOG_AHEAD_MAX_MS = 60_000;

/** Messages between two remembered identities of the log, and how many are remembered. */
export const IDENTITY_SEQUENCES = 1024n;
export const IDENTITIES_MAX = 64;

/** Records skipped for poison per partition and hour before it halts. */
export const SKIPS_PER_HOUR_MAX = 8;

/**
 * A message is purged only below a checkpoint that has been durable for so long (EXACTLY_ONCE §4).
 */
export const PURGE_AFTER_MS = 600_000;
export const PURGE_INTERVAL_MS = 60_000;

/**
 * Above this share of a log stream's bytes retention yields: what is checkpointed may go at once.
 */
export const LOG_FULL_SHARE = 0.8;

/** Increments of state before a checkpoint is written whole again. */
export const STATE_INCREMENTS_MAX = 32;

assert(PAYLOAD_BYTES_MAX + 4096 <= BATCH_BYTES_MAX, 'a payload, its ids and framing fit a batch');

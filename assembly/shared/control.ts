/**
 * The control block: the part of a partition's memory that host and kernel both touch. It lies at
 * STATE_BASE; the kernel writes it, the host reads it with a DataView after a call, so that exports
 * pass integer codes only and no 64-bit value crosses the border. Portable between asc and tsc.
 */
/** Everything of a partition lies at or above this address; the module's own data lies below. */
export const STATE_BASE = 0x40000;

export const CONTROL_ABI_AT = 0;
/** Odd while a call is running: a memory that is found odd holds half a turn and must go. */
export const CONTROL_TURN_WORD_AT = 4;
export const CONTROL_POSITION_AT = 8;
export const CONTROL_LOG_CLOCK_AT = 16;
/** The message being applied and the record in it (NO_RECORD in timers and flush points). */
export const CONTROL_SEQUENCE_AT = 24;
export const CONTROL_RECORD_INDEX_AT = 32;
export const CONTROL_NEEDS_TICKS_AT = 36;
/** 1: a message is half applied (after RESULT_MORE and RESULT_MEMORY_FULL). */
export const CONTROL_MESSAGE_OPEN_AT = 40;
/** 1: a plan record was applied and its plan is not yet in use. */
export const CONTROL_PLAN_PENDING_AT = 44;
export const CONTROL_DEVICE_COUNT_AT = 48;
export const CONTROL_POOL_BYTES_AT = 52;
export const CONTROL_POOL_USED_AT = 56;
export const CONTROL_SLOTS_MAX_AT = 60;
/** Two input regions of CHUNK_BYTES_MAX, one behind the other. */
export const CONTROL_INPUT_AT = 64;
/** BLOCK_BYTES each: table u32, rows u32, address u32, bytes u32. */
export const CONTROL_BLOCKS_AT = 68;
export const CONTROL_BLOCK_COUNT_AT = 72;
/** First fact and first dead letter: address of a row (layouts below), 0 = none. */
export const CONTROL_FACT_AT = 76;
export const CONTROL_LETTER_AT = 80;
/** Where export chunks are left, import chunks and skips are put. */
export const CONTROL_EXPORT_AT = 84;
export const CONTROL_SKIPS_AT = 88;
export const CONTROL_SKIP_COUNT_AT = 92;
export const CONTROL_STATE_HASH_AT = 96;
export const CONTROL_PLAN_AT = 104;
/** Chunks of an export that may be taken; not 0: a turn waits for a block to be copied. */
export const CONTROL_EXPORT_READY_AT = 112;
export const CONTROL_EXPORT_WANTED_AT = 116;
/** Where the index of devices lies (hash u32, slot + 1 u32; 0 = free), and its places − 1. */
export const CONTROL_INDEX_AT = 124;
export const CONTROL_INDEX_MASK_AT = 128;
/** Key of the index, put there by the host before `open`: see assembly/identity.ts. */
export const CONTROL_INDEX_KEY_AT = 512;
export const INDEX_KEY_BYTES = 224;
export const CONTROL_BYTES = 120;

export const NO_RECORD = 0xffffffff;
export const BLOCK_BYTES = 16;
/** Sequence u64, index u32, zero u32. */
export const SKIP_BYTES = 16;
export const SKIPS_MAX = 512;
/** Bytes of one export chunk at most, and where its own size stands in it. */
export const EXPORT_CHUNK_BYTES = 524288;
export const EXPORT_SIZE_AT = 4;
/** Chunks that wait to be taken, one EXPORT_CHUNK_BYTES behind the other; then turns stop. */
export const EXPORT_CHUNKS_MAX = 3;

// --- result codes of turn, resume and the calls of state.ts -----------------------------------
export const RESULT_DONE = 0;
/** An output region is full: take the outputs, then `resume`. */
export const RESULT_MORE = 1;
/** A plan record was applied: install the plan, then `resume`. */
export const RESULT_PLAN = 2;
export const RESULT_MEMORY_FULL = 3;
/** The chunk breaks the layout of shared/abi.ts: a bug of whoever made it. */
export const RESULT_CHUNK_BAD = 4;
/** An import chunk is not one, or of another version, or does not fit together. */
export const RESULT_STATE_BAD = 5;

// --- rows that become facts and dead letters --------------------------------------------------
//
//  every row   0 ┌ next row of its table u32 ┬ bytes u32 ┬ next fact u32 ┬ kind u32 ┐
//             16 ├ its own fields …                                                 ┤
//                └ identity: three strings, each with a length byte before it …     ┘
export const ROW_NEXT_AT = 0;
export const ROW_BYTES_AT = 4;
export const ROW_NEXT_FACT_AT = 8;
export const ROW_KIND_AT = 12;
export const ROW_WINDOW = 1;
export const ROW_DEVICE = 2;
export const ROW_ALERT = 3;

export const WINDOW_ROW_START_AT = 16;
export const WINDOW_ROW_FRAGMENT_AT = 24;
export const WINDOW_ROW_SEQUENCE_AT = 32;
export const WINDOW_ROW_WATERMARK_AT = 40;
export const WINDOW_ROW_LOG_TIME_AT = 48;
export const WINDOW_ROW_END_AT = 56;
export const WINDOW_ROW_ORDINAL_AT = 64;
export const WINDOW_ROW_REVISION_AT = 68;
export const WINDOW_ROW_CHANNEL_AT = 72;
/** Index of the window in its channel's plan. */
export const WINDOW_ROW_WINDOW_AT = 76;
export const WINDOW_ROW_METRIC_COUNT_AT = 80;
export const WINDOW_ROW_EXPIRES_AT = 84;
/** Where the identity lies, from the row's start; metrics lie between it and the fixed part. */
export const WINDOW_ROW_IDENTITY_AT = 88;
/** WINDOW_ROW_DELETED: a tombstone. */
export const WINDOW_ROW_FLAGS_AT = 92;
export const WINDOW_ROW_METRICS_AT = 96;
/**
 * Ordinal u64, count u64, sum, min, max, first, first time, first sequence, last …, mean, m2,
 * score, integral; where its bins lie from the row's start u32, and how many u32 (i32 keys, then
 * u32 counts).
 */
export const WINDOW_METRIC_BYTES = 128;
export const WINDOW_METRIC_BINS_AT = 120;
export const WINDOW_ROW_DELETED = 1;

export const DEVICE_ROW_SEQUENCE_AT = 16;
export const DEVICE_ROW_LOG_TIME_AT = 24;
export const DEVICE_ROW_FIRST_SEEN_AT = 32;
export const DEVICE_ROW_LAST_SEEN_AT = 40;
export const DEVICE_ROW_LAST_EVENT_AT = 48;
export const DEVICE_ROW_RECORDS_AT = 56;
export const DEVICE_ROW_READINGS_AT = 64;
export const DEVICE_ROW_REJECTED_AT = 72;
export const DEVICE_ROW_DUPLICATES_AT = 80;
export const DEVICE_ROW_ORDINAL_AT = 88;
export const DEVICE_ROW_REPORTED_COUNT_AT = 92;
export const DEVICE_ROW_IDENTITY_AT = 96;
export const DEVICE_ROW_CLOCK_OFFSET_AT = 104;
export const DEVICE_ROW_CLOCK_DRIFT_AT = 112;
export const DEVICE_ROW_REPORTED_AT = 120;
/**
 * Channel u32, metric ordinal u32, value bits u64, event time i64. The bits of a text are where it
 * lies, u32, and its length in the upper half.
 */
export const REPORTED_BYTES = 24;

export const ALERT_ROW_RAISED_AT = 16;
export const ALERT_ROW_RAISED_SEQUENCE_AT = 24;
export const ALERT_ROW_SINCE_AT = 32;
export const ALERT_ROW_VALUE_AT = 40;
export const ALERT_ROW_PEAK_AT = 48;
/** Event time and value that cleared it; 0 while it is active. */
export const ALERT_ROW_CLEARED_AT = 56;
export const ALERT_ROW_CLEARED_VALUE_AT = 64;
export const ALERT_ROW_SEQUENCE_AT = 72;
export const ALERT_ROW_LOG_TIME_AT = 80;
export const ALERT_ROW_ORDINAL_AT = 88;
export const ALERT_ROW_RAISED_ORDINAL_AT = 92;
export const ALERT_ROW_ACTIVE_AT = 96;
export const ALERT_ROW_EXPIRES_AT = 100;
/** Channel id, and the alert's id in the channel. */
export const ALERT_ROW_CHANNEL_AT = 104;
export const ALERT_ROW_ALERT_AT = 108;
/** Where the identity lies, from the row's start: here. */
export const ALERT_ROW_IDENTITY_AT = 112;
export const ALERT_ROW_IDENTITY = 120;

export const LETTER_ROW_SEQUENCE_AT = 16;
export const LETTER_ROW_RECEIVED_AT = 24;
export const LETTER_ROW_LOG_TIME_AT = 32;
export const LETTER_ROW_PLAN_HASH_AT = 40;
export const LETTER_ROW_INDEX_AT = 48;
export const LETTER_ROW_OFFSET_AT = 52;
export const LETTER_ROW_PAYLOAD_BYTES_AT = 56;
export const LETTER_ROW_EXPIRES_AT = 60;
export const LETTER_ROW_SAMPLE_BYTES_AT = 64;
/** Where the sample's bytes lie, from the row's start. */
export const LETTER_ROW_SAMPLE_AT = 68;
/** Tenant, site, device, channel, reason, metric: each with a length byte before it. */
export const LETTER_ROW_TEXTS_AT = 72;

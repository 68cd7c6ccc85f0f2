/**
 * What host and kernel agree on: versions, limits and record layouts that both sides touch.
 * Portable between asc and tsc: unannotated integer constants only. All integers little-endian.
 */
export const ABI_VERSION = 2;
/** Bumped when the same log would give other state or rows; pinned in the checkpoint. */
export const SEMANTICS_VERSION = 3;

// --- Limits (unit in the name) -----------------------------------------------------------------
/** tenant, site, device and channel ids, and metric names: [A-Za-z0-9_-]{1,64}. */
export const ID_BYTES_MAX = 64;
export const EVENT_ID_BYTES_MAX = 64;
/** Payload of one record: a log message (64 KiB) less headers, subject and batch framing. */
export const PAYLOAD_BYTES_MAX = 61440;
/** Body of one log message. */
export const MESSAGE_BYTES_MAX = 65536;
/** Metrics of a channel: one presence bit each in a UInt64. */
export const METRICS_PER_CHANNEL_MAX = 64;
export const CHANNELS_MAX = 256;
export const WINDOWS_PER_CHANNEL_MAX = 6;
export const RULES_PER_CHANNEL_MAX = 32;
export const ALERTS_PER_CHANNEL_MAX = 32;
/** A text value in UTF-8; longer ones are TEXT_LIMIT. */
export const TEXT_BYTES_MAX = 256;
/** Values that a text metric may list. */
export const TEXT_VALUES_MAX = 256;
/** Panes of one hopping or count window: length / every. */
export const PANES_MAX = 64;
/** Bins of a quantile sketch; a bin spans 1/64 of a power of two (relative error ≤ 1/128). */
export const SKETCH_BINS_MAX = 2048;
export const SKETCH_SHIFT = 46;
/** Readings after which the running mean of a score forgets at a constant rate. */
export const SCORE_SPAN = 256;
/** Readings of a series before it has a score, and of one hour of the week. */
export const SCORE_WARM_UP = 32;
export const SEASON_WARM_UP = 24;
export const SEASON_HOURS = 168;
/** Scores are cut off here: a constant series that changes has no finite one. */
export const SCORE_MAX = 1000000;
/** Width of a bucket of the clock model, in log time. */
export const CLOCK_BUCKET_MS = 600000;
/** Samples that one gap may count as missing. */
export const MISSING_MAX = 1000;
export const SAMPLES_PER_RECORD_MAX = 4096;
export const READINGS_PER_RECORD_MAX = 16384;
export const JSON_DEPTH_MAX = 32;
/** Elements of a repeated Protobuf field that a path may name: 0 … this − 1. */
export const ELEMENTS_MAX = 1024;
/** Sparkplug aliases that a device remembers, over all its name spaces. */
export const ALIASES_MAX = 4096;
/** Boots remembered per device, and received intervals per boot (EXACTLY_ONCE §2). */
export const BOOTS_PER_DEVICE_MAX = 4;
export const INTERVALS_PER_BOOT_MAX = 16;
/** Unfired, and fired but unflushed, windows kept per (device, channel, length). */
export const OPEN_WINDOWS_MAX = 64;
/** Fired windows that stay open for revisions per (device, channel, length). */
export const FIRED_WINDOWS_KEPT = 2;
/** Revisions are coalesced up to every tick and every log sequence ≡ 0 mod this. */
export const FLUSH_SEQUENCES = 1024;
/** Ledger rows are kept per fixed block of this many log sequences. */
export const LEDGER_BLOCK_SEQUENCES = 65536;
/** First bytes of a rejected payload kept in its dead-letter row. */
export const DEAD_LETTER_SAMPLE_BYTES = 256;

/** A plan image in partition memory; a plan's text fits a log message, so this is ample. */
export const PLAN_BYTES_MAX = 1048576;
/** Event times that the tables can hold: 1900-01-01T00:00:00.000 … 2299-12-31T23:59:59.999 UTC. */
export const EVENT_TIME_MS_MIN = -2208988800000;
export const EVENT_TIME_MS_MAX = 10413791999999;

// --- A chunk of the log, as it lies in an input region -------------------------------------------
//
//  entry   0 ┌ entryBytes u32 (whole entry, multiple of 8) ┬ payloadBytes u32 ┐
//          8 ├ subjectBytes u16 ┬ headerBytes u16 ┬ zero u32 ┤
//         16 ├ sequence u64 (stream sequence) ────────────────┤
//         24 ├ logTimeNs u64 (JetStream stamp, UTC) ──────────┤
//         32 ├ subject … headers (raw "NATS/1.0\r\n…") … payload … zeros to a multiple of 8
export const ENTRY_HEADER_BYTES = 32;
export const ENTRY_BYTES_AT = 0;
export const ENTRY_PAYLOAD_BYTES_AT = 4;
export const ENTRY_SUBJECT_BYTES_AT = 8;
export const ENTRY_HEADER_BYTES_AT = 10;
export const ENTRY_SEQUENCE_AT = 16;
export const ENTRY_LOG_TIME_NS_AT = 24;
/** Bytes of a chunk at most (one input region). A chunk holds whole entries, at least one. */
export const CHUNK_BYTES_MAX = 1048576;

// --- Kinds of values and formats
// -------------------------------------------------------------------
export const KIND_NUMBER = 1;
export const KIND_INTEGER = 2;
export const KIND_BOOLEAN = 3;
export const KIND_TEXT = 4;

export const FORMAT_PROTOBUF = 1;
export const FORMAT_JSON = 2;
export const FORMAT_PROTOBUF_MESSAGE = 3;
export const FORMAT_SPARKPLUG = 4;
export const FORMAT_SENML_JSON = 5;
export const FORMAT_SENML_CBOR = 6;
export const FORMAT_AVRO = 7;

export const FRAMING_NONE = 0;
export const FRAMING_CONFLUENT = 1;

export const TIME_ISO8601 = 1;
export const TIME_S = 2;
export const TIME_MS = 3;
export const TIME_US = 4;
export const TIME_NS = 5;

export const POLICY_REJECT = 0;
export const POLICY_ACCEPT = 1;
/** Clocks only: a clock that runs ahead is set back by its measured offset. */
export const POLICY_CORRECT = 2;

export const WINDOW_TUMBLING = 1;
export const WINDOW_HOPPING = 2;
export const WINDOW_SESSION = 3;
export const WINDOW_COUNT = 4;

export const SCORE_NONE = 0;
export const SCORE_EWMA = 1;
export const SCORE_SEASONAL = 2;

export const OPERATOR_LESS = 1;
export const OPERATOR_LESS_EQUAL = 2;
export const OPERATOR_EQUAL = 3;
export const OPERATOR_NOT_EQUAL = 4;

export const ALERT_ABOVE = 1;
export const ALERT_BELOW = 2;
export const ALERT_OUTSIDE = 3;
export const SEVERITY_INFO = 1;
export const SEVERITY_WARNING = 2;
export const SEVERITY_CRITICAL = 3;

// --- Flags of a stored sample (column `flags`)
// ------------------------------------------------------
/** Behind the watermark by more than the allowed lateness. */
export const FLAG_LATE = 1;
/** Event time was absent: the received time stands for it. */
export const FLAG_TIME_RECEIVED = 2;
/** Some readings of the sample were rejected. */
export const FLAG_PARTLY = 4;
/** Accepted although its clock is ahead or it is older than maxAge. */
export const FLAG_UNJUDGED_TIME = 8;
/** Event time is the device's, set back by the offset of its clock; `device_time` keeps its own. */
export const FLAG_TIME_CORRECTED = 16;
/** The device says that it is old news (Sparkplug is_historical): no current state comes of it. */
export const FLAG_HISTORICAL = 32;
/** Some readings change too fast, are stuck or break a rule, and the policy accepts them. */
export const FLAG_SUSPECT = 64;

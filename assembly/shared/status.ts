/**
 * Statuses of a record, a sample or a reading. Zero is success; the order is the precedence: what
 * is refused for several reasons gets the lowest number. Compiled by asc (kernel) and tsc (host),
 * so that both sides read one list. The names are what subjects, tables and people see.
 */
export const OK = 0;
// Records: framing and identity
export const EMPTY = 1;
export const BATCH_MALFORMED = 2;
export const IDENTITY_INVALID = 3;
export const SKIPPED = 4;
export const DEVICE_UNKNOWN = 5;
export const CHANNEL_UNKNOWN = 6;
// Records: payload
export const PAYLOAD_MALFORMED = 7;
export const PAYLOAD_TOO_DEEP = 8;
export const LIMIT_EXCEEDED = 9;
export const EVENT_ID_INVALID = 10;
export const NO_READINGS = 11;
// Records: deduplication (terminal states of their own, not rejections)
export const DUPLICATE = 12;
export const DEDUP_UNKNOWN = 13;
// Samples: time, then completeness
export const TIME_MALFORMED = 14;
export const TIME_MISSING = 15;
export const CLOCK_AHEAD = 16;
export const TOO_OLD = 17;
export const TOO_LATE = 18;
export const REQUIRED_MISSING = 19;
// Readings
export const METRIC_UNKNOWN = 20;
export const TYPE_MISMATCH = 21;
export const NOT_FINITE = 22;
export const OUT_OF_RANGE = 23;
// Sinks, entered by the host
export const SINK_REFUSED = 24;

/** One more than the highest status: the length of tables indexed by status. */
export const STATUS_COUNT = 25;

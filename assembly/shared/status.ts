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
export const SCHEMA_UNKNOWN = 7;
export const PAYLOAD_MALFORMED = 8;
export const PAYLOAD_TOO_DEEP = 9;
export const LIMIT_EXCEEDED = 10;
export const EVENT_ID_INVALID = 11;
export const NO_READINGS = 12;
// Records: deduplication (terminal states of their own, not rejections)
export const DUPLICATE = 13;
export const DEDUP_UNKNOWN = 14;
// Samples: time, then completeness
export const TIME_MALFORMED = 15;
export const TIME_MISSING = 16;
export const CLOCK_AHEAD = 17;
export const TOO_OLD = 18;
export const TOO_LATE = 19;
export const REQUIRED_MISSING = 20;
// Readings: what is seen in the payload
export const METRIC_UNKNOWN = 21;
export const ALIAS_UNKNOWN = 22;
export const TYPE_MISMATCH = 23;
export const UNIT_MISMATCH = 24;
export const TEXT_LIMIT = 25;
export const NOT_FINITE = 26;
export const NOT_LISTED = 27;
export const OUT_OF_RANGE = 28;
// Readings: what only the device's state or its neighbours in the sample tell
export const RATE_EXCEEDED = 29;
export const VALUE_STUCK = 30;
export const RULE_BROKEN = 31;
// Sinks, entered by the host
export const SINK_REFUSED = 32;

/** One more than the highest status: the length of tables indexed by status. */
export const STATUS_COUNT = 33;

/**
 * The plan image: a decode plan as bytes in partition memory. Written by
 * src/kernel/image/plan-image.ts, read by assembly/plan.ts. Portable between asc and tsc:
 * unannotated integer constants only.
 *
 *  ┌ header ┬ per channel: record, windows, metrics, name index, trie ┬ tables ┬ allowed devices ┐
 *
 * Position independent: offsets in the header and in the tables are relative to the image's start;
 * offsets inside a record (channel, metric, window, trie node, member) are relative to that
 * record's own start, so that a record can be read through its pointer alone. Numbers are
 * little-endian, all records are aligned to 8. Every name is preceded by one byte with its length,
 * as a ClickHouse Native string is, and followed by at least 8 readable bytes.
 */
/** "MRP" and the layout version. */
export const PLAN_MAGIC = 0x0250524d;

// --- header ------------------------------------------------------------------------------------
export const PLAN_MAGIC_AT = 0;
export const PLAN_BYTES_AT = 4;
export const PLAN_LOG_NAME_AT = 8;
export const PLAN_LOG_NAME_BYTES_AT = 12;
export const PLAN_DEVICES_MAX_AT = 16;
export const PLAN_IDS_PER_DEVICE_AT = 20;
export const PLAN_DEDUP_HORIZON_AT = 24;
export const PLAN_DEAD_LETTER_RETENTION_AT = 32;
export const PLAN_SHADOW_INTERVAL_AT = 40;
export const PLAN_DEAD_LETTERS_AT = 48;
export const PLAN_CHANNEL_COUNT_AT = 52;
/** u32 offset per channel, ascending by id. */
export const PLAN_CHANNELS_AT = 56;
/** u32 offset per channel id from 0 on; 0 = no such channel. */
export const PLAN_BY_ID_AT = 60;
export const PLAN_BY_ID_COUNT_AT = 64;
/** Open addressing by nameHash of channels in use: hash u32, offset u32 (0 = free). */
export const PLAN_BY_NAME_AT = 68;
export const PLAN_BY_NAME_MASK_AT = 72;
/** 1: only the devices listed are known. */
export const PLAN_STRICT_AT = 76;
/** Sorted by hash: FNV-1a 64 of 'tenant/site/device' u64, offset of those bytes u32, length u32. */
export const PLAN_DEVICES_AT = 80;
export const PLAN_DEVICE_COUNT_AT = 84;
export const PLAN_TABLES_AT = 88;
export const PLAN_TABLE_COUNT_AT = 92;
/** u32 offset per status number, of a length byte and the name. */
export const PLAN_STATUS_NAMES_AT = 96;
export const PLAN_CONTENTS_PER_DEVICE_AT = 100;
export const PLAN_TEXTS_MAX_AT = 104;
/** 1: quality_1m is counted. */
export const PLAN_QUALITY_AT = 108;
export const PLAN_QUALITY_RETENTION_AT = 112;
export const PLAN_ALERT_RETENTION_AT = 120;
export const PLAN_HEADER_BYTES = 128;

export const DEVICE_ENTRY_BYTES = 16;
export const SLOT_BYTES = 8;

// --- channel -----------------------------------------------------------------------------------
export const CHANNEL_ID_AT = 0;
export const CHANNEL_FORMAT_AT = 4;
export const CHANNEL_NAME_AT = 8;
export const CHANNEL_NAME_BYTES_AT = 12;
export const CHANNEL_RETIRED_AT = 16;
export const CHANNEL_METRIC_COUNT_AT = 20;
export const CHANNEL_METRICS_AT = 24;
export const CHANNEL_WINDOW_COUNT_AT = 28;
export const CHANNEL_WINDOWS_AT = 32;
export const CHANNEL_TABLE_AT = 36;
export const CHANNEL_TIME_FORMAT_AT = 40;
export const CHANNEL_TIME_REQUIRED_AT = 44;
export const CHANNEL_AGE_POLICY_AT = 48;
export const CHANNEL_CLOCK_POLICY_AT = 52;
/** 0 = reject, 1 = ignore. */
export const CHANNEL_UNKNOWN_METRICS_AT = 56;
/** Root node of the JSON paths; 0 for Protobuf. */
export const CHANNEL_TRIE_AT = 60;
/** Presence bits of the required metrics that are in use. */
export const CHANNEL_REQUIRED_AT = 64;
/** Presence bits of all metrics in use. */
export const CHANNEL_ACTIVE_AT = 72;
export const CHANNEL_OUT_OF_ORDER_AT = 80;
export const CHANNEL_LATENESS_AT = 88;
export const CHANNEL_IDLE_AT = 96;
export const CHANNEL_MAX_AGE_AT = 104;
export const CHANNEL_MAX_CLOCK_SKEW_AT = 112;
export const CHANNEL_RETENTION_AT = 120;
/** Open addressing by nameHash of the metrics in use: hash u32, ordinal + 1 u32 (0 = free). */
export const CHANNEL_BY_NAME_AT = 128;
export const CHANNEL_BY_NAME_MASK_AT = 132;
/** Members of the trie in all: bits of the set of members seen. */
export const CHANNEL_MEMBER_COUNT_AT = 136;
export const CHANNEL_FRAMING_AT = 140;
/** u32 each, ascending. */
export const CHANNEL_SCHEMA_IDS_AT = 144;
export const CHANNEL_SCHEMA_ID_COUNT_AT = 148;
/** Decode program of protobuf-message, avro, sparkplug and senml channels; 0 = none. */
export const CHANNEL_PROGRAM_AT = 152;
/** 1: the time's path begins at the payload's root. */
export const CHANNEL_TIME_OF_RECORD_AT = 156;
export const CHANNEL_SUSPECT_POLICY_AT = 160;
export const CHANNEL_CONTENT_DEDUP_AT = 164;
export const CHANNEL_TIMELY_AT = 168;
export const CHANNEL_SCORE_AT = 176;
export const CHANNEL_RULE_COUNT_AT = 180;
export const CHANNEL_RULES_AT = 184;
/** Alerts ever declared: ids 0 … count − 1, retired ones included. */
export const CHANNEL_ALERT_COUNT_AT = 188;
export const CHANNEL_ALERTS_AT = 192;
/** JUDGES_: what of its readings only the state tells; 0: nothing. */
export const CHANNEL_JUDGES_STATE_AT = 196;
/** Some metric has a rate or stuck limit, or there are rules. */
export const JUDGES_VALUES = 1;
/** Some metric is a text, which the dictionary must take. */
export const JUDGES_TEXTS = 2;
/** Some metric has a stuck limit. */
export const JUDGES_STUCK = 4;
/** Protobuf: u32 each, the place of the message in its file, as the confluent prefix says it. */
export const CHANNEL_INDEXES_AT = 200;
export const CHANNEL_INDEX_COUNT_AT = 204;
/** 1: the samples are the elements of an array (samplesPath). */
export const CHANNEL_ARRAYED_AT = 208;
/** Presence bits of the metrics in use whose kind is number. */
export const CHANNEL_NUMBERS_AT = 216;
export const CHANNEL_BYTES = 224;

// --- window ------------------------------------------------------------------------------------
export const WINDOW_LENGTH_AT = 0;
export const WINDOW_RETENTION_AT = 8;
export const WINDOW_NAME_AT = 16;
export const WINDOW_NAME_BYTES_AT = 20;
export const WINDOW_TABLE_AT = 24;
export const WINDOW_KIND_AT = 28;
export const WINDOW_EVERY_AT = 32;
export const WINDOW_GAP_AT = 40;
export const WINDOW_COUNT_AT = 48;
export const WINDOW_EVERY_COUNT_AT = 52;
export const WINDOW_SKETCH_AT = 56;
export const WINDOW_BYTES = 64;

// --- metric ------------------------------------------------------------------------------------
export const METRIC_ORDINAL_AT = 0;
export const METRIC_KIND_AT = 4;
export const METRIC_FLAGS_AT = 8;
export const METRIC_NAME_BYTES_AT = 12;
export const METRIC_NAME_AT = 16;
export const METRIC_SCALE_AT = 24;
export const METRIC_OFFSET_AT = 32;
/** −Infinity and Infinity where there is no bound. */
export const METRIC_MIN_AT = 40;
export const METRIC_MAX_AT = 48;
/** The same bounds for integers: least and greatest Int64 inside them. */
export const METRIC_MIN_INTEGER_AT = 56;
export const METRIC_MAX_INTEGER_AT = 64;
/** Per second; Infinity: not judged. */
export const METRIC_MAX_RATE_AT = 72;
/** Greatest i64: not judged. */
export const METRIC_STUCK_AT = 80;
/** Open addressing by nameHash of the values allowed: hash u32, offset of a length byte u32. */
export const METRIC_VALUES_AT = 88;
export const METRIC_VALUES_MASK_AT = 92;
/** A length byte and the SenML unit; the length is 0 when it is not compared. */
export const METRIC_SENT_UNIT_AT = 96;
export const METRIC_BYTES = 104;

export const METRIC_REQUIRED = 1;
export const METRIC_RETIRED = 2;
export const METRIC_HAS_MIN = 4;
export const METRIC_HAS_MAX = 8;
/** Scale 1 and offset 0: canonical is exactly raw. */
export const METRIC_IDENTITY = 16;
/** A text metric that lists its values. */
export const METRIC_LISTED = 32;

// --- rule and alert ----------------------------------------------------------------------------
export const RULE_LEFT_AT = 0;
export const RULE_OPERATOR_AT = 4;
export const RULE_RIGHT_AT = 8;
export const RULE_BYTES = 16;

export const ALERT_ID_AT = 0;
export const ALERT_METRIC_AT = 4;
export const ALERT_SEVERITY_AT = 8;
export const ALERT_CONDITION_AT = 12;
export const ALERT_LOW_AT = 16;
export const ALERT_HIGH_AT = 24;
export const ALERT_HYSTERESIS_AT = 32;
export const ALERT_DWELL_AT = 40;
export const ALERT_NAME_AT = 48;
export const ALERT_NAME_BYTES_AT = 52;
export const ALERT_RETIRED_AT = 56;
export const ALERT_BYTES = 64;

// --- trie of JSON paths ------------------------------------------------------------------------
/** Slots from NODE_SLOTS_AT on: hash u32, member offset u32 (0 = free); mask + 1 of them. */
export const NODE_MASK_AT = 0;
/**
 * What came first in the last such object: member offset, 0 = nothing. The kernel's own memory, as
 * MEMBER_NEXT_AT is: where it looks first, and nothing else depends on it.
 */
export const NODE_FIRST_AT = 4;
/** A bit for every length that a key has, modulo 64: most other keys are told by it. */
export const NODE_LENGTHS_AT = 8;
export const NODE_SLOTS_AT = 16;

/** The key, with a quote before it and a quote and a colon behind it. */
export const MEMBER_KEY_AT = 0;
export const MEMBER_KEY_BYTES_AT = 4;
/** Node of the members below, of the array's elements for ACTION_SAMPLES; 0 = none. */
export const MEMBER_CHILD_AT = 8;
/** Bit in the set of members seen. */
export const MEMBER_INDEX_AT = 12;
export const MEMBER_ACTION_COUNT_AT = 16;
/** Length with quotes and colon; 0 = JSON can write the key only with escapes. */
export const MEMBER_QUOTED_BYTES_AT = 20;
/** What followed it in the last such object: offset from the node, 0 = nothing. */
export const MEMBER_NEXT_AT = 24;
/** ACTION_SAMPLES: first bit of the members of elements, a multiple of 64; all others are below. */
export const MEMBER_ELEMENT_INDEX_AT = 28;
/** u32 each: a metric's ordinal, ACTION_TIME, ACTION_EVENT_ID or ACTION_SAMPLES. */
export const MEMBER_ACTIONS_AT = 32;

export const ACTION_TIME = 256;
export const ACTION_EVENT_ID = 257;
/** The array whose elements are samples; its members lie on the trie below it. */
export const ACTION_SAMPLES = 258;
/** Bytes of one path member in UTF-8 at most. */
export const KEY_BYTES_MAX = 256;
/** Bits of all paths of a channel at most: (metrics + time + id + samples) paths of full depth. */
export const MEMBERS_MAX = 2208;

// --- names of a Sparkplug or SenML channel (CHANNEL_PROGRAM_AT) ----------------------------------
/** Slots from NAMES_SLOTS_AT on: nameHash of the key u32, entry offset u32 (0 = free). */
export const NAMES_MASK_AT = 0;
export const NAMES_SLOTS_AT = 8;
/** An entry: ordinal, length of the key and the key, the path joined by a byte 0. */
export const NAME_ORDINAL_AT = 0;
export const NAME_KEY_BYTES_AT = 4;
export const NAME_KEY_AT = 8;

// --- output tables -----------------------------------------------------------------------------
/** Name of the table and its columns' Native headers, offsets relative to the image. */
export const TABLE_NAME_AT = 0;
export const TABLE_NAME_BYTES_AT = 4;
export const TABLE_COLUMN_COUNT_AT = 8;
/** Per column: offset u32 and length u32 of `varint, name, varint, type`. */
export const TABLE_COLUMNS_AT = 12;
export const TABLE_BYTES = 16;

export const TABLE_LEDGER = 0;
export const TABLE_DEAD_LETTERS = 1;
export const TABLE_DEVICES = 2;
export const TABLE_QUALITY = 3;
export const TABLE_ALERTS = 4;
/** First of the others: agg_<window> per distinct window name, then ch_<channel> per channel. */
export const TABLE_FIRST_OTHER = 5;

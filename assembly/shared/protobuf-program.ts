/**
 * The decode program of a protobuf-message channel, in its plan image: the declared paths as a tree
 * of messages, each with a table from field numbers to what is to be done. Written by
 * src/kernel/image/protobuf-program.ts, read by assembly/decode/message/. Portable between asc and
 * tsc: unannotated integer constants only. All offsets are relative to the program's start.
 *
 *  program ─ root node ─ fields ─┬ LEAF: a scalar that is a metric, the time or the event id
 *                                ├ MESSAGE: a node below
 *                                ├ MAP: keys, each with a field record for its value
 *                                ├ ELEMENTS: indexes, each with a field record for its element
 *                                ├ SAMPLES: the node of a sample
 *                                └ NOTHING: shares a oneof with one of the others
 *
 * Leaves are numbered so that those below a node are consecutive, counters (of repeated fields)
 * too: what a oneof or a map forgets is a range of each.
 */
// --- program -----------------------------------------------------------------------------------
export const PROGRAM_ROOT_AT = 0;
/** 0: the payload is the sample. */
export const PROGRAM_HAS_SAMPLES_AT = 4;
/** u32 offset per leaf. */
export const PROGRAM_LEAVES_AT = 8;
export const PROGRAM_COUNTER_COUNT_AT = 12;
export const PROGRAM_BYTES = 16;

/** Metrics, time and event id, each with a path of its own. */
export const LEAVES_MAX = 66;
/** Groups within each other that are passed over; more are malformed. */
export const GROUPS_MAX = 32;

// --- node: a message ---------------------------------------------------------------------------
/** Field numbers below this are looked up directly. */
export const NODE_DIRECT_COUNT_AT = 0;
/** Open addressing by number & mask for the others: number u32 (0 = free), offset u32. */
export const NODE_SPARSE_MASK_AT = 4;
/** 0: there are no others. */
export const NODE_SPARSE_AT = 8;
/** u32 offset of the field record per number, 0 = none. */
export const NODE_DIRECT_AT = 16;
/** Greatest number that is looked up directly. */
export const DIRECT_NUMBER_MAX = 31;

// --- field -------------------------------------------------------------------------------------
export const FIELD_WIRE_AT = 0;
export const FIELD_ACTION_AT = 4;
/** TYPE_* of the value, or of the elements. */
export const FIELD_TYPE_AT = 8;
/** Leaf number, or offset of node, map or elements. */
export const FIELD_TARGET_AT = 12;
/** What is forgotten first, 0 = nothing. */
export const FIELD_CLEAR_AT = 16;
/** 1: a repeated scalar that may come packed too. */
export const FIELD_PACKED_AT = 20;
export const FIELD_BYTES = 24;

export const ACT_NOTHING = 0;
export const ACT_LEAF = 1;
export const ACT_MESSAGE = 2;
export const ACT_MAP = 3;
export const ACT_ELEMENTS = 4;
export const ACT_SAMPLES = 5;

/** Ranges u32, whether samples are dropped u32, then the ranges, 16 bytes each. */
export const CLEAR_COUNT_AT = 0;
export const CLEAR_SAMPLES_AT = 4;
export const CLEAR_RANGES_AT = 8;
export const RANGE_LEAF_AT = 0;
export const RANGE_LEAF_END_AT = 4;
export const RANGE_COUNTER_AT = 8;
export const RANGE_COUNTER_END_AT = 12;
export const RANGE_BYTES = 16;

// --- map ---------------------------------------------------------------------------------------
export const MAP_KEY_TYPE_AT = 0;
export const MAP_KEY_WIRE_AT = 4;
export const MAP_VALUE_WIRE_AT = 8;
export const MAP_MASK_AT = 12;
/** Slots by nameHash: hash u32, offset of the key record u32 (0 = free). */
export const MAP_SLOTS_AT = 16;

/** A string's bytes; of other keys the value as eight bytes, little-endian. */
export const KEY_AT = 0;
export const KEY_BYTES_AT = 4;
/** What an earlier entry with the key has said, 0 = nothing below it. */
export const KEY_CLEAR_AT = 8;
/** The field record of the value follows. */
export const KEY_FIELD_AT = 16;

// --- elements ----------------------------------------------------------------------------------
export const ELEMENTS_COUNTER_AT = 0;
export const ELEMENTS_COUNT_AT = 4;
/** u32 offset of the field record per index, 0 = none. */
export const ELEMENTS_FIELDS_AT = 8;

// --- leaf --------------------------------------------------------------------------------------
export const LEAF_TYPE_AT = 0;
/** Names of the enumeration, 0 = it is none. */
export const LEAF_ENUM_AT = 4;
export const LEAF_ACTION_COUNT_AT = 8;
/** u32 each: a metric's ordinal, ACTION_TIME or ACTION_EVENT_ID of plan-layout.ts. */
export const LEAF_ACTIONS_AT = 12;

/** Ascending by number: number i32, offset of the name u32, its bytes u32, zero u32. */
export const ENUM_COUNT_AT = 0;
export const ENUM_VALUES_AT = 8;
export const ENUM_VALUE_BYTES = 16;

// --- types -------------------------------------------------------------------------------------
export const TYPE_DOUBLE = 1;
export const TYPE_FLOAT = 2;
export const TYPE_INT32 = 3;
export const TYPE_INT64 = 4;
export const TYPE_UINT32 = 5;
export const TYPE_UINT64 = 6;
export const TYPE_SINT32 = 7;
export const TYPE_SINT64 = 8;
export const TYPE_FIXED32 = 9;
export const TYPE_FIXED64 = 10;
export const TYPE_SFIXED32 = 11;
export const TYPE_SFIXED64 = 12;
export const TYPE_BOOL = 13;
export const TYPE_ENUM = 14;
export const TYPE_STRING = 15;
export const TYPE_BYTES = 16;
/** google.protobuf.Timestamp: seconds = 1, nanos = 2. */
export const TYPE_TIMESTAMP = 17;
export const TYPE_MESSAGE = 18;

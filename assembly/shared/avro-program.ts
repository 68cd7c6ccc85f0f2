/**
 * The decode program of an Avro channel (CHANNEL_PROGRAM_AT): its schema as a graph of nodes.
 * Written by src/kernel/image/avro-image.ts, read by assembly/decode/avro/. Portable between asc
 * and tsc: unannotated integer constants only.
 *
 *  program ┌ offset of the root's node u32 ┬ 1 when there is an array of samples u32 ┐
 *  node    ┌ type ┬ count ┬ children ┬ names ┬ size ┬ action count ┬ actions …   u32 each
 *
 *  type      count             children                 names
 *  record    fields            node of each field       -
 *  union     branches          node of each branch      -
 *  array     1                 node of the items        -
 *  map       1                 node of the values       table of the keys that paths lead through
 *  enum      symbols           -                        (text, bytes) of each, if a path ends here
 *  fixed     -                 -                        -                     (size: its bytes)
 *
 * All offsets count from the program's start; 0 stands for a node that takes no bytes (null, a
 * fixed of no bytes, a record of nothing else). Fields of a record that take none are left out, so
 * every node that is visited takes a byte, and no payload makes more work than it has bytes. Types
 * without actions below are written once and may refer back to themselves; those on a path are
 * copied for the path.
 */
export const AVRO_ROOT_AT = 0;
export const AVRO_HAS_SAMPLES_AT = 4;
export const AVRO_PROGRAM_BYTES = 8;

export const AVRO_TYPE_AT = 0;
export const AVRO_COUNT_AT = 4;
export const AVRO_CHILDREN_AT = 8;
/** map: hash u32, offset of a key u32 (0 = free) per slot; size is the mask. 0 = no such keys. */
export const AVRO_NAMES_AT = 12;
export const AVRO_SIZE_AT = 16;
export const AVRO_ACTION_COUNT_AT = 20;
/** u32 each, as in the trie of JSON paths. ACTION_SAMPLES: the items of this array are samples. */
export const AVRO_ACTIONS_AT = 24;

export const AVRO_KEY_BYTES_AT = 0;
/** Place among the keys of its map: 0 … 127. */
export const AVRO_KEY_INDEX_AT = 4;
export const AVRO_KEY_NODE_AT = 8;
export const AVRO_KEY_TEXT_AT = 12;

export const AVRO_BOOLEAN = 1;
export const AVRO_INT = 2;
export const AVRO_LONG = 3;
export const AVRO_FLOAT = 4;
export const AVRO_DOUBLE = 5;
export const AVRO_BYTES = 6;
export const AVRO_STRING = 7;
export const AVRO_FIXED = 8;
export const AVRO_ENUM = 9;
export const AVRO_RECORD = 10;
export const AVRO_UNION = 11;
export const AVRO_ARRAY = 12;
export const AVRO_MAP = 13;

/**
 * How a channel's payloads are written, as it stands in a plan: only what leads to the channel's
 * metrics, time and event id, plus what must be known to pass over the rest. Compiled by the
 * registry from what a person wrote (.proto, .avsc), laid out by the kernel room.
 */

/** A scalar of Protobuf, or the message below. group: a oneof may have one; no path leads there. */
export type ProtobufType =
  | 'double'
  | 'float'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'sint32'
  | 'sint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed32'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes'
  | 'enum'
  | 'message'
  | 'map'
  | 'group';

export interface ProtobufField {
  readonly number: number;
  readonly name: string;
  readonly type: ProtobufType;
  readonly repeated: boolean;
  /**
   * message: its index in `messages`; map: that of its entry message (key = 1, value = 2); enum:
   * in `enums`. −1: none, or nobody needs to know.
   */
  readonly of: number;
  /** Fields of a message with the same number ≥ 0 are members of one oneof; −1: of none. */
  readonly oneof: number;
}

export interface ProtobufSchema {
  readonly kind: 'protobuf';
  /**
   * Where the root stands in its file: its place among the messages of the file, then among those
   * nested in it, and so on. What the Confluent prefix names it by.
   */
  readonly indexPath: readonly number[];
  /**
   * Root first. Fields ascending by number; those that lead nowhere may be left out, unless they
   * share a oneof with one that does not. A google.protobuf.Timestamp has its two fields.
   */
  readonly messages: readonly { readonly fields: readonly ProtobufField[] }[];
  readonly enums: readonly { readonly values: readonly (readonly [number, string])[] }[];
}

export type AvroType =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'bytes'
  | 'string'
  | 'record'
  | 'enum'
  | 'array'
  | 'map'
  | 'union'
  | 'fixed';

export interface AvroNode {
  readonly type: AvroType;
  /** record: names of the fields; enum: symbols. */
  readonly names: readonly string[];
  /** record, union: nodes of fields or branches; array, map: the node of items. */
  readonly of: readonly number[];
  /** fixed: bytes. */
  readonly size: number;
}

export interface AvroSchema {
  readonly kind: 'avro';
  /** Root first. Recursive types refer back. */
  readonly nodes: readonly AvroNode[];
}

export type PlanSchema = ProtobufSchema | AvroSchema;

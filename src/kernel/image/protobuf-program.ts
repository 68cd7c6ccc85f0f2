/**
 * The decode program of a protobuf-message channel (layout: assembly/shared/protobuf-program.ts).
 * In: a channel whose schema the registry has compiled for its paths. Out: the offset of the
 * program, in which all offsets count from there.
 */
import * as G from '../../../assembly/shared/protobuf-program.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel } from '../../model/plan.ts';
import type { ProtobufField, ProtobufSchema, ProtobufType } from '../../model/plan-schema.ts';
import { type ImageWriter, slotMask } from './image-writer.ts';
import { type Message, type Place, protobufTree, type Span } from './protobuf-tree.ts';

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP = 3;
const FIXED32 = 5;

/** Type on the wire and type in the program. */
const TYPES: Readonly<Record<ProtobufType, readonly [number, number]>> = {
  double: [FIXED64, G.TYPE_DOUBLE],
  float: [FIXED32, G.TYPE_FLOAT],
  int32: [VARINT, G.TYPE_INT32],
  int64: [VARINT, G.TYPE_INT64],
  uint32: [VARINT, G.TYPE_UINT32],
  uint64: [VARINT, G.TYPE_UINT64],
  sint32: [VARINT, G.TYPE_SINT32],
  sint64: [VARINT, G.TYPE_SINT64],
  fixed32: [FIXED32, G.TYPE_FIXED32],
  fixed64: [FIXED64, G.TYPE_FIXED64],
  sfixed32: [FIXED32, G.TYPE_SFIXED32],
  sfixed64: [FIXED64, G.TYPE_SFIXED64],
  bool: [VARINT, G.TYPE_BOOL],
  enum: [VARINT, G.TYPE_ENUM],
  string: [BYTES, G.TYPE_STRING],
  bytes: [BYTES, G.TYPE_BYTES],
  message: [BYTES, G.TYPE_MESSAGE],
  map: [BYTES, G.TYPE_MESSAGE],
  group: [GROUP, G.TYPE_MESSAGE],
};

/** What is being written: offsets count from `program`. */
interface Target {
  readonly writer: ImageWriter;
  readonly program: number;
  readonly schema: ProtobufSchema;
}

export function writeProtobufProgram(writer: ImageWriter, channel: PlanChannel): number {
  const tree = protobufTree(channel);
  const schema = channel.schema;
  assert(schema?.kind === 'protobuf', 'the tree is of a Protobuf schema');
  const program = writer.reserve(G.PROGRAM_BYTES);
  const target = { writer, program, schema };
  writer.u32(program + G.PROGRAM_HAS_SAMPLES_AT, tree.hasSamples ? 1 : 0);
  writer.u32(program + G.PROGRAM_COUNTER_COUNT_AT, tree.counterCount);
  const leaves = tree.leaves.map((leaf) => writeLeaf(target, leaf));
  writer.u32(program + G.PROGRAM_LEAVES_AT, writer.numbers(leaves) - program);
  writer.u32(program + G.PROGRAM_ROOT_AT, writeNode(target, tree.root));
  return program;
}

function writeNode(target: Target, message: Message): number {
  const { writer, program } = target;
  const numbers = [...message.fields.keys()];
  const direct = numbers.filter((number) => number <= G.DIRECT_NUMBER_MAX);
  const directCount = direct.length === 0 ? 0 : Math.max(...direct) + 1;
  const sparse = numbers.filter((number) => number > G.DIRECT_NUMBER_MAX);
  const at = writer.reserve(G.NODE_DIRECT_AT + directCount * 4);
  writer.u32(at + G.NODE_DIRECT_COUNT_AT, directCount);
  for (const number of direct) {
    writer.u32(at + G.NODE_DIRECT_AT + number * 4, writeField(target, message, number));
  }
  if (sparse.length === 0) return at - program;
  const mask = slotMask(sparse.length);
  const slots = writer.reserve((mask + 1) * 8);
  writer.u32(at + G.NODE_SPARSE_MASK_AT, mask);
  writer.u32(at + G.NODE_SPARSE_AT, slots - program);
  const taken = new Set<number>();
  for (const number of sparse) {
    let slot = number & mask;
    while (taken.has(slot)) slot = (slot + 1) & mask;
    taken.add(slot);
    writer.u32(slots + slot * 8, number);
    writer.u32(slots + slot * 8 + 4, writeField(target, message, number));
  }
  return at - program;
}

function writeField(target: Target, message: Message, number: number): number {
  const { writer, program } = target;
  const known = message.fields.get(number);
  assert(known !== undefined, 'a field of the message');
  const { field, place } = known;
  const at = writer.reserve(G.FIELD_BYTES);
  writePlace(target, at, place);
  const [wire] = TYPES[field.type];
  writer.u32(at + G.FIELD_PACKED_AT, field.repeated && wire !== BYTES ? 1 : 0);
  const others = [...message.fields.values()].filter(
    (other) => field.oneof >= 0 && other.field.oneof === field.oneof && other.field !== field,
  );
  writer.u32(at + G.FIELD_CLEAR_AT, writeClear(target, spansOf(others)));
  return at - program;
}

const spansOf = (fields: readonly { readonly field: ProtobufField; readonly place: Place }[]) =>
  fields.map(({ place }) => place.span);

/** The record of a value: of a singular field, of a map's entry, or of an element. */
function writePlace(target: Target, at: number, place: Place): void {
  const { writer } = target;
  const [wire, type] = TYPES[place.type];
  const isLeaf = place.actions.length > 0;
  const isTimestamp = isLeaf && place.type === 'message';
  writer.u32(at + G.FIELD_WIRE_AT, wire);
  writer.u32(at + G.FIELD_TYPE_AT, isTimestamp ? G.TYPE_TIMESTAMP : type);
  const [action, value] = actionOf(target, place);
  writer.u32(at + G.FIELD_ACTION_AT, action);
  writer.u32(at + G.FIELD_TARGET_AT, value);
}

function actionOf(target: Target, place: Place): readonly [number, number] {
  if (place.actions.length > 0) return [G.ACT_LEAF, place.span.leaf];
  if (place.samples !== null) return [G.ACT_SAMPLES, writeNode(target, place.samples)];
  if (place.map !== null) return [G.ACT_MAP, writeMap(target, place.map)];
  if (place.elements !== null) {
    return [G.ACT_ELEMENTS, writeElements(target, place.span.counter, place.elements)];
  }
  if (place.message !== null) return [G.ACT_MESSAGE, writeNode(target, place.message)];
  return [G.ACT_NOTHING, 0];
}

/** 0 when there is nothing to forget. */
function writeClear({ writer, program }: Target, spans: readonly Span[]): number {
  const full = spans.filter((span) => span.leafEnd > span.leaf || span.samples);
  if (full.length === 0) return 0;
  const at = writer.reserve(G.CLEAR_RANGES_AT + full.length * G.RANGE_BYTES);
  writer.u32(at + G.CLEAR_COUNT_AT, full.length);
  writer.u32(at + G.CLEAR_SAMPLES_AT, full.some(({ samples }) => samples) ? 1 : 0);
  full.forEach((span, i) => {
    const range = at + G.CLEAR_RANGES_AT + i * G.RANGE_BYTES;
    writer.u32(range + G.RANGE_LEAF_AT, span.leaf);
    writer.u32(range + G.RANGE_LEAF_END_AT, span.leafEnd);
    writer.u32(range + G.RANGE_COUNTER_AT, span.counter);
    writer.u32(range + G.RANGE_COUNTER_END_AT, span.counterEnd);
  });
  return at - program;
}

function writeMap(target: Target, map: NonNullable<Place['map']>): number {
  const { writer, program } = target;
  const mask = slotMask(map.values.size);
  const at = writer.reserve(G.MAP_SLOTS_AT + (mask + 1) * 8);
  const [keyWire, keyType] = TYPES[map.keyType];
  writer.u32(at + G.MAP_KEY_TYPE_AT, keyType);
  writer.u32(at + G.MAP_KEY_WIRE_AT, keyWire);
  writer.u32(at + G.MAP_MASK_AT, mask);
  for (const [text, place] of map.values) {
    writer.u32(at + G.MAP_VALUE_WIRE_AT, TYPES[place.type][0]);
    const key = keyBytes(map.keyType, text);
    const record = writer.reserve(G.KEY_FIELD_AT + G.FIELD_BYTES);
    writer.u32(record + G.KEY_AT, writer.append(key) - program);
    writer.u32(record + G.KEY_BYTES_AT, key.byteLength);
    writer.u32(record + G.KEY_CLEAR_AT, writeClear(target, [place.span]));
    writePlace(target, record + G.KEY_FIELD_AT, place);
    writer.addSlot({ at: at + G.MAP_SLOTS_AT, mask }, key, record - program);
  }
  return at - program;
}

/** As entry.ts compares it: text, or the value's bits as scalar.ts reads them. */
function keyBytes(type: ProtobufType, text: string): Uint8Array {
  if (type === 'string') return new TextEncoder().encode(text);
  const bytes = new Uint8Array(8);
  const value = type === 'bool' ? BigInt(text === 'true') : BigInt(text);
  new DataView(bytes.buffer).setBigUint64(0, BigInt.asUintN(64, value), true);
  return bytes;
}

function writeElements(
  target: Target,
  counter: number,
  elements: ReadonlyMap<number, Place>,
): number {
  const { writer, program } = target;
  const count = Math.max(...elements.keys()) + 1;
  const at = writer.reserve(G.ELEMENTS_FIELDS_AT + count * 4);
  writer.u32(at + G.ELEMENTS_COUNTER_AT, counter);
  writer.u32(at + G.ELEMENTS_COUNT_AT, count);
  for (const [index, place] of elements) {
    const record = writer.reserve(G.FIELD_BYTES);
    writePlace(target, record, place);
    writer.u32(at + G.ELEMENTS_FIELDS_AT + index * 4, record - program);
  }
  return at - program;
}

function writeLeaf(target: Target, place: Place): number {
  const { writer, program, schema } = target;
  const at = writer.reserve(G.LEAF_ACTIONS_AT + place.actions.length * 4);
  const isTimestamp = place.type === 'message';
  writer.u32(at + G.LEAF_TYPE_AT, isTimestamp ? G.TYPE_TIMESTAMP : TYPES[place.type][1]);
  writer.u32(at + G.LEAF_ACTION_COUNT_AT, place.actions.length);
  place.actions.forEach((action, i) => {
    writer.u32(at + G.LEAF_ACTIONS_AT + i * 4, action);
  });
  const values = place.type === 'enum' ? (schema.enums[place.of]?.values ?? []) : null;
  if (values !== null) writer.u32(at + G.LEAF_ENUM_AT, writeEnum(target, values));
  return at - program;
}

function writeEnum(
  { writer, program }: Target,
  values: readonly (readonly [number, string])[],
): number {
  const ascending = [...values].sort(([left], [right]) => left - right);
  const at = writer.reserve(G.ENUM_VALUES_AT + ascending.length * G.ENUM_VALUE_BYTES);
  writer.u32(at + G.ENUM_COUNT_AT, ascending.length);
  ascending.forEach(([number, name], i) => {
    const value = at + G.ENUM_VALUES_AT + i * G.ENUM_VALUE_BYTES;
    const text = new TextEncoder().encode(name);
    writer.u32(value, number >>> 0);
    writer.u32(value + 4, writer.append(text) - program);
    writer.u32(value + 8, text.byteLength);
  });
  return at - program;
}

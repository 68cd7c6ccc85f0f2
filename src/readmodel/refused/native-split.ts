/**
 * Cuts a block of ClickHouse's Native format by rows, on the host. In: bytes of one block with
 * columns of the wire types of model/table.ts. Out: bytes of a block that holds some of its rows,
 * or a row as values. Used only when ClickHouse refuses a block, to find the row that it refuses.
 *
 *   block   ┌ columns varint ┬ rows varint ┐
 *   column  ├ name (varint length, UTF-8) ┬ type (varint length, UTF-8) ┬ values ┤
 *   values    fixed size: rows × size · String: rows × (varint length, bytes)
 *             Array(T): rows × UInt64 (end of the row's items), then all items as values of T
 */
import { assert } from '../../base/assert.ts';

const FIXED_SIZES: Readonly<Record<string, number>> = {
  UInt8: 1,
  UInt16: 2,
  UInt32: 4,
  UInt64: 8,
  UInt128: 16,
  Int8: 1,
  Int16: 2,
  Int32: 4,
  Int64: 8,
  Float32: 4,
  Float64: 8,
  Bool: 1,
};

interface NativeColumn {
  readonly name: string;
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

export interface NativeBlock {
  readonly rows: number;
  readonly columns: readonly NativeColumn[];
  readonly bytes: Uint8Array;
}

export type NativeValue = string | number | bigint | boolean | NativeValue[];

export function parseNative(bytes: Uint8Array): NativeBlock {
  let at = 0;
  const varint = (): number => {
    const read = readVarint(bytes, at);
    at = read.next;
    return read.value;
  };
  const text = (): string => {
    const length = varint();
    at += length;
    return utf8(bytes, at - length, at);
  };
  const columnCount = varint();
  const rows = varint();
  const columns: NativeColumn[] = [];
  for (let index = 0; index < columnCount; index++) {
    const name = text();
    const type = text();
    const end = skipValues(bytes, type, at, rows);
    columns.push({ name, type, start: at, end });
    at = end;
  }
  assert(at === bytes.length, `a Native block of ${bytes.length} bytes ends at ${at}`);
  return { rows, columns, bytes };
}

/** A block with the rows from `from` to before `to`. */
export function sliceNative(block: NativeBlock, from: number, to: number): Uint8Array {
  assert(from >= 0 && from < to && to <= block.rows, `rows ${from}–${to} of ${block.rows}`);
  const parts: Uint8Array[] = [varintBytes(block.columns.length), varintBytes(to - from)];
  for (const column of block.columns) {
    for (const name of [column.name, column.type]) {
      const encoded = new TextEncoder().encode(name);
      parts.push(varintBytes(encoded.length), encoded);
    }
    sliceValues(block.bytes, column.type, { at: column.start, rows: block.rows, from, to }, parts);
  }
  return Buffer.concat(parts);
}

/** Values of one row, for people and dead letters: times are numbers in the unit of their type. */
export function nativeRow(block: NativeBlock, row: number): Record<string, NativeValue> {
  const values: Record<string, NativeValue> = {};
  for (const { name, type, start } of block.columns) {
    values[name] = readValue(block.bytes, type, start, { row, rows: block.rows });
  }
  return values;
}

function sizeOf(type: string): number {
  if (type.startsWith('DateTime64')) return 8;
  if (type.startsWith('DateTime')) return 4;
  return FIXED_SIZES[type] ?? 0;
}

function itemType(type: string): string | null {
  return type.startsWith('Array(') ? type.slice('Array('.length, -1) : null;
}

/** Position after `rows` values that begin at `at`. */
function skipValues(bytes: Uint8Array, type: string, at: number, rows: number): number {
  const item = itemType(type);
  if (item !== null) {
    const count = rows === 0 ? 0 : readOffset(bytes, at, rows - 1);
    return skipValues(bytes, item, at + rows * 8, count);
  }
  if (type === 'String') {
    for (let row = 0; row < rows; row++) {
      const length = readVarint(bytes, at);
      at = length.next + length.value;
    }
    return at;
  }
  const size = sizeOf(type);
  assert(size > 0, `a Native block has a column of type ${type}, which no table declares`);
  return at + rows * size;
}

interface Range {
  readonly at: number;
  readonly rows: number;
  readonly from: number;
  readonly to: number;
}

function sliceValues(bytes: Uint8Array, type: string, range: Range, parts: Uint8Array[]): void {
  const { at, rows, from, to } = range;
  const item = itemType(type);
  if (item === null) {
    const start = skipValues(bytes, type, at, from);
    parts.push(bytes.subarray(start, skipValues(bytes, type, start, to - from)));
    return;
  }
  const firstItem = from === 0 ? 0 : readOffset(bytes, at, from - 1);
  const ends = new DataView(new ArrayBuffer((to - from) * 8));
  for (let row = from; row < to; row++) {
    const end = BigInt(readOffset(bytes, at, row) - firstItem);
    ends.setBigUint64((row - from) * 8, end, true);
  }
  parts.push(new Uint8Array(ends.buffer));
  const items = {
    at: at + rows * 8,
    rows: readOffset(bytes, at, rows - 1),
    from: firstItem,
    to: readOffset(bytes, at, to - 1),
  };
  sliceValues(bytes, item, items, parts);
}

function readValue(
  bytes: Uint8Array,
  type: string,
  at: number,
  place: { row: number; rows: number },
): NativeValue {
  const { row, rows } = place;
  const item = itemType(type);
  if (item !== null) {
    const first = row === 0 ? 0 : readOffset(bytes, at, row - 1);
    const end = readOffset(bytes, at, row);
    const all = readOffset(bytes, at, rows - 1);
    return Array.from({ length: end - first }, (_, index) =>
      readValue(bytes, item, at + rows * 8, { row: first + index, rows: all }),
    );
  }
  const start = skipValues(bytes, type, at, row);
  if (type === 'String') {
    const length = readVarint(bytes, start);
    return utf8(bytes, length.next, length.next + length.value);
  }
  return readFixed(viewOf(bytes), type, start);
}

function readFixed(view: DataView, type: string, at: number): NativeValue {
  if (type === 'UInt128') {
    return (view.getBigUint64(at + 8, true) << 64n) | view.getBigUint64(at, true);
  }
  if (type === 'Bool') return view.getUint8(at) !== 0;
  if (type === 'Float64') return view.getFloat64(at, true);
  if (type === 'Float32') return view.getFloat32(at, true);
  const signed = type.startsWith('Int') || type.startsWith('DateTime64');
  switch (sizeOf(type)) {
    case 1:
      return signed ? view.getInt8(at) : view.getUint8(at);
    case 2:
      return signed ? view.getInt16(at, true) : view.getUint16(at, true);
    case 4:
      return signed ? view.getInt32(at, true) : view.getUint32(at, true);
    default:
      return signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
  }
}

function readOffset(bytes: Uint8Array, at: number, row: number): number {
  return Number(viewOf(bytes).getBigUint64(at + row * 8, true));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function utf8(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

function readVarint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    assert(at < bytes.length, 'a Native block ends in the middle of a number');
    const byte = bytes[at++]!;
    value += (byte & 127) * scale;
    if (byte < 128) return { value, next: at };
  }
}

function varintBytes(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128);
  bytes.push(value);
  return Uint8Array.from(bytes);
}

/**
 * Writes rows as a ClickHouse Native block, as the kernel would. In: a table declaration and rows
 * as objects; a column that a row lacks gets 0, '' or []. Out: a Block. Times are milliseconds for
 * DateTime64 and seconds for DateTime; wide integers may be number or bigint.
 */
import type { Block } from '../../src/model/doors.ts';
import type { Column, Table } from '../../src/model/table.ts';

export type Row = Readonly<Record<string, unknown>>;

export function nativeBlock(table: Table, rows: readonly Row[], columns = table.columns): Block {
  const parts: Buffer[] = [varint(columns.length), varint(rows.length)];
  for (const column of columns) {
    const type = wireType(column);
    parts.push(text(column.name), text(type));
    writeValues(
      type,
      rows.map((row) => row[column.name]),
      parts,
    );
  }
  return { table: table.name, rows: rows.length, bytes: new Uint8Array(Buffer.concat(parts)) };
}

export function wireType(column: Column): string {
  return column.wire ?? column.type;
}

function writeValues(type: string, values: readonly unknown[], parts: Buffer[]): void {
  if (type.startsWith('Array(')) {
    const arrays = values.map((value) => (value ?? []) as unknown[]);
    let end = 0;
    for (const array of arrays) {
      end += array.length;
      parts.push(fixed('UInt64', end));
    }
    writeValues(type.slice('Array('.length, -1), arrays.flat(), parts);
    return;
  }
  for (const value of values) {
    parts.push(type === 'String' ? text(String(value ?? '')) : fixed(type, value ?? 0));
  }
}

function fixed(type: string, value: unknown): Buffer {
  if (type === 'Float64') {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(Number(value));
    return bytes;
  }
  const size = SIZES[type.replace(/\(.*$/, '')];
  if (size === undefined) throw new Error(`native writer: no type ${type}`);
  const bytes = Buffer.alloc(size);
  let rest = BigInt.asUintN(size * 8, BigInt(value as number | bigint | boolean));
  for (let at = 0; at < size; at += 1, rest >>= 8n) bytes[at] = Number(rest & 255n);
  return bytes;
}

const SIZES: Readonly<Record<string, number>> = {
  Bool: 1,
  UInt8: 1,
  UInt16: 2,
  UInt32: 4,
  UInt64: 8,
  UInt128: 16,
  Int32: 4,
  Int64: 8,
  DateTime: 4,
  DateTime64: 8,
};

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'utf8');
  return Buffer.concat([varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return Buffer.from(bytes);
}

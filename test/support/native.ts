/**
 * Reads a ClickHouse Native block, as the kernel writes it, back into columns. In: the bytes of one
 * block. Out: names, wire types and values. Strings are read as latin1, so that ids and names
 * (ASCII) look as they are and a payload sample keeps its bytes (`Buffer.from(text, 'latin1')`).
 * Invariant: every byte of the block belongs to a column; anything else throws.
 */
export type NativeValue = string | number | bigint | boolean | readonly NativeValue[];

export interface NativeColumn {
  readonly name: string;
  readonly type: string;
  /** 64- and 128-bit integers are bigint, DateTime64 is milliseconds, DateTime is seconds. */
  readonly values: readonly NativeValue[];
}

export interface NativeBlock {
  readonly rows: number;
  readonly columns: readonly NativeColumn[];
}

export type NativeRow = Readonly<Record<string, NativeValue>>;

export function readNative(bytes: Uint8Array): NativeBlock {
  const reader = new NativeReader(bytes);
  const columnCount = reader.varint();
  const rows = reader.varint();
  const columns: NativeColumn[] = [];
  for (let index = 0; index < columnCount; index += 1) {
    const name = reader.text();
    const type = reader.text();
    columns.push({ name, type, values: reader.column(type, rows) });
  }
  if (reader.at !== bytes.length) {
    throw new Error(`native block: ${bytes.length - reader.at} bytes behind the last column`);
  }
  return { rows, columns };
}

/** The same block as one object per row, which is what most assertions want. */
export function readNativeRows(bytes: Uint8Array): NativeRow[] {
  const block = readNative(bytes);
  return Array.from({ length: block.rows }, (_, row) =>
    Object.fromEntries(block.columns.map((column) => [column.name, column.values[row]!])),
  );
}

class NativeReader {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.view.getUint8(this.take(1));
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }

  text(): string {
    const length = this.varint();
    const at = this.take(length);
    return Buffer.from(this.bytes.subarray(at, at + length)).toString('latin1');
  }

  column(type: string, rows: number): NativeValue[] {
    const element = /^Array\((.*)\)$/.exec(type)?.[1];
    if (element === undefined) return Array.from({ length: rows }, () => this.scalar(type));
    const ends = Array.from({ length: rows }, () => Number(this.scalar('UInt64')));
    const flat = this.column(element, ends.at(-1) ?? 0);
    return ends.map((end, row) => flat.slice(row === 0 ? 0 : ends[row - 1]!, end));
  }

  private scalar(type: string): NativeValue {
    const view = this.view;
    switch (type.replace(/\(.*$/, '')) {
      case 'String':
        return this.text();
      case 'UInt8':
        return view.getUint8(this.take(1));
      case 'Bool':
        return this.boolean();
      case 'UInt16':
        return view.getUint16(this.take(2), true);
      case 'UInt32':
      case 'DateTime':
        return view.getUint32(this.take(4), true);
      case 'UInt64':
        return view.getBigUint64(this.take(8), true);
      case 'Int32':
        return view.getInt32(this.take(4), true);
      case 'Int64':
        return view.getBigInt64(this.take(8), true);
      case 'DateTime64':
        return Number(view.getBigInt64(this.take(8), true));
      case 'Float64':
        return view.getFloat64(this.take(8), true);
      case 'UInt128': {
        const low = view.getBigUint64(this.take(8), true);
        return low | (view.getBigUint64(this.take(8), true) << 64n);
      }
      default:
        throw new Error(`native block: type ${type} is not known to this reader`);
    }
  }

  private boolean(): boolean {
    const byte = this.view.getUint8(this.take(1));
    if (byte > 1) throw new Error(`native block: ${byte} is not a Bool`);
    return byte === 1;
  }

  private take(length: number): number {
    const at = this.at;
    if (at + length > this.bytes.length) {
      throw new Error(`native block: ends at ${this.bytes.length}, byte ${at + length} is needed`);
    }
    this.at += length;
    return at;
  }
}

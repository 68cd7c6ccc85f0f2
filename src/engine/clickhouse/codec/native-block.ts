/**
 * The Native format as clients of a newer protocol revision want it (`client_protocol_version`,
 * what clickhouse-go and with it Grafana send over HTTP). The engine writes revision 0:
 *
 *   columns · rows · (name · type · data)…
 *
 * From revision 51903 on a block begins with its BlockInfo, from 54454 on each type is followed by
 * a byte that says "ordinary serialization". In: the stream of revision 0. Out: the same blocks in
 * the client's revision. To find where a column ends, its type is read and its data walked over.
 *
 * Invariant: a type that cannot be walked ends the stream with an error, never with wrong bytes.
 * Memory: one block.
 */
import { Transform } from 'node:stream';
import { ClickHouseError } from '../http/status.ts';

const REVISION_BLOCK_INFO = 51_903;
const REVISION_CUSTOM_SERIALIZATION = 54_454;
const REVISION_OUT_OF_ORDER_BUCKETS = 54_480;
/** Field 1 is_overflows = 0, field 2 bucket_num = -1. */
const BLOCK_INFO = [1, 0, 2, 0xff, 0xff, 0xff, 0xff];
/** Field 3 out_of_order_buckets = []. */
const OUT_OF_ORDER_BUCKETS = [3, 0];

const FIXED_BYTES: Readonly<Record<string, number>> = {
  Nothing: 1,
  Bool: 1,
  Int8: 1,
  UInt8: 1,
  Enum8: 1,
  Int16: 2,
  UInt16: 2,
  BFloat16: 2,
  Date: 2,
  Enum16: 2,
  Int32: 4,
  UInt32: 4,
  Float32: 4,
  Date32: 4,
  DateTime: 4,
  Time: 4,
  IPv4: 4,
  Decimal32: 4,
  Int64: 8,
  UInt64: 8,
  Float64: 8,
  DateTime64: 8,
  Time64: 8,
  Decimal64: 8,
  Int128: 16,
  UInt128: 16,
  UUID: 16,
  IPv6: 16,
  Decimal128: 16,
  Int256: 32,
  UInt256: 32,
  Decimal256: 32,
};

const ALIASES: Readonly<Record<string, string>> = {
  Point: 'Tuple(Float64, Float64)',
  Ring: 'Array(Point)',
  LineString: 'Array(Point)',
  MultiLineString: 'Array(LineString)',
  Polygon: 'Array(Ring)',
  MultiPolygon: 'Array(Polygon)',
};

type Shape =
  | { readonly kind: 'fixed'; readonly bytes: number }
  | { readonly kind: 'string' }
  | { readonly kind: 'nullable' | 'array' | 'dictionary'; readonly inner: Shape }
  | { readonly kind: 'tuple'; readonly parts: readonly Shape[] };

/** The layout of a type by its name; throws for types that cannot be walked. */
export function shapeOf(type: string): Shape {
  const [, name, text] = /^\s*(\w+)\s*(?:\((.*)\))?\s*$/s.exec(type) ?? [];
  const args = text === undefined ? [] : splitArguments(text);
  if (name !== undefined) {
    const fixed = FIXED_BYTES[name] ?? (name.startsWith('Interval') ? 8 : undefined);
    if (fixed !== undefined) return { kind: 'fixed', bytes: fixed };
    if (name in ALIASES) return shapeOf(ALIASES[name]!);
    if (name === 'String') return { kind: 'string' };
    if (name === 'FixedString') return { kind: 'fixed', bytes: Number(args[0]) };
    if (name === 'Decimal') return { kind: 'fixed', bytes: decimalBytes(Number(args[0])) };
    if (name === 'Nullable') return { kind: 'nullable', inner: shapeOf(args[0]!) };
    if (name === 'Array') return { kind: 'array', inner: shapeOf(args[0]!) };
    if (name === 'Tuple') return { kind: 'tuple', parts: args.map((arg) => shapeOf(unnamed(arg))) };
    if (name === 'Nested') return shapeOf(`Array(Tuple(${text}))`);
    if (name === 'Map') return shapeOf(`Array(Tuple(${text}))`);
    if (name === 'SimpleAggregateFunction') return shapeOf(args.at(-1)!);
    if (name === 'LowCardinality') {
      const inner = args[0]!.replace(/^\s*Nullable\((.*)\)\s*$/s, '$1');
      return { kind: 'dictionary', inner: shapeOf(inner) };
    }
  }
  throw new ClickHouseError(
    'NOT_IMPLEMENTED',
    `Columns of type ${type} cannot be sent in Native with client_protocol_version here: cast ` +
      'them (for example by toString or finalizeAggregation), or ask for another format',
  );
}

function decimalBytes(precision: number): number {
  if (precision <= 9) return 4;
  if (precision <= 18) return 8;
  return precision <= 38 ? 16 : 32;
}

/** `a Int8` → `Int8`; a name may be quoted. */
function unnamed(part: string): string {
  const named = /^\s*(?:`(?:[^`\\]|\\.)*`|\w+)\s+(\w[\s\S]*)$/.exec(part);
  return named ? named[1]! : part;
}

/** At commas outside of parentheses and quotes. */
function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quote = '';
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quote) {
      if (c === '\\') i++;
      else if (c === quote) quote = '';
    } else if (c === "'" || c === '`') quote = c;
    else if (c === '(') depth++;
    else if (c === ')') depth--;
    else if (c === ',' && depth === 0) {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** More bytes are needed to see the end of the block. */
const CUT = new Error('the block is not complete');

class Cursor {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  skip(count: number): void {
    if (this.at + count > this.bytes.length) throw CUT;
    this.at += count;
  }

  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at];
      if (byte === undefined) throw CUT;
      this.at++;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  uint64(): number {
    this.skip(8);
    return Number(this.bytes.readBigUInt64LE(this.at - 8));
  }

  text(): string {
    const length = this.varint();
    this.skip(length);
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
}

/** Dictionaries announce their version before the data of the whole column. */
function skipPrefixes(cursor: Cursor, shape: Shape): void {
  if (shape.kind === 'dictionary') cursor.skip(8);
  else if (shape.kind === 'tuple') for (const part of shape.parts) skipPrefixes(cursor, part);
  else if (shape.kind === 'nullable' || shape.kind === 'array') skipPrefixes(cursor, shape.inner);
}

function skipData(cursor: Cursor, shape: Shape, rows: number): void {
  switch (shape.kind) {
    case 'fixed':
      cursor.skip(shape.bytes * rows);
      return;
    case 'string':
      for (let i = 0; i < rows; i++) cursor.skip(cursor.varint());
      return;
    case 'nullable':
      cursor.skip(rows);
      skipData(cursor, shape.inner, rows);
      return;
    case 'array': {
      if (rows === 0) return;
      cursor.skip(8 * (rows - 1));
      const items = cursor.uint64();
      skipData(cursor, shape.inner, items);
      return;
    }
    case 'tuple':
      if (shape.parts.length === 0) cursor.skip(rows);
      for (const part of shape.parts) skipData(cursor, part, rows);
      return;
    case 'dictionary': {
      if (rows === 0) return;
      const indexBytes = 1 << (cursor.uint64() & 0xff);
      const keys = cursor.uint64();
      skipData(cursor, shape.inner, keys);
      cursor.skip(8 + rows * indexBytes);
    }
  }
}

/** Reads one block of revision 0; pushes it in `revision`; returns its length. Throws CUT. */
function rewriteBlock(bytes: Buffer, revision: number, push: (part: Buffer) => void): number {
  const cursor = new Cursor(bytes);
  const columns = cursor.varint();
  const rows = cursor.varint();
  const parts: Buffer[] = [];
  const info = revision >= REVISION_OUT_OF_ORDER_BUCKETS ? OUT_OF_ORDER_BUCKETS : [];
  if (revision >= REVISION_BLOCK_INFO) parts.push(Buffer.from([...BLOCK_INFO, ...info, 0]));
  let from = 0;
  for (let i = 0; i < columns; i++) {
    cursor.text();
    const shape = shapeOf(cursor.text());
    if (revision >= REVISION_CUSTOM_SERIALIZATION) {
      parts.push(bytes.subarray(from, cursor.at), Buffer.alloc(1));
      from = cursor.at;
    }
    if (rows === 0) continue;
    skipPrefixes(cursor, shape);
    skipData(cursor, shape, rows);
  }
  parts.push(bytes.subarray(from, cursor.at));
  for (const part of parts) push(part);
  return cursor.at;
}

/** A whole answer at once; throws when a type cannot be walked. */
export function rewriteNative(bytes: Buffer, revision: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    at += rewriteBlock(bytes.subarray(at), revision, (part) => parts.push(part));
  }
  return Buffer.concat(parts);
}

export class NativeRewriter extends Transform {
  readonly #revision: number;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #lookAt = 0;
  /** Set before an exception trailer is written: what comes then is not a block. */
  passing = false;

  constructor(revision: number) {
    super();
    this.#revision = revision;
  }

  override _transform(
    chunk: Buffer,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    if (this.passing) {
      this.#rest = []; // half a block is of no use
      done(null);
      this.push(chunk);
      return;
    }
    this.#rest.push(chunk);
    this.#restBytes += chunk.length;
    // Looking again only at twice the size keeps the work linear.
    if (this.#restBytes < this.#lookAt) done();
    else this.#rewrite(done);
  }

  override _flush(done: (error?: Error | null) => void): void {
    if (this.#restBytes === 0 || this.passing) done();
    else this.#rewrite((error) => done(error ?? (this.#restBytes > 0 ? CUT : null)));
  }

  #rewrite(done: (error?: Error | null) => void): void {
    let bytes = Buffer.concat(this.#rest, this.#restBytes);
    try {
      while (bytes.length > 0) {
        bytes = bytes.subarray(rewriteBlock(bytes, this.#revision, (part) => this.push(part)));
      }
    } catch (error) {
      if (error !== CUT) {
        done(error as Error);
        return;
      }
    }
    this.#rest = [bytes];
    this.#restBytes = bytes.length;
    this.#lookAt = 2 * bytes.length;
    done();
  }
}

/**
 * CBOR (RFC 8949) read strictly and slowly. In: a payload. Out: its one item with the places where
 * items begin; Malformed at the first item that is not well-formed, TooDeep at the first array or
 * map inside JSON_DEPTH_MAX others.
 */
import { JSON_DEPTH_MAX } from '../../../assembly/shared/abi.ts';
import { TooDeep } from './json.ts';
import { Malformed } from './protobuf.ts';

export interface Item {
  readonly at: number;
  readonly what:
    | { readonly kind: 'integer'; readonly integer: bigint }
    | { readonly kind: 'float'; readonly double: number }
    | { readonly kind: 'boolean'; readonly boolean: boolean }
    | { readonly kind: 'bytes' | 'text'; readonly bytes: Uint8Array }
    | { readonly kind: 'array'; readonly items: readonly Item[] }
    | { readonly kind: 'map'; readonly entries: readonly (readonly [Item, Item])[] }
    | { readonly kind: 'tag'; readonly item: Item }
    | { readonly kind: 'simple' };
}

const BREAK = 0xff;
const OPEN = 31;

export function readCbor(bytes: Uint8Array): Item {
  const reader = new Reader(Buffer.from(bytes));
  const item = reader.item(0);
  if (reader.at < bytes.length) throw new Malformed(reader.at);
  return item;
}

class Reader {
  at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  item(depth: number): Item {
    const at = this.at;
    return { at, what: this.what(at, depth) };
  }

  private what(at: number, depth: number): Item['what'] {
    const { major, info, argument } = this.head();
    switch (major) {
      case 0:
        return { kind: 'integer', integer: argument };
      case 1:
        return { kind: 'integer', integer: -1n - argument };
      case 2:
      case 3:
        return {
          kind: major === 2 ? 'bytes' : 'text',
          bytes: this.string(at, major, info, argument),
        };
      case 6: {
        // A chain of tags may be longer than this stack is deep.
        while (this.bytes[this.at] !== undefined && this.bytes[this.at]! >> 5 === 6) this.head();
        return { kind: 'tag', item: this.item(depth) };
      }
      case 7:
        return this.other(at, info, argument);
      default:
        if (depth === JSON_DEPTH_MAX) throw new TooDeep(at);
        return this.container(major === 5, { isOpen: info === OPEN, count: argument }, depth + 1);
    }
  }

  private head(): { major: number; info: number; argument: bigint } {
    const start = this.at;
    const first = this.bytes[start];
    if (first === undefined) throw new Malformed(start);
    const [major, info] = [first >> 5, first & 31];
    this.at += 1;
    if (info < 24) return { major, info, argument: BigInt(info) };
    if (info === OPEN) {
      if (major < 2 || major === 6) throw new Malformed(start);
      return { major, info, argument: 0n };
    }
    if (info > 27) throw new Malformed(start);
    const length = 2 ** (info - 24);
    if (this.bytes.length - this.at < length) throw new Malformed(start);
    const digits = this.bytes.toString('hex', this.at, this.at + length);
    this.at += length;
    if (major === 7 && info === 24 && Number(`0x${digits}`) < 32) throw new Malformed(start);
    return { major, info, argument: BigInt(`0x${digits}`) };
  }

  private other(at: number, info: number, argument: bigint): Item['what'] {
    if (info === OPEN) throw new Malformed(at);
    if (info === 20 || info === 21) return { kind: 'boolean', boolean: info === 21 };
    if (info === 25) return { kind: 'float', double: halfOf(Number(argument)) };
    if (info === 26) return { kind: 'float', double: this.bytes.readFloatBE(at + 1) };
    return info === 27
      ? { kind: 'float', double: this.bytes.readDoubleBE(at + 1) }
      : { kind: 'simple' };
  }

  private string(at: number, major: number, info: number, length: bigint): Uint8Array {
    if (info !== OPEN) return this.piece(at, major, length);
    const pieces: Uint8Array[] = [];
    while (this.bytes[this.at] !== BREAK) {
      const pieceAt = this.at;
      const head = this.head();
      if (head.major !== major || head.info === OPEN) throw new Malformed(pieceAt);
      pieces.push(this.piece(pieceAt, major, head.argument));
    }
    this.at += 1;
    return Buffer.concat(pieces);
  }

  private piece(at: number, major: number, length: bigint): Uint8Array {
    if (length > BigInt(this.bytes.length - this.at)) throw new Malformed(at);
    const piece = this.bytes.subarray(this.at, this.at + Number(length));
    if (major === 3 && !Buffer.from(piece.toString()).equals(piece)) throw new Malformed(at);
    this.at += piece.length;
    return piece;
  }

  private container(
    isMap: boolean,
    { isOpen, count }: { isOpen: boolean; count: bigint },
    depth: number,
  ): Item['what'] {
    const items: Item[] = [];
    const entries: (readonly [Item, Item])[] = [];
    for (let i = 0n; isOpen || i < count; i++) {
      if (isOpen && this.bytes[this.at] === BREAK) {
        this.at += 1;
        break;
      }
      const item = this.item(depth);
      if (isMap) entries.push([item, this.item(depth)]);
      else items.push(item);
    }
    return isMap ? { kind: 'map', entries } : { kind: 'array', items };
  }
}

/** RFC 8949, appendix D. */
function halfOf(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction === 0
          ? Number.POSITIVE_INFINITY
          : Number.NaN
        : (fraction + 1024) * 2 ** (exponent - 25);
  return half >= 0x8000 ? -size : size;
}

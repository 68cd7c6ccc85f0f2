/**
 * CBOR as encoders may write it: any width of integers, half, single and double floats, with and
 * without lengths. In: a seeded source and values. Out: bytes.
 */
import type { Random } from './random.ts';

/** Written as CBOR says; a Map keeps its order. */
export type Value =
  | bigint
  | number
  | boolean
  | null
  | string
  | Uint8Array
  | readonly Value[]
  | Map<Value, Value>;

/** The head of an item, in more bytes than it needs if `wider` says so. */
export function head(major: number, argument: bigint, wider = 0): Buffer {
  const needs = argument < 24n ? 0 : argument < 256n ? 1 : argument < 65536n ? 2 : 0;
  const least = needs === 0 && argument >= 24n ? (argument < 2n ** 32n ? 3 : 4) : needs;
  const width = Math.min(least + wider, 4);
  if (width === 0) return Buffer.of((major << 5) | Number(argument));
  const bytes = 2 ** (width - 1);
  const digits = argument.toString(16).padStart(bytes * 2, '0');
  return Buffer.concat([Buffer.of((major << 5) | (23 + width)), Buffer.from(digits, 'hex')]);
}

export class CborWriter {
  readonly #random: Random;
  /** Strings in pieces, which cbor-x does not read. */
  readonly #inPieces: boolean;

  constructor(random: Random, inPieces: boolean) {
    this.#random = random;
    this.#inPieces = inPieces;
  }

  write(value: Value): Buffer {
    if (value === null) return Buffer.of(0xf6);
    if (typeof value === 'boolean') return Buffer.of(value ? 0xf5 : 0xf4);
    if (typeof value === 'bigint') {
      const wider = this.#random.chance(0.2) ? 1 : 0;
      return value < 0n ? head(1, -1n - value, wider) : head(0, value, wider);
    }
    if (typeof value === 'number') return this.#float(value);
    if (typeof value === 'string') return this.#string(3, Buffer.from(value));
    if (value instanceof Uint8Array) return this.#string(2, Buffer.from(value));
    const items = value instanceof Map ? [...value].flat() : [...value];
    const parts = items.map((item) => this.write(item));
    const major = value instanceof Map ? 5 : 4;
    if (this.#random.chance(0.3)) {
      return Buffer.concat([Buffer.of((major << 5) | 31), ...parts, Buffer.of(0xff)]);
    }
    const count = value instanceof Map ? value.size : items.length;
    return Buffer.concat([head(major, BigInt(count)), ...parts]);
  }

  #float(value: number): Buffer {
    const double = Buffer.alloc(9, 0xfb);
    double.writeDoubleBE(value, 1);
    const single = Buffer.alloc(5, 0xfa);
    single.writeFloatBE(value, 1);
    const fits = Object.is(single.readFloatBE(1), value);
    if (fits && this.#random.chance(0.3)) return single;
    const half = HALVES.find(([number]) => Object.is(number, value));
    return half !== undefined && this.#random.chance(0.7) ? Buffer.of(0xf9, ...half[1]) : double;
  }

  #string(major: number, bytes: Buffer): Buffer {
    if (!this.#inPieces || this.#random.chance(0.6)) {
      return Buffer.concat([head(major, BigInt(bytes.length)), bytes]);
    }
    const parts: Buffer[] = [];
    // Every piece is text by itself: cut where a character begins.
    let from = 0;
    for (let at = 1; at <= bytes.length; at++) {
      const isCut =
        at === bytes.length || ((bytes[at]! & 0xc0) !== 0x80 && this.#random.chance(0.3));
      if (!isCut) continue;
      parts.push(head(major, BigInt(at - from)), bytes.subarray(from, at));
      from = at;
    }
    return Buffer.concat([Buffer.of((major << 5) | 31), ...parts, Buffer.of(0xff)]);
  }
}

/** Some halves: zeros, 1.5, the least, the greatest, subnormal, and those that are no number. */
export const HALVES: readonly (readonly [number, readonly [number, number]])[] = [
  [0, [0x00, 0x00]],
  [-0, [0x80, 0x00]],
  [1.5, [0x3e, 0x00]],
  [-2, [0xc0, 0x00]],
  [65504, [0x7b, 0xff]],
  [2 ** -24, [0x00, 0x01]],
  [0.00006103515625, [0x04, 0x00]],
  [Number.POSITIVE_INFINITY, [0x7c, 0x00]],
  [Number.NaN, [0x7e, 0x00]],
];

/**
 * A growing little-endian buffer with places that are reserved first and filled later. Offsets are
 * from its start. Beyond `bytesMax` it refuses with PLAN_TOO_LARGE.
 */
import { assert } from '../../base/assert.ts';
import { OperatingError } from '../../model/error.ts';
import { nameHash } from '../name-hash.ts';

const ALIGNMENT = 8;

export class ImageWriter {
  readonly #bytesMax: number;
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Zeroed room, aligned to 8; gives its offset. */
  reserve(bytes: number): number {
    const at = (this.#length + ALIGNMENT - 1) & -ALIGNMENT;
    this.#extend(at + bytes);
    return at;
  }

  u32(at: number, value: number): void {
    assert(Number.isInteger(value) && value >= 0 && value < 2 ** 32, `u32 of ${value}`);
    this.#view.setUint32(at, value, true);
  }

  u64(at: number, value: bigint): void {
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  f64(at: number, value: number): void {
    this.#view.setFloat64(at, value, true);
  }

  /** A list of u32, aligned to 8; gives its offset. */
  numbers(values: readonly number[]): number {
    const at = this.reserve(values.length * 4);
    values.forEach((value, i) => {
      this.u32(at + i * 4, value);
    });
    return at;
  }

  /** Bytes as they are; gives their offset. */
  append(bytes: Uint8Array): number {
    const at = this.#length;
    this.#extend(at + bytes.byteLength);
    this.#bytes.set(bytes, at);
    return at;
  }

  /** A name behind a byte with its length; gives the offset of the name itself. */
  name(name: string): { readonly at: number; readonly bytes: number } {
    const text = new TextEncoder().encode(name);
    assert(text.byteLength < 128, `a name of at most 127 bytes: ${name}`);
    const at = this.append(Uint8Array.of(text.byteLength)) + 1;
    this.append(text);
    return { at, bytes: text.byteLength };
  }

  /**
   * An open-addressing table of (nameHash u32, value u32), at most half full, value 0 = free; gives
   * its offset and the mask of slot numbers.
   */
  hashTable(entries: readonly { readonly key: Uint8Array; readonly value: number }[]): HashTable {
    const mask = slotMask(entries.length);
    const at = this.reserve((mask + 1) * 8);
    for (const { key, value } of entries) this.addSlot({ at, mask }, key, value);
    return { at, mask };
  }

  addSlot({ at, mask }: HashTable, key: Uint8Array, value: number): void {
    assert(value > 0, 'a value of 0 means a free slot');
    const hash = nameHash(key);
    let slot = hash & mask;
    while (this.#view.getUint32(at + slot * 8 + 4, true) !== 0) slot = (slot + 1) & mask;
    this.u32(at + slot * 8, hash);
    this.u32(at + slot * 8 + 4, value);
  }

  /** The finished image: a copy of exactly what was written, with readable bytes behind it. */
  finish(): Uint8Array {
    this.reserve(ALIGNMENT * 2);
    return this.#bytes.slice(0, this.#length);
  }

  #extend(length: number): void {
    if (length > this.#bytesMax) {
      throw new OperatingError(
        'PLAN_TOO_LARGE',
        `The decode plan needs more than ${this.#bytesMax} bytes; ` +
          'declare fewer channels, metrics, paths or devices in this log.',
      );
    }
    if (length > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.byteLength * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = length;
  }
}

export interface HashTable {
  readonly at: number;
  readonly mask: number;
}

/** Slots for `count` entries, at most half full, as a mask; at least two, so one stays free. */
export function slotMask(count: number): number {
  let slots = 2;
  while (slots < count * 2) slots *= 2;
  return slots - 1;
}

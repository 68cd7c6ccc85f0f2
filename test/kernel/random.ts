/** A seeded source of choices (splitmix32): equal seeds give equal streams, always. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 ≤ result < 2³². */
  bits(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  }

  /** 0 ≤ result < 1. */
  unit(): number {
    return this.bits() / 2 ** 32;
  }

  /** first ≤ result ≤ last, whole. */
  int(first: number, last: number): number {
    return first + Math.floor(this.unit() * (last - first + 1));
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.int(0, choices.length - 1)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.bits() & 255);
  }

  /** 64 random bits. */
  wide(): bigint {
    return (BigInt(this.bits()) << 32n) | BigInt(this.bits());
  }
}

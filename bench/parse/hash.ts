/**
 * The result of a parse: every time and every value in range, in order, as one number. The kernel's
 * side computes the same from its decoded records (assembly/decode/probe.ts, `decodeAll`).
 */
import type { Shape } from './corpus.ts';

const PRIME = 0x01000193;
const REFUSED = 0xdead;

export class ValueHash {
  #hash = 0x811c9dc5;
  readonly #number = new Float64Array(1);
  readonly #words = new Uint32Array(this.#number.buffer);

  time(timeMs: number): void {
    this.#add(timeMs);
  }

  judge({ min, max }: Shape, ordinal: number, value: number): void {
    if (value < min || value > max) return;
    this.#hash = Math.imul(this.#hash ^ ordinal, PRIME);
    this.#add(value);
  }

  refuse(): void {
    this.#hash = Math.imul(this.#hash ^ REFUSED, PRIME);
  }

  #add(value: number): void {
    this.#number[0] = value;
    this.#hash = Math.imul(this.#hash ^ this.#words[0]!, PRIME);
    this.#hash = Math.imul(this.#hash ^ this.#words[1]!, PRIME);
  }

  get text(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}

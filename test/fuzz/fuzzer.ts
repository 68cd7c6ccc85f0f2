/**
 * The search: inputs that reach something new are kept and changed further. In: a harness, inputs
 * to begin with, a seed. Out: what was kept, how far it got, and the first input that breaks the
 * decoder. Equal seeds give equal searches as long as the same number of inputs is run.
 */
import { Random } from '../kernel/random.ts';
import type { Attack } from './harness.ts';
import { mutated } from './mutation.ts';

export interface Subject {
  run(attack: Attack): string | null;
  isIntact(): boolean;
  readonly map: Uint8Array;
  turns(bytes: number): number;
}

export interface Failure {
  readonly what: string;
  readonly input: Uint8Array;
  readonly kind: string;
}

export interface SearchOptions {
  readonly subject: Subject;
  readonly seeds: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  /** Kinds of the transport to choose from; [''] when the format has none. */
  readonly kinds: readonly string[];
  readonly bytesMax: number;
  readonly seed: number;
}

/** How often a place was reached, in classes: 1, 2, 3, 4–7, 8–15, 16–31, 32–127, more. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, count) => {
  if (count < 4) return [0, 1, 2, 4][count]!;
  if (count < 8) return 8;
  if (count < 16) return 16;
  if (count < 32) return 32;
  return count < 128 ? 64 : 128;
});
const INTACT_EVERY = 4096;

export class Search {
  readonly #options: SearchOptions;
  readonly #random: Random;
  readonly #seen: Uint8Array;
  /** Every place reached so far. */
  readonly kept: Uint8Array[] = [];
  runs = 0;
  /** Greatest number of loop turns per byte of an input of 64 bytes or more. */
  turnsPerByteMax = 0;
  failure: Failure | null = null;

  constructor(options: SearchOptions) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#seen = new Uint8Array(options.subject.map.length);
    for (const input of [new Uint8Array(0), ...options.seeds]) {
      for (const kind of options.kinds) this.#try(input, kind);
    }
    if (this.kept.length === 0) this.kept.push(new Uint8Array(1));
  }

  get reached(): number {
    return this.#seen.reduce((sum, classes) => sum + (classes === 0 ? 0 : 1), 0);
  }

  /** Runs so many more inputs, or until one breaks the decoder. */
  run(inputs: number): void {
    const { words, bytesMax, kinds } = this.#options;
    for (let i = 0; i < inputs && this.failure === null; i++) {
      const input = this.#random.pick(this.kept);
      const other = this.#random.pick(this.kept);
      const next = mutated(this.#random, { input, other, words, bytesMax });
      this.#try(next, this.#random.pick(kinds));
    }
  }

  #try(input: Uint8Array, kind: string): void {
    const { subject } = this.#options;
    const what = subject.run({ payload: input, kind });
    this.runs++;
    const isWhole = this.runs % INTACT_EVERY !== 0 || subject.isIntact();
    if (what !== null || !isWhole) {
      this.failure ??= { what: what ?? 'it changes the plan or its tables', input, kind };
      return;
    }
    if (input.length >= 64) {
      const turns = subject.turns(input.length) / input.length;
      this.turnsPerByteMax = Math.max(this.turnsPerByteMax, turns);
    }
    if (this.#isNews(subject.map)) this.kept.push(input.slice());
  }

  #isNews(map: Uint8Array): boolean {
    const seen = this.#seen;
    let news = false;
    for (let place = 0; place < map.length; place++) {
      if (map[place] === 0) continue;
      const reached = CLASSES[map[place]!]!;
      if ((seen[place]! & reached) !== 0) continue;
      seen[place] = seen[place]! | reached;
      news = true;
    }
    return news;
  }
}

/**
 * The disorder of a real fleet, as TSBS makes it: of every batch of ten entries 10 % go missing, 30
 * % are held back and re-inserted into a later batch with probability ½, 10 % have one field
 * zeroed. On top, devices send some entries twice. In: entries in order. Out: what is sent, in that
 * order.
 */
import type { Random } from './random.ts';

export interface Disorder {
  readonly missing: number;
  readonly outOfOrder: number;
  readonly reinserted: number;
  readonly zeroed: number;
  readonly duplicated: number;
}

export const TSBS_DISORDER: Disorder = {
  missing: 0.1,
  outOfOrder: 0.3,
  reinserted: 0.5,
  zeroed: 0.1,
  duplicated: 0.01,
};

export const NO_DISORDER: Disorder = {
  missing: 0,
  outOfOrder: 0,
  reinserted: 0,
  zeroed: 0,
  duplicated: 0,
};

export const DISORDER_BATCH = 10;

/** Entries held back at most; the oldest goes out first when there are more. */
const HELD_MAX = 1000;

export class Shuffler<Entry> {
  readonly #random: Random;
  readonly #disorder: Disorder;
  readonly #zero: (entry: Entry, random: Random) => Entry;
  #held: Entry[] = [];

  constructor(random: Random, disorder: Disorder, zero: (entry: Entry, random: Random) => Entry) {
    this.#random = random;
    this.#disorder = disorder;
    this.#zero = zero;
  }

  /** What is sent when these entries fall due. */
  batch(entries: readonly Entry[]): Entry[] {
    const { outOfOrder, reinserted, zeroed, duplicated } = this.#disorder;
    const late = this.#held;
    this.#held = [];
    const sent: Entry[] = [];
    for (const entry of entries) {
      const final = this.#random.chance(zeroed) ? this.#zero(entry, this.#random) : entry;
      if (this.#random.chance(outOfOrder)) this.#held.push(final);
      else sent.push(final);
      if (sent.length > 0 && this.#random.chance(duplicated)) {
        sent.push(sent[this.#random.integer(sent.length)]);
      }
    }
    for (const entry of late) {
      if (this.#random.chance(reinserted) || this.#held.length >= HELD_MAX) {
        sent.splice(this.#random.integer(sent.length + 1), 0, entry);
      } else this.#held.push(entry);
    }
    return sent;
  }

  /** The rest, at the end of a run. */
  drain(): Entry[] {
    const rest = this.#held;
    this.#held = [];
    return rest;
  }
}

/**
 * What the kernel bench measures: something that takes a group of the log and emits the windows
 * that its watermarks pass. Processor time is counted around the work alone; windows are taken out
 * between two pieces of work, for the hash.
 */
import { createHash } from 'node:crypto';
import type { Group } from './corpus.ts';

export interface Subject {
  readonly name: string;
  /** Applies the group; `watch` runs each piece of the work and measures it. */
  run(group: Group, watch: Watch): void;
  readonly result: ResultHash;
  /** Bytes of state, where the subject knows. */
  stateBytes(): number;
}

/** Processor and wall time of pieces of work; all threads of this process. */
export class Watch {
  cpuMicros = 0;
  wallMicros = 0;

  measure<T>(work: () => T): T {
    const wall = process.hrtime.bigint();
    const cpu = process.cpuUsage();
    const value = work();
    const { user, system } = process.cpuUsage(cpu);
    this.cpuMicros += user + system;
    this.wallMicros += Number(process.hrtime.bigint() - wall) / 1000;
    return value;
  }
}

export interface WindowValues {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly last: number;
}

/** Hash over the set of windows, whatever their order. */
export class ResultHash {
  #sum = 0n;
  windows = 0;

  add(key: string, values: WindowValues): void {
    const { count, sum, min, max, first, last } = values;
    const text = `${key} ${count} ${sum} ${min} ${max} ${first} ${last}`;
    this.#sum += createHash('sha1').update(text).digest().readBigUInt64LE();
    this.windows += 1;
  }

  toString(): string {
    return BigInt.asUintN(64, this.#sum).toString(16).padStart(16, '0');
  }
}

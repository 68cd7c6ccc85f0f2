/**
 * What one turn gives out, in the order of emission. In: rows, facts and dead letters of the
 * message being applied. Every emission takes the next ordinal of its message as part of its
 * version.
 */
import {
  type DeadLetter,
  type Fact,
  type Version,
  versionNumber,
} from '../../../src/model/fact.ts';
import type { Row } from './row.ts';

export class Output {
  readonly rows = new Map<string, Row[]>();
  readonly facts: Fact[] = [];
  readonly deadLetters: DeadLetter[] = [];
  readonly #generation: number;
  #sequence = 0n;
  #ordinal = 0;

  constructor(generation: number) {
    this.#generation = generation;
  }

  startMessage(sequence: bigint): void {
    this.#sequence = sequence;
    this.#ordinal = 0;
  }

  nextVersion(): { version: Version; number: bigint } {
    const version = {
      generation: this.#generation,
      sequence: this.#sequence,
      ordinal: this.#ordinal,
    };
    this.#ordinal += 1;
    return { version, number: versionNumber(version) };
  }

  row(table: string, row: Row): void {
    const rows = this.rows.get(table) ?? [];
    rows.push(row);
    this.rows.set(table, rows);
  }
}

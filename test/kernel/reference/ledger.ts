/**
 * The ledger of the current block of 65,536 sequences. In: what became of messages, records and
 * readings. Out: the row of absolute counts, when it changed since it was last emitted.
 */

import { statusName } from '../../../src/model/status.ts';
import type { Row } from './row.ts';

/** Terminal states of a record; the names are columns of the ledger. */
export type State =
  | 'stored'
  | 'partly'
  | 'duplicate'
  | 'dedup_unknown'
  | 'too_late'
  | 'rejected'
  | 'filtered'
  | 'skipped';

export class Ledger {
  readonly block: bigint;
  changed = false;
  readonly #counts: Record<string, bigint> = {
    ...{ messages: 0n, gap_messages: 0n, records_in: 0n },
    ...{ stored: 0n, partly: 0n, duplicate: 0n, dedup_unknown: 0n },
    ...{ too_late: 0n, rejected: 0n, filtered: 0n, skipped: 0n },
    ...{ readings_decoded: 0n, readings_stored: 0n, samples_stored: 0n },
  };
  readonly #records = new Map<number, bigint>();
  readonly #readings = new Map<number, bigint>();

  constructor(block: bigint) {
    this.block = block;
  }

  message(gap: bigint): void {
    this.changed = true;
    this.#add('messages', 1n);
    this.#add('gap_messages', gap);
  }

  /** `status` is the lowest that applied; OK (0) for a record stored whole. */
  record(state: State, status: number): void {
    this.#add('records_in', 1n);
    this.#add(state, 1n);
    if (status > 0) this.#records.set(status, (this.#records.get(status) ?? 0n) + 1n);
  }

  reading(status: number): void {
    this.#add('readings_decoded', 1n);
    if (status === 0) this.#add('readings_stored', 1n);
    else this.#readings.set(status, (this.#readings.get(status) ?? 0n) + 1n);
  }

  sampleStored(): void {
    this.#add('samples_stored', 1n);
  }

  row(): Row {
    const seen = [...new Set([...this.#records.keys(), ...this.#readings.keys()])];
    seen.sort((left, right) => left - right);
    return {
      block: this.block,
      ...this.#counts,
      reason: seen.map(statusName),
      records: seen.map((status) => this.#records.get(status) ?? 0n),
      readings: seen.map((status) => this.#readings.get(status) ?? 0n),
    };
  }

  #add(column: string, count: bigint): void {
    this.#counts[column] = this.#counts[column]! + count;
  }
}

/**
 * The door Ownership in memory: one revision counter for all partitions, as one stream has. Faults
 * are told beforehand: `fault('unreachable')` (nothing is written), `fault('replyLost')` (written,
 * but the caller hears nothing), `steal` (another owner writes in between).
 */

import type { Ownership, OwnershipRecord } from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import type { LogPosition } from '../../src/model/record.ts';

export type OwnershipFault = 'unreachable' | 'replyLost';

export class MemoryOwnership implements Ownership {
  readonly #records = new Map<number, { record: OwnershipRecord; revision: bigint }>();
  readonly #skips = new Map<string, LogPosition>();
  readonly #faults: OwnershipFault[] = [];
  #revision = 0n;
  /** Every record that was ever written, in order: for tests that look at the history. */
  readonly written: { partition: number; record: OwnershipRecord; revision: bigint }[] = [];

  /** Of the next save, addSkip or (unreachable only) load. */
  fault(fault: OwnershipFault): void {
    this.#faults.push(fault);
  }

  steal(partition: number, change: (record: OwnershipRecord | null) => OwnershipRecord): bigint {
    return this.#write(partition, change(this.#records.get(partition)?.record ?? null));
  }

  async load(partition: number) {
    if (this.#faults[0] === 'unreachable') throw this.#failure();
    return this.#records.get(partition) ?? null;
  }

  async save(partition: number, record: OwnershipRecord, revision: bigint): Promise<bigint | null> {
    if (this.#faults[0] === 'unreachable') throw this.#failure();
    const current = this.#records.get(partition);
    // As over a real log: a retry of what is already there is recognised by its nonce.
    if (current?.record.nonce === record.nonce) return current.revision;
    if ((current?.revision ?? 0n) !== revision) return null;
    const written = this.#write(partition, record);
    if (this.#faults[0] === 'replyLost') throw this.#failure();
    return written;
  }

  async skips(partition: number): Promise<readonly LogPosition[]> {
    return [...this.#skips.values()]
      .filter((position) => position.partition === partition)
      .sort((left, right) =>
        left.sequence === right.sequence
          ? left.index - right.index
          : Number(left.sequence - right.sequence),
      );
  }

  async addSkip(position: LogPosition): Promise<void> {
    if (this.#faults[0] === 'unreachable') throw this.#failure();
    this.#skips.set(`${position.partition}.${position.sequence}.${position.index}`, position);
    if (this.#faults[0] === 'replyLost') throw this.#failure();
  }

  async dropSkips(partition: number, after: bigint): Promise<void> {
    for (const [key, position] of this.#skips) {
      if (position.partition === partition && position.sequence > after) this.#skips.delete(key);
    }
  }

  #write(partition: number, record: OwnershipRecord): bigint {
    this.#revision += 1n;
    const copy = structuredClone(record);
    this.#records.set(partition, { record: copy, revision: this.#revision });
    this.written.push({ partition, record: copy, revision: this.#revision });
    return this.#revision;
  }

  #failure(): OperatingError {
    const fault = this.#faults.shift();
    return new OperatingError('NATS_UNREACHABLE', `the test says: ${fault}`);
  }
}

/**
 * The door StateStore in memory. In: objects by name. Out: the same bytes, or what a test made of
 * them: `corrupt` flips a bit (load then answers CHECKPOINT_CORRUPT), `fault` fails the next save
 * before or after it is stored, `hold` makes saves wait.
 */
import { createHash } from 'node:crypto';
import type { StateStore } from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';

export type StateFault = 'unreachable' | 'replyLost';

export class MemoryStateStore implements StateStore {
  readonly #objects = new Map<string, { bytes: Uint8Array; hash: string }>();
  readonly #faults: StateFault[] = [];
  #held: Promise<void> = Promise.resolve();
  #release = () => {};

  fault(fault: StateFault): void {
    this.#faults.push(fault);
  }

  /** Saves wait from now on until `release`. */
  hold(): void {
    this.#held = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  corrupt(name: string): void {
    const stored = this.#objects.get(name);
    if (!stored || stored.bytes.length === 0) throw new Error(`nothing to corrupt under ${name}`);
    stored.bytes[0]! ^= 1;
  }

  get names(): readonly string[] {
    return [...this.#objects.keys()].sort();
  }

  async save(name: string, bytes: Uint8Array): Promise<void> {
    await this.#held;
    const fault = this.#faults.shift();
    if (fault === 'unreachable') throw new OperatingError('NATS_UNREACHABLE', 'the test says so');
    const hash = hashOf(bytes);
    const stored = this.#objects.get(name);
    if (stored && stored.hash !== hash) {
      throw new OperatingError(
        'CHECKPOINT_CORRUPT',
        `${name} was written before, with other bytes`,
      );
    }
    this.#objects.set(name, { bytes: bytes.slice(), hash });
    if (fault === 'replyLost') throw new OperatingError('NATS_UNREACHABLE', 'the reply was lost');
  }

  async load(name: string): Promise<Uint8Array | null> {
    const stored = this.#objects.get(name);
    if (!stored) return null;
    if (hashOf(stored.bytes) !== stored.hash) {
      throw new OperatingError('CHECKPOINT_CORRUPT', `${name} is not what was written`);
    }
    return stored.bytes.slice();
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) this.#objects.delete(name);
  }

  async list(prefix: string): Promise<readonly string[]> {
    return this.names.filter((name) => name.startsWith(prefix));
  }
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

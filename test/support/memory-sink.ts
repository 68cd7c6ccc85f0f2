/**
 * The doors BlockSink and FactSink in memory. In: blocks, facts and dead letters. Out: everything
 * that was handed in, in order. `hold` makes `flushed` (and nothing else) wait until `release`;
 * `fail` makes the next call reject.
 */
import type { Block, BlockProgress, BlockSink, FactSink, Receipt } from '../../src/model/doors.ts';
import { type DeadLetter, type Fact, versionNumber } from '../../src/model/fact.ts';

class Gate {
  #waiting: (() => void)[] = [];
  #isHeld = false;
  #failure: Error | null = null;

  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  fail(error: Error): void {
    this.#failure = error;
  }

  check(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  async pass(): Promise<void> {
    this.check();
    if (this.#isHeld) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

export interface Insert {
  readonly partition: number;
  readonly position: bigint;
  readonly block: Block;
}

export class MemoryBlockSink implements BlockSink, BlockProgress {
  /** Null: as far as was handed in. */
  reach: bigint | null = null;
  readonly generations: { partition: number; generation: number; cut: bigint }[] = [];
  readonly gate = new Gate();
  readonly inserts: Insert[] = [];
  readonly #handed = new Map<number, bigint>();

  async insert(partition: number, blocks: readonly Block[], position: bigint): Promise<void> {
    this.gate.check();
    this.#handed.set(partition, position);
    for (const block of blocks) {
      // The real one owns the bytes from here on; a copy shows who writes to them afterwards.
      const copy = { ...block, bytes: block.bytes.slice() };
      this.inserts.push({ partition, position, block: copy });
    }
  }

  async flushed(_partition: number): Promise<void> {
    await this.gate.pass();
  }

  /** Where attempts went on from. */
  readonly begun: bigint[] = [];

  begin(_partition: number, position: bigint): void {
    this.begun.push(position);
  }

  async reached(partition: number): Promise<bigint> {
    return this.reach ?? this.#handed.get(partition) ?? 0n;
  }

  async beginGeneration(partition: number, generation: number, cut: bigint): Promise<void> {
    this.gate.check();
    this.generations.push({ partition, generation, cut });
    this.#handed.set(partition, cut);
  }

  blocks(table: string): readonly Block[] {
    return this.inserts.filter(({ block }) => block.table === table).map(({ block }) => block);
  }
}

export class MemoryFactSink implements FactSink {
  readonly gate = new Gate();
  readonly facts: Fact[] = [];
  readonly letters: DeadLetter[] = [];

  async publish(facts: readonly Fact[]): Promise<void> {
    this.gate.check();
    this.facts.push(...facts);
  }

  async deadLetters(letters: readonly DeadLetter[]): Promise<void> {
    this.gate.check();
    this.letters.push(...letters);
  }

  async flushed(): Promise<void> {
    await this.gate.pass();
  }

  receipt(): Receipt {
    const { gate } = this;
    return {
      get isAcknowledged() {
        return !gate.isHeld;
      },
    };
  }

  /** What a consumer holds that keeps the highest version per key. */
  newest(): ReadonlyMap<string, Fact> {
    const newest = new Map<string, Fact>();
    for (const fact of this.facts) {
      const held = newest.get(factKey(fact));
      if (!held || versionNumber(fact.version) > versionNumber(held.version)) {
        newest.set(factKey(fact), fact);
      }
    }
    return newest;
  }
}

export function factKey(fact: Fact): string {
  const { tenant, site, device } = fact.identity;
  const start = `${fact.kind}/${tenant}/${site}/${device}`;
  if (fact.kind === 'shadow') return start;
  if (fact.kind === 'alert') {
    const { channel, rule, raisedAtMs, raisedSequence, raisedOrdinal } = fact;
    return `${start}/${channel}/${rule}/${raisedAtMs}/${raisedSequence}/${raisedOrdinal}`;
  }
  return `${start}/${fact.channel}/${fact.window}/${fact.windowStartMs}/${fact.fragment}`;
}

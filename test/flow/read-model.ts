/**
 * The simulated read model: tables that keep the highest version per key, as ReplacingMergeTree
 * does, and subjects whose consumer does the same. In: rows and facts, as often as anybody sends
 * them. Out: what a reader sees. Faults: an insert that is stored in part, and one whose rows a
 * power loss takes while its token stays.
 */
import type { Block, BlockProgress, BlockSink, FactSink } from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import type { DeadLetter, Fact } from '../../src/model/fact.ts';
import type { ModelLetter } from './model-world.ts';
import { Outbox, type Parcel } from './outbox.ts';
import type { Life, Scheduler } from './scheduler.ts';

/** One row as the model kernel writes it. */
export interface Row {
  readonly table: string;
  readonly key: string;
  /** generation, sequence and ordinal in one number that ascends as they do. */
  readonly version: number;
  readonly isDeleted: boolean;
  readonly value: string;
  /** Table-partition: ClickHouse refuses inserts that touch too many. */
  readonly day: number;
  readonly partition: number;
  readonly sequence: number;
  readonly logTimeMs: number;
}

/** A generation and the log sequence behind which it goes on. */
export interface Cut {
  readonly generation: number;
  readonly cut: number;
}

/** A fact of the model kernel: a row that went out on its subject. */
export type ModelFact = Row;

export interface ReadModelSettings {
  readonly violate: (what: string) => void;
  readonly scheduler: Scheduler;
  /** True time, to notice results from the future. */
  readonly trueMs: () => number;
}

/** Versions of one generation. */
export const GENERATION_VERSIONS = 1e12;
const FUTURE_MAX_MS = 60_000 + 61_000;

interface Parked {
  readonly partition: number;
  readonly position: bigint;
  readonly rows: readonly Row[];
}

export class SimulatedReadModel {
  readonly #settings: ReadModelSettings;
  readonly rows = new Map<string, Row>();
  readonly facts = new Map<string, Row>();
  readonly letters = new Map<string, ModelLetter>();
  /** Partition/generation → where it began. */
  readonly #generations = new Map<string, Cut & { readonly partition: number }>();
  /** A mutant: views know nothing of generations. */
  forgetsCuts = false;
  readonly #tokens = new Set<string>();
  /** Rows stored since nobody was told so: a power loss may take them. */
  #unacknowledged = new Map<string, readonly (readonly [Row, Row | undefined])[]>();
  partial = 0;
  /** Sums per key instead of newest versions: only a mutant writes deltas. */
  readonly isSumming: boolean;
  /** Tables refuse an insert of more days than this. */
  daysMax = Number.POSITIVE_INFINITY;
  /** The token of a parcel; a mutant derives it from the range of the log. */
  tokenOf = ({ token }: Parcel<Parked>): string => token;
  /** A mutant: nobody waits for inserts. */
  skipsFlush = false;
  /** A mutant: what was handed in counts as acknowledged. */
  skipsReceipts = false;
  onLetter: ((letter: DeadLetter) => void) | null = null;

  constructor(settings: ReadModelSettings, isSumming = false) {
    this.#settings = settings;
    this.isSumming = isSumming;
  }

  blockSink(life: Life): BlockSink {
    const { scheduler } = this.#settings;
    const outbox = new Outbox<Parked>({
      scheduler,
      life,
      lingerMs: 500,
      ship: (parcel) => {
        const what = `insert ${parcel.token}`;
        const insert = () => this.#insert(parcel);
        const unreachable = 'CLICKHOUSE_UNREACHABLE';
        return scheduler.call(life, { door: 'clickhouse', what, unreachable }, insert).then(() => {
          this.#unacknowledged.delete(this.tokenOf(parcel));
        });
      },
    });
    return {
      insert: (partition, blocks, position) => {
        const rows = blocks.flatMap(readRows);
        return outbox.put(rows.length > 0 ? [{ partition, position, rows }] : []);
      },
      flushed: (_partition) => (this.skipsFlush ? Promise.resolve() : outbox.flushed()),
    };
  }

  /** Never restored from an older copy: it has all rows that a checkpoint counts on. */
  progress(life: Life): BlockProgress {
    const { scheduler } = this.#settings;
    const unreachable = 'CLICKHOUSE_UNREACHABLE';
    return {
      beginGeneration: (partition, generation, cut) => {
        const what = `generation ${generation} of ${partition} behind ${cut}`;
        return scheduler.call(life, { door: 'clickhouse', what, unreachable }, () => {
          const begun = { partition, generation, cut: Number(cut) };
          this.#generations.set(`${partition}/${generation}`, begun);
        });
      },
      reached: (partition) =>
        scheduler.call(
          life,
          { door: 'clickhouse', what: `reached ${partition}`, unreachable },
          () => BigInt(Number.MAX_SAFE_INTEGER),
        ),
      begin: () => {},
    };
  }

  /** Generations of a partition, the oldest first. */
  cuts(partition: number): Cut[] {
    return [...this.#generations.values()]
      .filter((each) => each.partition === partition)
      .sort((left, right) => left.generation - right.generation);
  }

  /** As views show it: rows of older generations from above a cut do not count. */
  seen() {
    const counts = (partition: number, generation: number, sequence: number) =>
      this.forgetsCuts ||
      this.cuts(partition).every(
        (begun) => generation >= begun.generation || sequence <= begun.cut,
      );
    const seen = (rows: ReadonlyMap<string, Row>) =>
      new Map(
        [...rows].filter(([, { partition, sequence, version }]) =>
          counts(partition, generationOf(version), sequence),
        ),
      );
    const letters = [...this.letters].filter(([, { partition, sequence, generation }]) =>
      counts(partition, generation, Number(sequence)),
    );
    return { rows: seen(this.rows), facts: seen(this.facts), letters: new Map(letters) };
  }

  factSink(life: Life): FactSink {
    const { scheduler } = this.#settings;
    const outbox = new Outbox<Fact | DeadLetter>({
      scheduler,
      life,
      lingerMs: 20,
      ship: ({ token, items }) =>
        scheduler.call(life, { door: 'subjects', what: `publish ${token}` }, () =>
          this.#publish(items),
        ),
    });
    return {
      publish: (facts) => outbox.put(facts),
      deadLetters: (letters) => outbox.put(letters),
      flushed: () => (this.skipsFlush ? Promise.resolve() : outbox.flushed()),
      receipt: () => (this.skipsReceipts ? { isAcknowledged: true } : outbox.receipt()),
    };
  }

  /** The machine loses power: of inserts nobody was told about, rows may be gone, tokens stay. */
  losePower(): void {
    for (const rows of this.#unacknowledged.values()) {
      for (const [row, before] of rows) {
        const key = keyOf(row);
        if (this.rows.get(key) !== row) continue; // stored again since, by somebody who was told
        if (before) this.rows.set(key, before);
        else this.rows.delete(key);
      }
    }
    this.#unacknowledged = new Map();
  }

  #insert(parcel: Parcel<Parked>): void {
    const token = this.tokenOf(parcel);
    if (this.#tokens.has(token)) return;
    const rows = parcel.items.flatMap((parked) => parked.rows);
    const days = new Set(rows.map(({ day }) => day));
    if (days.size > this.daysMax) {
      throw new OperatingError('CLICKHOUSE_REFUSED', `code 252: ${days.size} partitions`);
    }
    const { random } = this.#settings.scheduler;
    if (this.partial > 0 && random.chance(this.partial)) {
      for (const row of rows.slice(0, random.integer(rows.length))) this.#store(row);
      throw new OperatingError('CLICKHOUSE_UNREACHABLE', 'stored in part');
    }
    const fresh: (readonly [Row, Row | undefined])[] = [];
    for (const row of rows) {
      const before = this.rows.get(keyOf(row));
      if ((before?.version ?? -1) < row.version) fresh.push([row, before]);
      this.#store(row);
    }
    this.#tokens.add(token);
    this.#unacknowledged.set(token, fresh);
  }

  #publish(items: readonly (Fact | DeadLetter)[]): void {
    for (const item of items) {
      if ('reason' in item) {
        const letter = item as ModelLetter;
        const before = this.letters.get(letterKey(item));
        if ((before?.generation ?? 0) <= letter.generation)
          this.letters.set(letterKey(item), letter);
        this.onLetter?.(item);
      } else {
        const fact = item as unknown as ModelFact;
        this.#replace(this.facts, fact);
      }
    }
  }

  #store(row: Row): void {
    const { trueMs, violate } = this.#settings;
    if (row.logTimeMs > trueMs() + FUTURE_MAX_MS) {
      violate(`${keyOf(row)}: a result of log time ${row.logTimeMs}, which is yet to come`);
    }
    if (!this.isSumming) {
      this.#replace(this.rows, row);
      return;
    }
    const before = this.rows.get(keyOf(row));
    const value = `${Number(before?.value ?? 0) + Number(row.value)}`;
    this.rows.set(keyOf(row), row.table === 'win' ? { ...row, value } : row);
  }

  #replace(map: Map<string, Row>, row: Row): void {
    const key = keyOf(row);
    const before = map.get(key);
    if (before && before.version > row.version) return;
    if (before?.version === row.version && before.value !== row.value) {
      const what = `${key} was written twice under version ${row.version}`;
      this.#settings.violate(`${what}: ${before.value}, then ${row.value}`);
    }
    map.set(key, row);
  }
}

const generationOf = (version: number): number => Math.floor(version / GENERATION_VERSIONS);

export const keyOf = ({ table, key }: Row): string => `${table}/${key}`;

export const letterKey = ({ partition, sequence, index, reason }: DeadLetter): string =>
  `${partition}/${sequence}.${index}/${reason}`;

function readRows({ bytes }: Block): Row[] {
  return JSON.parse(Buffer.from(bytes).toString('utf8')) as Row[];
}

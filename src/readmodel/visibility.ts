/**
 * Up to which log sequence each partition is visible in ClickHouse (table `visible`), and the rule
 * that keeps it true: **it never steps over a gap**. In: the reaches of batches that were stored.
 * Out: the positions that may be written, and an alarm where ClickHouse has lost rows that it had:
 * a ClickHouse restored from an older backup says less than it said before.
 *
 *   batch (after, position]   after ≤ visible → visible = position
 *                             after > visible → READMODEL_BEHIND, visible stays
 *
 * What ClickHouse says is read anew after every loss of the connection: that is when another one
 * may be at its address. Whoever goes on from a checkpoint asks `reached` first; that begins a new
 * attempt, and batches of earlier attempts raise no alarm any more.
 */
import { OperatingError } from '../model/error.ts';
import { GENERATIONS, VISIBLE } from '../model/table.ts';
import type { Batch, Reach } from './batch.ts';
import type { Connection } from './connection.ts';
import { onCluster, storedName } from './ddl.ts';
import { literal, qualified } from './sql.ts';

/** Rows of `visible` for one log, by partition. */
export type ReadVisible = () => Promise<ReadonlyMap<number, bigint>>;

export interface VisibleTable {
  readonly connection: Connection;
  readonly database: string;
  readonly log: string;
  /** Name of a ClickHouse cluster; null or absent: a single server. */
  readonly cluster?: string | null;
}

/** On a cluster the greatest that any replica says: one that lags has lost nothing. */
export async function readVisible(at: VisibleTable): Promise<Map<number, bigint>> {
  const rows = await at.connection.rows<{ partition: number; position: string }>(
    visibleSelect(at),
    {
      log: at.log,
    },
  );
  return new Map(rows.map(({ partition, position }) => [partition, BigInt(position)]));
}

export function visibleSelect({ database, cluster = null }: VisibleTable): string {
  const name = storedName(VISIBLE, { database, cluster });
  const place =
    cluster === null
      ? qualified(database, name)
      : `clusterAllReplicas(${[cluster, database, name].map(literal).join(', ')})`;
  return (
    `SELECT \`partition\`, max(\`sequence\`) AS position FROM ${place} ` +
    'WHERE `log` = {log: String} GROUP BY `partition`' +
    (cluster === null ? '' : ' SETTINGS skip_unavailable_shards = 1')
  );
}

export interface GenerationStart {
  readonly partition: number;
  readonly generation: number;
  readonly cut: bigint;
}

/**
 * Where a generation begins, written down: its row in `generations`, which views read, and
 * `visible` back to the cut. May be repeated while nothing of the generation is stored.
 */
export async function writeGeneration(at: VisibleTable, start: GenerationStart): Promise<void> {
  const { connection, database, log, cluster = null } = at;
  const { partition, generation, cut } = start;
  const place = { database, cluster };
  const generations = qualified(database, GENERATIONS.name);
  const known = await connection.rows(
    `SELECT 1 FROM ${generations} FINAL WHERE \`log\` = {log: String} ` +
      'AND `partition` = {partition: UInt16} AND `generation` = {generation: UInt32}',
    { log, partition, generation },
  );
  const visible = (await readVisible(at)).get(partition) ?? 0n;
  const row = { log, partition, generation, cut: `${cut}`, is_deleted: 0 };
  await connection.insertRows(generations, [row]);
  // Rows below the cut are missing already: nothing that is visible is taken back.
  if (visible < cut && known.length === 0) return;
  // A row cannot go back: its version is what it says.
  await connection.command(
    `ALTER TABLE ${qualified(database, storedName(VISIBLE, place))}${onCluster(place)} ` +
      'DELETE WHERE `log` = {log: String} AND `partition` = {partition: UInt16} ' +
      'AND `sequence` > {cut: UInt64} SETTINGS mutations_sync = 2',
    { log, partition, cut: `${cut}` },
  );
  const reset = { log, partition, sequence: `${cut}`, is_deleted: 0 };
  await connection.insertRows(qualified(database, VISIBLE.name), [reset]);
}

export class Visibility {
  readonly #read: ReadVisible;
  readonly #behind = new Map<number, OperatingError>();
  /** Reaches of attempts that have ended: `reached` was asked after they were handed in. */
  readonly #old = new WeakSet<Reach>();
  #seen: ReadonlyMap<number, bigint> = new Map();
  #isStale = true;

  constructor(read: ReadVisible) {
    this.#read = read;
  }

  /** The connection was lost: what ClickHouse holds may be something else now. */
  doubt(): void {
    this.#isStale = true;
  }

  /** Reads what ClickHouse says, when that is in doubt. */
  async refresh(): Promise<void> {
    if (!this.#isStale) return;
    this.#isStale = false;
    try {
      this.#seen = await this.#read();
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  /** True when a batch does not follow on what is known to be visible. */
  hasGap(reaches: Batch['reaches']): boolean {
    return [...reaches].some(([partition, reach]) => !this.#follows(partition, reach));
  }

  /** Positions that a stored batch makes visible. */
  admit(reaches: Batch['reaches']): Map<number, bigint> {
    const positions = new Map<number, bigint>();
    for (const [partition, reach] of reaches) {
      if (this.#follows(partition, reach)) {
        positions.set(partition, reach.position);
      } else if (!this.#old.has(reach)) {
        const seen = this.#seen.get(partition) ?? 0n;
        this.#behind.set(partition, behindError(partition, seen, reach.after ?? 0n));
      }
    }
    return positions;
  }

  #follows(partition: number, { after }: Reach): boolean {
    return after === null || after <= (this.#seen.get(partition) ?? 0n);
  }

  /** They have been written. */
  written(positions: ReadonlyMap<number, bigint>): void {
    const seen = new Map(this.#seen);
    for (const [partition, position] of positions) {
      if (position > (seen.get(partition) ?? 0n)) seen.set(partition, position);
    }
    this.#seen = seen;
  }

  /** READMODEL_BEHIND until `reached` was asked. */
  throwIfBehind(partition: number): void {
    const error = this.#behind.get(partition);
    if (error !== undefined) throw error;
  }

  /**
   * Up to where the partition's rows are stored, or will be from what is on its way (`line`, oldest
   * first): a gap in between ends the count.
   */
  async reached(partition: number, line: readonly Batch['reaches'][]): Promise<bigint> {
    const onTheWay = line.flatMap((reaches) => reaches.get(partition) ?? []);
    for (const reach of onTheWay) this.#old.add(reach);
    this.#behind.delete(partition);
    let position = (await this.#read()).get(partition) ?? 0n;
    for (const reach of onTheWay) {
      const isContiguous = reach.after === null || reach.after <= position;
      if (isContiguous && reach.position > position) position = reach.position;
    }
    return position;
  }
}

function behindError(partition: number, seen: bigint, expected: bigint): OperatingError {
  return new OperatingError(
    'READMODEL_BEHIND',
    `partition ${partition}: ClickHouse holds rows up to ${seen} of the log, but it had ` +
      `acknowledged them up to ${expected}: it was restored from an older copy, or emptied`,
    { where: { partition, seen, expected } },
  );
}

/**
 * Do the books agree with the rows that are there? In: ledger and raw tables of both databases.
 * Out: the blocks of 65,536 sequences whose account does not balance, or whose samples are not as
 * many as the rows: so that a lost insert cannot certify itself.
 */
import { LEDGER_BLOCK_SEQUENCES } from '../model/limit.ts';
import type { Ask } from './door.ts';
import { countingRows, place, type RowFilter, type TableShape } from './sql.ts';

export interface BookOptions {
  readonly ask: Ask;
  readonly stored: string;
  readonly computed: string;
  readonly filter: RowFilter;
  /** Raw tables, as both databases have them. */
  readonly raw: readonly TableShape[];
  readonly ledger: TableShape;
  readonly from: bigint;
  readonly to: bigint;
}

export interface BookError {
  readonly block: bigint;
  readonly what: string;
}

export interface Books {
  readonly blocks: number;
  readonly records: number;
  readonly samples: number;
  readonly errors: readonly BookError[];
}

interface LedgerRow {
  readonly block: string;
  readonly records: string;
  readonly samples: string;
  readonly balanced: number;
  readonly readingsBalanced: number;
}

const STATES =
  'stored + partly + duplicate + dedup_unknown + too_late + rejected + filtered + skipped';

export async function checkBooks(options: BookOptions): Promise<Books> {
  const { ask, stored, filter, ledger, from, to } = options;
  const rows = await ask.rows<LedgerRow>(
    'SELECT toString(ledger.block) AS block, ' +
      'toString(records_in) AS records, toString(samples_stored) AS samples, ' +
      `records_in = ${STATES} AS balanced, ` +
      'readings_decoded = readings_stored + arraySum(readings) AS readingsBalanced ' +
      `FROM ${place(stored, ledger.name)} FINAL WHERE ${countingRows(ledger, filter)} ` +
      'ORDER BY ledger.block',
  );
  const errors: BookError[] = [];
  let [blocks, records, samples] = [0, 0, 0];
  const counted = await countSamples(options);
  for (const row of rows) {
    const block = BigInt(row.block);
    const first = block * BigInt(LEDGER_BLOCK_SEQUENCES);
    const last = first + BigInt(LEDGER_BLOCK_SEQUENCES) - 1n;
    if (last < from || first > to) continue;
    blocks += 1;
    records += Number(row.records);
    samples += Number(row.samples);
    if (row.balanced === 0) errors.push({ block, what: 'records in are not records out' });
    if (row.readingsBalanced === 0) errors.push({ block, what: 'readings do not add up' });
    // Rows of a block that goes on, or began before the stretch, are compared one by one only.
    if (first < from || last > to) continue;
    const there = counted.get(row.block) ?? 0;
    if (there !== Number(row.samples)) {
      const what = `the ledger says ${row.samples} samples, the raw tables hold ${there}`;
      errors.push({ block, what });
    }
  }
  return { blocks, records, samples, errors };
}

/** By block: rows that count, those that have expired, and those that ClickHouse refused. */
async function countSamples(options: BookOptions): Promise<Map<string, number>> {
  const { ask, stored, computed, filter, raw } = options;
  const block = `intDiv(\`sequence\`, ${LEDGER_BLOCK_SEQUENCES})`;
  const parts = raw.flatMap((table) => [
    `SELECT ${block} AS block FROM ${place(stored, table.name)} FINAL ` +
      `WHERE ${countingRows(table, filter)}`,
    `SELECT ${block} AS block FROM ${place(computed, table.name)} FINAL ` +
      `WHERE ${countingRows(table, filter, true)}`,
  ]);
  parts.push(
    `SELECT ${block} AS block FROM ${place(stored, 'dead_letters')} FINAL ` +
      `WHERE partition = ${filter.partition} AND reason = 'SINK_REFUSED' ` +
      'AND index >= 2147483648 AND index < 3221225472',
  );
  const rows = await ask.rows<{ block: string; n: string }>(
    `SELECT toString(block) AS block, count() AS n FROM (${parts.join(' UNION ALL ')}) GROUP BY block`,
  );
  return new Map(rows.map(({ block: of, n }) => [of, Number(n)]));
}

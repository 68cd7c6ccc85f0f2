/**
 * `millrace ledger`: do the books balance? In: the ledger in ClickHouse. Out: per partition, per
 * block of 65,536 log sequences, or one sum; exit code 4 when a record that came in did not end in
 * exactly one state.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import pc from 'picocolors';
import type { LedgerSummary, Query } from '../../query/index.ts';
import { EXIT } from '../exit.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { getInstance } from '../run-file.ts';
import { openQuery } from '../session.ts';

interface LedgerOptions extends InstanceOptions {
  readonly summary?: boolean;
  readonly blocks?: boolean;
}

const EXAMPLES = examples(
  'millrace ledger',
  'millrace ledger --summary --json',
  'millrace ledger --blocks',
);

export function ledgerCommand(): Command {
  const command = new Command('ledger')
    .description('in = out: what became of every record of the log')
    .option('--summary', 'one sum over all partitions')
    .option('--blocks', 'per block of 65,536 log sequences')
    .addHelpText(
      'after',
      `${EXAMPLES}

Exit code 4: it does not balance.`,
    );
  return forInstance(command).action(ledger);
}

async function ledger(options: LedgerOptions): Promise<void> {
  const query = openQuery(getInstance(options.dataDir));
  try {
    const summary = await query.ledgerSummary();
    const rows = options.summary ? [] : await rowsOf(query, options.blocks === true);
    if (options.json) printJson({ ...summary, ...(options.summary ? {} : { rows }) });
    else show(summary, rows);
    if (!balances(summary)) process.exitCode = EXIT.checkFailed;
  } finally {
    await query.close();
  }
}

const balances = (summary: Pick<LedgerSummary, 'balanced' | 'readingsBalanced'>): boolean =>
  summary.balanced && summary.readingsBalanced;

const COUNTS = {
  recordsIn: 'in',
  stored: 'stored',
  partly: 'partly',
  duplicate: 'duplicate',
  dedupUnknown: 'dedup unknown',
  tooLate: 'too late',
  rejected: 'rejected',
  filtered: 'filtered',
  skipped: 'skipped',
} as const;

type Row = Record<keyof typeof COUNTS, number> & {
  readonly partition: number;
  readonly block?: number;
  readonly balanced: boolean;
};

async function rowsOf(query: Query, byBlock: boolean): Promise<readonly Row[]> {
  if (!byBlock) {
    const partitions = await query.ledgerByPartition();
    return partitions.map((each) => ({ ...each, balanced: balances(each) }));
  }
  const columns = Object.keys(COUNTS).map((name) => `toFloat64(l.${snakeCase(name)}) AS ${name}`);
  return query.rows<Row>(
    `SELECT l.partition AS partition, toFloat64(l.block) AS block, ${columns.join(', ')}, ` +
      'l.balanced AND l.readings_balanced AS balanced ' +
      'FROM v_ledger AS l ORDER BY l.partition, l.block',
  );
}

const snakeCase = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function show(summary: LedgerSummary, rows: readonly Row[]): void {
  if (rows.length > 0) {
    const hasBlocks = rows[0]?.block !== undefined;
    const table = new Table({
      head: ['partition', ...(hasBlocks ? ['block'] : []), ...Object.values(COUNTS), ''],
      style: { compact: true, head: [], border: [] },
    });
    for (const row of rows) {
      const counts = Object.keys(COUNTS).map((name) => row[name as keyof typeof COUNTS]);
      table.push([
        row.partition,
        ...(hasBlocks ? [row.block] : []),
        ...counts,
        row.balanced ? 'balanced' : pc.red('DOES NOT BALANCE'),
      ]);
    }
    printLine(table.toString());
  }
  const counts = Object.entries(COUNTS)
    .map(([name, title]) => ({ title, count: summary[name as keyof typeof COUNTS] }))
    .filter(({ title, count }) => count > 0 || title === 'in');
  printLine(`records  ${counts.map(({ title, count }) => `${count} ${title}`).join(' · ')}`);
  printLine(
    `readings ${summary.readingsDecoded} decoded · ${summary.readingsStored} stored · ` +
      `${summary.readingsRejected} rejected`,
  );
  for (const { reason, records, readings } of summary.reasons) {
    printLine(`  ${reason}: ${records} records, ${readings} readings`);
  }
  printLine(balances(summary) ? pc.green('the ledger balances') : pc.red('DOES NOT BALANCE'));
}

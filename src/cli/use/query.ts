/**
 * `millrace query`: SQL against the read models, as the read-only user. On a terminal a table, else
 * bytes as ClickHouse sends them, streamed, so that any size may go into a file or another program.
 */
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import Table from 'cli-table3';
import { Command } from 'commander';
import { OperatingError } from '../../model/error.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printLine } from '../report.ts';
import { getInstance } from '../run-file.ts';
import { openQuery } from '../session.ts';

/** More rows than anybody reads on a screen; a table is laid out in memory. */
const TABLE_ROWS_MAX = 1000;
const NEW_LINE = 0x0a;
const FORMAT_CLAUSE = /\bFORMAT\s+\w+\s*;?\s*$/i;
/** What ClickHouse writes behind rows that it had begun to send when the query failed. */
const EXCEPTION = /\r?\n__exception__\r?\n(\w+)\r?\n([\s\S]*?)\r?\n\d+ \1\r?\n__exception__\s*$/;
const TAIL_BYTES = 32 * 1024;

interface QueryOptions extends InstanceOptions {
  readonly format?: string;
  readonly admin?: boolean;
}

export function queryCommand(): Command {
  const command = new Command('query')
    .description('ask the read models by SQL, as the read-only user')
    .argument('<sql>', 'the question; - reads it from standard input')
    .option('--format <name>', 'any ClickHouse format, e.g. CSVWithNames, JSONEachRow, Parquet')
    .option('--admin', 'ask as the user that owns the tables (still read-only)')
    .addHelpText(
      'after',
      examples(
        'millrace query "SELECT * FROM v_devices LIMIT 5"',
        'millrace query "SELECT * FROM v_agg_1m" --format Parquet > minutes.parquet',
        'millrace query --json "SELECT reason, count() FROM v_dead_letters GROUP BY reason"',
        'millrace query - < question.sql',
      ),
    );
  return forInstance(command).action(query);
}

async function query(text: string, options: QueryOptions): Promise<void> {
  const instance = getInstance(options.dataDir);
  const sql = text === '-' ? await readInput() : text;
  const asker = openQuery(instance, options.admin === true);
  const asTable =
    process.stdout.isTTY === true && !options.format && !options.json && !FORMAT_CLAUSE.test(sql);
  const format = options.json ? 'JSONEachRow' : (options.format ?? 'TabSeparatedWithNames');
  try {
    const bytes = await asker.stream(sql, { format });
    if (asTable) await showTable(bytes);
    else await passOn(bytes);
  } finally {
    await asker.close();
  }
}

async function readInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  const sql = Buffer.concat(parts).toString('utf8').trim();
  if (sql !== '') return sql;
  throw new OperatingError('INPUT_INVALID', 'no SQL came on standard input');
}

async function passOn(bytes: Readable): Promise<void> {
  let tail = Buffer.alloc(0);
  bytes.on('data', (part: Buffer) => {
    tail = Buffer.concat([tail, part]).subarray(-TAIL_BYTES);
  });
  try {
    await pipeline(bytes, process.stdout, { end: false });
  } catch (error) {
    throw failedMidway(tail, error) ?? cutOff(error);
  }
  const failed = failedMidway(tail);
  if (failed) throw failed;
}

async function showTable(bytes: Readable): Promise<void> {
  const parts: Buffer[] = [];
  let lines = 0;
  try {
    for await (const part of bytes as AsyncIterable<Buffer>) {
      parts.push(part);
      for (const byte of part) if (byte === NEW_LINE) lines += 1;
      if (lines > TABLE_ROWS_MAX + 1) break;
    }
  } catch (error) {
    throw failedMidway(Buffer.concat(parts), error) ?? cutOff(error);
  }
  const whole = Buffer.concat(parts);
  const failed = failedMidway(whole);
  if (failed) throw failed;
  const [head = '', ...rows] = whole.toString('utf8').replace(/\n$/, '').split('\n');
  const shown = rows.slice(0, TABLE_ROWS_MAX).map((row) => row.split('\t'));
  const table = new Table({
    head: head.split('\t'),
    style: { compact: true, head: [], border: [] },
  });
  table.push(...shown);
  printLine(table.toString());
  const cut = rows.length > shown.length;
  printLine(cut ? `the first ${shown.length} rows; --format shows all` : `${shown.length} rows`);
}

/** The status line said 200 when the first row went out: what failed later stands in the body. */
function failedMidway(bytes: Buffer, cause?: unknown): OperatingError | null {
  const found = EXCEPTION.exec(bytes.subarray(-TAIL_BYTES).toString('utf8'));
  if (!found) return null;
  const text = `the query failed midway: ${found[2]!.trim()}`;
  return new OperatingError('CLICKHOUSE_REFUSED', text, { cause });
}

function cutOff(cause: unknown): unknown {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'EPIPE') return cause;
  return new OperatingError('CLICKHOUSE_UNREACHABLE', `the answer was cut off: ${message}`, {
    cause,
  });
}

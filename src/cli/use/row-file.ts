/**
 * Rows of a CSV or NDJSON file as device messages. In: a path and how its columns are to be read.
 * Out: one row after the other, numbered from 1, with its payload as JSON; numbers keep the digits
 * that stand in the file, so that nothing is rounded before the kernel reads them. A cell that is
 * no number is sent as a string: the kernel rejects it and keeps it as a dead letter.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parse } from 'csv-parse';
import { OperatingError } from '../../model/error.ts';

export interface RowOptions {
  readonly file: string;
  /** Member of the payload → column of the file; null: every column under its own name. */
  readonly columns: ReadonlyMap<string, string> | null;
  /** Column whose text is the event id of the row. */
  readonly idColumn: string | null;
  /** Column that names the device. */
  readonly deviceColumn: string | null;
}

export interface Row {
  /** 1 for the first row of data. */
  readonly number: number;
  readonly payload: Uint8Array;
  readonly id: string | null;
  readonly device: string | null;
}

/** RFC 8259 number, so that the cell can stand in JSON as it is. */
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** One line of a file: more than any message may hold. */
const LINE_BYTES_MAX = 1024 * 1024;

const isNdjson = (file: string): boolean => /\.(ndjson|jsonl)$/i.test(file);

export function readRows(options: RowOptions): AsyncIterable<Row> {
  return isNdjson(options.file) ? ndjsonRows(options) : csvRows(options);
}

/** Names of the columns; for NDJSON the members of the first line. */
export async function readHeader(file: string): Promise<string[]> {
  if (isNdjson(file)) {
    for await (const { payload } of ndjsonRows({ ...NO_COLUMNS, file })) {
      const first: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      if (first && typeof first === 'object') return Object.keys(first);
      break;
    }
    throw unusable(file, 'its first line is not a JSON object');
  }
  const lines = createReadStream(file).pipe(parse({ bom: true, to_line: 1, trim: true }));
  for await (const header of lines) return header as string[];
  throw unusable(file, 'it is empty: expected a first line with the names of the columns');
}

const NO_COLUMNS = { columns: null, idColumn: null, deviceColumn: null };

async function* csvRows(options: RowOptions): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    columns: true,
    trim: true,
    skip_empty_lines: true,
    max_record_size: LINE_BYTES_MAX,
  });
  const cells = createReadStream(options.file).on('error', (error) => parser.destroy(error));
  let number = 0;
  try {
    for await (const row of cells.pipe(parser) as AsyncIterable<Record<string, string>>) {
      number += 1;
      yield {
        number,
        payload: Buffer.from(payloadOf(row, options.columns)),
        id: cell(row, options.idColumn, options.file),
        device: cell(row, options.deviceColumn, options.file),
      };
    }
  } catch (error) {
    if (error instanceof OperatingError) throw error;
    throw unusable(options.file, `row ${number + 1}: ${(error as Error).message}`, error);
  }
}

async function* ndjsonRows(options: RowOptions): AsyncGenerator<Row> {
  const lines = createInterface({ input: createReadStream(options.file), crlfDelay: Infinity });
  let number = 0;
  for await (const line of lines) {
    if (line.trim() === '') continue;
    number += 1;
    yield {
      number,
      payload: Buffer.from(line),
      id: member(line, options.idColumn),
      device: member(line, options.deviceColumn),
    };
  }
}

function payloadOf(row: Record<string, string>, columns: RowOptions['columns']): string {
  const names = columns ?? new Map(Object.keys(row).map((name) => [name, name]));
  const members: string[] = [];
  for (const [name, column] of names) {
    const text = row[column];
    if (text === undefined || text === '') continue;
    const value = JSON_NUMBER.test(text) ? text : JSON.stringify(text);
    members.push(`${JSON.stringify(name)}:${value}`);
  }
  return `{${members.join(',')}}`;
}

function cell(row: Record<string, string>, column: string | null, file: string): string | null {
  if (column === null) return null;
  const text = row[column];
  if (text !== undefined) return text;
  throw unusable(file, `it has no column "${column}"; it has: ${Object.keys(row).join(', ')}`);
}

/** A top-level member of a line as text; null when the line has none or is no JSON object. */
function member(line: string, name: string | null): string | null {
  if (name === null) return null;
  try {
    const value = (JSON.parse(line) as Record<string, unknown>)[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : null;
  } catch {
    return null;
  }
}

export function unusable(file: string, why: string, cause?: unknown): OperatingError {
  return new OperatingError('INPUT_INVALID', `${file}: ${why}`, { cause, where: { file } });
}

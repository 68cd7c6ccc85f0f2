/**
 * Drives a kernel, and the reference, through a log and collects all they give out, in one shape
 * that can be compared: rows by table (column → value), facts, dead letters, as lines of text.
 */
import type { LogChunk, PartitionKernel, TurnOutput } from '../../src/model/doors.ts';
import type { DeadLetter, Fact } from '../../src/model/fact.ts';
import { chunkMessages } from '../../src/wire/chunk.ts';
import { readNativeRows } from '../support/native.ts';
import type { Stream } from './generator.ts';
import type { TableRow } from './law.ts';
import { all, LOG, PARTITION } from './log-writer.ts';
import { ReferenceKernel } from './reference/kernel.ts';

export const GENERATION = 2;

export class Outcome {
  readonly tables = new Map<string, TableRow[]>();
  readonly facts: Fact[] = [];
  readonly deadLetters: DeadLetter[] = [];
  /** Turns that stopped because an output region was full. */
  parts = 0;
  /** Of the last turn. */
  needsTicks = false;
  position = 0n;
  stateHash = '';

  addRows(table: string, rows: readonly TableRow[]): void {
    const before = this.tables.get(table);
    if (before) before.push(...rows);
    else this.tables.set(table, [...rows]);
  }
}

/** The oracle's outcome of the whole stream. */
export function runReference(stream: Stream): Outcome {
  const kernel = new ReferenceKernel({ log: LOG, partition: PARTITION, generation: GENERATION });
  kernel.setSkips(stream.skips);
  const outcome = new Outcome();
  for (const chunk of all(stream.messages)) {
    const { rows, facts, deadLetters, position, needsTicks } = kernel.turn(chunk);
    for (const [table, tableRows] of rows) outcome.addRows(table, tableRows.map(asBytes));
    outcome.facts.push(...facts);
    outcome.deadLetters.push(...deadLetters);
    Object.assign(outcome, { position, needsTicks });
  }
  return outcome;
}

/** Texts as the reader of Native blocks shows them: a byte a character. */
function asBytes(row: TableRow): TableRow {
  const shown = Object.entries(row).map(([name, value]) => {
    const isText = typeof value === 'string' && name !== 'sample';
    return [name, isText ? Buffer.from(value).toString('latin1') : value];
  });
  return Object.fromEntries(shown) as TableRow;
}

/** Applies chunks, taking outputs and plans as an owner does; adds to `outcome`. */
export async function drive(
  kernel: PartitionKernel,
  chunks: Iterable<LogChunk>,
  outcome = new Outcome(),
): Promise<Outcome> {
  for (const chunk of chunks) {
    for (let turn = await kernel.turn(chunk); ; turn = await kernel.resume()) {
      take(turn, outcome);
      if (turn.status === 'done') break;
      if (turn.status === 'more') outcome.parts += 1;
      if (turn.status === 'plan') kernel.usePlan(planText(chunk, turn.position));
    }
  }
  outcome.stateHash = kernel.stateHash();
  return outcome;
}

function take(turn: TurnOutput, outcome: Outcome): void {
  for (const { table, bytes } of turn.blocks) outcome.addRows(table, readNativeRows(bytes));
  outcome.facts.push(...turn.facts);
  outcome.deadLetters.push(...turn.deadLetters);
  const { needsTicks, position } = turn;
  Object.assign(outcome, { needsTicks, position });
}

function planText(chunk: LogChunk, sequence: bigint): string {
  for (const message of chunkMessages(chunk)) {
    if (message.sequence === sequence) return Buffer.from(message.payload).toString('utf8');
  }
  throw new Error(`the turn stopped for a plan at ${sequence}, which is not in its chunk`);
}

/** A line per row, fact and dead letter: equal text, equal outcome. */
export function lines(outcome: Outcome): string[] {
  const rows = [...outcome.tables.keys()]
    .sort()
    .flatMap((table) => outcome.tables.get(table)!.map((row) => `${table} ${spell(row)}`));
  const facts = outcome.facts.map((fact) => `fact ${spell(fact)}`);
  const letters = outcome.deadLetters.map((letter) => `letter ${spell(letter)}`);
  const end = `end ${outcome.position} ${outcome.needsTicks}`;
  return [...rows, ...facts, ...letters, end];
}

/** Members sorted by name; −0, NaN and 64-bit integers told apart. */
export function spell(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  if (value instanceof Uint8Array) return `x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return `[${value.map(spell).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([name, member]) => `${name}=${spell(member)}`).join(' ')}}`;
}

const SHOWN_LINES = 4;

/** The first few lines that only one side has, or where the order differs; '' when equal. */
export function difference(got: readonly string[], wanted: readonly string[]): string {
  const place = wanted.findIndex((line, index) => line !== got[index]);
  if (place < 0 && got.length === wanted.length) return '';
  const [lacks, adds] = [without(wanted, got), without(got, wanted)];
  const show = (sign: string, lines: readonly string[]) =>
    lines.slice(0, SHOWN_LINES).map((line) => `${sign} ${line.replace(/ sample="[^"]*"/, '')}`);
  if (lacks.length + adds.length > 0) {
    const head = `lacks ${lacks.length} lines, has ${adds.length} that are not wanted`;
    return [head, ...show('-', lacks), ...show('+', adds)].join('\n');
  }
  return ['another order:', ...show('-', [wanted[place]!]), ...show('+', [got[place]!])].join('\n');
}

function without(lines: readonly string[], others: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of others) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

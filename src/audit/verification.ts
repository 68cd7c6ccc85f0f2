/**
 * The verdict on a partition: state, rows and books of a stretch of its log, as they are stored
 * against as the log gives them. In: an extent, a kernel that stands at its start, a database with
 * empty tables to fill. Out: counts and the first differences; `isEqual` only when nothing differs.
 */
import type { BlockSink, Kernel, LogReader, Ownership, PartitionKernel } from '../model/doors.ts';
import { LEDGER } from '../model/table.ts';
import { type Books, checkBooks } from './book.ts';
import { compareTable, countExtra, type TableComparison } from './comparison.ts';
import type { Ask, Tell } from './door.ts';
import { beginGeneration, type Extent, type KernelDoors } from './extent.ts';
import { type Recomputed, recompute } from './recomputation.ts';
import { checkColumns, onlyStored, readCuts, readShapes } from './shape.ts';
import { place, type RowFilter, type TableShape } from './sql.ts';

export interface VerificationOptions {
  readonly extent: Extent;
  readonly log: string;
  /** Stands at the extent's start; whoever asks closes it. */
  readonly partitionKernel: PartitionKernel;
  readonly kernel: Kernel;
  readonly ownership: Ownership;
  readonly kernelOptions: KernelDoors['kernelOptions'];
  readonly reader: LogReader;
  /** Fills the tables of `computed`. */
  readonly sink: BlockSink;
  readonly prepare: (planText: string) => Promise<void>;
  readonly ask: Ask;
  readonly tell: Tell;
  readonly stored: string;
  readonly computed: string;
  /** Seconds since 1970 up to which rows may expire while they are compared. */
  readonly expiredS: number;
  readonly shownMax: number;
  readonly onProgress?: (position: bigint) => void;
}

export interface StateCheck {
  readonly position: bigint;
  readonly stored: string;
  readonly computed: string;
}

export interface Verification {
  readonly partition: number;
  readonly extent: Extent;
  readonly messages: number;
  readonly gapMessages: bigint;
  readonly states: readonly StateCheck[];
  readonly tables: readonly TableComparison[];
  readonly books: Books;
  readonly isEqual: boolean;
}

export async function verify(
  options: VerificationOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const { extent } = options;
  const states: StateCheck[] = [];
  await keepExpired(options);
  const recomputed = await fill(options, states, signal);
  const { partition, from, to, record } = extent;
  const ignoreGeneration = record.generation > 1;
  const { tables, books } = await compareStored(
    { ...options, partition, from, to, ignoreGeneration },
    signal,
  );
  const isEqual =
    states.every(({ stored, computed }) => stored === computed) &&
    tables.every(({ missing, extra, differs }) => missing + extra + differs === 0) &&
    books.errors.length === 0;
  return { partition, extent, ...recomputed, states, tables, books, isEqual };
}

async function fill(options: VerificationOptions, states: StateCheck[], signal: AbortSignal) {
  const { extent, partitionKernel, sink } = options;
  const { partition, to, start, cut, record } = extent;
  const isCut = cut !== null && cut < to;
  const { planText, ...before } = await fillTo(isCut ? cut : to, {
    ...{ options, states, signal, kernel: partitionKernel, planText: start.planText },
  });
  let { messages, gapMessages } = before;
  if (isCut) {
    const { generation } = record;
    const begun = { partition, generation, planText };
    const kernel = await beginGeneration(options, partitionKernel, begun);
    try {
      const after = await fillTo(to, { options, states, signal, kernel, planText });
      messages += after.messages;
      gapMessages += after.gapMessages;
    } finally {
      kernel.close();
    }
  }
  await sink.flushed(partition);
  return { messages, gapMessages };
}

interface Stretch {
  readonly options: VerificationOptions;
  readonly kernel: PartitionKernel;
  readonly planText: string;
  readonly states: StateCheck[];
  readonly signal: AbortSignal;
}

function fillTo(to: bigint, stretch: Stretch): Promise<Recomputed> {
  const { options, kernel, planText, states, signal } = stretch;
  const { extent, reader, sink, prepare } = options;
  const { partition, checkpoints } = extent;
  return recompute(
    {
      partition,
      kernel,
      reader,
      to,
      halts: checkpoints.map(({ position }) => BigInt(position)),
      onHalt(position) {
        const stored = checkpoints.find((each) => BigInt(each.position) === position)!;
        states.push({ position, stored: stored.rootHash, computed: kernel.stateHash() });
      },
      onOutput: ({ blocks, position }) => sink.insert(partition, blocks, position),
      async onPlan(text) {
        await prepare(text);
        await keepExpired(options);
      },
      ...(options.onProgress ? { onProgress: options.onProgress } : {}),
    },
    planText,
    signal,
  );
}

/** What has expired must stay countable on the computed side, whatever merges come. */
async function keepExpired({ ask, tell, computed }: VerificationOptions): Promise<void> {
  for (const { name, columns } of (await readShapes(ask, computed)).values()) {
    if (!columns.some((column) => column.name === 'expires_at')) continue;
    await tell.command(`SYSTEM STOP TTL MERGES ${place(computed, name)}`);
  }
}

export interface StoredComparison {
  readonly ask: Ask;
  readonly log: string;
  readonly partition: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly stored: string;
  readonly computed: string;
  readonly ignoreGeneration: boolean;
  readonly expiredS: number;
  readonly shownMax: number;
  /** Only rows for which this holds, e.g. those of one device. */
  readonly only?: (table: TableShape) => string;
}

/** Tables and books as they are stored now. */
export async function compareStored(
  options: StoredComparison,
  signal: AbortSignal,
): Promise<{ tables: TableComparison[]; books: Books }> {
  const { ask, log, partition, expiredS, only } = options;
  const [left, right, cuts] = await Promise.all([
    readShapes(ask, options.stored),
    readShapes(ask, options.computed),
    readCuts(ask, options.stored, { log, partition }),
  ]);
  const filter: RowFilter = { log, partition, expiredS, cuts, ...(only ? { only } : {}) };
  const common = { ...options, filter };
  const tables: TableComparison[] = [];
  for (const table of right.values()) {
    signal.throwIfAborted();
    checkColumns(left.get(table.name), table);
    tables.push(await compareTable(common, table));
  }
  for (const table of onlyStored(left, right)) tables.push(await countExtra(common, table));
  const raw = [...right.values()].filter(({ name }) => name.startsWith('ch_'));
  const books = await checkBooks({ ...common, raw, ledger: right.get(LEDGER.name)! });
  return { tables, books };
}

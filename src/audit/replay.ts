/**
 * A stretch of a partition's log into tables of its own: what the log gives today, beside what is
 * stored. In: an extent, a kernel at its start, a sink over the tables. Out: a job that says what
 * the tables hold, kept beside them, so that they can be compared and promoted later.
 *
 * The kernel runs under the generation that a promotion would begin, so that the rows can take the
 * place of the stored ones. State at the end is stored too: the partition can go on from it.
 */
import type { BlockSink, LogReader, PartitionKernel, StateStore } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { messageIdentity } from '../wire/identity.ts';
import type { Ask, Tell } from './door.ts';
import type { Extent } from './extent.ts';
import { recompute } from './recomputation.ts';
import { type Selection, selected } from './selection.ts';
import { readShapes } from './shape.ts';
import { literal, place } from './sql.ts';

const JOB_TABLE = 'replay_job';

/** One per partition; positions as text, as in the ownership record. */
export interface ReplayJob {
  readonly name: string;
  readonly partition: number;
  readonly from: string;
  readonly to: string;
  /** Position after which the kernel began; '0' is the beginning of the log. */
  readonly start: string;
  /** Up to the end of the log, as far as rows could be seen: the partition can go on from it. */
  readonly isOpenEnded: boolean;
  readonly generationBefore: number;
  readonly generation: number;
  readonly selection: Selection | null;
  readonly messages: number;
  readonly identity: {
    readonly sequence: string;
    readonly logTimeNs: string;
    readonly hash: string;
  };
  readonly objects: readonly string[];
  readonly rootHash: string;
  readonly planText: string;
}

export interface ReplayOptions {
  readonly name: string;
  readonly extent: Extent;
  readonly kernel: PartitionKernel;
  /** Generation that the kernel was opened with. */
  readonly generation: number;
  readonly isOpenEnded: boolean;
  readonly selection: Selection | null;
  readonly reader: LogReader;
  readonly stateStore: StateStore;
  readonly sink: BlockSink;
  readonly prepare: (planText: string) => Promise<void>;
  readonly ask: Ask;
  readonly tell: Tell;
  readonly database: string;
  readonly onProgress: (position: bigint) => void;
}

export async function replay(options: ReplayOptions, signal: AbortSignal): Promise<ReplayJob> {
  const { extent, kernel, reader, sink, prepare, name } = options;
  const { partition, from, to, start } = extent;
  let keeps = kernel.position + 1n >= from;
  const done = await recompute(
    {
      partition,
      kernel,
      reader,
      to,
      halts: [from - 1n],
      onHalt() {
        keeps = true;
      },
      async onOutput({ blocks, position }) {
        if (keeps) await sink.insert(partition, blocks, position);
      },
      onPlan: prepare,
      onProgress: options.onProgress,
    },
    start.planText,
    signal,
  );
  await sink.flushed(partition);
  if (!done.lastMessage) {
    const what = `partition ${partition}: the log has no message from ${from} to ${to}`;
    throw new OperatingError('INPUT_INVALID', what, { where: { partition, from, to } });
  }
  const { sequence, logTimeNs, hash } = messageIdentity(done.lastMessage);
  return {
    name,
    partition,
    from: `${from}`,
    to: `${to}`,
    start: start.position,
    isOpenEnded: options.isOpenEnded,
    generationBefore: extent.record.generation,
    generation: options.generation,
    selection: options.selection,
    messages: done.messages,
    identity: { sequence: `${sequence}`, logTimeNs: `${logTimeNs}`, hash },
    objects: await storeState(options),
    rootHash: kernel.stateHash(),
    planText: done.planText,
  };
}

const stateStem = (name: string, partition: number): string => `replay.${name}.${partition}`;

async function storeState({ kernel, name, extent, stateStore }: ReplayOptions): Promise<string[]> {
  const names: string[] = [];
  for (const chunk of kernel.exportState('all')) {
    const object = `${stateStem(name, extent.partition)}.${names.length}`;
    await stateStore.save(object, chunk);
    names.push(object);
  }
  kernel.exportDone(true);
  return names;
}

/** Removes what a replay keeps outside its database, but for objects that a record lives on. */
export async function dropState(
  stateStore: StateStore,
  name: string,
  inUse: ReadonlySet<string>,
): Promise<void> {
  const objects = await stateStore.list(`replay.${name}.`);
  await stateStore.remove(objects.filter((object) => !inUse.has(object)));
}

/** Leaves only what was selected; the kernel computes whole partitions. */
export async function keepSelected(
  { ask, tell, database }: Pick<ReplayOptions, 'ask' | 'tell' | 'database'>,
  selection: Selection,
): Promise<void> {
  for (const table of (await readShapes(ask, database)).values()) {
    const others = `NOT (${selected(selection, table)})`;
    await tell.command(
      `ALTER TABLE ${place(database, table.name)} DELETE WHERE ${others} ` +
        'SETTINGS mutations_sync = 2',
    );
  }
}

// --- jobs
// ------------------------------------------------------------------------------------------
export async function saveJob(tell: Tell, database: string, job: ReplayJob): Promise<void> {
  const table = place(database, JOB_TABLE);
  await tell.command(
    `CREATE TABLE IF NOT EXISTS ${table} (partition UInt16, job String) ENGINE = MergeTree ` +
      'ORDER BY partition',
  );
  await tell.command(
    `INSERT INTO ${table} (partition, job) ` +
      `SELECT ${job.partition}, ${literal(JSON.stringify(job))}`,
  );
}

export async function loadJobs(ask: Ask, database: string): Promise<ReplayJob[]> {
  const rows = await ask.rows<{ job: string }>(
    `SELECT job FROM ${place(database, JOB_TABLE)} ORDER BY partition`,
  );
  return rows.map(({ job }) => JSON.parse(job) as ReplayJob);
}

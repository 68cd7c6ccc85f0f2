/**
 * Replays of the running instance: each has a database of its own, `<database>_replay_<name>`, with
 * all tables and views of the read model. In: a workshop. Out: finished jobs, their difference to
 * what is stored, their promotion.
 */

import {
  checkPromotable,
  compareStored,
  findExtent,
  keepSelected,
  loadJobs,
  promote,
  type ReplayJob,
  replay,
  restoreAt,
  type Selection,
  saveJob,
  selected,
  type TableComparison,
} from '../../audit/index.ts';
import { systemClock } from '../../base/clock.ts';
import { createLogAppender } from '../../log/index.ts';
import { OperatingError } from '../../model/error.ts';
import type { Session } from '../session.ts';
import type { Workshop } from '../workshop.ts';
import { createPositionBar } from './progress.ts';

const NAME = /^[a-z0-9_]{1,40}$/;
const EXPIRY_MARGIN_S = 900;
const SHOWN_ROWS = 10;

export interface ReplayRequest {
  readonly name: string;
  readonly partition: number;
  readonly from?: bigint | undefined;
  readonly to?: bigint | undefined;
  readonly selection: Selection | null;
  readonly asJson: boolean;
}

export interface ReplayResult {
  readonly job: ReplayJob;
  readonly seconds: number;
  readonly records: number;
}

export interface ReplayDiff {
  readonly job: ReplayJob;
  readonly tables: readonly TableComparison[];
}

export function checkName(name: string): void {
  if (NAME.test(name)) return;
  throw new OperatingError(
    'INPUT_INVALID',
    `replay name ${JSON.stringify(name)}: expected 1 to 40 of a-z, 0-9 and _`,
  );
}

/** Of the moment: `r20260131_235959`. */
export function replayName(): string {
  const stamp = new Date(systemClock.nowMs()).toISOString().slice(0, 19);
  return `r${stamp.replace(/[-:]/g, '').replace('T', '_')}`;
}

const prefixOf = ({ state }: Session): string => `${state.clickhouse.database}_replay_`;

export const replayDatabase = (session: Session, name: string): string =>
  `${prefixOf(session)}${name}`;

export async function listReplays({ ask, session }: Workshop): Promise<string[]> {
  const prefix = prefixOf(session);
  const rows = await ask.rows<{ name: string }>('SELECT name FROM system.databases ORDER BY name');
  return rows.flatMap(({ name }) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));
}

/** One partition; several of one name share a database. A partition that is in it is refused. */
export async function runReplay(
  workshop: Workshop,
  request: ReplayRequest,
  signal: AbortSignal,
): Promise<ReplayResult> {
  const { session, ask, tell } = workshop;
  const { name, partition, from, to, selection } = request;
  const database = replayDatabase(session, name);
  await checkFresh(workshop, request);
  const visible = await ask.visible(partition);
  const extent = await findExtent(workshop, {
    partition,
    visible,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  });
  // From a checkpoint its generation comes with the state.
  const more = extent.start.objects.length === 0 ? 1 : 0;
  const generation = extent.record.generation + more;
  const kernel = await restoreAt(workshop, partition, { ...extent.start, generation });
  const bar = createPositionBar(`partition ${partition}`, extent, request.asJson);
  let isDone = false;
  try {
    const { readModel, prepare } = await workshop.openTables(database);
    try {
      await prepare(extent.start.planText);
      const startedMs = systemClock.monotonicMs();
      const job = await replay(
        {
          ...{ ...workshop, name, extent, kernel, generation, selection, prepare, database },
          isOpenEnded: to === undefined,
          sink: readModel.sink,
          onProgress: (position) => bar.show(position),
        },
        signal,
      );
      const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
      const records = await recordsOf(workshop, database, partition);
      if (selection) await keepSelected({ ask, tell, database }, selection);
      await saveJob(tell, database, job);
      isDone = true;
      return { job, seconds, records };
    } finally {
      await readModel.stop();
    }
  } finally {
    bar.stop();
    kernel.close();
    if (!isDone) await dropUnfinished(workshop, database);
  }
}

/** What was cut off holds nothing that anybody could use. */
async function dropUnfinished(workshop: Workshop, database: string): Promise<void> {
  const jobs = await loadJobs(workshop.ask, database).catch(() => []);
  if (jobs.length === 0) await workshop.dropDatabase(database);
}

async function checkFresh(workshop: Workshop, { name, partition }: ReplayRequest): Promise<void> {
  if (!(await listReplays(workshop)).includes(name)) return;
  const jobs = await loadJobs(workshop.ask, replayDatabase(workshop.session, name)).catch(() => []);
  if (!jobs.some((job) => job.partition === partition) && jobs.length > 0) return;
  throw new OperatingError(
    'INPUT_INVALID',
    `replay ${name} is there already: choose another --name, or drop it`,
  );
}

async function recordsOf({ ask }: Workshop, database: string, partition: number): Promise<number> {
  const [row] = await ask.rows<{ records: string }>(
    `SELECT sum(records_in) AS records FROM \`${database}\`.ledger FINAL ` +
      `WHERE partition = ${partition}`,
  );
  return Number(row?.records ?? 0);
}

export async function diffReplay(workshop: Workshop, name: string): Promise<ReplayDiff[]> {
  const computed = replayDatabase(workshop.session, name);
  const diffs: ReplayDiff[] = [];
  for (const job of await loadJobs(workshop.ask, computed)) {
    diffs.push({ job, tables: await compareJob(workshop, computed, job) });
  }
  return diffs;
}

async function compareJob(
  { ask, session }: Workshop,
  computed: string,
  { partition, from, to, selection }: ReplayJob,
): Promise<TableComparison[]> {
  const { log, clickhouse } = session.state;
  const { tables } = await compareStored(
    {
      ...{ ask, log, partition, computed, stored: clickhouse.database },
      from: BigInt(from),
      to: BigInt(to),
      ignoreGeneration: true,
      expiredS: Math.floor(systemClock.nowMs() / 1000) + EXPIRY_MARGIN_S,
      shownMax: SHOWN_ROWS,
      ...(selection ? { only: (table) => selected(selection, table) } : {}),
    },
    new AbortController().signal,
  );
  return tables;
}

/** All partitions of the replay, or none: each is checked before the first is touched. */
export async function promoteReplay(workshop: Workshop, name: string): Promise<ReplayJob[]> {
  const { session, ask, tell, ownership, reader } = workshop;
  const computed = replayDatabase(session, name);
  const { log, clickhouse } = session.state;
  const appender = createLogAppender({ link: session.link, logId: log });
  const diffs = await diffReplay(workshop, name);
  const promotions = diffs.map(({ job, tables }) => ({
    ...{ job, log, ownership, reader, appender, ask, tell, computed },
    extraRows: tables.reduce((sum, { extra }) => sum + extra, 0),
    stored: clickhouse.database,
  }));
  for (const each of promotions) await checkPromotable(each);
  for (const each of promotions) await promote(each);
  return diffs.map(({ job }) => job);
}

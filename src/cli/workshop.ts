/**
 * Where the commands that compute a partition anew do their work: the running instance's log and
 * checkpoints, a kernel of their own, and databases of their own beside the stored one. In: the
 * options of a command. Out: the doors that the audit room needs.
 */
import { type Ask, findExtent, restoreAt, type Tell } from '../audit/index.ts';
import { createKernel } from '../kernel/index.ts';
import { createLogReader, createOwnership } from '../log/index.ts';
import type { Kernel, LogReader, Ownership, StateStore } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { createQuery, type Query } from '../query/index.ts';
import { createConnection } from '../readmodel/connection.ts';
import { createReadModel, type ReadModel } from '../readmodel/index.ts';
import { parsePlan } from '../registry/index.ts';
import type { InstanceOptions } from './option.ts';
import { reportError } from './report.ts';
import { loadSettings } from './run/settings.ts';
import { openSession, openState, type Session } from './session.ts';

const JOB = 'core';

export interface Workshop {
  readonly session: Session;
  readonly reader: LogReader;
  readonly ownership: Ownership;
  readonly stateStore: StateStore;
  readonly kernel: Kernel;
  /** Asks as the user that owns the tables. */
  readonly ask: Ask & Pick<Query, 'visible'>;
  readonly tell: Tell;
  readonly kernelOptions: { readonly log: string; readonly memoryBytes: number };
  /** Tables of a read model in a database of their own. */
  openTables(database: string): Promise<Tables>;
  dropDatabase(database: string): Promise<void>;
  close(): Promise<void>;
}

export interface Tables {
  readonly readModel: ReadModel;
  readonly prepare: (planText: string) => Promise<void>;
}

export async function openWorkshop(options: InstanceOptions): Promise<Workshop> {
  const session = await openSession(options);
  const { link, state } = session;
  const { config } = loadSettings({
    ...(state.configFile === null ? {} : { config: state.configFile }),
    demo: false,
    folder: session.folder,
  });
  const kernel = await createKernel({ build: config.kernel.build, workers: 0 });
  const connection = createConnection({ ...state.clickhouse, cluster: config.clickhouse.cluster });
  const query = createQuery(state.clickhouse);
  return {
    session,
    kernel,
    reader: createLogReader({ link, logId: state.log }),
    ownership: createOwnership({ link, job: JOB, log: state.log }),
    stateStore: await openState(session),
    ask: query,
    tell: connection,
    kernelOptions: { log: state.log, memoryBytes: config.kernel.memoryBytes },
    openTables: (database) => openTables(session, database),
    dropDatabase: (database) =>
      connection.command(`DROP DATABASE IF EXISTS \`${database.replace(/[\\`]/g, '\\$&')}\` SYNC`),
    async close() {
      await Promise.allSettled([query.close(), connection.close(), kernel.stop()]);
      await session.close();
    },
  };
}

async function openTables({ state }: Session, database: string): Promise<Tables> {
  const readModel = createReadModel({
    ...state.clickhouse,
    database,
    log: state.log,
    // Inserts are repeated until they succeed: whoever waits should know why.
    onTrouble: (error) => error && reportError(error, false),
  });
  await readModel.start();
  const prepared = new Set<string>();
  return {
    readModel,
    async prepare(planText) {
      if (planText === '' || prepared.has(planText)) return;
      prepared.add(planText);
      await readModel.prepare(parsePlan(planText));
    },
  };
}

/** Extent of one partition, and a kernel that stands at its start. */
export async function openExtent(
  workshop: Workshop,
  request: { readonly partition: number; readonly from?: bigint; readonly to?: bigint },
) {
  const { partition } = request;
  const visible = await workshop.ask.visible(partition);
  const extent = await findExtent(workshop, { ...request, visible });
  return { extent, kernel: await restoreAt(workshop, partition, extent.start) };
}

/** The partitions that a command was asked for. */
export function partitionsOf(
  { state }: Session,
  { partition, all }: { readonly partition?: number; readonly all?: boolean },
): number[] {
  const numbers = Array.from({ length: state.partitions }, (_, number) => number);
  if (all && partition === undefined) return numbers;
  if (!all && partition !== undefined && partition < state.partitions) return [partition];
  const what =
    partition === undefined || all
      ? 'name one partition with --partition, or --all'
      : `there is no partition ${partition}: the log has 0 to ${state.partitions - 1}`;
  throw new OperatingError('INPUT_INVALID', what);
}

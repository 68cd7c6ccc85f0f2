/**
 * From an ownership record to a kernel that stands at the newest checkpoint that can be read: opens
 * a fresh memory, loads the skip list, applies the state objects in order, checks the root hash.
 *
 *   newest ──✗ missing, corrupt──▶ older … ──✗──▶ the log's beginning ──✗ purged──▶ halt
 *
 * Going further back changes nothing but the time it takes: replaying gives the same state, rows
 * and facts under the same versions. It never skips over what the log no longer has: it halts.
 */
import type {
  Kernel,
  KernelOptions,
  LogReader,
  LogState,
  Ownership,
  OwnershipRecord,
  PartitionKernel,
  StateStore,
} from '../model/doors.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';
import { type Checkpoint, checkpointsOf, NO_CHECKPOINT } from '../model/ownership.ts';
import { checkLog } from './restart/tail-loss.ts';
import { loadAhead } from './state/loading.ts';

export interface RecoveryOptions {
  readonly partition: number;
  readonly kernel: Kernel;
  readonly kernelOptions: Pick<KernelOptions, 'log' | 'memoryBytes'>;
  readonly ownership: Ownership;
  readonly stateStore: StateStore;
  readonly reader: LogReader;
  readonly semanticsVersion: number;
  readonly onTrouble: (partition: number, error: OperatingError) => void;
}

export interface Restored {
  readonly kernel: PartitionKernel;
  /** The plan in force at the kernel's position. */
  readonly planText: string;
  /** False: it stands at an older checkpoint, or at the log's beginning instead of one. */
  readonly isNewest: boolean;
}

/** `reached`: up to where the read model has all rows; what it lacks is computed again. */
export async function recover(
  options: RecoveryOptions,
  record: OwnershipRecord,
  reached: bigint | null = null,
): Promise<Restored> {
  const { partition, reader, onTrouble } = options;
  checkSemantics(options, record);
  await checkLog(reader, partition, record);
  const log = await reader.state(partition);
  const candidates = orderedBy(reached, startsOf(record, log));
  let failure: OperatingError | null = null;
  for (const start of candidates) {
    try {
      return await restore(options, record, start);
    } catch (error) {
      if (!isOperatingError(error, 'CHECKPOINT_CORRUPT')) throw error;
      failure = error;
      onTrouble(partition, error);
    }
  }
  throw failure ?? purgedError(partition, record, log);
}

/** Where a replay may begin, newest first; the log's beginning last, while it is there. */
export function startsOf(record: OwnershipRecord, log: LogState): Checkpoint[] {
  const usable = checkpointsOf(record).filter(
    ({ position }) => BigInt(position) + 1n >= log.firstSequence,
  );
  return log.firstSequence <= 1n ? [...usable, NO_CHECKPOINT] : usable;
}

/** Those that the read model covers first; when there is none, the one that repeats most. */
function orderedBy(reached: bigint | null, starts: Checkpoint[]): Checkpoint[] {
  if (reached === null) return starts;
  const covered = starts.filter(({ position }) => BigInt(position) <= reached);
  const beyond = starts.filter(({ position }) => BigInt(position) > reached);
  return [...covered, ...beyond.reverse()];
}

async function restore(
  options: RecoveryOptions,
  record: OwnershipRecord,
  start: Checkpoint,
): Promise<Restored> {
  const { partition } = options;
  const { generation } = record;
  const kernel = options.kernel.open({ ...options.kernelOptions, partition, generation });
  try {
    kernel.setSkips(await options.ownership.skips(partition));
    const planText = await loadPlan(options, record, start);
    if (planText !== '') kernel.usePlan(planText);
    const load = (name: string) => loadObject(options, name);
    for await (const chunk of loadAhead(start.objects, load)) kernel.importState(chunk);
    if (start.objects.length > 0) kernel.importDone(start.rootHash);
    return { kernel, planText, isNewest: start.position === record.position };
  } catch (error) {
    kernel.close();
    throw error;
  }
}

/** Text of the plan in force at a checkpoint; '' when there was none yet. */
export async function loadPlan(
  options: Pick<RecoveryOptions, 'partition' | 'stateStore'>,
  record: OwnershipRecord,
  start: Checkpoint,
): Promise<string> {
  // Written before the plan was an object: then there is only this checkpoint.
  if (record.planText !== '' && start.position === record.position) return record.planText;
  if (start.plan === '') return '';
  return Buffer.from(await loadObject(options, start.plan)).toString('utf8');
}

async function loadObject(
  { partition, stateStore }: Pick<RecoveryOptions, 'partition' | 'stateStore'>,
  name: string,
): Promise<Uint8Array> {
  const bytes = await stateStore.load(name);
  if (bytes) return bytes;
  throw new OperatingError(
    'CHECKPOINT_CORRUPT',
    `partition ${partition}: state object ${name} is missing; an older checkpoint is used`,
    { where: { partition, name } },
  );
}

/** State of other semantics is no start: its rows and ours would differ. */
function checkSemantics(
  { partition, semanticsVersion: ours }: RecoveryOptions,
  record: OwnershipRecord,
): void {
  if (checkpointsOf(record).length === 0) return;
  const { semanticsVersion } = record;
  if (semanticsVersion === ours) return;
  throw new OperatingError(
    'CHECKPOINT_INCOMPATIBLE',
    `partition ${partition}: its checkpoint was computed under semantics ${semanticsVersion}, ` +
      `this version has ${ours}, and there is no migration. The log no longer has ` +
      'its first message, so it cannot be computed anew: start the version that wrote it',
    { where: { partition, semanticsVersion } },
  );
}

function purgedError(partition: number, record: OwnershipRecord, log: LogState): OperatingError {
  return new OperatingError(
    'LOG_PURGED',
    `partition ${partition}: the log begins at ${log.firstSequence}, the newest checkpoint ` +
      `stands at ${record.position}: the messages between are gone`,
    { where: { partition, position: record.position, first: log.firstSequence } },
  );
}

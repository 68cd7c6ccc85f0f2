/**
 * What of a partition can be computed anew, and from where. In: the ownership record, the log, how
 * far rows can be seen. Out: the stretch (start exclusive, end inclusive), the points whose state
 * is known, and what can never be verified, as ranges with a reason: never as silence.
 *
 *   log:  ✗ purged ✗├───────────────────────────────────────────┤✗ tail lost ✗
 *                   ▲ start: beginning, or a retained checkpoint  ▲ end: visible, in the log
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
import { OperatingError } from '../model/error.ts';
import { SEMANTICS_VERSION } from '../model/limit.ts';
import { checkpointsOf } from '../model/ownership.ts';

/** A position whose state is stored: the fields of the record that restore it. */
export type Retained = Pick<
  OwnershipRecord,
  'position' | 'objects' | 'rootHash' | 'plan' | 'planText' | 'generation' | 'stateGeneration'
>;

export interface Unverifiable {
  readonly from: bigint;
  readonly to: bigint;
  readonly why: string;
}

export interface Extent {
  readonly partition: number;
  readonly record: OwnershipRecord;
  readonly revision: bigint;
  readonly start: Retained;
  /** Within the stretch a later generation began with the state of an older one; null: none did. */
  readonly cut: bigint | null;
  /** First and last sequence whose rows are compared. */
  readonly from: bigint;
  readonly to: bigint;
  /** States that the stretch passes by and that can be compared. */
  readonly checkpoints: readonly Retained[];
  readonly unverifiable: readonly Unverifiable[];
}

export interface ExtentDoors {
  readonly ownership: Ownership;
  readonly reader: LogReader;
  readonly stateStore: StateStore;
}

export interface ExtentRequest {
  readonly partition: number;
  /** Log sequence up to which all rows are in ClickHouse. */
  readonly visible: bigint;
  readonly from?: bigint;
  readonly to?: bigint;
}

const BEGINNING: Omit<Retained, 'generation'> = {
  position: '0',
  objects: [],
  rootHash: '',
  plan: '',
  planText: '',
  stateGeneration: 1,
};

export async function findExtent(doors: ExtentDoors, request: ExtentRequest): Promise<Extent> {
  const { partition } = request;
  const found = await doors.ownership.load(partition);
  if (!found) throw refused(request, 'it has no ownership record: nothing was ever computed');
  const { record, revision } = found;
  if (record.semanticsVersion !== SEMANTICS_VERSION) {
    throw refused(
      request,
      `it was computed under semantics version ${record.semanticsVersion}, this program computes ` +
        `under ${SEMANTICS_VERSION}; use the program that runs the partition`,
    );
  }
  const log = await doors.reader.state(partition);
  const end = await confirmedEnd(request, record, doors.reader);
  const to = request.to === undefined || request.to > end.at ? end.at : request.to;
  const chosen = await withPlan(doors.stateStore, partition, chooseStart(request, record, log));
  const cut = cutBehind(record, chosen);
  const start = cut === null ? chosen : { ...chosen, generation: record.generation - 1 };
  const first = BigInt(start.position) + 1n;
  const asked = request.from ?? 1n;
  const from = asked > first ? asked : first;
  const unverifiable: Unverifiable[] = [...end.lost.filter((lost) => beyond(request, lost))];
  if (asked < first) {
    const why = `the log begins at ${log.firstSequence} and no older checkpoint is retained`;
    unverifiable.unshift({ from: asked, to: first - 1n, why });
  }
  const checkpoints = retainedOf(record).filter(
    ({ position, stateGeneration }) =>
      stateGeneration === record.generation && BigInt(position) >= first && BigInt(position) <= to,
  );
  const range = { from, to, unverifiable };
  return { partition, record, revision, start, cut, checkpoints, ...range };
}

/**
 * At the cut everything open was emitted again, under versions of its own: whoever starts before it
 * has to begin the generation there as well.
 */
function cutBehind({ cut, generation }: OwnershipRecord, start: Retained): bigint | null {
  if (cut === null || generation <= 1 || BigInt(cut) <= BigInt(start.position)) return null;
  return BigInt(cut);
}

const beyond = ({ to }: ExtentRequest, lost: Unverifiable): boolean =>
  to === undefined || to >= lost.from;

/** Checkpoints that can be restored, oldest first. */
function retainedOf(record: OwnershipRecord): Retained[] {
  const { generation } = record;
  return [...checkpointsOf(record)].reverse().map((checkpoint) => ({
    ...checkpoint,
    generation,
    planText: checkpoint.position === record.position ? record.planText : '',
  }));
}

/** With the text of its plan, which is a state object of its own. */
async function withPlan(
  stateStore: StateStore,
  partition: number,
  start: Retained,
): Promise<Retained> {
  if (start.planText !== '' || start.plan === '') return start;
  const bytes = await stateStore.load(start.plan);
  if (!bytes) throw missing(partition, start.plan);
  return { ...start, planText: Buffer.from(bytes).toString('utf8') };
}

/** The newest that lies before what is asked for; without a question the oldest there is. */
function chooseStart(request: ExtentRequest, record: OwnershipRecord, log: LogState): Retained {
  const { from = 1n } = request;
  const whole = { ...BEGINNING, generation: record.generation };
  const starts = [...(log.firstSequence <= 1n ? [whole] : []), ...retainedOf(record)].filter(
    ({ position }) => BigInt(position) + 1n >= log.firstSequence,
  );
  const before = starts.filter(({ position }) => BigInt(position) < from);
  const start = before.at(-1) ?? starts[0];
  if (start) return start;
  throw new OperatingError(
    'LOG_PURGED',
    `partition ${request.partition}: the log begins at ${log.firstSequence}, and no checkpoint ` +
      'is retained from which it could be computed anew: none of it can be verified',
    { where: { partition: request.partition, first: log.firstSequence } },
  );
}

interface ConfirmedEnd {
  readonly at: bigint;
  readonly lost: readonly Unverifiable[];
}

/** Up to where the log still is the log that the rows were computed from. */
async function confirmedEnd(
  { partition, visible }: ExtentRequest,
  record: OwnershipRecord,
  reader: LogReader,
): Promise<ConfirmedEnd> {
  const log = await reader.state(partition);
  const known = [...record.identities, ...(record.identity ? [record.identity] : [])];
  let wrong: bigint | null = null;
  let confirmed = 0n;
  for (const identity of known.reverse()) {
    const sequence = BigInt(identity.sequence);
    if (sequence < log.firstSequence) break;
    const isThere = sequence <= log.lastSequence;
    const found = isThere ? await reader.identity(partition, sequence) : null;
    confirmed = sequence;
    // A message that was deleted inside the log says nothing about its tail.
    if (isThere && !found) continue;
    if (found?.hash === identity.hash && `${found.logTimeNs}` === identity.logTimeNs) break;
    wrong = sequence;
    confirmed = 0n;
  }
  if (wrong !== null) {
    const why = `the log lost its tail: message ${wrong} is not the one that was applied`;
    const to = visible > wrong ? visible : wrong;
    return { at: confirmed, lost: [{ from: confirmed + 1n, to, why }] };
  }
  if (visible <= log.lastSequence) return { at: visible, lost: [] };
  const why = `the log ends at ${log.lastSequence}, rows reach to ${visible}`;
  return { at: log.lastSequence, lost: [{ from: log.lastSequence + 1n, to: visible, why }] };
}

export interface KernelDoors {
  readonly kernel: Kernel;
  readonly ownership: Ownership;
  readonly stateStore: StateStore;
  readonly kernelOptions: Pick<KernelOptions, 'log' | 'memoryBytes'>;
}

/** A kernel that stands where `before` does and begins a generation there; closes `before`. */
export async function beginGeneration(
  doors: Omit<KernelDoors, 'stateStore'>,
  before: PartitionKernel,
  { partition, generation, planText }: GenerationBeginning,
): Promise<PartitionKernel> {
  const kernel = doors.kernel.open({ ...doors.kernelOptions, partition, generation });
  try {
    kernel.setSkips(await doors.ownership.skips(partition));
    if (planText !== '') kernel.usePlan(planText);
    for (const chunk of before.exportState('all')) kernel.importState(chunk);
    kernel.importDone(before.stateHash());
    return kernel;
  } catch (error) {
    kernel.close();
    throw error;
  } finally {
    before.close();
  }
}

export interface GenerationBeginning {
  readonly partition: number;
  readonly generation: number;
  readonly planText: string;
}

/** A kernel that stands at `start`; whoever asks closes it. */
export async function restoreAt(
  doors: KernelDoors,
  partition: number,
  start: Retained,
): Promise<PartitionKernel> {
  const { generation } = start;
  const kernel = doors.kernel.open({ ...doors.kernelOptions, partition, generation });
  try {
    kernel.setSkips(await doors.ownership.skips(partition));
    if (start.planText !== '') kernel.usePlan(start.planText);
    for (const name of start.objects) {
      const bytes = await doors.stateStore.load(name);
      if (!bytes) throw missing(partition, name);
      kernel.importState(bytes);
    }
    if (start.objects.length > 0) kernel.importDone(start.rootHash);
    return kernel;
  } catch (error) {
    kernel.close();
    throw error;
  }
}

const missing = (partition: number, name: string): OperatingError =>
  new OperatingError(
    'CHECKPOINT_CORRUPT',
    `partition ${partition}: state object ${name} of a retained checkpoint is missing`,
    { where: { partition, name } },
  );

const refused = ({ partition }: ExtentRequest, why: string): OperatingError =>
  new OperatingError('INPUT_INVALID', `partition ${partition} cannot be computed anew: ${why}`, {
    where: { partition },
  });

/**
 * From an ownership record to a kernel that stands at its position: opens a fresh memory, loads the
 * skip list, applies the state objects in order, checks the root hash, and compares the log with
 * the identity of the last applied message. It never skips over what the log no longer has: it
 * halts.
 */
import type {
  Kernel,
  KernelOptions,
  LogReader,
  Ownership,
  OwnershipRecord,
  PartitionKernel,
  StateStore,
} from '../model/doors.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';

export interface RecoveryOptions {
  readonly partition: number;
  readonly kernel: Kernel;
  readonly kernelOptions: Pick<KernelOptions, 'log' | 'memoryBytes'>;
  readonly ownership: Ownership;
  readonly stateStore: StateStore;
  readonly reader: LogReader;
}

/**
 * A checkpoint that cannot be read is no loss while the log still begins at its beginning:
 * replaying all of it gives the same state, rows and facts under the same versions.
 */
export async function recover(
  options: RecoveryOptions,
  record: OwnershipRecord,
): Promise<PartitionKernel> {
  await checkLog(options.reader, options.partition, record);
  try {
    return await restore(options, record);
  } catch (error) {
    if (!isOperatingError(error, 'CHECKPOINT_CORRUPT')) throw error;
    const { firstSequence } = await options.reader.state(options.partition);
    if (firstSequence > 1n) throw error;
    return restore(options, { ...record, objects: [], planText: '' });
  }
}

async function restore(
  options: RecoveryOptions,
  record: Pick<OwnershipRecord, 'generation' | 'objects' | 'planText' | 'rootHash'>,
): Promise<PartitionKernel> {
  const { partition } = options;
  const kernel = options.kernel.open({
    ...options.kernelOptions,
    partition,
    generation: record.generation,
  });
  try {
    kernel.setSkips(await options.ownership.skips(partition));
    if (record.planText !== '') kernel.usePlan(record.planText);
    for (const name of record.objects) kernel.importState(await loadObject(options, name));
    if (record.objects.length > 0) kernel.importDone(record.rootHash);
    return kernel;
  } catch (error) {
    kernel.close();
    throw error;
  }
}

async function loadObject(options: RecoveryOptions, name: string): Promise<Uint8Array> {
  const bytes = await options.stateStore.load(name);
  if (bytes) return bytes;
  throw new OperatingError(
    'CHECKPOINT_CORRUPT',
    `partition ${options.partition}: state object ${name} is missing`,
    { where: { partition: options.partition, name } },
  );
}

/** The log must still hold everything after the checkpoint, and be the same log. */
export async function checkLog(
  reader: LogReader,
  partition: number,
  record: Pick<OwnershipRecord, 'position' | 'identity'>,
): Promise<void> {
  const state = await reader.state(partition);
  const position = BigInt(record.position);
  const where = { partition, position, first: state.firstSequence, last: state.lastSequence };
  if (state.firstSequence > position + 1n) {
    throw new OperatingError(
      'LOG_PURGED',
      `partition ${partition}: the log begins at ${state.firstSequence}, the checkpoint stands at ${position}: the messages between are gone`,
      { where },
    );
  }
  if (!record.identity) return;
  const lost = (why: string) =>
    new OperatingError(
      'LOG_TAIL_LOST',
      `partition ${partition}: the checkpoint applied message ${position}, but ${why}`,
      { where },
    );
  if (state.lastSequence < position) throw lost(`the log ends at ${state.lastSequence}`);
  const found = await reader.identity(partition, BigInt(record.identity.sequence));
  if (!found) return; // purged behind the checkpoint; what follows is still contiguous
  if (found.hash !== record.identity.hash || `${found.logTimeNs}` !== record.identity.logTimeNs) {
    throw lost('the log now holds another message there');
  }
}

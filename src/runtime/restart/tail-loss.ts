/**
 * A log that lost its tail: power went, or its store was restored from an older copy. In: the
 * record, the log as it is now. Out: an error when what was applied is no longer there, and the
 * record of a new generation that goes on from where log and checkpoints still agree.
 *
 *   log before       1 ────── C ─────── lost ──────▶    C: newest checkpoint whose identity
 *   log now          1 ────── C ──┐                        is in the log
 *   generation + 1            C ──┴── sent again ──▶
 *
 * Rows of older generations from above the cut C do not count any more (`generations`), so that
 * what the lost tail wrote is not counted beside what is sent again.
 */
import type { LogIdentity, LogReader, LogState, OwnershipRecord } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import { IDENTITIES_MAX, IDENTITY_SEQUENCES } from '../../model/limit.ts';
import {
  type Checkpoint,
  checkpointsOf,
  NO_CHECKPOINT,
  type StoredIdentity,
} from '../../model/ownership.ts';

/** The log must still hold everything after the checkpoint, and be the same log. */
export async function checkLog(
  reader: LogReader,
  partition: number,
  record: Pick<OwnershipRecord, 'position' | 'identity'>,
): Promise<void> {
  const { position, identity } = record;
  if (!identity) return;
  const [state, found] = await Promise.all([
    reader.state(partition),
    reader.identity(partition, BigInt(identity.sequence)),
  ]);
  if (isThere(identity, state, found)) return;
  const { lastSequence: last, firstSequence: first } = state;
  const why =
    last < BigInt(position) ? `the log ends at ${last}` : 'the log now holds another message there';
  throw new OperatingError(
    'LOG_TAIL_LOST',
    `partition ${partition}: message ${position} was applied, but ${why}`,
    { where: { partition, position, first, last } },
  );
}

/**
 * What a record becomes when it goes on in a new generation from `start`, the newest checkpoint
 * unless another is named. LOG_TAIL_LOST when nothing that is known of the log is in it any more.
 */
export async function nextGeneration(
  reader: LogReader,
  partition: number,
  record: OwnershipRecord,
): Promise<Partial<OwnershipRecord>> {
  const state = await reader.state(partition);
  for (const start of checkpointsOf(record)) {
    const { identity, position } = start;
    if (BigInt(position) + 1n < state.firstSequence || !identity) continue;
    const found = await reader.identity(partition, BigInt(identity.sequence));
    if (isThere(identity, state, found)) return startingAt(record, start);
  }
  if (state.firstSequence <= 1n && (await isSameLog(reader, partition, record, state))) {
    return fromBeginning(record);
  }
  throw new OperatingError(
    'LOG_TAIL_LOST',
    `partition ${partition}: the log (messages ${state.firstSequence} to ${state.lastSequence}) ` +
      'holds nothing of what its checkpoints know, up to message ' +
      `${record.position}: it is another log, or lost more than can be told`,
    { where: { partition, position: record.position, last: state.lastSequence } },
  );
}

/** Everything is computed anew; older generations count no more. */
export function fromBeginning(record: OwnershipRecord): Partial<OwnershipRecord> {
  return startingAt(record, NO_CHECKPOINT);
}

export function startingAt(
  record: OwnershipRecord,
  start: Checkpoint,
): Partial<OwnershipRecord> & { readonly generation: number } {
  const position = BigInt(start.position);
  return {
    ...start,
    generation: record.generation + 1,
    cut: start.position,
    identities: record.identities.filter(({ sequence }) => BigInt(sequence) <= position),
    history: record.history.filter((each) => BigInt(each.position) < position),
    planText: start.position === record.position ? record.planText : '',
  };
}

/** The log holds this very message; then it also is what it was before it. */
export async function isInLog(
  reader: LogReader,
  partition: number,
  identity: StoredIdentity,
): Promise<boolean> {
  const found = await reader.identity(partition, BigInt(identity.sequence));
  return found !== null && isSame(found, identity);
}

/** Purged behind the checkpoint counts as there: what follows is still contiguous. */
function isThere(
  identity: StoredIdentity,
  { lastSequence }: LogState,
  found: LogIdentity | null,
): boolean {
  if (BigInt(identity.sequence) > lastSequence) return false;
  return found === null || isSame(found, identity);
}

function isSame(found: LogIdentity, { hash, logTimeNs }: StoredIdentity): boolean {
  return found.hash === hash && `${found.logTimeNs}` === logTimeNs;
}

/**
 * Whether a log that begins at 1 is ours at all: a remembered message is in it, or so little was
 * ever applied that the ring of identities covered it whole.
 */
async function isSameLog(
  reader: LogReader,
  partition: number,
  record: OwnershipRecord,
  state: LogState,
): Promise<boolean> {
  if (BigInt(record.position) <= BigInt(IDENTITIES_MAX) * IDENTITY_SEQUENCES) return true;
  for (const identity of record.identities) {
    const found = await reader.identity(partition, BigInt(identity.sequence));
    if (isThere(identity, state, found)) return true;
  }
  return false;
}

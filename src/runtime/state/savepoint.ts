/**
 * Savepoints: the newest checkpoint of every partition, copied under a name of its own, which
 * nothing collects. In: the doors to ownership and state. Out: a manifest; or, restored, ownership
 * records in a new generation whose partitions go on from the savepoint and read the log from
 * there.
 *
 *   savepoint.<name>.manifest      what there is, written last: without it there is no savepoint
 *   savepoint.<name>.<p>.<n>       the state objects of partition p, in their order
 */
import { randomUUID } from 'node:crypto';
import type { LogReader, Ownership, OwnershipRecord, StateStore } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import { ID_PATTERN } from '../../model/record.ts';
import { NEW_RECORD } from '../lease.ts';
import { loadPlan } from '../recovery.ts';
import { checkLog } from '../restart/tail-loss.ts';

/** A checkpoint may be superseded while it is copied; then the next one is. */
const COPY_TRIES_MAX = 5;
/** Renewals come every second; each lost race is tried again at once. */
const WRITE_TRIES_MAX = 50;

export interface Savepoint {
  readonly name: string;
  readonly log: string;
  readonly createdAtMs: number;
  readonly semanticsVersion: number;
  readonly bytes: number;
  readonly partitions: readonly SavedPartition[];
}

type Saved = Pick<
  OwnershipRecord,
  'generation' | 'position' | 'identity' | 'objects' | 'rootHash' | 'planText'
>;

export interface SavedPartition extends Saved {
  readonly partition: number;
}

export interface SavepointDoors {
  readonly ownership: Ownership;
  readonly stateStore: StateStore;
}

const stemOf = (name: string): string => `savepoint.${name}`;
const manifestOf = (name: string): string => `${stemOf(name)}.manifest`;

export interface CreateOptions extends SavepointDoors {
  readonly name: string;
  readonly log: string;
  readonly partitions: number;
  readonly semanticsVersion: number;
  readonly nowMs: number;
}

/** Rejects with SAVEPOINT_EXISTS when the name is taken; what a failed attempt left is removed. */
export async function createSavepoint(options: CreateOptions): Promise<Savepoint> {
  const { stateStore, name, log, semanticsVersion, nowMs } = options;
  checkName(name);
  if (await findSavepoint(stateStore, name)) {
    throw new OperatingError('SAVEPOINT_EXISTS', `there is a savepoint ${name} already`, {
      where: { name },
    });
  }
  await stateStore.remove(await stateStore.list(`${stemOf(name)}.`));
  let bytes = 0;
  const partitions: SavedPartition[] = [];
  for (let partition = 0; partition < options.partitions; partition += 1) {
    const copied = await copyNewest(options, partition);
    bytes += copied.bytes;
    partitions.push(copied.saved);
  }
  const savepoint = { name, log, createdAtMs: nowMs, semanticsVersion, bytes, partitions };
  await stateStore.save(manifestOf(name), Buffer.from(JSON.stringify(savepoint)));
  return savepoint;
}

async function copyNewest(
  { ownership, stateStore, name }: CreateOptions,
  partition: number,
): Promise<{ saved: SavedPartition; bytes: number }> {
  for (let tries = 1; tries <= COPY_TRIES_MAX; tries += 1) {
    const found = await ownership.load(partition);
    if (!found || found.record.position === '0') {
      throw new OperatingError(
        'SAVEPOINT_EMPTY',
        `partition ${partition} has no checkpoint yet; try again after checkpoint.interval`,
        { where: { partition } },
      );
    }
    const { generation, position, identity, rootHash, objects } = found.record;
    const planText = await loadPlan({ partition, stateStore }, found.record, found.record);
    const stem = `${stemOf(name)}.${partition}`;
    const copied = await copyObjects(stateStore, objects, `${stem}.${tries}`);
    if (!copied) continue;
    const saved = { generation, position, identity, rootHash, planText, objects: copied.names };
    return { saved: { partition, ...saved }, bytes: copied.bytes };
  }
  throw new OperatingError(
    'CHECKPOINT_CORRUPT',
    `the checkpoint of partition ${partition} could not be copied in ${COPY_TRIES_MAX} tries: ` +
      'objects that its record names are missing',
    { where: { partition } },
  );
}

/** Null when an object is gone: collected meanwhile, or lost. */
async function copyObjects(
  stateStore: StateStore,
  objects: readonly string[],
  stem: string,
): Promise<{ names: string[]; bytes: number } | null> {
  const names: string[] = [];
  let bytes = 0;
  for (const [index, from] of objects.entries()) {
    const object = await stateStore.load(from);
    if (!object) return null;
    const name = `${stem}.${index}`;
    await stateStore.save(name, object);
    names.push(name);
    bytes += object.length;
  }
  return { names, bytes };
}

export async function findSavepoint(
  stateStore: StateStore,
  name: string,
): Promise<Savepoint | null> {
  checkName(name);
  const bytes = await stateStore.load(manifestOf(name));
  return bytes && (JSON.parse(Buffer.from(bytes).toString()) as Savepoint);
}

export async function listSavepoints(stateStore: StateStore): Promise<readonly Savepoint[]> {
  const names = await stateStore.list('savepoint.');
  const manifests = names.filter((name) => name.endsWith('.manifest'));
  const found = await Promise.all(
    manifests.map((name) => findSavepoint(stateStore, name.split('.')[1]!)),
  );
  return found
    .filter((each) => each !== null)
    .sort((left, right) => left.createdAtMs - right.createdAtMs);
}

export interface RestoreOptions extends SavepointDoors {
  readonly savepoint: Savepoint;
  readonly reader: LogReader;
  readonly semanticsVersion: number;
  readonly onRestored: (partition: number, record: OwnershipRecord) => void;
}

/**
 * Every partition goes on from the savepoint in its next generation. Owners are fenced by their
 * next renewal and claim again; rows of what came after the savepoint are hidden until the log gave
 * them anew. Everything is checked before anything is written; may be repeated.
 */
export async function restoreSavepoint(options: RestoreOptions): Promise<void> {
  const { savepoint, semanticsVersion, reader } = options;
  if (savepoint.semanticsVersion !== semanticsVersion) {
    throw new OperatingError(
      'CHECKPOINT_INCOMPATIBLE',
      `savepoint ${savepoint.name} has semantics ${savepoint.semanticsVersion}, this program ` +
        `${semanticsVersion}: restore it with the version that wrote it`,
      { where: { name: savepoint.name } },
    );
  }
  for (const saved of savepoint.partitions) await checkLog(reader, saved.partition, saved);
  for (const saved of savepoint.partitions) await restoreOne(options, saved);
}

async function restoreOne(options: RestoreOptions, saved: SavedPartition): Promise<void> {
  const { ownership, stateStore, savepoint } = options;
  const { partition, position, identity, rootHash, planText } = saved;
  const current = await ownership.load(partition);
  const generation = (current?.record.generation ?? saved.generation) + 1;
  const stem = `${partition}.${generation}.restored.${savepoint.name}.${randomUUID()}`;
  const copied = await copyObjects(stateStore, saved.objects, stem);
  if (!copied) {
    throw new OperatingError(
      'CHECKPOINT_CORRUPT',
      `savepoint ${savepoint.name} lacks state objects of partition ${partition}`,
      { where: { name: savepoint.name, partition } },
    );
  }
  for (let tries = 1; tries <= WRITE_TRIES_MAX; tries += 1) {
    const found = await ownership.load(partition);
    const before = found?.record ?? NEW_RECORD;
    const record: OwnershipRecord = {
      ...before,
      owner: '',
      nonce: randomUUID(),
      epoch: before.epoch + 1,
      semanticsVersion: savepoint.semanticsVersion,
      generation,
      position,
      identity,
      identities: identity ? [identity] : [],
      objects: copied.names,
      rootHash,
      plan: '',
      planText,
      // Whoever claims it writes down where the generation begins before anything of it is run.
      cut: position,
      stateGeneration: saved.generation,
      history: [],
    };
    if ((await ownership.save(partition, record, found?.revision ?? 0n)) !== null) {
      return options.onRestored(partition, record);
    }
  }
  throw new OperatingError(
    'NOT_OWNER',
    `the record of partition ${partition} is written too often; run the restore again`,
    { where: { partition } },
  );
}

/** The manifest goes first: half a savepoint is none. */
export async function removeSavepoint(stateStore: StateStore, name: string): Promise<void> {
  await getSavepoint(stateStore, name);
  await stateStore.remove([manifestOf(name)]);
  await stateStore.remove(await stateStore.list(`${stemOf(name)}.`));
}

export async function getSavepoint(stateStore: StateStore, name: string): Promise<Savepoint> {
  const found = await findSavepoint(stateStore, name);
  if (found) return found;
  const names = (await listSavepoints(stateStore)).map((each) => each.name).join(', ') || 'none';
  throw new OperatingError(
    'SAVEPOINT_UNKNOWN',
    `there is no savepoint ${name}; those that are there: ${names}`,
    { where: { name } },
  );
}

function checkName(name: string): void {
  if (ID_PATTERN.test(name)) return;
  throw new OperatingError(
    'INPUT_INVALID',
    `savepoint ${JSON.stringify(name)}: expected 1 to 64 characters of A-Z a-z 0-9 _ -`,
  );
}

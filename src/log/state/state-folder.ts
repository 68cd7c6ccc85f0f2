/**
 * The door StateStore in a folder, for a single machine: one object is one file. In and out as on
 * stream STATE (state-store.ts). Invariant: a file under an object's name is whole and on the disk,
 * however the process or the machine ended:
 *
 *   write .<name>.<n>.tmp → fsync → rename to <name> → fsync the folder → acknowledged
 *
 *   file   ┌────────────────┬───────┐
 *          │ sha-256 (32 B) │ bytes │
 *          └────────────────┴───────┘
 *
 * What a write that was cut off left behind is removed by the next process.
 */
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import type { StateStore } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import type { NatsLink } from '../connection.ts';
import { createStateStore, OBJECT_BYTES_MAX } from './state-store.ts';

const HASH_BYTES = 32;
const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const TEMPORARY = /^\..*\.tmp$/;

export interface StateStoreChoice {
  readonly link: NatsLink;
  readonly log: string;
  readonly store: 'stream' | 'folder';
  /** Of all logs; absent: there is none. */
  readonly folder?: string;
}

/** The store that was chosen; what is still in the other one is read and collected there. */
export async function openStateStore(choice: StateStoreChoice): Promise<StateStore> {
  const { link, log, store } = choice;
  const stream = createStateStore({ link, log });
  if (choice.folder === undefined) return stream;
  const folder = join(choice.folder, log);
  if (store === 'folder') return succeedingStore(await openStateFolder(folder), stream);
  if (!existsSync(folder)) return stream;
  return succeedingStore(stream, await openStateFolder(folder));
}

/** The folder is made; it is of one log and one process that writes checkpoints. */
export async function openStateFolder(folder: string): Promise<StateStore> {
  await trying(folder, async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  });

  function pathOf(name: string): string {
    assert(NAME.test(name), `'${name}' is a name of tokens joined by dots`);
    return join(folder, name);
  }

  async function save(name: string, bytes: Uint8Array): Promise<void> {
    assert(bytes.length <= OBJECT_BYTES_MAX, `a state object of ${bytes.length} B is cut before`);
    const path = pathOf(name);
    const stored = await load(name);
    if (stored) {
      if (!Buffer.from(stored).equals(bytes)) throw corruptError(path, 'has other bytes');
      return;
    }
    await trying(path, () => writeWhole(folder, name, bytes));
  }

  async function load(name: string): Promise<Uint8Array | null> {
    const path = pathOf(name);
    const file = await trying(path, () => unlessMissing(readFile(path)));
    if (!file) return null;
    const bytes = file.subarray(HASH_BYTES);
    const isWhole = file.length >= HASH_BYTES && hashOf(bytes).equals(file.subarray(0, HASH_BYTES));
    if (!isWhole) throw corruptError(path, 'is not what was written');
    return new Uint8Array(bytes);
  }

  async function remove(names: readonly string[]): Promise<void> {
    for (const name of names) await trying(pathOf(name), () => rm(pathOf(name), { force: true }));
  }

  async function list(begin: string): Promise<readonly string[]> {
    const files = await trying(folder, () => readdir(folder));
    return files.filter((file) => NAME.test(file) && file.startsWith(begin)).sort();
  }

  return { save, load, remove, list };
}

/** For the process that writes checkpoints, before the first: writes that were cut off. */
export async function sweepStateFolder(all: string, log: string): Promise<void> {
  const folder = join(all, log);
  const files = (await trying(folder, () => unlessMissing(readdir(folder)))) ?? [];
  for (const file of files.filter((each) => TEMPORARY.test(each))) {
    await trying(folder, () => rm(join(folder, file), { force: true }));
  }
}

/**
 * New objects in one store, those written before it was chosen in the other: they are read and
 * collected there, so that a store may be changed without losing a checkpoint.
 */
export function succeedingStore(store: StateStore, before: StateStore): StateStore {
  return {
    save: (name, bytes) => store.save(name, bytes),
    load: async (name) => (await store.load(name)) ?? before.load(name),
    async remove(names) {
      await store.remove(names);
      const left = new Set(await before.list(''));
      const there = names.filter((name) => left.has(name));
      if (there.length > 0) await before.remove(there);
    },
    async list(prefix) {
      const names = await Promise.all([store.list(prefix), before.list(prefix)]);
      return [...new Set(names.flat())].sort();
    },
  };
}

async function writeWhole(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(folder, `.${name}.${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(Buffer.concat([hashOf(bytes), bytes]));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // swept by the next process
    throw error;
  }
  const itself = await open(folder, 'r');
  try {
    await itself.sync();
  } finally {
    await itself.close();
  }
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

async function unlessMissing<Found>(reading: Promise<Found>): Promise<Found | null> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

async function trying<Result>(path: string, act: () => Promise<Result>): Promise<Result> {
  try {
    return await act();
  } catch (cause) {
    const { code = '', message } = cause as NodeJS.ErrnoException;
    if (code === '') throw cause;
    const where = { path, systemCode: code };
    if (FULL.has(code)) {
      throw new OperatingError(
        'STATE_FULL',
        `No room for state object ${path}: ${message}. The checkpoint is tried again, the log ` +
          'keeps what it does not cover.',
        { cause, where },
      );
    }
    throw new OperatingError('STATE_FAILED', `The state folder failed at ${path}: ${message}.`, {
      cause,
      where,
    });
  }
}

function corruptError(path: string, what: string): OperatingError {
  return new OperatingError(
    'CHECKPOINT_CORRUPT',
    `State object ${path} ${what}. An older checkpoint is used; check the disk.`,
    { where: { path } },
  );
}

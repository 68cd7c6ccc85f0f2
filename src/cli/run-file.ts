/**
 * What a running instance tells the other commands: its process ids, addresses and credentials, in
 * `run.json` (mode 0600) of its data folder. Written when everything is up, removed at the end; a
 * file whose process is gone means that the instance was killed.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { isAlive, startOf } from '../base/process.ts';
import { environment } from '../config/index.ts';
import { OperatingError } from '../model/error.ts';

export interface RunState {
  readonly pid: number;
  /** When the process began: a process id is given again. */
  readonly pidStart: string;
  readonly startedAt: string;
  readonly configFile: string | null;
  /** Of the worker, or the data folder's own id. */
  readonly name: string;
  readonly log: string;
  readonly partitions: number;
  /** Where checkpoints lie: stream STATE, or `stateFolder` of the data folder. */
  readonly stateStore: 'stream' | 'folder';
  readonly nats: {
    readonly url: string;
    readonly user: string;
    readonly password: string;
    readonly websocketUrl: string | null;
  };
  readonly clickhouse: {
    readonly url: string;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    readonly readonlyUser: string | null;
    readonly readonlyPassword: string | null;
  };
}

export const DATA_FOLDER = '.millrace/data';
export const stateFolder = (dataFolder: string): string => join(dataFolder, 'state');
export const DEMO_FOLDER = '.millrace/demo';
/** Its presence says that a folder is a data folder. */
export const MARKER_FILE = 'instance';

const runPath = (folder: string): string => join(folder, 'run.json');

export function saveRunState(folder: string, state: RunState): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(runPath(folder), `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
}

export function removeRunState(folder: string): void {
  rmSync(runPath(folder), { force: true });
}

/** The running instance of a folder, or null: none, or its process is gone. */
export function findRunState(folder: string): RunState | null {
  try {
    const state = JSON.parse(readFileSync(runPath(folder), 'utf8')) as RunState;
    return isRunning(state) ? state : null;
  } catch {
    return null;
  }
}

export function isRunning({ pid, pidStart }: Pick<RunState, 'pid' | 'pidStart'>): boolean {
  return isAlive(pid) && startOf(pid) === pidStart;
}

export interface Instance {
  readonly folder: string;
  readonly state: RunState;
}

/**
 * The instance that a command speaks to: the named folder's, else the default one, else the demo.
 */
export function getInstance(dataDir: string | undefined): Instance {
  const named = dataDir ?? environment.dataFolder;
  const folders = named ? [named] : [DATA_FOLDER, DEMO_FOLDER];
  for (const folder of folders.map((each) => resolve(each))) {
    const state = findRunState(folder);
    if (state) return { folder, state };
  }
  throw new OperatingError(
    'NOT_RUNNING',
    `no running Millrace in ${folders.join(' or ')}: start one with \`millrace up\`, ` +
      'or name its folder with --data-dir',
    { where: { folder: folders.join(', ') } },
  );
}

/** Names this data folder for ever: the same instance may claim its own old partitions at once. */
export function instanceId(folder: string): string {
  const path = join(folder, MARKER_FILE);
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  mkdirSync(folder, { recursive: true });
  const id = randomUUID();
  writeFileSync(path, `${id}\n`);
  return id;
}

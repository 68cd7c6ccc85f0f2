/**
 * A server that outlived its Millrace. In: the engine's folder. Out: nothing alive that holds it,
 * or ALREADY_RUNNING. Invariant: a process is ended only when its command line names our
 * configuration file and the Millrace that started it is gone.
 *
 *   nats-server.pid    written by the server itself: its process id
 *   owner.json         written before the server starts: the Millrace process and when it began
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { isAlive, startOf } from '../../base/process.ts';
import { OperatingError } from '../../model/error.ts';

/** A graceful stop writes its index files; after that it is ended the hard way. */
export const STOP_GRACE_MS = 5_000;
/** The kernel needs a moment to take down a killed process. */
const KILL_GRACE_MS = 5_000;
const POLL_MS = 20;

export interface EngineFiles {
  readonly pidFile: string;
  readonly ownerFile: string;
  /** Named on the server's command line: how we know it as ours. */
  readonly configFile: string;
}

interface Owner {
  readonly pid: number;
  readonly startedAt: string;
}

/** Makes sure that no server holds the folder; to be called before each start of an engine. */
export async function claimFolder(files: EngineFiles, say: (line: string) => void): Promise<void> {
  refuseLiveOwner(files);
  const pid = readPid(files.pidFile);
  if (pid !== null && isAlive(pid)) {
    if (process.platform !== 'linux') throw unsureError(pid, files);
    if (commandLine(pid).includes(files.configFile)) {
      say(`nats-server: ending process ${pid}, left over from a Millrace that was killed`);
      await endProcess(pid);
    }
  }
  rmSync(files.pidFile, { force: true });
  const owner: Owner = { pid: process.pid, startedAt: startOf(process.pid) };
  mkdirSync(dirname(files.ownerFile), { recursive: true });
  writeFileSync(files.ownerFile, JSON.stringify(owner));
}

export function releaseFolder(files: EngineFiles): void {
  rmSync(files.pidFile, { force: true });
  rmSync(files.ownerFile, { force: true });
}

/** SIGTERM, and SIGKILL when it is still there after STOP_GRACE_MS. */
export async function endProcess(pid: number): Promise<void> {
  // 0 and below mean whole process groups to kill(2); a process that never began has no id.
  if (pid <= 1) return;
  for (const [signal, graceMs] of [
    ['SIGTERM', STOP_GRACE_MS],
    ['SIGKILL', KILL_GRACE_MS],
  ] as const) {
    try {
      process.kill(pid, signal);
    } catch {
      return;
    }
    const deadlineMs = systemClock.monotonicMs() + graceMs;
    while (systemClock.monotonicMs() < deadlineMs) {
      if (!isAlive(pid)) return;
      await systemClock.wait(POLL_MS);
    }
  }
}

function refuseLiveOwner({ ownerFile }: EngineFiles): void {
  let owner: Owner;
  try {
    owner = JSON.parse(readFileSync(ownerFile, 'utf8')) as Owner;
  } catch {
    return;
  }
  if (!isAlive(owner.pid) || startOf(owner.pid) !== owner.startedAt) return;
  throw new OperatingError(
    'ALREADY_RUNNING',
    `Process ${owner.pid} runs a nats-server in ${dirname(ownerFile)}. Use that Millrace, stop ` +
      'it with `millrace stop`, or choose another --data-dir.',
    { where: { pid: owner.pid, ownerFile } },
  );
}

function unsureError(pid: number, { pidFile }: EngineFiles): OperatingError {
  return new OperatingError(
    'ALREADY_RUNNING',
    `${pidFile} names process ${pid}, which is alive and may be a nats-server of a ` +
      'Millrace that was killed. End it if it is, delete that file if it is not, then start again.',
    { where: { pid, pidFile } },
  );
}

function readPid(path: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(path, 'utf8'), 10);
    return pid > 1 ? pid : null;
  } catch {
    return null;
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/**
 * Watches the store of a running nats-server. A write that failed (a full disk) leaves its stream
 * refusing every later write, also when there is room again, until the server is started anew: seen
 * on 2.15.1. In: where it answers, where its store lies. Out: `onStuck` while the disk is full, and
 * `restart` once there is room. Never restarts a server that only is slow to answer.
 */
import { statfsSync } from 'node:fs';
import type { Clock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';
import { LOOPBACK } from './config.ts';

const LOOK_EVERY_MS = 2_000;
const PROBE_TIMEOUT_MS = 2_000;
/** Room that makes a restart worth it: some seconds of a busy log. */
const FREE_BYTES_MIN = 64 * 1024 * 1024;

export interface StoreWatchOptions {
  readonly monitorPort: number;
  readonly storeFolder: string;
  readonly clock: Clock;
  readonly onStuck: (error: OperatingError) => void;
  readonly restart: () => Promise<void>;
}

/** Ends when the signal aborts. */
export async function watchStore(options: StoreWatchOptions, signal: AbortSignal): Promise<void> {
  const { clock, storeFolder, onStuck, restart } = options;
  let isTold = false;
  while (!signal.aborted) {
    await clock.wait(LOOK_EVERY_MS, signal).catch(() => {});
    const failure = signal.aborted ? null : await writeFailure(options.monitorPort);
    if (failure === null) continue;
    if (freeBytes(storeFolder) >= FREE_BYTES_MIN) {
      isTold = false;
      await restart();
    } else if (!isTold) {
      isTold = true;
      onStuck(diskFull(storeFolder, failure));
    }
  }
}

/** What the server says about a failed write of one of its streams, else null. */
async function writeFailure(monitorPort: number): Promise<string | null> {
  try {
    const url = `http://${LOOPBACK}:${monitorPort}/healthz`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    const { error = '' } = (await answer.json()) as { error?: string };
    return !answer.ok && error.includes('write error') ? error : null;
  } catch {
    return null; // it does not answer: whether it lives is its process's business
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function diskFull(folder: string, failure: string): OperatingError {
  return new OperatingError(
    'DISK_FULL',
    `nats-server cannot write to ${folder}: ${failure}. It is started anew once ` +
      `${FREE_BYTES_MIN / 1024 / 1024} MiB are free; until then events are refused, none is lost`,
    { where: { folder } },
  );
}

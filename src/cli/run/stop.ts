/**
 * `millrace stop`: asks the running instance to end as Ctrl-C does, and waits until its process is
 * gone. With --force it is killed when it does not end in time; what was acknowledged is in the
 * log.
 */
import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';
import { examples, forInstance, type InstanceOptions } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { getInstance, isRunning, type RunState, removeRunState } from '../run-file.ts';

/** An orderly end takes at most 10 s; a machine under load may need a little more. */
const STOP_MS_MAX = 15_000;
const KILL_MS_MAX = 5_000;
const POLL_MS = 50;

interface StopOptions extends InstanceOptions {
  readonly force?: boolean;
}

export function stopCommand(): Command {
  const command = new Command('stop')
    .description('end the running instance, and wait until it is gone')
    .option('--force', 'kill it when it has not ended within 15 s')
    .addHelpText('after', examples('millrace stop', 'millrace stop --data-dir /srv/millrace'));
  return forInstance(command).action(stop);
}

async function stop(options: StopOptions): Promise<void> {
  const { folder, state } = getInstance(options.dataDir);
  process.kill(state.pid, 'SIGTERM');
  let gone = await isGone(state, STOP_MS_MAX);
  const killed = !gone && options.force === true;
  if (killed) {
    process.kill(state.pid, 'SIGKILL');
    gone = await isGone(state, KILL_MS_MAX);
    removeRunState(folder);
  }
  if (!gone) {
    throw new OperatingError(
      'ALREADY_RUNNING',
      `process ${state.pid} did not end within ${STOP_MS_MAX / 1000} s; --force kills it`,
      { where: { pid: state.pid, folder } },
    );
  }
  if (options.json) printJson({ stopped: true, killed, pid: state.pid, folder });
  else printLine(`${killed ? 'killed' : 'stopped'} process ${state.pid} on ${folder}`);
}

async function isGone(state: RunState, waitMs: number): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + waitMs;
  while (isRunning(state)) {
    if (systemClock.monotonicMs() >= endMs) return false;
    await systemClock.wait(POLL_MS);
  }
  return true;
}

/**
 * The connection of a command that sends: watches it, and gives up when the instance it sends to is
 * gone for good. In: the data folder, the signal of Ctrl-C. Out: a session, the signal `ending`
 * (send no more), the signal `cut` (wait for no more answers).
 */
import { systemClock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';
import { EXIT } from '../exit.ts';
import type { InstanceOptions } from '../option.ts';
import { isRunning } from '../run-file.ts';
import { openSession, type Session } from '../session.ts';

/** After Ctrl-C: what is on its way is usually answered well within this. */
const ANSWER_MS_MAX = 2_000;
/** A server that restarts is back within seconds. */
const LOST_MS_MAX = 60_000;
/** When the instance's own process is gone there is nothing to wait for. */
const GONE_MS_MAX = 2_000;
const POLL_MS = 250;

export interface Supply {
  readonly session: Session;
  readonly ending: AbortSignal;
  readonly cut: AbortSignal;
  /** Throws what ended the sending; sets the exit code after Ctrl-C. */
  check(): void;
  /** Ends the process when something still waits for a server that is gone. */
  close(): Promise<void>;
}

export async function openSupply(
  options: InstanceOptions,
  interrupted: AbortSignal,
): Promise<Supply> {
  const closing = new AbortController();
  const ending = new AbortController();
  const cut = new AbortController();
  const session = await openSession(options, (status) => {
    if (closing.signal.aborted || status.kind === 'error') return;
    process.stderr.write(`connection to NATS ${status.kind}\n`);
  });
  interrupted.addEventListener('abort', () => {
    ending.abort();
    void systemClock
      .wait(ANSWER_MS_MAX, closing.signal)
      .then(() => cut.abort())
      .catch(() => {});
  });
  void watch(session, closing.signal).then((error) => {
    if (error === null) return;
    ending.abort(error);
    cut.abort(error);
  });
  return {
    session,
    ending: ending.signal,
    cut: cut.signal,
    check() {
      const { reason } = ending.signal;
      if (reason instanceof OperatingError) throw reason;
      if (interrupted.aborted) process.exitCode = EXIT.interrupted;
    },
    async close() {
      closing.abort();
      await session.close();
      // An append that is retried for ever would hold the process.
      if (ending.signal.aborted) setImmediate(() => process.exit());
    },
  };
}

/** The error after which it makes no sense to wait for the server; null when closed before. */
async function watch(session: Session, closing: AbortSignal): Promise<OperatingError | null> {
  let lostMs = 0;
  while (!closing.aborted) {
    await systemClock.wait(POLL_MS, closing).catch(() => {});
    lostMs = session.link.isConnected ? 0 : lostMs + POLL_MS;
    const gone = !isRunning(session.state);
    if (lostMs < (gone ? GONE_MS_MAX : LOST_MS_MAX)) continue;
    const { pid } = session.state;
    const why = gone
      ? `the instance (process ${pid}) is gone`
      : `NATS did not come back within ${LOST_MS_MAX / 1000} s`;
    return new OperatingError(
      'NATS_UNREACHABLE',
      `${why}: what is acknowledged is in the log; run the same command again for the rest`,
      { where: { pid } },
    );
  }
  return null;
}

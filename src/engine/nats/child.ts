/**
 * One life of a nats-server process. In: binary, configuration file, ports. Out: a process that
 * answers, or NATS_SERVER_FAILED with the last lines of its log. Invariant: it is in a process
 * group of its own (Ctrl-C must not end it before the rooms have drained), and on Linux the kernel
 * ends it when its parent dies, however that dies.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { systemClock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';
import { LOOPBACK } from './config.ts';

/** Reopening 3 GB takes 0.9 s; a store of 100 GB must still be given its time. */
const READY_TIMEOUT_MS = 60_000;
/** One question to a server on loopback. */
const PROBE_TIMEOUT_MS = 1_000;
const PROBE_EVERY_MS = 25;
const LOG_LINES_SHOWN = 5;

export interface ChildOptions {
  readonly binary: string;
  readonly configFile: string;
  readonly logFile: string;
  /** Where a crash of the server itself is printed. */
  readonly crashFile: string;
  readonly port: number;
  readonly monitorPort: number;
  /** `setpriv` of util-linux where there is one; it stays the same process. */
  readonly setpriv: string | null;
}

export interface NatsChild {
  /** 0 when it could not be started at all. */
  readonly pid: number;
  /** Resolves when the process has ended, with a description of how. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
}

export function spawnNatsServer(options: ChildOptions): NatsChild {
  const crash = openSync(options.crashFile, 'w');
  const command = [options.binary, '-c', options.configFile];
  if (options.setpriv) command.unshift(options.setpriv, '--pdeathsig', 'SIGTERM');
  const child = spawn(command[0]!, command.slice(1), {
    stdio: ['ignore', crash, crash],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  closeSync(crash);
  let isOver = false;
  const ended = describeEnd(child).then((how) => {
    isOver = true;
    return how;
  });
  return { pid: child.pid ?? 0, ended, hasEnded: () => isOver };
}

function describeEnd(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal ? `was ended by ${signal}` : `ended with exit code ${code}`),
    );
  });
}

/** Waits until JetStream is on and clients are accepted. */
export async function waitUntilReady(child: NatsChild, options: ChildOptions): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + READY_TIMEOUT_MS;
  while (systemClock.monotonicMs() < deadlineMs) {
    if (child.hasEnded()) throw failedError(await child.ended, options);
    if ((await isHealthy(options.monitorPort)) && (await acceptsClients(options.port))) {
      if (!child.hasEnded()) return;
    }
    await systemClock.wait(PROBE_EVERY_MS);
  }
  throw failedError(`did not become ready within ${READY_TIMEOUT_MS / 1000} s`, options);
}

async function isHealthy(monitorPort: number): Promise<boolean> {
  try {
    const url = `http://${LOOPBACK}:${monitorPort}/healthz?js-enabled-only=true`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}

/** The server greets every client with INFO; it begins to listen when the streams are recovered. */
function acceptsClients(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port });
    const answer = (isReady: boolean) => {
      socket.destroy();
      resolve(isReady);
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, () => answer(false));
    socket.once('error', () => answer(false));
    socket.once('data', (chunk) => answer(chunk.toString().startsWith('INFO ')));
  });
}

export function failedError(how: string, { logFile, crashFile }: ChildOptions): OperatingError {
  const shown = [...tail(logFile), ...tail(crashFile)].map((line) => `\n  ${line}`).join('');
  return new OperatingError(
    'NATS_SERVER_FAILED',
    `The embedded nats-server ${how}. Its log is ${logFile}; the last lines:${shown || ' none'}`,
    { where: { logFile } },
  );
}

function tail(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.slice(-LOG_LINES_SHOWN).filter((line) => line !== '');
  } catch {
    return [];
  }
}

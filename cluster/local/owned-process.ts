/**
 * One process of a local cluster, under a name that outlives it. In: a command. Out: its pid, what
 * it writes line by line, and signals by process id. It may be killed, paused, continued and
 * started again; a pid counts only together with the time its process began, as ids are given
 * again. Invariant: no process of ours outlives the one that started it, unless that is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { systemClock } from '../../src/base/clock.ts';
import { isAlive, startOf } from '../../src/base/process.ts';

export interface Command {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  /** Everything it writes, kept over restarts. */
  readonly logFile: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly onLine?: (line: string, from: 'stdout' | 'stderr') => void;
  /** An end that nobody here asked for. */
  readonly onDeath?: (how: string) => void;
}

/** A process as a cluster sees it, wherever it runs. */
export interface Managed {
  /** Of this machine; null: not running, or in a container. */
  readonly pid: number | null;
  readonly isRunning: boolean;
  start(): void;
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** An orderly end; killed when it takes longer. */
  stop(withinMs: number): Promise<void>;
}

/** How a cluster's processes are made: here, or in containers. */
export type Launch = (command: Command) => Managed;

export const launchHere: Launch = (command) => new OwnedProcess(command);

const GONE_POLL_MS = 10;
const running = new Set<OwnedProcess>();
process.on('exit', () => {
  for (const each of running) each.signal('SIGKILL');
});

export class OwnedProcess implements Managed {
  readonly name: string;
  readonly #command: Command;
  readonly #log: WriteStream;
  #child: ChildProcess | null = null;
  #begin = '';
  /** Of the child that runs now: its end was asked for. */
  #isMeant = { yes: false };

  constructor(command: Command) {
    this.#command = command;
    this.name = command.name;
    this.#log = createWriteStream(command.logFile, { flags: 'a' });
  }

  get pid(): number | null {
    return this.isRunning ? this.#child!.pid! : null;
  }

  get isRunning(): boolean {
    const pid = this.#child?.pid;
    return pid !== undefined && isAlive(pid) && startOf(pid) === this.#begin;
  }

  start(): void {
    if (this.isRunning) throw new Error(`bug: ${this.name} runs already`);
    const { program, args, environment } = this.#command;
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.#child = child;
    const isMeant = { yes: false };
    this.#isMeant = isMeant;
    this.#begin = startOf(child.pid ?? 0);
    running.add(this);
    this.#follow(child, 'stdout');
    this.#follow(child, 'stderr');
    child.on('error', (error) => this.#log.write(`${error.message}\n`));
    child.on('exit', (code, signal) => {
      if (this.#child === child) running.delete(this);
      if (!isMeant.yes) this.#command.onDeath?.(signal ?? `exit code ${code}`);
    });
  }

  /** False when there is no such process any more. */
  signal(name: NodeJS.Signals): boolean {
    const { pid } = this;
    if (pid === null) return false;
    try {
      process.kill(pid, name);
      return true;
    } catch {
      return false; // it ended meanwhile
    }
  }

  async kill(): Promise<void> {
    this.#isMeant.yes = true;
    this.signal('SIGKILL');
    await this.#gone(Number.POSITIVE_INFINITY);
  }

  pause(): void {
    this.signal('SIGSTOP');
  }

  resume(): void {
    this.signal('SIGCONT');
  }

  async stop(withinMs: number): Promise<void> {
    this.#isMeant.yes = true;
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    if (!(await this.#gone(withinMs))) await this.kill();
  }

  async #gone(withinMs: number): Promise<boolean> {
    const endMs = systemClock.monotonicMs() + withinMs;
    while (this.isRunning) {
      if (systemClock.monotonicMs() > endMs) return false;
      await systemClock.wait(GONE_POLL_MS);
    }
    return true;
  }

  #follow(child: ChildProcess, from: 'stdout' | 'stderr'): void {
    const lines = createInterface({ input: child[from]! });
    lines.on('line', (line) => {
      this.#log.write(`${line}\n`);
      this.#command.onLine?.(line, from);
    });
  }
}

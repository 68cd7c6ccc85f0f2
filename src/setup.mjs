#!/usr/bin/env node
/**
 * Makes a fresh clone ready to run, and a changed one ready again. Run by `npm start`, `npm test`
 * and `npm run setup`. In: the checkout, Node and npm. Out: node_modules/, build/,
 * .tools/nats-server/, one line per step done; exit code 0 only when all of it is there. Plain
 * JavaScript: nothing is installed yet.
 *
 *   dependencies   npm ci                 when package-lock.json is not what node_modules holds
 *   kernel         asc, three targets     when assembly/ or asconfig.json changed
 *   code           tsc                    when src/, test/, bench/, cluster/ or tsconfig changed
 *   nats-server    found, or fetched      when none new enough is on this machine
 *
 * Invariants: a stamp (hash of everything a step reads) is removed before its step and written
 * after its success, so an interrupted step is done again; when all stamps match nothing is run and
 * no network is used. Two set-ups of one checkout take turns (lock file). Nothing outside the
 * checkout is written.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
/** mocha and c8 load ES modules by require(), which Node has from here on. */
const NODE_MIN = [20, 19];
/** A long step says every so often that it is alive. */
const PROGRESS_EVERY_MS = 10_000;
/** Of a failing step this much is shown. */
const OUTPUT_CHARS_MAX = 200_000;
const LOCK_POLL_MS = 200;
/** A first set-up on a slow line takes minutes; a longer wait means something hangs. */
const LOCK_WAIT_MS = 1_200_000;
const KERNEL_TARGETS = ['release', 'scalar', 'debug'];

const at = (...parts) => join(ROOT, ...parts);
const PATHS = {
  lock: at('.tools/setup.lock'),
  packageLock: at('package-lock.json'),
  dependencyStamp: at('node_modules/.millrace-stamp'),
  kernelStamp: at('build/.kernel-stamp'),
  codeStamp: at('build/.code-stamp'),
  entry: at('build/src/cli/main.js'),
  natsRoom: at('build/src/engine/nats/index.js'),
  toolsFolder: at('.tools/nats-server'),
};

class StepFailure extends Error {}

const say = (step, text) => console.log(`set-up  ${step.padEnd(12)}  ${text}`);
const seconds = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

await main();

async function main() {
  try {
    checkNode();
    if (!isBuilt()) await withLock(build);
    await provideNatsServer();
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return;
  throw new StepFailure(
    `Node ${process.versions.node} is too old: ${NODE_MIN.join('.')} or newer is needed. ` +
      'Install a newer Node and run the same command again.',
  );
}

function isBuilt() {
  return (
    readText(PATHS.dependencyStamp) === dependencyHash() &&
    readText(PATHS.kernelStamp) === kernelHash() &&
    readText(PATHS.codeStamp) === codeHash()
  );
}

async function build() {
  await installDependencies();
  await buildKernel();
  await buildCode();
}

// --- the steps ---------------------------------------------------------------------------------

async function installDependencies() {
  if (readText(PATHS.dependencyStamp) === dependencyHash()) return;
  if (!holdsLockedPackages()) {
    const verb = fs.existsSync(PATHS.packageLock) ? 'ci' : 'install';
    fs.rmSync(PATHS.dependencyStamp, { force: true });
    say('dependencies', `npm ${verb}: downloading what package-lock.json names`);
    const startMs = Date.now();
    // One package asks for Node 22 and runs on 20 (seen here): a warning would only frighten.
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    await runNpm([verb, '--include=dev', ...quiet]);
    say('dependencies', `installed (${seconds(startMs)})`);
  }
  fs.writeFileSync(PATHS.dependencyStamp, dependencyHash());
}

/** True when somebody ran npm by hand and node_modules already is what the lock file says. */
function holdsLockedPackages() {
  const wanted = readPackages(PATHS.packageLock);
  const present = readPackages(at('node_modules/.package-lock.json'));
  if (!wanted || !present) return false;
  return Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      path === '' || present[path]?.version === version || (optional && !present[path]),
  );
}

function readPackages(path) {
  try {
    return JSON.parse(fs.readFileSync(path, 'utf8')).packages;
  } catch {
    return null;
  }
}

async function buildKernel() {
  const hash = kernelHash();
  if (readText(PATHS.kernelStamp) === hash) return;
  fs.rmSync(PATHS.kernelStamp, { force: true });
  fs.mkdirSync(at('build/kernel'), { recursive: true });
  say('kernel', `compiling ${KERNEL_TARGETS.join(', ')}`);
  const startMs = Date.now();
  const asc = at('node_modules/assemblyscript/bin/asc.js');
  const options = ['assembly/index.ts', '--transform', './assembly/inline.mjs', '--target'];
  const results = await Promise.allSettled(
    KERNEL_TARGETS.map((target) => run('kernel', process.execPath, [asc, ...options, target])),
  );
  const failed = results.find(({ status }) => status === 'rejected');
  if (failed) throw failed.reason;
  fs.writeFileSync(PATHS.kernelStamp, hash);
  say('kernel', `compiled (${seconds(startMs)})`);
}

async function buildCode() {
  const hash = codeHash();
  if (readText(PATHS.codeStamp) === hash) return;
  fs.rmSync(PATHS.codeStamp, { force: true });
  say('code', 'compiling src, test, bench and cluster');
  const startMs = Date.now();
  removeOrphans();
  const tsc = at('node_modules/typescript/bin/tsc');
  await run('code', process.execPath, [tsc, '-p', 'tsconfig.json', '--pretty', 'false']);
  if (fs.existsSync(PATHS.entry)) fs.chmodSync(PATHS.entry, 0o755);
  fs.writeFileSync(PATHS.codeStamp, hash);
  say('code', `compiled (${seconds(startMs)})`);
}

/** Compiled files whose source is gone: a deleted test must not go on running. */
function removeOrphans() {
  for (const folder of ['src', 'test', 'bench', 'cluster', 'assembly']) {
    for (const path of listFiles(at('build', folder))) {
      const source = at(relative(at('build'), path).replace(/\.js(\.map)?$/, '.ts'));
      if (/\.js(\.map)?$/.test(path) && !fs.existsSync(source)) fs.rmSync(path);
    }
  }
}

async function provideNatsServer() {
  const { findNatsServer } = await import(pathToFileURL(PATHS.natsRoom).href);
  try {
    await findNatsServer({
      explicitPath: process.env['MILLRACE_NATS_SERVER'] || undefined,
      searchPath: process.env['PATH'] ?? '',
      toolsFolder: PATHS.toolsFolder,
      say: (line) => say('nats-server', line.replace(/^nats-server: /, '')),
    });
  } catch (error) {
    throw new StepFailure(
      `set-up failed at nats-server (${error.code ?? 'bug'})\n${error.message}`,
    );
  }
}

// --- what a step reads --------------------------------------------------------------------------

function dependencyHash() {
  const { modules } = process.versions;
  return hashOf([PATHS.packageLock, at('package.json')], `${process.platform} ${modules}`);
}

function kernelHash() {
  return hashOf([...listFiles(at('assembly')), at('asconfig.json'), PATHS.packageLock]);
}

function codeHash() {
  const folders = ['src', 'test', 'bench', 'cluster', 'assembly/shared'].map((folder) =>
    at(folder),
  );
  const sources = folders.flatMap(listFiles).filter((path) => /\.(ts|json)$/.test(path));
  return hashOf([...sources, at('tsconfig.json'), PATHS.packageLock]);
}

function hashOf(paths, extra = '') {
  const hash = createHash('sha256').update(extra);
  for (const path of paths.sort()) {
    const content = fs.existsSync(path) ? fs.readFileSync(path) : Buffer.alloc(0);
    hash.update(`\0${relative(ROOT, path)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function listFiles(folder) {
  if (!fs.existsSync(folder)) return [];
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

function readText(path) {
  try {
    return fs.readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

// --- running programs ---------------------------------------------------------------------------

/** npm as it runs us, else the one on PATH (a .cmd on Windows, which needs a shell). */
function runNpm(args) {
  const npm = process.env['npm_execpath'];
  if (npm && /\.c?js$/.test(npm)) return run('dependencies', process.execPath, [npm, ...args]);
  return run('dependencies', 'npm', args, { shell: process.platform === 'win32' });
}

/** Resolves when the program succeeds; else fails with everything it printed. */
function run(step, program, args, options = {}) {
  return new Promise((resolve, reject) => {
    const startMs = Date.now();
    const child = spawn(program, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
      ...options,
    });
    let output = '';
    const keep = (chunk) => {
      output = (output + chunk).slice(-OUTPUT_CHARS_MAX);
    };
    const progress = setInterval(() => {
      const last = output.trimEnd().split('\n').at(-1)?.trim().slice(0, 60) ?? '';
      say(step, `still at it after ${seconds(startMs)} ${last}`.trimEnd());
    }, PROGRESS_EVERY_MS);
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => keep(error.message));
    child.on('close', (code, signal) => {
      clearInterval(progress);
      if (code === 0) return resolve(output);
      const how = signal ? `was ended by ${signal}` : `ended with exit code ${code}`;
      const command = [program, ...args].map((part) => part.replace(`${ROOT}/`, '')).join(' ');
      reject(new StepFailure(`${output}\nset-up failed at ${step}: \`${command}\` ${how}`));
    });
  });
}

// --- one set-up at a time ------------------------------------------------------------------------

async function withLock(work) {
  fs.mkdirSync(dirname(PATHS.lock), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid) });
  const deadlineMs = Date.now() + LOCK_WAIT_MS;
  let isTold = false;
  while (!tryLock(mine)) {
    const holder = readText(PATHS.lock);
    if (holder === null) continue;
    if (!isAlive(holder)) {
      breakLock(holder);
      continue;
    }
    if (!isTold) say('waiting', `for another set-up of this checkout (process ${pidOf(holder)})`);
    isTold = true;
    if (Date.now() > deadlineMs) {
      throw new StepFailure(
        `Another set-up (process ${pidOf(holder)}) still runs after ` +
          `${LOCK_WAIT_MS / 60_000} minutes. End it, or delete ${PATHS.lock} when it is none, ` +
          'and run the same command again.',
      );
    }
    await new Promise((done) => setTimeout(done, LOCK_POLL_MS));
  }
  const unlock = () => fs.rmSync(PATHS.lock, { force: true });
  process.once('exit', unlock);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
  try {
    await work();
  } finally {
    unlock();
    process.removeListener('exit', unlock);
  }
}

/** Written aside and linked: whoever sees the lock sees its whole content. */
function tryLock(content) {
  const aside = `${PATHS.lock}.${process.pid}`;
  fs.writeFileSync(aside, content);
  try {
    fs.linkSync(aside, PATHS.lock);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  } finally {
    fs.rmSync(aside, { force: true });
  }
}

/** Takes a dead holder's lock away; when it took a live one by accident, it puts that back. */
function breakLock(deadContent) {
  const aside = `${PATHS.lock}.broken.${process.pid}`;
  try {
    fs.renameSync(PATHS.lock, aside);
  } catch {
    return;
  }
  if (readText(aside) !== deadContent) fs.linkSync(aside, PATHS.lock);
  fs.rmSync(aside, { force: true });
}

function pidOf(content) {
  try {
    return JSON.parse(content).pid;
  } catch {
    return 0;
  }
}

function isAlive(content) {
  const pid = pidOf(content);
  try {
    if (pid > 0) process.kill(pid, 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return pid > 0 && startOf(pid) === JSON.parse(content).startedAt;
}

/** When a process began, which tells it from a later one with the same id; Linux only. */
function startOf(pid) {
  const stat = readText(`/proc/${pid}/stat`) ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

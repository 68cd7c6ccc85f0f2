/**
 * Root hooks of every test run. In: the run. Out: a failure for each unhandled rejection and for
 * each process that the run started and left behind; those are ended. Linux only for processes:
 * /proc.
 *
 * A process is this run's when it descends from it, or carries its mark in the environment (one
 * whose parent was killed no longer descends from us). What ran before the hooks were loaded is not
 * counted. What the product prints is plain text in every run, and a comparison that fails shows
 * both sides whole.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { config } from 'chai';

const MARK = 'MILLRACE_TEST_RUN';
/** A process that was just told to end may need this long. */
const LEFTOVER_WAIT_MS = Number(process.env['MILLRACE_TEST_LEFTOVER_WAIT_MS'] ?? 5_000);
const POLL_MS = 50;

const markValue = `${process.pid}-${process.hrtime.bigint()}`;
process.env[MARK] = markValue;
// A build machine (CI in the environment) is given colours even through a pipe.
process.env['NO_COLOR'] = '1';
delete process.env['FORCE_COLOR'];
config.truncateThreshold = 0;
const inheritedPids = new Set(findOwnPids());

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => rejections.push(reason));

export const mochaHooks = {
  afterEach() {
    throwRejections();
  },
  async afterAll() {
    // A rejection is reported in a later turn of the loop than the one it happens in.
    await new Promise(setImmediate);
    throwRejections();
    const leftover = await waitForLeftover();
    for (const { pid } of leftover) process.kill(pid, 'SIGKILL');
    if (leftover.length > 0) {
      const lines = leftover.map(({ pid, command }) => `\n  ${pid} ${command}`).join('');
      throw new Error(`the test run left processes behind (now ended):${lines}`);
    }
  },
};

function throwRejections(): void {
  const [first] = rejections.splice(0);
  if (first !== undefined) throw new Error(`unhandled rejection: ${first}`, { cause: first });
}

async function waitForLeftover() {
  const tries = Math.ceil(LEFTOVER_WAIT_MS / POLL_MS);
  for (let attempt = 0; attempt < tries && findLeftover().length > 0; attempt += 1) {
    await wait(POLL_MS);
  }
  return findLeftover();
}

function findLeftover(): { pid: number; command: string }[] {
  return findOwnPids()
    .filter((pid) => !inheritedPids.has(pid))
    .map((pid) => ({ pid, command: read(pid, 'cmdline').replaceAll('\0', ' ') }));
}

function findOwnPids(): number[] {
  if (process.platform !== 'linux') return [];
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(Number(name), 'stat');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state && !'ZX'.includes(state)) parents.set(Number(name), Number(parent));
  }
  return [...parents.keys()].filter(
    (pid) => pid !== process.pid && (descends(pid, parents) || isMarked(pid)),
  );
}

function descends(pid: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) {
    if (at === process.pid) return true;
  }
  return false;
}

function isMarked(pid: number): boolean {
  return read(pid, 'environ').split('\0').includes(`${MARK}=${markValue}`);
}

/** Text of a file of /proc; empty when the process is gone or another user's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}

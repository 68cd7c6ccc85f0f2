/** Who listens on a TCP port of this machine, as far as the system tells (Linux, own processes). */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** State of a listening socket in /proc/net/tcp. */
const LISTENING = '0A';

export function findPortOwner(port: number): string | null {
  if (process.platform !== 'linux') return null;
  const sockets = new Set(
    ['tcp', 'tcp6'].flatMap((table) => socketsOf(`/proc/net/${table}`, port)),
  );
  if (sockets.size === 0) return null;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (filesOf(pid).some((file) => sockets.has(file))) return `process ${pid} (${commandOf(pid)})`;
  }
  return 'a process of another user';
}

function socketsOf(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return textOf(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(suffix) && state === LISTENING)
    .map((fields) => `socket:[${fields[9]}]`);
}

function filesOf(pid: string): string[] {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).map((name) => readlinkSync(`${folder}/${name}`));
  } catch {
    return []; // another user's, or gone, or a file closed meanwhile
  }
}

const commandOf = (pid: string): string =>
  textOf(`/proc/${pid}/cmdline`).split('\0').slice(0, 3).join(' ').trim();

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

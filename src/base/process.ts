/**
 * Other processes of this machine: does one live, and is it still the one that was meant? A process
 * id is given again after its process is gone; together with when it began it is unlike any other.
 */
import { readFileSync } from 'node:fs';

/** False also for a process that has ended and waits to be collected by its parent. */
export function isAlive(pid: number): boolean {
  if (pid <= 1) return false; // whole process groups to kill(2), and the first process of all
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return process.platform !== 'linux' || !/^(Z|X)/.test(statFields(pid)[0] ?? 'X');
}

/** When a process began, in clock ticks since boot; '' where no system tells (not Linux). */
export function startOf(pid: number): string {
  return process.platform === 'linux' ? (statFields(pid)[19] ?? '') : '';
}

/**
 * Fields of /proc/<pid>/stat from the third (state) on; the second may hold spaces and brackets.
 */
function statFields(pid: number): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/** One measurement, and the processor time of this process and its children. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Measurement {
  readonly workload: string;
  readonly case: string;
  readonly subject: string;
  readonly events: number;
  readonly wallSeconds: number;
  /** Of the whole process tree, engines included. */
  readonly cpuMicrosPerEvent: number;
  readonly eventsPerSecond: number;
  readonly resultHash: string;
  readonly commit: string;
}

export function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}

/** Linux counts processor time in hundredths of a second. */
const TICK_SECONDS = 0.01;

/** Seconds of user and system time of a process and all below it, ended children included. */
export function treeCpuSeconds(root: number): number {
  return sumOf(cpuSeconds(root));
}

const sumOf = (parts: ReadonlyMap<string, number>) =>
  [...parts.values()].reduce((sum, seconds) => sum + seconds, 0);

/**
 * The same by what each process does: `own`, `nats-server`, `clickhouse` (the embedded engine),
 * `publisher`.
 */
export function cpuSeconds(root: number): Map<string, number> {
  const stats = new Map<number, { parent: number; ticks: number }>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      stats.set(Number(name), { parent: Number(fields[1]), ticks });
    } catch {
      // it ended while we looked
    }
  }
  const parts = new Map<string, number>();
  const visit = (pid: number, name: string): void => {
    parts.set(name, (parts.get(name) ?? 0) + (stats.get(pid)?.ticks ?? 0) * TICK_SECONDS);
    for (const [child, { parent }] of stats) if (parent === pid) visit(child, nameOf(child, name));
  };
  visit(root, 'own');
  return parts;
}

function nameOf(pid: number, parent: string): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (command.includes('nats-server')) return 'nats-server';
    if (command.includes('sustained/load')) return 'publisher';
    return command.includes('clickhouse') ? 'clickhouse' : parent;
  } catch {
    return parent;
  }
}

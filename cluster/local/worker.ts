/**
 * One worker of a local cluster: `millrace up --join …` in a process and a data folder of its own.
 * In: addresses and a configuration file. Out: whether it is up, its newest figures, how often it
 * told each kind of trouble.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../src/base/project.ts';
import type { Launch, Managed } from './owned-process.ts';

export interface WorkerOptions {
  readonly name: string;
  readonly folder: string;
  /** Default: the folder's `data`. */
  readonly dataFolder?: string;
  readonly configFile: string;
  readonly natsUrls: readonly string[];
  readonly clickhouseUrl: string;
  readonly replicas: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly launch: Launch;
  readonly onDeath?: (how: string) => void;
}

/** What one line a second says. */
export interface WorkerFigures {
  readonly lagMessages: number;
  readonly partitionsRunning: number;
}

const STOP_MS_MAX = 12_000;

export class Worker {
  readonly name: string;
  readonly process: Managed;
  /** By code, over all its lives. */
  readonly troubles = new Map<string, number>();
  figures: WorkerFigures | null = null;
  /** Of the process that runs now. */
  isUp = false;

  constructor(options: WorkerOptions) {
    this.name = options.name;
    mkdirSync(options.folder, { recursive: true });
    this.process = options.launch({
      name: options.name,
      program: process.execPath,
      args: [join(projectFolder(), 'build', 'src', 'cli', 'main.js'), ...argsOf(options)],
      logFile: join(options.folder, 'worker.log'),
      environment: {
        MILLRACE_CLICKHOUSE_URL: options.clickhouseUrl,
        MILLRACE_NATS_REPLICAS: String(options.replicas),
        ...options.environment,
      },
      onLine: (line) => this.#hear(line),
      ...(options.onDeath ? { onDeath: options.onDeath } : {}),
    });
  }

  start(): void {
    this.isUp = false;
    this.process.start();
  }

  stop(): Promise<void> {
    return this.process.stop(STOP_MS_MAX);
  }

  #hear(line: string): void {
    if (!line.startsWith('{')) return;
    let told: Record<string, unknown>;
    try {
      told = JSON.parse(line);
    } catch {
      return; // cut off by a kill
    }
    if (told['up'] === true) this.isUp = true;
    if ('lagMessages' in told) this.figures = told as unknown as WorkerFigures;
    const code = (told['error'] as { code?: string } | undefined)?.code;
    if (code !== undefined) this.troubles.set(code, (this.troubles.get(code) ?? 0) + 1);
  }
}

function argsOf(options: WorkerOptions): string[] {
  const { name, configFile, natsUrls, folder } = options;
  const dataFolder = options.dataFolder ?? join(folder, 'data');
  const files = ['--config', configFile, '--data-dir', dataFolder];
  return ['up', '--json', '--join', natsUrls.join(','), '--name', name, ...files];
}

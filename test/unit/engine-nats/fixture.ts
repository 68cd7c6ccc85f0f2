/**
 * What the tests of engine/nats share: temporary folders, engines and processes that are gone after
 * each test, also when it failed; the machine's own nats-server, found once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../../src/base/clock.ts';
import { environment } from '../../../src/config/environment.ts';
import { findNatsServer } from '../../../src/engine/nats/binary.ts';
import { createNatsEngine, type NatsEngineOptions } from '../../../src/engine/nats/engine.ts';
import { endProcess } from '../../../src/engine/nats/leftover.ts';

/** The checkout's tools folder, from the source tree as well as from build/. */
export const toolsFolder = (() => {
  const folder = dirname(new URL(import.meta.url).pathname);
  const root = folder.replace(/(\/build)?\/test\/unit\/engine-nats$/, '');
  return join(root, '.tools/nats-server');
})();

let binary: Promise<string> | null = null;
export function natsServerPath(): Promise<string> {
  binary ??= findNatsServer({
    explicitPath: environment.natsServer,
    searchPath: environment.searchPath,
    toolsFolder,
    say: () => {},
  }).then(({ path }) => path);
  return binary;
}

type Undo = () => unknown;
const undo: Undo[] = [];

/** To be called from afterEach: last made, first undone. */
export async function cleanUp(): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-nats-'));
  undo.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function undoLater(step: Undo): void {
  undo.push(step);
}

export function endLater(pid: number): void {
  undo.push(() => endProcess(pid));
}

export async function makeEngine(overrides: Partial<NatsEngineOptions> = {}) {
  const lines: string[] = [];
  const engine = createNatsEngine({
    binary: await natsServerPath(),
    folder: overrides.folder ?? temporaryFolder(),
    port: 'auto',
    monitorPort: 'auto',
    websocketPort: 'auto',
    storeBytesMax: 1_000_000_000,
    logId: 'main',
    partitionCount: 4,
    searchPath: environment.searchPath,
    say: (line) => lines.push(line),
    ...overrides,
  });
  undo.push(() => engine.stop());
  return { engine, lines };
}

/** Waits until `condition` holds; the limit is for a test that would never end. */
export async function until(condition: () => boolean | Promise<boolean>, what: string) {
  const deadlineMs = systemClock.monotonicMs() + 15_000;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await systemClock.wait(20);
  }
}

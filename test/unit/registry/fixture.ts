/** Configurations and plans for the registry's tests, made the way a user makes them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config/index.ts';
import type { Config } from '../../../src/model/config.ts';
import { configProblems } from '../../../src/model/config-error.ts';

export function configOf(yaml: string): Config {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-registry-'));
  try {
    const file = join(folder, 'millrace.yaml');
    writeFileSync(file, yaml);
    return loadConfig({ file }).config;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Channels as `truck: [velocity, heading]`; every metric in m/s. */
export function fleet(channels: Record<string, readonly string[]>, more = ''): Config {
  const metrics = [...new Set(Object.values(channels).flat())];
  const catalogue = metrics.map((name) => `  ${name}: { unit: m/s }\n`).join('');
  const declared = Object.entries(channels).map(([name, own]) => {
    const used = own.map((metric) => `${metric}: {}`).join(', ');
    return `  ${name}: { metrics: { ${used} } }\n`;
  });
  return configOf(`metrics:\n${catalogue}channels:\n${declared.join('')}${more}`);
}

/** 'path: message' of the problems that the action throws. */
export function problemsOf(action: () => unknown): string[] {
  try {
    action();
    return [];
  } catch (error) {
    const problems = configProblems(error);
    if (problems.length === 0) throw error;
    return problems.map((problem) => problem.text);
  }
}

/** Writes configurations into a temporary folder and gives back what loading them says. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoadOptions, loadConfig } from '../../../src/config/index.ts';
import type { Config } from '../../../src/model/config.ts';
import { configProblems } from '../../../src/model/config-error.ts';

let folder = '';
let counter = 0;

export const configFolder = {
  open() {
    folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
  },
  close() {
    rmSync(folder, { recursive: true, force: true });
  },
};

export function writeConfig(yaml: string): string {
  counter += 1;
  const file = join(folder, `c${counter}.yaml`);
  writeFileSync(file, yaml);
  return file;
}

export function loadText(yaml: string, options: Omit<LoadOptions, 'file'> = {}): Config {
  return loadConfig({ ...options, file: writeConfig(yaml) }).config;
}

/** 'line:column: path: message' of every problem; an error of another kind is thrown on. */
export function problemsOf(yaml: string, options: Omit<LoadOptions, 'file'> = {}): string[] {
  try {
    loadText(yaml, options);
    return [];
  } catch (error) {
    const problems = configProblems(error);
    if (problems.length === 0) throw error;
    return problems.map(({ text }) => text.replace(/^.*c\d+\.yaml:?\s?/, ''));
  }
}

/** A channel `truck` with one metric `velocity`, and these lines more (indented as its options). */
export function channelYaml(lines: string, format = 'json'): string {
  const more = lines === '' ? '' : `\n${lines.replace(/^/gm, '    ')}`;
  return `metrics: { velocity: { unit: m/s } }
channels:
  truck:
    format: ${format}
    metrics: { velocity: {} }${more}
`;
}

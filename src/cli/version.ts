/** The version that package.json names. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../base/project.ts';

export function version(): string {
  const text = readFileSync(join(projectFolder(), 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

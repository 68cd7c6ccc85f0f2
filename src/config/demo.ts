/**
 * Finds the configurations that ship with the program. In: a name. Out: the path of
 * docs/examples/<name>.yaml, from the source tree as well as from the build.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from '../base/assert.ts';

export type Example = 'trucks' | 'nab' | 'my-channel';

export function exampleFile(name: Example): string {
  return join(projectFolder(), 'docs', 'examples', `${name}.yaml`);
}

export function projectFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    assert(parent !== folder, 'the program lies in a package');
    folder = parent;
  }
  return folder;
}

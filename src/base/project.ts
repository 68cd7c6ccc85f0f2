/**
 * Finds the project itself: the folder with package.json, above src/ under tsx and above build/src/
 * in the build. In: nothing. Out: its path, for what ships beside the code (kernels, examples,
 * tools). There always is one.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert } from './assert.ts';

export function projectFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    assert(parent !== folder, 'the program lies in a package');
    folder = parent;
  }
  return folder;
}

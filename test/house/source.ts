/**
 * The checkout as the house rules see it. In: the root folder. Out: each file with its path (from
 * the root, with slashes), its text and, on demand, its syntax tree. Invariant: what git ignores is
 * not seen.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** From test/house as well as from build/test/house. */
export const ROOT = fileURLToPath(new URL('../../', import.meta.url)).replace(/build\/?$/, '');

const IGNORED = new Set(['node_modules', 'build', '.git', '.tools', '.millrace']);

export interface SourceFile {
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
  readonly tree: ts.SourceFile;
}

export function makeSource(path: string, text: string): SourceFile {
  let tree: ts.SourceFile | null = null;
  return {
    path,
    text,
    lines: text.replace(/\n$/, '').split('\n'),
    get tree() {
      tree ??= ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
      return tree;
    },
  };
}

/** Every text file of the checkout. */
export function readCheckout(root = ROOT): SourceFile[] {
  const files: SourceFile[] = [];
  const visit = (folder: string) => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory() && !IGNORED.has(entry.name)) visit(path);
      if (!entry.isFile() || /\.(log|tsbuildinfo)$/.test(entry.name)) continue;
      const text = readFileSync(path, 'utf8');
      if (!text.includes('\0'))
        files.push(makeSource(relative(root, path).replaceAll(sep, '/'), text));
    }
  };
  visit(root);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Calls `visit` for every node of a tree, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** `path:line`, as an editor opens it. */
export function placeOf(file: SourceFile, node: ts.Node): string {
  return `${file.path}:${file.tree.getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}

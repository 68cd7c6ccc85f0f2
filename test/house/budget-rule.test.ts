import { posix } from 'node:path';
import ts from 'typescript';
import { checkRules, perFile, type Rule } from './rule.ts';
import { placeOf, type SourceFile, walk } from './source.ts';

const FILE_LINES_MAX = 400;
const TEST_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const PARAMETERS_MAX = 4;
/**
 * The kernel has no objects to gather arguments in: a span is two parameters, pointer and bytes.
 */
const KERNEL_PARAMETERS_MAX = 8;
const IS_KERNEL = /^(assembly\/|test\/kernel\/probe\.ts$)/;
const COLUMNS_MAX = 100;
const ROOM_FILES_MAX = 12;
const DOOR_LINES_MAX = 60;
const ARCHITECTURE_LINES_MAX = 400;

const CODE = /^(src|assembly|bench|test)\/.*\.(ts|mjs)$/;
const PRODUCT = /^(src|assembly|bench)\/.*\.(ts|mjs)$/;

const linesRule = (title: string, paths: RegExp, max: number, example: string): Rule => ({
  title,
  find: perFile(paths, ({ path, lines }) =>
    lines.length > max ? [`${path} has ${lines.length} lines: at most ${max}`] : [],
  ),
  broken: [{ [example]: 'x;\n'.repeat(max + 1) }],
  kept: [{ [example]: 'x;\n'.repeat(max) }],
});

/** A function of `lines` lines. */
const functionOf = (lines: number) => `function f() {\n${'  x();\n'.repeat(lines - 2)}}\n`;
const inner = functionOf(FUNCTION_LINES_MAX);

/** What a person reads stays in one piece, so that it is found by searching for what was read. */
const IS_TEXT = /^\s*(return |: |\? |\w+: )?['"`].*['"`][,;)]*$/;

const RULES: Rule[] = [
  linesRule('a source file is short', PRODUCT, FILE_LINES_MAX, 'src/log/x.ts'),
  linesRule('a kernel file is short', PRODUCT, FILE_LINES_MAX, 'assembly/x.ts'),
  linesRule('a test file is short', /^test\/.*\.ts$/, TEST_LINES_MAX, 'test/unit/x.test.ts'),
  linesRule('a door is small', /^src\/.*\/index\.ts$/, DOOR_LINES_MAX, 'src/log/index.ts'),
  linesRule(
    'the architecture fits in one reading',
    /^ARCHITECTURE\.md$/,
    ARCHITECTURE_LINES_MAX,
    'ARCHITECTURE.md',
  ),
  {
    title: 'a function is short; one that holds named functions is measured without them',
    find: perFile(PRODUCT, findLongFunctions),
    broken: [
      { 'src/log/x.ts': functionOf(FUNCTION_LINES_MAX + 1) },
      { 'src/log/x.ts': `const f = () => {\n${'x();\n'.repeat(FUNCTION_LINES_MAX)}};` },
      { 'src/log/x.ts': `class A { m() {\n${'x();\n'.repeat(FUNCTION_LINES_MAX)}} }` },
      { 'src/log/x.ts': `function g() {\n${functionOf(FUNCTION_LINES_MAX + 1)}}\n` },
      { 'src/log/x.ts': `function g() {\na(() => {\n${'x();\n'.repeat(70)}});\n}\n` },
      { 'assembly/turn.ts': `export ${functionOf(FUNCTION_LINES_MAX + 1)}` },
    ],
    kept: [
      { 'src/log/x.ts': functionOf(FUNCTION_LINES_MAX) },
      { 'src/log/x.ts': `function createX() {\n${inner}${inner}return { f };\n}\n` },
      { 'test/unit/x.test.ts': functionOf(FUNCTION_LINES_MAX + 1) },
    ],
  },
  {
    title: 'a function takes few parameters',
    find: perFile(CODE, findManyParameters),
    broken: [
      { 'src/log/x.ts': 'function f(a, b, c, d, e) {}' },
      { 'src/log/x.ts': 'const f = (a, b, c, d, e) => a;' },
      { 'src/log/x.ts': 'interface F { call(a: A, b: A, c: A, d: A, e: A): void }' },
      { 'src/log/x.ts': 'class A { constructor(a: A, b: A, c: A, d: A, e: A) {} }' },
    ],
    kept: [
      { 'src/log/x.ts': 'function f(a, b, c, d) {}' },
      { 'assembly/x.ts': 'function f(a, b, c, d, e, f, g, h) {}' },
    ],
  },
  {
    title: 'a line fits on the screen',
    find: perFile(CODE, ({ path, lines }) =>
      lines.flatMap((line, index) => {
        const columns = [...line].length;
        if (IS_TEXT.test(line)) return [];
        return columns > COLUMNS_MAX ? [`${path}:${index + 1} has ${columns} columns`] : [];
      }),
    ),
    broken: [
      { 'src/log/x.ts': `// ${'x'.repeat(COLUMNS_MAX - 2)}` },
      { 'src/log/x.ts': `const x = call('${'x'.repeat(COLUMNS_MAX)}', 1 + 1);` },
    ],
    kept: [
      { 'src/log/x.ts': `// ${'ü'.repeat(COLUMNS_MAX - 3)}` },
      { 'src/log/x.ts': `      '${'x'.repeat(COLUMNS_MAX)}',` },
    ],
  },
  {
    title: 'a room has few files (cli: one file per command)',
    find: findCrowdedFolders,
    broken: [Object.fromEntries(numbered('src/log/f', ROOM_FILES_MAX + 1))],
    kept: [
      Object.fromEntries(numbered('src/log/f', ROOM_FILES_MAX)),
      Object.fromEntries(numbered('src/cli/f', ROOM_FILES_MAX + 1)),
    ],
  },
  {
    title: 'a file says first what it is',
    find: perFile(/^(src|assembly)\/.*\.ts$/, ({ path, text }) =>
      /^(#!.*\n)?\s*(\/\*|\/\/)/.test(text) ? [] : [`${path} does not begin with a comment`],
    ),
    broken: [{ 'src/log/x.ts': 'export const x = 1;\n/** Late. */' }],
    kept: [{ 'src/log/x.ts': '/** What it is. */\nexport const x = 1;' }],
  },
];

checkRules('everything has a budget', RULES);

function numbered(prefix: string, count: number): [string, string][] {
  return Array.from({ length: count }, (_, index) => [`${prefix}${index}.ts`, '']);
}

function findLongFunctions(file: SourceFile): string[] {
  const found: string[] = [];
  walk(file.tree, (node) => {
    if (!isFunctionWithBody(node)) return;
    const lines = ownLines(file, node);
    if (lines <= FUNCTION_LINES_MAX) return;
    found.push(`${placeOf(file, node)} is a function of ${lines} lines: at most 70`);
  });
  return found;
}

const isFunctionWithBody = (node: ts.Node): node is ts.FunctionLikeDeclaration =>
  ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;

/**
 * A factory's inner functions have names and budgets of their own; callbacks belong to their
 * caller.
 */
function ownLines(file: SourceFile, outer: ts.FunctionLikeDeclaration): number {
  let lines = linesOf(file, outer);
  const subtract = (node: ts.Node): void => {
    if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) {
      lines -= linesOf(file, node);
    } else node.forEachChild(subtract);
  };
  outer.body?.forEachChild(subtract);
  return lines;
}

function linesOf(file: SourceFile, node: ts.Node): number {
  const lineAt = (position: number) => file.tree.getLineAndCharacterOfPosition(position).line;
  return lineAt(node.getEnd()) - lineAt(node.getStart()) + 1;
}

function findManyParameters(file: SourceFile): string[] {
  const found: string[] = [];
  const max = IS_KERNEL.test(file.path) ? KERNEL_PARAMETERS_MAX : PARAMETERS_MAX;
  walk(file.tree, (node) => {
    if (!ts.isFunctionLike(node) || node.parameters.length <= max) return;
    const { length } = node.parameters;
    found.push(`${placeOf(file, node)} takes ${length} parameters: at most ${max}`);
  });
  return found;
}

function findCrowdedFolders(files: readonly SourceFile[]): string[] {
  const counts = new Map<string, number>();
  for (const { path } of files) {
    if (!/^src\/.+\.ts$/.test(path) || path.startsWith('src/cli/')) continue;
    const folder = posix.dirname(path);
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return [...counts]
    .filter(([, count]) => count > ROOM_FILES_MAX)
    .map(([folder, count]) => `${folder} has ${count} files: at most ${ROOM_FILES_MAX}`);
}

import ts from 'typescript';
import { checkRules, perFile, type Rule } from './rule.ts';
import { placeOf, type SourceFile, walk } from './source.ts';

/** `Date.now` and the like: used at all, called or handed on. */
interface Ban {
  readonly title: string;
  readonly paths: RegExp;
  readonly isBanned: (node: ts.Node) => boolean;
  readonly instead: string;
  readonly broken: readonly [path: string, text: string][];
  readonly kept: readonly [path: string, text: string][];
}

const isProperty = (node: ts.Node, owner: string, name: string): boolean =>
  (ts.isPropertyAccessExpression(node) &&
    node.name.text === name &&
    lastNameOf(node.expression) === owner) ||
  (ts.isElementAccessExpression(node) &&
    ts.isStringLiteralLike(node.argumentExpression) &&
    node.argumentExpression.text === name &&
    lastNameOf(node.expression) === owner);

/** `globalThis.Date` and `Date` are the same. */
function lastNameOf(node: ts.Expression): string {
  if (ts.isIdentifier(node)) return node.text;
  return ts.isPropertyAccessExpression(node) ? node.name.text : '';
}

/** A use of the global itself: not a property of that name, not a type. */
function isGlobalUse(node: ts.Node, name: string): boolean {
  if (!ts.isIdentifier(node) || node.text !== name) return false;
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) {
    return lastNameOf(parent.expression) === 'globalThis';
  }
  const isDeclaredHere =
    (ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent)) && parent.name === node;
  return !isDeclaredHere && !ts.isTypeNode(parent) && !ts.isQualifiedName(parent);
}

const isDateWithoutArguments = (node: ts.Node): boolean =>
  (ts.isNewExpression(node) || ts.isCallExpression(node)) &&
  lastNameOf(node.expression) === 'Date' &&
  (ts.isCallExpression(node) || (node.arguments ?? []).length === 0);

const BANS: Ban[] = [
  {
    title: 'time enters through base/clock.ts only',
    paths: /^(src\/(?!base\/clock\.ts$)|assembly\/).*\.ts$/,
    isBanned: (node) =>
      isProperty(node, 'Date', 'now') ||
      isProperty(node, 'performance', 'now') ||
      isProperty(node, 'process', 'hrtime') ||
      isDateWithoutArguments(node),
    instead: 'take a Clock of base/clock.ts',
    broken: [
      ['src/log/x.ts', 'const t = Date.now();'],
      ['src/log/x.ts', 'const t = globalThis.Date.now();'],
      ['src/log/x.ts', `const t = Date['now']();`],
      ['src/log/x.ts', 'const t = performance.now();'],
      ['src/log/x.ts', 'const clock = { nowMs: Date.now };'],
      ['src/log/x.ts', 'const t = new Date();'],
      ['src/log/x.ts', 'const t = new Date;'],
      ['src/log/x.ts', 'const t = Date();'],
      ['src/log/x.ts', 'const t = process.hrtime.bigint();'],
      ['assembly/turn.ts', 'const t = Date.now();'],
    ],
    kept: [
      ['src/base/clock.ts', 'const t = Date.now();'],
      ['src/log/x.ts', 'const t = new Date(stampMs).toISOString(); const n = clock.nowMs();'],
      ['src/log/x.ts', '// Date.now() is not for us\nconst s = "Date.now()";'],
    ],
  },
  {
    title: 'nothing is random',
    paths: /^(src|assembly|test|bench)\/.*\.(ts|mjs)$/,
    isBanned: (node) => isProperty(node, 'Math', 'random'),
    instead: 'seed a generator, or take ids from node:crypto',
    broken: [
      ['src/sim/x.ts', 'const r = Math.random();'],
      ['test/unit/x.test.ts', 'const random = Math.random;'],
      ['src/setup.mjs', 'const r = Math.random();'],
    ],
    kept: [['src/sim/x.ts', 'const r = random(); const m = Math.round(1.5);']],
  },
  {
    title: 'the environment is read in config only',
    paths: /^src\/(?!config\/).*\.ts$/,
    isBanned: (node) => isProperty(node, 'process', 'env'),
    instead: 'take it from config/environment.ts at the top, and hand it down',
    broken: [
      ['src/log/x.ts', `const home = process.env['HOME'];`],
      ['src/cli/main.ts', 'const { HOME } = process.env;'],
    ],
    kept: [
      ['src/config/environment.ts', `const home = process.env['HOME'];`],
      ['src/setup.mjs', `const path = process.env['PATH'];`],
    ],
  },
  {
    title: 'WebAssembly is hosted in kernel only',
    paths: /^src\/(?!kernel\/).*\.ts$/,
    isBanned: (node) => isGlobalUse(node, 'WebAssembly'),
    instead: 'use the kernel room’s door',
    broken: [
      ['src/runtime/x.ts', 'const m = new WebAssembly.Memory({ initial: 1 });'],
      ['src/runtime/x.ts', 'const w = globalThis.WebAssembly;'],
    ],
    kept: [
      ['src/kernel/x.ts', 'const m = new WebAssembly.Memory({ initial: 1 });'],
      ['src/model/doors.ts', 'interface X { memory: WebAssembly.Memory }'],
    ],
  },
  {
    title: 'requests are made in rooms that own sockets only',
    paths: /^src\/(?!(gateway|query|ops|log|engine)\/).*\.ts$/,
    isBanned: (node) =>
      ts.isCallExpression(node) &&
      (isGlobalUse(node.expression, 'fetch') || isProperty(node.expression, 'globalThis', 'fetch')),
    instead: 'use the door of the room that owns the connection',
    broken: [
      ['src/cli/status.ts', 'const answer = await fetch(url);'],
      ['src/runtime/x.ts', 'const answer = await globalThis.fetch(url);'],
    ],
    kept: [
      ['src/query/x.ts', 'const answer = await fetch(url);'],
      ['src/runtime/x.ts', 'const answer = await store.fetch(key);'],
    ],
  },
  {
    title: 'sources run under tsx as they are: no enum, namespace or parameter property',
    paths: /^src\/.*\.ts$/,
    isBanned: (node) =>
      ts.isEnumDeclaration(node) ||
      (ts.isModuleDeclaration(node) && ts.isIdentifier(node.name) && !isGlobalBlock(node)) ||
      (ts.isParameter(node) && ts.isParameterPropertyDeclaration(node, node.parent)) ||
      ts.isDecorator(node),
    instead: 'use a const object and a union, a module, a field',
    broken: [
      ['src/log/x.ts', 'export enum Colour { red }'],
      ['src/log/x.ts', 'namespace N { export const a = 1; }'],
      ['src/log/x.ts', 'class A { constructor(private readonly b: number) {} }'],
      ['src/log/x.ts', '@sealed class A {}'],
    ],
    kept: [
      ['src/log/x.ts', `export const COLOUR = { red: 0 } as const; class A { b = 1; }`],
      ['src/log/x.ts', 'declare global { interface Window { a: number } }'],
    ],
  },
];

const isGlobalBlock = (node: ts.ModuleDeclaration): boolean =>
  (node.flags & ts.NodeFlags.GlobalAugmentation) !== 0;

function findBanned(file: SourceFile, { isBanned, instead }: Ban): string[] {
  const found: string[] = [];
  walk(file.tree, (node) => {
    if (!isBanned(node)) return;
    found.push(`${placeOf(file, node)} ${node.getText().split('\n', 1)[0]}: ${instead}`);
  });
  return found;
}

checkRules(
  'some things have one place',
  BANS.map(
    (ban): Rule => ({
      title: ban.title,
      find: perFile(ban.paths, (file) => findBanned(file, ban)),
      broken: ban.broken.map(([path, text]) => ({ [path]: text })),
      kept: ban.kept.map(([path, text]) => ({ [path]: text })),
    }),
  ),
);

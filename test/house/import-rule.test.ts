import { posix } from 'node:path';
import ts from 'typescript';
import { checkRules, perFile, type Rule } from './rule.ts';
import { placeOf, type SourceFile, walk } from './source.ts';

/** What every room may import, in this order: each may import those before it. */
const GROUND = ['base', 'model', 'wire'];
/** Who sees several rooms: the composition root and the commands. */
const COMPOSERS = new Set(['main', 'cli']);
/** Who may read the constants that the kernel shares with its host. */
const ABI_READERS = new Set(['model', 'kernel']);

const ROOM_RULES: Rule[] = [
  {
    title: 'rooms meet only at base, model and wire',
    find: perFile(/^src\/.*\.ts$/, (file) =>
      importsOf(file).flatMap(({ target, place }) => {
        const room = roomOf(file.path);
        const problem = problemOf(room, target);
        return problem ? [`${place} ${room} imports ${target}: ${problem}`] : [];
      }),
    ),
    broken: [
      { 'src/log/x.ts': `import { y } from '../runtime/y.ts';` },
      { 'src/log/x.ts': `import type { Y } from '../runtime/index.ts';` },
      { 'src/log/x.ts': `export * from '../runtime/index.ts';` },
      { 'src/log/x.ts': `const y = await import('../runtime/y.ts');` },
      { 'src/log/x.ts': `type Y = import('../runtime/y.ts').Y;` },
      { 'src/log/x.ts': `const url = siblingModule(import.meta.url, '../runtime/worker');` },
      { 'src/log/x.ts': `import { main } from '../main.ts';` },
      { 'src/engine/nats/x.ts': `import { y } from '../clickhouse/y.ts';` },
      { 'src/engine/clickhouse/http/x.ts': `import { y } from '../../nats/y.ts';` },
      { 'src/base/x.ts': `import type { Y } from '../model/y.ts';` },
      { 'src/model/x.ts': `import type { Y } from '../wire/y.ts';` },
      { 'src/log/x.ts': `import { ABI } from '../../assembly/shared/abi.ts';` },
      { 'src/kernel/x.ts': `import { y } from '../../assembly/turn.ts';` },
      { 'src/log/x.ts': `import { y } from '../../test/support/y.ts';` },
    ],
    kept: [
      { 'src/log/x.ts': `import { y } from '../model/y.ts'; import z from './z.ts';` },
      { 'src/engine/nats/x.ts': `import { y } from '../../base/y.ts';` },
      { 'src/engine/clickhouse/http/x.ts': `import { y } from '../codec/y.ts';` },
      { 'src/kernel/x.ts': `import { ABI } from '../../assembly/shared/abi.ts';` },
      { 'src/main.ts': `import { y } from './log/index.ts';` },
      { 'src/cli/up.ts': `import { y } from '../log/index.ts'; import m from '../main.ts';` },
    ],
  },
  {
    title: 'the kernel imports only itself',
    find: perFile(/^assembly\/.*\.ts$/, (file) => {
      const home = file.path.startsWith('assembly/shared/') ? 'assembly/shared/' : 'assembly/';
      return importsOf(file)
        .filter(({ target }) => !`${target}/`.startsWith(home))
        .map(({ target, place }) => `${place} imports ${target}: only ${home} is allowed`);
    }),
    broken: [
      { 'assembly/turn.ts': `import { y } from '../src/model/y';` },
      { 'assembly/shared/abi.ts': `import { y } from '../turn';` },
    ],
    kept: [
      { 'assembly/turn.ts': `import { y } from './shared/abi';` },
      { 'assembly/shared/abi.ts': `import { y } from './status';` },
    ],
  },
];

interface Confinement {
  readonly what: string;
  readonly packages: RegExp;
  readonly rooms: readonly string[];
}

/** The gateway's doors and the log's lean reader own sockets too (ARCHITECTURE, "Rooms"). */
const SOCKET_ROOMS = ['gateway', 'query', 'ops', 'log', 'engine/nats', 'engine/clickhouse'];
const CONFINEMENTS: Confinement[] = [
  {
    what: 'NATS clients',
    packages: /^@nats-io\//,
    rooms: ['log', 'facts', 'registry', 'query', 'engine/nats', 'engine/clickhouse', 'cli'],
  },
  { what: 'Piscina', packages: /^piscina(\/|$)/, rooms: ['kernel'] },
  {
    what: 'the ClickHouse client',
    packages: /^@clickhouse\/client/,
    rooms: ['readmodel', 'query'],
  },
  { what: 'chDB', packages: /^(chdb|@chdb\/)/, rooms: ['engine/clickhouse'] },
  {
    what: 'sockets',
    packages: /^(node:)?(net|tls|http|https|http2|dgram)$/,
    rooms: SOCKET_ROOMS,
  },
];

const confinementRule = ({ what, packages, rooms }: Confinement): Rule => {
  const name = /net/.test(packages.source) ? 'node:net' : nameMatching(packages);
  return {
    title: `only ${rooms.join(', ')} import ${what}`,
    find: perFile(/^src\/.*\.ts$/, (file) =>
      importsOf(file)
        .filter(({ target }) => packages.test(target) && !rooms.includes(roomOf(file.path)))
        .map(({ target, place }) => `${place} imports ${target}: ${what} are for ${rooms}`),
    ),
    broken: [
      { 'src/runtime/x.ts': `import { y } from '${name}';` },
      { 'src/main.ts': `import type { Y } from '${name}';` },
      { 'src/sim/x.ts': `const y = require('${name}');` },
    ],
    kept: [{ [`src/${rooms[0]}/x.ts`]: `import { y } from '${name}';` }],
  };
};

function nameMatching(packages: RegExp): string {
  const known = ['@nats-io/jetstream', 'piscina', '@clickhouse/client', 'chdb'];
  return known.find((name) => packages.test(name))!;
}

const PURITY_RULE: Rule = {
  title: 'model and rules do no I/O',
  find: perFile(/^src\/(model|rules)\/.*\.ts$/, (file) =>
    importsOf(file)
      .filter(({ target }) => /^(node:)?(fs|child_process|worker_threads|net|http)/.test(target))
      .map(({ target, place }) => `${place} imports ${target}: this room does no I/O`),
  ),
  broken: [{ 'src/model/x.ts': `import { readFileSync } from 'node:fs';` }],
  kept: [{ 'src/model/x.ts': `import { createHash } from 'node:crypto';` }],
};

checkRules('rooms do not import rooms', ROOM_RULES);
checkRules('packages are confined', [...CONFINEMENTS.map(confinementRule), PURITY_RULE]);

// --- reading imports
// ------------------------------------------------------------------------------

interface Import {
  /** A path from the root, or the name of a package. */
  readonly target: string;
  readonly place: string;
}

function importsOf(file: SourceFile): Import[] {
  const imports: Import[] = [];
  walk(file.tree, (node) => {
    const specifier = specifierOf(node);
    if (specifier === null) return;
    const target = specifier.startsWith('.')
      ? posix.join(posix.dirname(file.path), specifier)
      : specifier;
    imports.push({ target, place: placeOf(file, node) });
  });
  return imports;
}

function specifierOf(node: ts.Node): string | null {
  const textOf = (part: ts.Node | undefined) =>
    part && ts.isStringLiteralLike(part) ? part.text : null;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return textOf(node.moduleSpecifier);
  }
  if (ts.isImportTypeNode(node)) {
    return ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : null;
  }
  if (!ts.isCallExpression(node)) return null;
  const callee = node.expression.getText();
  if (['import', 'require', 'import.meta.resolve', 'require.resolve'].includes(callee)) {
    return textOf(node.arguments[0]);
  }
  return callee === 'siblingModule' ? textOf(node.arguments[1]) : null;
}

/** `src/engine/nats/x.ts` → `engine/nats`; `src/log/a/b.ts` → `log`; `src/main.ts` → `main`. */
function roomOf(path: string): string {
  const [, first = '', second = '', third] = path.split('/');
  if (second === '') return first.replace(/\.[a-z]+$/, '');
  return first === 'engine' && third !== undefined ? `${first}/${second}` : first;
}

function problemOf(room: string, target: string): string | null {
  if (/^(assembly|test|bench)\//.test(target)) {
    if (!target.startsWith('assembly/shared/')) return 'it is outside src';
    return ABI_READERS.has(room) ? null : `only ${[...ABI_READERS]} read assembly/shared`;
  }
  if (!target.startsWith('src/')) return null;
  const other = roomOf(target);
  if (other === room || COMPOSERS.has(room)) return null;
  const level = GROUND.indexOf(other);
  if (level < 0) return 'rooms meet at the interfaces in model/doors.ts';
  const ownLevel = GROUND.indexOf(room);
  return ownLevel >= 0 && ownLevel < level ? `${room} stands below ${other}` : null;
}

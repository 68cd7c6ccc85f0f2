import { checkRules, type Rule } from './rule.ts';
import type { SourceFile } from './source.ts';

/** In parts, so that this file does not hold what it forbids. */
const REGISTRY_HOSTS = [
  ...['deb', 'security', 'ftp', 'snapshot', 'http'].map((name) => [name, 'debian', 'org']),
  ...['archive', 'security', 'ports'].map((name) => [name, 'ubuntu', 'com']),
  ['registry', 'npmjs', 'org'],
  ['registry', 'yarnpkg', 'com'],
  ['pypi', 'org'],
  ['files', 'pythonhosted', 'org'],
  ['proxy', 'golang', 'org'],
  ['crates', 'io'],
].map((parts) => parts.join('.'));

const LOCK = 'package-lock.json';

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const lockOf = (entries: Record<string, LockEntry>) =>
  JSON.stringify({ lockfileVersion: 3, packages: { '': {}, ...entries } });

const readEntries = (files: readonly SourceFile[]): [string, LockEntry][] => {
  const text = files.find(({ path }) => path === LOCK)?.text ?? '{}';
  return Object.entries(
    (JSON.parse(text) as { packages?: Record<string, LockEntry> }).packages ?? {},
  );
};

const hasPackage = (entries: readonly [string, LockEntry][], name: string) =>
  entries.some(
    ([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`),
  );

const RULES: Rule[] = [
  {
    title: 'no committed file names a package registry',
    find: (files) =>
      files.flatMap(({ path, lines }) =>
        lines.flatMap((line, index) =>
          REGISTRY_HOSTS.filter((host) => line.toLowerCase().includes(host)).map(
            (host) => `${path}:${index + 1} names ${host}: the machine's own configuration decides`,
          ),
        ),
      ),
    broken: REGISTRY_HOSTS.map((host) => ({ 'docs/x.md': `See https://${host}/x.` })),
    kept: [{ 'docs/x.md': 'See the Debian mirror of your machine, or http://127.0.0.1:8123/.' }],
  },
  {
    title: 'the lock file carries no addresses, and npm is told so',
    find: (files) => {
      const addresses = readEntries(files)
        .filter(([, { resolved, link }]) => resolved !== undefined && !link)
        .map(([path]) => `${LOCK}: ${path} has an address`);
      const npmrc = files.find(({ path }) => path === '.npmrc')?.text ?? '';
      const isTold = /^omit-lockfile-registry-resolved\s*=\s*true$/m.test(npmrc);
      return isTold ? addresses : [...addresses, '.npmrc lacks omit-lockfile-registry-resolved'];
    },
    broken: [
      { '.npmrc': '', [LOCK]: lockOf({}) },
      {
        '.npmrc': 'omit-lockfile-registry-resolved=true\n',
        [LOCK]: lockOf({ 'node_modules/a': { version: '1.0.0', resolved: 'https://x.example/a' } }),
      },
    ],
    kept: [
      {
        '.npmrc': 'omit-lockfile-registry-resolved=true\n',
        [LOCK]: lockOf({ 'node_modules/a': { version: '1.0.0' } }),
      },
    ],
  },
  {
    title: 'the lock file holds the packages of every platform, else a clean install refuses it',
    find: (files) => {
      const entries = readEntries(files);
      return entries.flatMap(([path, { optionalDependencies = {} }]) =>
        Object.keys(optionalDependencies)
          .filter((name) => !hasPackage(entries, name))
          .map((name) => `${LOCK} lacks ${name}, which ${path || 'package.json'} names`),
      );
    },
    broken: [
      { [LOCK]: lockOf({ 'node_modules/a': { optionalDependencies: { 'a-darwin': '1.0.0' } } }) },
    ],
    kept: [
      {
        [LOCK]: lockOf({
          'node_modules/a': { optionalDependencies: { 'a-darwin': '1.0.0' } },
          'node_modules/a-darwin': { version: '1.0.0' },
        }),
      },
    ],
  },
  {
    title: 'every dependency is pinned to one version',
    find: (files) => {
      const text = files.find(({ path }) => path === 'package.json')?.text ?? '{}';
      const manifest = JSON.parse(text) as Record<string, Record<string, string> | undefined>;
      return ['dependencies', 'devDependencies', 'optionalDependencies'].flatMap((kind) =>
        Object.entries(manifest[kind] ?? {})
          .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
          .map(([name, version]) => `package.json: ${name} is ${version}, not one version`),
      );
    },
    broken: [
      { 'package.json': '{"dependencies": {"a": "^1.0.0"}}' },
      { 'package.json': '{"devDependencies": {"a": "latest"}}' },
    ],
    kept: [{ 'package.json': '{"dependencies": {"a": "1.0.0", "b": "2.0.0-beta.1"}}' }],
  },
];

checkRules('dependencies come from where the machine says', RULES);
